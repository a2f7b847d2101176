//! The bank behind its server: what becomes of a request.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header::DATE};
use tokio::sync::watch;

use super::{
    api_request::echo,
    clock::Clock,
    contract::{Contract, Gives, Proof, Route, Scopes, TokenEndpoint},
    counters::Counters,
    credentials::Credentials,
    door::ClientCertificate,
    expiry::ExpiresIn,
    fault::{Faults, struck},
    ledger::{Custom, Grant, Ledger, Terms},
    refused::Refused,
    reply::{Answer, Reply},
    server::Handler,
    token_request,
    unserved::{Observer, Unserved},
};

/// Gives out client certificates.
pub(super) type Certifier = Box<dyn Fn(&Request<Bytes>) -> Result<Answer, Refused> + Send + Sync>;

pub(in crate::testing) struct Desk {
    pub(super) contract: &'static Contract,
    pub(super) client: Credentials,
    /// What the client may have, where that is not what the contract says.
    pub(super) scopes: Option<Vec<String>>,
    pub(super) custom: Custom,
    pub(super) routes: Vec<Route>,
    /// Only a bank that is reached over TLS has one.
    pub(super) certifier: Option<Certifier>,
    pub(super) clock: Clock,
    pub(super) counters: watch::Sender<Counters>,
    pub(super) observer: Option<Observer>,
    books: Mutex<Books>,
}

/// What changes while the bank is open.
pub(super) struct Books {
    pub(super) lifetime: Duration,
    pub(super) expires_in: ExpiresIn,
    pub(super) ledger: Ledger,
    pub(super) token_faults: Faults,
    pub(super) api_faults: Faults,
    pub(super) last_refusal: Option<String>,
}

impl Desk {
    pub(super) fn new(contract: &'static Contract) -> Self {
        Self {
            contract,
            client: Credentials {
                id: contract.client_id.into(),
                secret: contract.client_secret.into(),
            },
            scopes: None,
            custom: Custom::default(),
            routes: contract.routes.to_vec(),
            certifier: None,
            clock: Clock::default(),
            counters: watch::Sender::default(),
            observer: None,
            books: Mutex::new(Books {
                lifetime: contract.lifetime,
                expires_in: ExpiresIn::default(),
                ledger: Ledger::default(),
                token_faults: Faults::default(),
                api_faults: Faults::default(),
                last_refusal: None,
            }),
        }
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, count: impl FnOnce(&mut Counters)) {
        self.counters.send_modify(count);
    }

    fn reply(&self, request: &Request<Bytes>) -> Reply {
        let path = request.uri().path();
        let mut endpoints = self.contract.token_endpoints.iter();
        if let Some(endpoint) = endpoints.find(|endpoint| endpoint.path == path) {
            return self.token_reply(endpoint, request);
        }
        if let Some(route) = self.routes.iter().find(|route| route.covers(path)) {
            return self.api_reply(route, request);
        }
        self.count(|counters| counters.not_found += 1);
        self.refuse(request, Refused::not_found()).into()
    }

    fn refuse(&self, request: &Request<Bytes>, refused: Refused) -> Answer {
        self.tell(|bank| Unserved::request(bank, request, refused.status, &refused.reason));
        self.books().last_refusal = Some(refused.reason.clone());
        refused.into()
    }

