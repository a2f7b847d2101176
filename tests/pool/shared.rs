//! The sources of a pool share their tokens with the other replicas, each with those of its own customer.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::service_fn;
use tower_oauth::{
    BoxError, ClientId, ClientSecret, Clock, ObtainedFrom, TokenEndpoint,
    client_credentials::{ClientCredentialsBuilder, CredentialPlacement, Dialect},
    pool::SourcePool,
    shared::{SealingKeys, SharedStore},
};

use crate::bank::{secs, token};

/// A token endpoint that writes the client's id into its token.
#[derive(Clone, Default)]
struct TokenServer(Arc<Mutex<Vec<String>>>);

impl TokenServer {
    async fn answer(
        self,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Full<Bytes>>, BoxError> {
        let form = request.into_body().collect().await?.to_bytes();
        let form = String::from_utf8(form.to_vec())?;
        let id = form
            .split('&')
            .find_map(|field| field.strip_prefix("client_id="));
        let id = id.ok_or("without a client")?.to_owned();
        self.0.lock().unwrap().push(id.clone());
        let answer = format!(r#"{{"access_token": "token-of-{id}", "expires_in": 3600}}"#);
        Ok(Response::new(Full::from(answer)))
    }

    fn asked(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The pool of one replica.
    fn replica(
        &self,
        store: &SharedStore,
        endpoint: &TokenEndpoint,
        clock: &Clock,
    ) -> SourcePool<u32> {
        let mut dialect = Dialect::new("efi", "https://login.efi.example/token");
        dialect.credentials = CredentialPlacement::Body {
            id: "client_id".into(),
            secret: "client_secret".into(),
        };
        let dialect = Arc::new(dialect);
        let (server, store, endpoint, clock) =
            (self.clone(), store.clone(), endpoint.clone(), clock.clone());
        let pool = SourcePool::builder(move |customer: u32| {
            let server = server.clone();
            let transport = service_fn(move |request| server.clone().answer(request));
            let id = ClientId::new(format!("id-{customer}"));
            let source = id.map(|id| {
                ClientCredentialsBuilder::new(dialect.clone(), id)
                    .secret(ClientSecret::new(format!("secret-{customer}")))
                    .name(format!("efi/{customer}"))
                    .shared(store.clone())
                    .token_endpoint(&endpoint)
                    .clock(clock.clone())
            });
            async move { source?.build::<Full<Bytes>>(transport) }
        });
        pool.build().unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn each_customer_shares_its_own_token_and_the_store_costs_no_turn() {
    let (server, clock) = (TokenServer::default(), Clock::tokio());
    let store = SharedStore::in_memory(clock.clone(), SealingKeys::new(&[7; 32]));
    let endpoint = || {
        let endpoint = TokenEndpoint::builder("efi").clock(clock.clone());
        endpoint.rate(50, secs(600)).build().unwrap()
    };
    let (here, there) = (endpoint(), endpoint());
    let first = server.replica(&store, &here, &clock);
    for customer in 0..50 {
        assert_eq!(
            token(&first, customer).await,
            format!("token-of-id-{customer}")
        );
    }
    assert_eq!((server.asked(), here.status().attempts), (50, 50));

    // The second replica has used none of its rate after it.
    let second = server.replica(&store, &there, &clock);
    for round in 0..2 {
        for customer in 0..50 {
            let source = second.source(&customer).await.unwrap();
            let token = source.token().await.unwrap();
            assert_eq!(
                token.expose_token(),
                format!("token-of-id-{customer}"),
                "{round}"
            );
            assert_eq!(source.status().obtained_from, Some(ObtainedFrom::Store));
        }
    }
    assert_eq!((server.asked(), there.status().attempts), (50, 0));
    token(&second, 99).await;
    assert_eq!((server.asked(), there.status().attempts), (51, 1));
}
