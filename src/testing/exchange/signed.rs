//! The assertion of a recorded exchange. Each request has another, so its signature and its claims are verified.

use std::{io, time::Duration};

use http::{Request, header::HOST};

use super::Exchange;
use crate::testing::{assertions::Assertions, assertions::ClientKey, clock::Clock};

/// What stands for the assertion in the recorded body.
const PLACE: &str = "{assertion}";

/// A key that was made for the exchange, and what it must have signed.
pub(super) struct Signed {
    pub(super) key: ClientKey,
    demanded: Assertions,
    clock: Clock,
}

impl Signed {
    /// `None`: the client has a secret, or only a certificate.
    pub(super) fn of(exchange: &Exchange) -> io::Result<Option<Self>> {
        let Some(algorithm) = exchange.setting("assertion") else {
            return Ok(None);
        };
        let wrong = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        let algorithm = algorithm.parse();
        let algorithm =
            algorithm.map_err(|_| wrong("`assertion` must be an algorithm, such as RS256"))?;
        let key = ClientKey::generate(algorithm);
        let mut demanded = Assertions::client(&key);
        if let Some(audience) = exchange.setting("assertion_audience") {
            demanded = demanded.audience(audience);
        }
        if let Some(seconds) = exchange.setting("assertion_lifetime") {
            let seconds = seconds.parse();
            let seconds = seconds.map_err(|_| wrong("`assertion_lifetime` must be seconds"))?;
            demanded = demanded.longest_lifetime(Duration::from_secs(seconds));
        }
        for claim in exchange.settings("assertion_claim") {
            let pair = claim.split_once('=');
            let (name, text) = pair.ok_or_else(|| wrong("`assertion_claim` must be NAME=TEXT"))?;
            demanded = match (name, text) {
                ("nbf", "required") => demanded.not_before(),
                _ => demanded.claim(name, text),
            };
        }
        Ok(Some(Self {
            key,
            demanded,
            clock: Clock::default(),
        }))
    }

    /// The recorded body with the assertion that was sent, or what is wrong with that.
    pub(super) fn fill<B>(
        &self,
        exchange: &Exchange,
        request: &Request<B>,
        sent: Option<&str>,
    ) -> Result<String, String> {
        let recorded = &exchange.request.body;
        let Some(sent) = sent else {
            return Ok(recorded.clone());
        };
        let id = exchange.setting("client_id").unwrap_or_default();
        let host = request.headers().get(HOST);
        let host = host.and_then(|it| it.to_str().ok()).unwrap_or_default();
        let token_url = format!("http://{host}{}", request.uri().path());
        let rejected = self
            .demanded
            .reason_against(sent, id, &token_url, self.clock.wall());
        match rejected {
            Some(reason) => Err(reason),
            None => Ok(recorded.replace(PLACE, sent)),
        }
    }
}
