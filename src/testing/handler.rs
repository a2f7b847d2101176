//! Handles the requests to a bank.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, header::DATE};
use tokio::sync::watch;

use super::{
    acceptor::ClientCertificate,
    api_request::echo,
    clients::{Client, Clients},
    clock::Clock,
    counters::{BankCounters, CertificateUse},
    error_answer::ErrorAnswer,
    expiry::ExpiresIn,
    fault::{self, Faults},
    reply::{Answer, Reply},
    server::Handler,
    specification::{Gives, Proof, Route, Scopes, Specification, TokenEndpoint},
    token_rate::TokenRate,
    token_request,
    token_store::{Custom, Grant, Terms, TokenStore},
    unserved::{Observer, Unserved},
};

/// Issues client certificates.
pub(super) type CertificateIssuer =
    Box<dyn Fn(&Request<Bytes>) -> Result<Answer, ErrorAnswer> + Send + Sync>;

pub(in crate::testing) struct BankHandler {
    pub(super) specification: &'static Specification,
    pub(super) clients: Clients,
    /// The scopes that a client may have, where they differ from the specification.
    pub(super) scopes: Option<Vec<String>>,
    pub(super) custom: Custom,
    pub(super) routes: Vec<Route>,
    /// Only a bank with TLS has one.
    pub(super) certificate_issuer: Option<CertificateIssuer>,
    pub(super) clock: Clock,
    pub(super) counters: watch::Sender<BankCounters>,
    pub(super) observer: Option<Observer>,
    /// What proves who a client is, in place of a secret.
    #[cfg(feature = "jwt")]
    pub(super) assertions: Option<super::assertions::Assertions>,
    state: Mutex<BankState>,
}

/// What changes while the bank runs.
pub(super) struct BankState {
    pub(super) lifetime: Duration,
    pub(super) expires_in: ExpiresIn,
    pub(super) token_store: TokenStore,
    pub(super) token_rate: Option<TokenRate>,
    pub(super) token_faults: Faults,
    pub(super) api_faults: Faults,
    pub(super) last_error: Option<String>,
    pub(super) certificates: HashMap<ClientCertificate, CertificateUse>,
}