    fn tell(&self, unserved: impl FnOnce(&'static str) -> Unserved) {
        if let Some(Observer(observe)) = &self.observer {
            observe(&unserved(self.contract.name));
        }
    }

    fn token_reply(&self, endpoint: &TokenEndpoint, request: &Request<Bytes>) -> Reply {
        let fault = self.books().token_faults.next();
        self.count(|counters| {
            counters.token_requests += 1;
            counters.token_faults += u64::from(fault.is_some());
        });
        struck(fault, || {
            self.grant(endpoint, request)
                .unwrap_or_else(|refused| self.refuse_token(request, refused))
        })
    }

    fn refuse_token(&self, request: &Request<Bytes>, refused: Refused) -> Answer {
        self.count(|counters| counters.token_refusals += 1);
        let reason = refused.reason.clone();
        self.refuse(request, refused)
            .member("error_description", reason)
    }

    fn grant(&self, endpoint: &TokenEndpoint, request: &Request<Bytes>) -> Result<Answer, Refused> {
        let requested = token_request::read(request, endpoint, &self.client)?;
        let by_certificate = endpoint.proof == Proof::Certificate;
        let terms = Terms {
            scopes: self.allowed(requested)?,
            bound_to: by_certificate
                .then(|| ClientCertificate::of(request).cloned())
                .flatten(),
        };
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let mut books = self.books();
        let lifetime = books.lifetime;
        let grant = books.ledger.grant(self.custom, &terms, lifetime, now);
        let expires_in = books.expires_in.json(grant.left, wall);
        drop(books);
        self.count(|counters| counters.tokens_issued += u64::from(grant.new));
        Ok(self.token_answer(grant, expires_in, &terms.scopes))
    }

    fn allowed(&self, requested: Vec<String>) -> Result<Vec<String>, Refused> {
        match (self.contract.scopes, &self.scopes) {
            (Scopes::Requested, None) => Ok(requested),
            (Scopes::Requested, Some(allowed)) => {
                if requested.iter().all(|scope| allowed.contains(scope)) {
                    return Ok(requested);
                }
                Err(Refused::invalid_scope("the client may not have the scope"))
            }
            (_, Some(allowed)) => Ok(allowed.clone()),
            (Scopes::Granted(scopes), None) => {
                Ok(scopes.iter().map(|&scope| scope.into()).collect())
            }
            (Scopes::Unstated, None) => Ok(Vec::new()),
        }
    }

    fn token_answer(&self, grant: Grant, expires_in: Option<String>, scopes: &[String]) -> Answer {
        let mut answer = Answer::new(self.contract.issued)
            .member("access_token", grant.token)
            .member("token_type", self.contract.token_type);
        if let Some(json) = expires_in {
            answer = answer.raw_member("expires_in", json);
        }
        match self.contract.scopes {
            Scopes::Unstated => answer,
            Scopes::Granted(_) | Scopes::Requested => answer.member("scope", scopes.join(" ")),
        }
    }

    fn api_reply(&self, route: &Route, request: &Request<Bytes>) -> Reply {
        let fault = self.books().api_faults.next();
        self.count(|counters| {
            counters.api_requests += 1;
            counters.api_faults += u64::from(fault.is_some());
        });
        struck(fault, || {
            let admitted = self.admit(route, request);
            match admitted.and_then(|()| self.serve(route, request)) {
                Ok(answer) => {
                    self.count(|counters| counters.api_ok += 1);
                    answer
                }
                Err(refused) => self.refuse_api(request, refused),
            }
        })
    }

    fn serve(&self, route: &Route, request: &Request<Bytes>) -> Result<Answer, Refused> {
        match (route.gives, &self.certifier) {
            (Gives::Echo, _) => Ok(echo(request)),
            (Gives::Certificate, Some(certifier)) => certifier(request),
            (Gives::Certificate, None) => Err(Refused::not_found()),
        }
    }

    fn admit(&self, route: &Route, request: &Request<Bytes>) -> Result<(), Refused> {
        let attachment = self.contract.attachment;
        let token = attachment.token(request.headers(), &self.client)?;
        let now = self.clock.now();
        let books = self.books();
        let scopes = books
            .ledger
            .check(token, ClientCertificate::of(request), now)
            .map_err(|bad| attachment.refuse(bad))?;
        match route.needs {
            Some(scope) if !scopes.iter().any(|held| held == scope) => {
                Err(attachment.not_covered())
            }
            _ => Ok(()),
        }
    }

    fn refuse_api(&self, request: &Request<Bytes>, refused: Refused) -> Answer {
        self.count(|counters| match refused.status {
            StatusCode::UNAUTHORIZED => counters.api_unauthorized += 1,
            StatusCode::FORBIDDEN => counters.api_forbidden += 1,
            _ => {}
        });
        self.refuse(request, refused)
    }
}

impl Handler for Desk {
    fn handle(&self, request: &Request<Bytes>) -> Reply {
        let mut reply = self.reply(request);
        if let Some(headers) = reply.headers_mut() {
            let date = httpdate::fmt_http_date(self.clock.wall());
            let date = HeaderValue::try_from(date).expect("a date is ASCII");
            headers.entry(DATE).or_insert(date);
        }
        reply
    }

    #[cfg(feature = "testing-tls")]
    fn turned_away(&self, why: String) {
        self.tell(|bank| Unserved::connection(bank, why));
    }
}
