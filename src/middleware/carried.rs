use http::{Extensions, HeaderMap, Response, StatusCode};

use crate::{
    lifecycle::{Hold, Refused},
    refusal::Refusal,
    token::Generation,
};

/// The token that a request went out with, and what the response means for it.
#[derive(Debug)]
pub(crate) struct Carried {
    pub(crate) source: Hold,
    pub(crate) generation: Generation,
    pub(crate) expose_generation: bool,
}

/// What is looked at in a response, of whichever library.
pub(crate) trait Head {
    fn status(&self) -> StatusCode;
    fn headers(&self) -> &HeaderMap;
    fn extensions_mut(&mut self) -> &mut Extensions;
}

impl Carried {
    /// Takes note of a response. `Some`: it refuses the token, and a newer one is there or on its way.
    pub(crate) fn settle(&self, response: &mut impl Head) -> Option<Refused> {
        let refusal = self.judge(response);
        if refusal.is_some() || self.expose_generation {
            response.extensions_mut().insert(self.generation);
        }
        self.source.refused(self.generation, refusal?)
    }

    /// Whether a response refuses the token; a good one is noted, since it clears a token in doubt.
    fn judge(&self, response: &impl Head) -> Option<Refusal> {
        let rule = self.source.refusal_rule();
        let refusal = rule.judge(response.status(), response.headers());
        if refusal.is_none() && response.status().is_success() {
            self.source.succeeded(self.generation);
        }
        refusal
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
