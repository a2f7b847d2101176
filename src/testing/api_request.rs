//! Reads the token of an API request, and creates the answer if the API rejects it.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Request, StatusCode, header::AUTHORIZATION};

use super::{
    credentials::Credentials,
    error_answer::{ErrorAnswer, single},
    reply::Answer,
    specification::Attachment,
    token_store::Bad,
};

const CLIENT_ID: HeaderName = HeaderName::from_static("client_id");
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("access_token");

impl Attachment {
    /// The token, if it was sent in exactly this way.
    pub(super) fn token<'a>(
        self,
        headers: &'a HeaderMap,
        client: &Credentials,
    ) -> Result<&'a [u8], ErrorAnswer> {
        let authorization = single(headers, &AUTHORIZATION)?;
        match self {
            Self::Bearer => authorization
                .and_then(|value| value.strip_prefix(b"Bearer "))
                .ok_or_else(|| self.unauthorized("authorization must be Bearer with a token")),
            Self::ClientIdAndAccessToken if authorization.is_some() => {
                Err(self.unauthorized("authorization must not be there"))
            }
            Self::ClientIdAndAccessToken => self.beside_client_id(headers, client),
        }
    }

    fn beside_client_id<'a>(
        self,
        headers: &'a HeaderMap,
        client: &Credentials,
    ) -> Result<&'a [u8], ErrorAnswer> {
        if single(headers, &CLIENT_ID)? != Some(client.id.as_bytes()) {
            return Err(self.unauthorized("client_id must be the client's id"));
        }
        single(headers, &ACCESS_TOKEN)?.ok_or_else(|| self.unauthorized("access_token is missing"))
    }

    pub(super) fn reject(self, bad: Bad) -> ErrorAnswer {
        match (bad, self) {
            (Bad::Unknown, _) => self.unauthorized("the token is unknown or altered"),
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

/// Echoes the request, so that a test can see what arrived.
pub(super) fn echo(request: &Request<Bytes>) -> Answer {
    Answer::new(StatusCode::OK)
        .member("method", request.method().as_str())
        .member("path", request.uri().to_string())
        .member("length", request.body().len())
        .member("body", String::from_utf8_lossy(request.body()))
}