impl BankHandler {
    pub(super) fn new(specification: &'static Specification) -> Self {
        Self {
            specification,
            clients: Clients::new(Client::new(
                specification.client_id,
                specification.client_secret,
            )),
            scopes: None,
            custom: Custom::default(),
            routes: specification.routes.to_vec(),
            certificate_issuer: None,
            clock: Clock::default(),
            counters: watch::Sender::default(),
            observer: None,
            #[cfg(feature = "jwt")]
            assertions: None,
            state: Mutex::new(BankState {
                lifetime: specification.lifetime,
                expires_in: ExpiresIn::default(),
                token_store: TokenStore::default(),
                token_rate: None,
                token_faults: Faults::default(),
                api_faults: Faults::default(),
                last_error: None,
                certificates: HashMap::new(),
            }),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, BankState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts for a client certificate.
    fn note(&self, certificate: &ClientCertificate, count: impl FnOnce(&mut CertificateUse)) {
        let mut state = self.state();
        count(state.certificates.entry(certificate.clone()).or_default());
    }

    fn count(&self, count: impl FnOnce(&mut BankCounters)) {
        self.counters.send_modify(count);
    }

    fn reply(&self, request: &Request<Bytes>) -> Reply {
        let path = request.uri().path();
        let mut endpoints = self.specification.token_endpoints.iter();
        if let Some(endpoint) = endpoints.find(|endpoint| endpoint.path == path) {
            return self.token_reply(endpoint, request);
        }
        if let Some(route) = self.routes.iter().find(|route| route.covers(path)) {
            return self.api_reply(route, request);
        }
        self.count(|counters| counters.not_found += 1);
        self.fail(request, ErrorAnswer::not_found()).into()
    }

    fn fail(&self, request: &Request<Bytes>, error: ErrorAnswer) -> Answer {
        self.report(|bank| Unserved::request(bank, request, error.status, &error.reason));
        self.state().last_error = Some(error.reason.clone());
        error.into()
    }

    fn report(&self, unserved: impl FnOnce(&'static str) -> Unserved) {
        if let Some(Observer(observe)) = &self.observer {
            observe(&unserved(self.specification.name));
        }
    }

    fn token_reply(&self, endpoint: &TokenEndpoint, request: &Request<Bytes>) -> Reply {
        let client = self.clients.named(request, endpoint);
        if let Some(client) = client {
            client.count(|counters| counters.token_requests += 1);
        }
        let within_rate = self.check_rate();
        let fault = match within_rate {
            Ok(()) => self.state().token_faults.next(),
            Err(_) => None,
        };
        self.count(|counters| {
            counters.token_requests += 1;
            counters.token_over_rate += u64::from(within_rate.is_err());
            counters.token_faults += u64::from(fault.is_some());
        });
        if let Err(error) = within_rate {
            return self.fail_token(request, error).into();
        }
        fault::reply(fault, || {
            self.grant(endpoint, request, client)
                .unwrap_or_else(|error| self.deny_token(request, error, client))
        })
    }

    fn check_rate(&self) -> Result<(), ErrorAnswer> {
        let now = self.clock.now();
        let mut state = self.state();
        state.token_rate.as_mut().map_or(Ok(()), |it| it.check(now))
    }

    fn deny_token(
        &self,
        request: &Request<Bytes>,
        error: ErrorAnswer,
        client: Option<&Client>,
    ) -> Answer {
        if let Some(client) = client {
            client.count(|counters| counters.token_denials += 1);
        }
        self.count(|counters| counters.token_denials += 1);
        self.fail_token(request, error)
    }

    fn fail_token(&self, request: &Request<Bytes>, error: ErrorAnswer) -> Answer {
        let reason = error.reason.clone();
        self.fail(request, error)
            .member("error_description", reason)
    }

    fn grant(
        &self,
        endpoint: &TokenEndpoint,
        request: &Request<Bytes>,
        client: Option<&Client>,
    ) -> Result<Answer, ErrorAnswer> {
        // If the request names no known client, the denial says how it differs from the bank's own client.
        let client = client.unwrap_or(self.clients.own());
        let requested = self.requested(endpoint, request, client)?;
        if client.is_disabled() {
            return Err(ErrorAnswer::invalid_client("the client is disabled"));
        }
        let by_certificate = endpoint.proof == Proof::Certificate;
        let terms = Terms {
            client: Arc::clone(&client.id),
            scopes: self.allowed(requested)?,
            bound_to: by_certificate
                .then(|| ClientCertificate::of(request).cloned())
                .flatten(),
        };
        Ok(self.issue(client, &terms))
    }

    fn issue(&self, client: &Client, terms: &Terms) -> Answer {
        let (now, wall) = (self.clock.now(), self.clock.wall());
        let mut state = self.state();
        let lifetime = state.lifetime;
        let grant = state.token_store.grant(self.custom, terms, lifetime, now);
        let expires_in = state.expires_in.json(grant.left, wall);
        drop(state);
        client.count(|counters| counters.tokens_issued += u64::from(grant.new));
        self.count(|counters| counters.tokens_issued += u64::from(grant.new));
        self.token_answer(grant, expires_in, &terms.scopes)
    }

    /// Returns the scopes that a good request asks for. The client may use a former secret during its time of grace.
    fn requested(
        &self,
        endpoint: &TokenEndpoint,
        request: &Request<Bytes>,
        client: &Client,
    ) -> Result<Vec<String>, ErrorAnswer> {
        #[cfg(feature = "jwt")]
        if let Some(assertions) = &self.assertions {
            return assertions.read(request, endpoint, client.current(), self);
        }
        let read = |credentials| token_request::read(request, endpoint, credentials);
        read(client.current()).or_else(|error| {
            let mut before = client.in_grace(self.clock.now());
            before.find_map(|it| read(it).ok()).ok_or(error)
        })
    }

    fn allowed(&self, requested: Vec<String>) -> Result<Vec<String>, ErrorAnswer> {
        match (self.specification.scopes, &self.scopes) {
            (Scopes::Requested, None) => Ok(requested),
            (Scopes::Requested, Some(allowed)) => {
                if requested.iter().all(|scope| allowed.contains(scope)) {
                    return Ok(requested);
                }
                Err(ErrorAnswer::invalid_scope(
                    "the client may not have the scope",
                ))
            }
            (_, Some(allowed)) => Ok(allowed.clone()),
            (Scopes::Granted(scopes), None) => {
                Ok(scopes.iter().map(|&scope| scope.into()).collect())
            }
            (Scopes::Unstated, None) => Ok(Vec::new()),
        }
    }

    fn token_answer(&self, grant: Grant, expires_in: Option<String>, scopes: &[String]) -> Answer {
        let mut answer = Answer::new(self.specification.issued)
            .member("access_token", grant.token)
            .member("token_type", self.specification.token_type);
        if let Some(json) = expires_in {
            answer = answer.raw_member("expires_in", json);
        }
        match self.specification.scopes {
            Scopes::Unstated => answer,
            Scopes::Granted(_) | Scopes::Requested => answer.member("scope", scopes.join(" ")),
        }
    }

    fn api_reply(&self, route: &Route, request: &Request<Bytes>) -> Reply {
        let fault = self.state().api_faults.next();
        let client = self.token_client(request);
        if let Some(client) = client {
            client.count(|counters| counters.api_requests += 1);
        }
        self.count(|counters| {
            counters.api_requests += 1;
            counters.api_faults += u64::from(fault.is_some());
        });
        fault::reply(fault, || {
            let admitted = self.admit(route, request);
            match admitted.and_then(|id| self.serve(route, request, &id)) {
                Ok(answer) => {
                    if let Some(client) = client {
                        client.count(|counters| counters.api_ok += 1);
                    }
                    self.count(|counters| counters.api_ok += 1);
                    answer
                }
                Err(error) => self.fail_api(request, error),
            }
        })
    }

    /// The client that the request's token was issued to.
    fn token_client(&self, request: &Request<Bytes>) -> Option<&Client> {
        let attachment = self.specification.attachment;
        let presented = attachment.presented(request.headers()).ok()?;
        let state = self.state();
        let client_id = state.token_store.client_of(presented.token)?;
        self.clients.get(client_id)
    }

    fn serve(
        &self,
        route: &Route,
        request: &Request<Bytes>,
        client_id: &str,
    ) -> Result<Answer, ErrorAnswer> {
        match (route.gives, &self.certificate_issuer) {
            (Gives::Echo, _) => Ok(echo(request, client_id)),
            (Gives::Certificate, Some(certificate_issuer)) => certificate_issuer(request),
            (Gives::Certificate, None) => Err(ErrorAnswer::not_found()),
        }
    }

    /// Returns the id of the client that the token was issued to.
    fn admit(&self, route: &Route, request: &Request<Bytes>) -> Result<Arc<str>, ErrorAnswer> {
        let attachment = self.specification.attachment;
        let presented = attachment.presented(request.headers())?;
        let now = self.clock.now();
        let state = self.state();
        let terms = state
            .token_store
            .check(&presented, ClientCertificate::of(request), now)
            .map_err(|bad| attachment.reject(bad))?;
        match route.needs {
            Some(scope) if !terms.scopes.iter().any(|held| held == scope) => {
                Err(attachment.not_covered())
            }
            _ => Ok(Arc::clone(&terms.client)),
        }
    }

    fn fail_api(&self, request: &Request<Bytes>, error: ErrorAnswer) -> Answer {
        self.count(|counters| match error.status {
            StatusCode::UNAUTHORIZED => counters.api_unauthorized += 1,
            StatusCode::FORBIDDEN => counters.api_forbidden += 1,
            _ => {}
        });
        self.fail(request, error)
    }
}

impl Handler for BankHandler {
    fn handle(&self, request: &Request<Bytes>) -> Reply {
        if let Some(certificate) = ClientCertificate::of(request) {
            self.note(certificate, |it| it.requests += 1);
        }
        let mut reply = self.reply(request);
        if let Some(headers) = reply.headers_mut() {
            let date = httpdate::fmt_http_date(self.clock.wall());
            let date = HeaderValue::try_from(date).expect("a date is ASCII");
            headers.entry(DATE).or_insert(date);
        }
        reply
    }

    #[cfg(feature = "testing-tls")]
    fn welcomed(&self, certificate: &ClientCertificate) {
        self.note(certificate, |it| it.handshakes += 1);
    }

    #[cfg(feature = "testing-tls")]
    fn connection_refused(&self, why: String) {
        self.report(|bank| Unserved::connection(bank, why));
    }
}
