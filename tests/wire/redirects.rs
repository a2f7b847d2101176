//! A token endpoint or an API that points elsewhere: nothing of ours gets there.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use tower::{Service, ServiceBuilder, ServiceExt};
use tower_http::follow_redirect::{
    FollowRedirectLayer,
    policy::{CloneBodyFn, clone_body_fn},
};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, FailureClass, OAuthError, OAuthLayer,
    client_credentials::{
        BodyEncoding, ClientCredentialsBuilder, CredentialPlacement, Dialect, Grant,
    },
    testing::{Bank, BankBuilder, Fault, Foreign},
};

use crate::stack::{BANKS, CLIENTS, Client, Stack, UNTIL_STALE, at};

const REDIRECTS: [StatusCode; 5] = [
    StatusCode::MOVED_PERMANENTLY,
    StatusCode::FOUND,
    StatusCode::SEE_OTHER,
    StatusCode::TEMPORARY_REDIRECT,
    StatusCode::PERMANENT_REDIRECT,
];

/// A redirect to a foreign host, and a stack that will meet it.
struct Lure {
    status: StatusCode,
    foreign: Foreign,
    stack: Stack,
}

impl Lure {
    async fn at(bank: BankBuilder, client: Client, status: StatusCode) -> Self {
        Self {
            status,
            foreign: Foreign::start().await.unwrap(),
            stack: Stack::open(bank, client).await,
        }
    }

    fn fault(&self) -> Fault {
        Fault::redirect(self.status, &self.foreign.url())
    }

    fn case(&self) -> String {
        format!("{}, {}", self.stack.case(), self.status)
    }

    #[track_caller]
    fn assert_nothing_got_there(&self) {
        let seen = self.foreign.requests();
        assert!(seen.is_empty(), "{}: {seen:?}", self.case());
    }

    /// A fetch that is led astray ends at once, as an error that says so.
    async fn assert_no_token_is_fetched_there(&self) {
        self.stack.bank.token_fault_always(self.fault());
        let error = self.stack.error().await;
        self.assert_nothing_got_there();
        let error = OAuthError::find(&*error).unwrap();
        assert!(error.is_malformed(), "{}: {error}", self.case());
        assert_eq!(
            error.class(),
            Some(FailureClass::Unclear),
            "{}",
            self.case()
        );
        let says = format!(
            "the answer is a redirect to {}, which is never followed (HTTP {}). Check the token URL.",
            self.foreign.origin(),
            self.status.as_u16()
        );
        let shown = error.to_string();
        assert!(shown.contains(&says), "{}: {shown}", self.case());
        let counters = self.stack.counters();
        assert_eq!(
            (counters.token_requests, counters.api_requests),
            (1, 0),
            "{}",
            self.case()
        );
    }
}

#[tokio::test]
async fn no_preset_follows_its_token_endpoint() {
    for client in CLIENTS {
        for status in REDIRECTS {
            for open in BANKS {
                let lure = Lure::at(open(), client, status).await;
                lure.assert_no_token_is_fetched_there().await;
            }
        }
    }
}

/// One client for each way in which a secret can travel.
fn every_way() -> Vec<ClientCredentialsBuilder> {
    let secret = || ClientSecret::new("c4n4ry-secret");
    let plain = || Dialect::new("lured", "https://login.example");
    let way = |dialect| ClientCredentialsBuilder::new(dialect, ClientId::new("c4n4ry-id").unwrap());
    let with = |credentials, body| {
        let mut dialect = plain();
        dialect.credentials = credentials;
        dialect.body = body;
        dialect
    };
    let in_body = || CredentialPlacement::Body {
        id: "clientId".into(),
        secret: "clientSecret".into(),
    };
    let mut nothing_but_basic = with(CredentialPlacement::BasicRaw, BodyEncoding::Empty);
    nothing_but_basic.grant = Grant::Absent;
    let id_only = CredentialPlacement::IdOnly {
        id: "client_id".into(),
    };
    vec![
        way(nothing_but_basic).secret(secret()),
        way(with(CredentialPlacement::BasicEncoded, BodyEncoding::Form)).secret(secret()),
        way(with(in_body(), BodyEncoding::Form)).secret(secret()),
        way(with(in_body(), BodyEncoding::Json)).secret(secret()),
        way(plain())
            .secret(secret())
            .token_header("x-api-key", secret()),
        way(plain()).secret(secret()).token_param("pin", secret()),
        way(with(id_only, BodyEncoding::Form)),
    ]
}

#[tokio::test]
async fn no_secret_travels_on_whichever_way_it_came() {
    for client in CLIENTS {
        for status in REDIRECTS {
            for builder in every_way() {
                let bank = Bank::avista().start().await.unwrap();
                let builder = at(&bank, builder);
                let lure = Lure {
                    status,
                    foreign: Foreign::start().await.unwrap(),
                    stack: Stack::of(bank, client, builder),
                };
                lure.assert_no_token_is_fetched_there().await;
            }
        }
    }
}

