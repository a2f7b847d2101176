//! Reads the token of an API request, and creates the answer if the API rejects it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode, header::AUTHORIZATION};

use super::{
    error_answer::{ErrorAnswer, single},
    reply::Answer,
    specification::Attachment,
    token_store::{Bad, Presented},
};

const CLIENT_ID: HeaderName = HeaderName::from_static("client_id");
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("access_token");

impl Attachment {
    /// The token, if it was sent in exactly this way.
    pub(super) fn presented(self, headers: &HeaderMap) -> Result<Presented<'_>, ErrorAnswer> {
        let authorization = single(headers, &AUTHORIZATION)?;
        match self {
            Self::Bearer => authorization
                .and_then(|value| value.strip_prefix(b"Bearer "))
                .map(|token| Presented {
                    token,
                    client_id: None,
                })
                .ok_or_else(|| self.unauthorized("authorization must be Bearer with a token")),
            Self::ClientIdAndAccessToken if authorization.is_some() => {
                Err(self.unauthorized("authorization must not be there"))
            }
            Self::ClientIdAndAccessToken => self.beside_client_id(headers),
        }
    }

    fn beside_client_id(self, headers: &HeaderMap) -> Result<Presented<'_>, ErrorAnswer> {
        let client_id = single(headers, &CLIENT_ID)?;
        let token = single(headers, &ACCESS_TOKEN)?;
        Ok(Presented {
            token: token.ok_or_else(|| self.unauthorized("access_token is missing"))?,
            client_id: Some(client_id.ok_or_else(|| self.unauthorized("client_id is missing"))?),
        })
    }

    pub(super) fn reject(self, bad: Bad) -> ErrorAnswer {
        match (bad, self) {
            (Bad::Unknown, _) => self.unauthorized("the token is unknown or altered"),
            (Bad::OfAnotherClient, _) => {
                self.unauthorized("client_id must be the id of the token's client")
            }
            (Bad::Expired, _) => self.unauthorized("the token has expired"),
            (Bad::BoundElsewhere, _) => {
                self.unauthorized("the token is bound to another client certificate")
            }
            (Bad::Revoked, Self::Bearer) => self.unauthorized("the token was revoked"),
            (Bad::Revoked, Self::ClientIdAndAccessToken) => forbidden("the token was revoked"),
        }
    }

    /// For a good token without the scope, or outside the plan, that the route needs.
    pub(super) fn not_covered(self) -> ErrorAnswer {
        match self {
            Self::Bearer => {
                let reason = "the token lacks the scope that the route needs";
                ErrorAnswer::new(StatusCode::FORBIDDEN, "insufficient_scope", reason)
                    .challenge(r#"Bearer error="insufficient_scope""#)
            }
            Self::ClientIdAndAccessToken => forbidden("the plan does not cover the route"),
        }
    }

    fn unauthorized(self, reason: &'static str) -> ErrorAnswer {
        let answer = ErrorAnswer::new(StatusCode::UNAUTHORIZED, "invalid_token", reason);
        match self {
            Self::Bearer => answer.challenge(r#"Bearer error="invalid_token""#),
            Self::ClientIdAndAccessToken => answer,
        }
    }
}

/// ANBIMA's 403, which looks the same whichever of its two meanings it has.
fn forbidden(reason: &'static str) -> ErrorAnswer {
    ErrorAnswer::new(StatusCode::FORBIDDEN, "forbidden", reason)
}

/// Echoes the request, so that a test can see what arrived, and with whose token.
pub(super) fn echo(request: &Request<Bytes>, client_id: &str) -> Answer {
    Answer::new(StatusCode::OK)
        .member("method", request.method().as_str())
        .member("path", request.uri().to_string())
        .member("client_id", client_id)
        .member("length", request.body().len())
        .member("body", String::from_utf8_lossy(request.body()))
}
