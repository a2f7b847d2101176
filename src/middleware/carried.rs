//! The token of a request, and what the response says about it.

use http::{Extensions, HeaderMap, Response, StatusCode};

use crate::{
    lifecycle::{Guard, Rejected},
    rejection::Rejection,
    token::Generation,
};

/// The token that a request went out with, and what the response means for it.
#[derive(Debug)]
pub(super) struct Carried {
    pub(super) source: Guard,
    pub(super) generation: Generation,
    pub(super) expose_generation: bool,
}

/// The parts of a response that matter here, for both libraries.
pub(super) trait Head {
    fn status(&self) -> StatusCode;
    fn headers(&self) -> &HeaderMap;
    fn extensions_mut(&mut self) -> &mut Extensions;
}

impl Carried {
    /// Takes note of a response. `Some`: it rejects the token, and a newer one is there or on its way.
    pub(super) fn settle(&self, response: &mut impl Head) -> Option<Rejected> {
        let rejection = self.judge(response);
        if rejection.is_some() || self.expose_generation {
            response.extensions_mut().insert(self.generation);
        }
        self.source.rejected(self.generation, rejection?)
    }

    /// Whether a response rejects the token; a good one is noted, since it clears a token in doubt.
    fn judge(&self, response: &impl Head) -> Option<Rejection> {
        let rule = self.source.rejection_rule();
        let rejection = rule.judge(response.status(), response.headers());
        if rejection.is_none() && response.status().is_success() {
            self.source.succeeded(self.generation);
        }
        rejection
    }
}

impl<C> Head for Response<C> {
    fn status(&self) -> StatusCode {
        self.status()
    }

    fn headers(&self) -> &HeaderMap {
        self.headers()
    }

    fn extensions_mut(&mut self) -> &mut Extensions {
        self.extensions_mut()
    }
}
