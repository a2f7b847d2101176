//! What each bank's document requires of a client, as data.

mod anbima;
mod avista;
mod bankly;
mod conta_simples;

use std::time::Duration;

use http::StatusCode;

pub(super) use self::{
    anbima::ANBIMA, avista::AVISTA, bankly::BANKLY, conta_simples::CONTA_SIMPLES,
};

/// One bank: its token endpoints, what they require, and how its API expects a token.
#[derive(Debug)]
pub(super) struct Specification {
    pub(super) name: &'static str,
    pub(super) client_id: &'static str,
    pub(super) client_secret: &'static str,
    /// The first is the one that [`token_url`](super::Bank::token_url) names.
    pub(super) token_endpoints: &'static [TokenEndpoint],
    pub(super) issued: StatusCode,
    pub(super) token_type: &'static str,
    pub(super) lifetime: Duration,
    pub(super) scopes: Scopes,
    pub(super) attachment: Attachment,
    /// The first accepts any valid token; the second needs a scope.
    pub(super) routes: &'static [Route],
}

/// One token endpoint: it takes a POST with exactly these fields.
#[derive(Debug)]
pub(super) struct TokenEndpoint {
    pub(super) path: &'static str,
    pub(super) encoding: Encoding,
    pub(super) proof: Proof,
    pub(super) fields: &'static [(&'static str, Expected)],
}

/// How a client proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// `Authorization: Basic base64(id:secret)`, which other endpoints deny.
    Basic,
    /// Its secret in a field of the body.
    Secret,
    /// The certificate that it showed when it connected.
    Certificate,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Encoding {
    Json,
    Form,
}

/// What a field of a token request must hold.
#[derive(Clone, Copy, Debug)]
pub(super) enum Expected {
    GrantType,
    ClientId,
    ClientSecret,
    Scopes,
}

/// The scopes that a token holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scopes {
    /// None, and the answer does not mention them.
    Unstated,
    /// These, and the answer lists them.
    Granted(&'static [&'static str]),
    /// Those the request asked for, and the answer repeats them.
    Requested,
}

/// The headers that carry a token to the API. They also decide how the API rejects one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Attachment {
    /// `Authorization: Bearer <token>`.
    Bearer,
    /// `client_id: <id>` and `access_token: <token>`, without `Authorization`.
    ClientIdAndAccessToken,
}

/// A part of the API, with all that lies below its path.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    pub(super) path: &'static str,
    /// The scope (at ANBIMA: the product of the contracted plan) that a token must hold.
    pub(super) needs: Option<&'static str>,
    pub(super) gives: Gives,
}

/// The answer of a route to a request with a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gives {
    Echo,
    /// A new client certificate.
    Certificate,
}

impl Route {
    pub(super) const fn open(path: &'static str) -> Self {
        Self {
            path,
            needs: None,
            gives: Gives::Echo,
        }
    }

    const fn needing(path: &'static str, scope: &'static str) -> Self {
        Self {
            needs: Some(scope),
            ..Self::open(path)
        }
    }

    const fn giving_certificates(path: &'static str, scope: &'static str) -> Self {
        Self {
            gives: Gives::Certificate,
            ..Self::needing(path, scope)
        }
    }

    pub(super) fn covers(&self, path: &str) -> bool {
        path.strip_prefix(self.path)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}