/// A token that is refreshed meanwhile is as safe, and the old one is still used.
#[tokio::test]
async fn a_refresh_that_is_led_astray_costs_nothing() {
    for client in CLIENTS {
        let lure = Lure::at(Bank::anbima(), client, StatusCode::SEE_OTHER).await;
        let stack = &lure.stack;
        stack.source.ready().await.unwrap();
        stack.bank.token_fault_always(lure.fault());
        stack.clock.step_wall_forward(UNTIL_STALE);
        let url = stack.bank.api_url();
        assert_eq!(stack.get(&url).await, StatusCode::OK);
        stack.wait_until(|status| status.error.is_some()).await;
        assert_eq!(stack.get(&url).await, StatusCode::OK);
        lure.assert_nothing_got_there();
        assert_eq!(stack.counters().token_requests, 2, "{}", lure.case());
    }
}

fn request(method: &Method, url: &str) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(url);
    request.body("a payment".into()).unwrap()
}

type CloneBody = fn(&Full<Bytes>) -> Option<Full<Bytes>>;

/// Follows everything, and takes the body and every header along.
fn reckless() -> FollowRedirectLayer<CloneBodyFn<CloneBody>> {
    FollowRedirectLayer::with_policy(clone_body_fn(|body| Some(body.clone())))
}

/// The documented order: whatever follows redirects goes outside, so that the layer looks at every hop.
fn following(
    stack: &Stack,
) -> impl Service<Request<Full<Bytes>>, Response = Response<Bytes>, Error = BoxError> + use<> {
    ServiceBuilder::new()
        .layer(reckless())
        .service(stack.api.clone())
}

/// ANBIMA's two headers are no client's idea of a credential, and a bearer token is; neither goes along.
#[tokio::test]
async fn below_a_layer_that_follows_redirects_a_foreign_hop_is_an_error() {
    for open in [Bank::anbima, Bank::avista] {
        for (client, status) in every_case() {
            for method in [Method::GET, Method::POST] {
                let lure = Lure::at(open(), client, status).await;
                lure.stack.bank.api_faults([lure.fault()]);
                let request = request(&method, &lure.stack.bank.api_url());
                let error = following(&lure.stack).oneshot(request).await.unwrap_err();
                lure.assert_nothing_got_there();
                let oauth = OAuthError::find(&*error).unwrap();
                assert!(oauth.is_foreign_origin(), "{}: {oauth}", lure.case());
                let told = oauth.to_string();
                assert!(
                    told.contains(&lure.foreign.origin()),
                    "{}: {told}",
                    lure.case()
                );
                lure.stack.assert_fetches(1);
                assert_eq!(lure.stack.counters().api_requests, 1, "{}", lure.case());
            }
        }
    }
}

fn every_case() -> impl Iterator<Item = (Client, StatusCode)> {
    CLIENTS
        .into_iter()
        .flat_map(|client| REDIRECTS.map(|status| (client, status)))
}

#[tokio::test]
async fn a_redirect_within_the_bank_is_followed_with_the_token() {
    for open in BANKS {
        for (client, status) in every_case() {
            let lure = Lure::at(open(), client, status).await;
            let url = lure.stack.bank.api_url();
            let home = Fault::redirect(status, &url);
            lure.stack.bank.api_faults([home]);
            let answer = following(&lure.stack)
                .oneshot(request(&Method::GET, &url))
                .await;
            assert_eq!(answer.unwrap().status(), StatusCode::OK, "{}", lure.case());
            lure.stack.assert_fetches(1);
            assert_eq!(lure.stack.counters().api_ok, 1, "{}", lure.case());
        }
    }
}

/// Without such a layer the redirect is the caller's to look at, also where a user's reqwest client would follow it.
#[tokio::test]
async fn no_client_follows_the_api_by_itself() {
    for open in BANKS {
        for (client, status) in every_case() {
            for method in [Method::GET, Method::POST] {
                let lure = Lure::at(open(), client, status).await;
                lure.stack.bank.api_faults([lure.fault()]);
                let url = lure.stack.bank.api_url();
                let answer = lure.stack.call(method, &url, "a payment").await.unwrap();
                lure.assert_nothing_got_there();
                assert_eq!(answer.status(), status, "{}", lure.case());
                lure.stack.assert_fetches(1);
            }
        }
    }
}

/// What the order is for: the wrong one takes ANBIMA's token along, and the foreign host does see what gets there.
#[tokio::test]
async fn outside_a_layer_that_follows_redirects_the_token_leaks() {
    for client in CLIENTS {
        let lure = Lure::at(Bank::anbima(), client, StatusCode::TEMPORARY_REDIRECT).await;
        lure.stack.bank.api_faults([lure.fault()]);
        let wrong = ServiceBuilder::new()
            .layer(OAuthLayer::new(lure.stack.source.clone()))
            .layer(reckless())
            .service(lure.stack.api.get_ref().clone());
        let url = lure.stack.bank.api_url();
        wrong.oneshot(request(&Method::GET, &url)).await.unwrap();
        let [leaked] = &lure.foreign.requests()[..] else {
            panic!("one request got there");
        };
        assert!(leaked.headers().contains_key("access_token"), "{client:?}");
    }
}
