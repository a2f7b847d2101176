use std::time::Duration;

use http::StatusCode;

use super::{Attachment, Encoding, Expected, Proof, Route, Scopes, Specification, TokenEndpoint};

/// Conta Simples, as on its page "Get access token": only the grant type in the form.
pub(in crate::testing) const CONTA_SIMPLES: Specification = Specification {
    name: "conta-simples",
    client_id: "conta-simples-api-key",
    client_secret: "conta-simples-api-secret",
    token_endpoints: &[TokenEndpoint {
        path: "/oauth/v1/access-token",
        encoding: Encoding::Form,
        proof: Proof::Basic,
        fields: &[("grant_type", Expected::GrantType)],
    }],
    issued: StatusCode::OK,
    token_type: "Bearer",
    lifetime: Duration::from_secs(1800),
    scopes: Scopes::Unstated,
    attachment: Attachment::Bearer,
    routes: &[
        Route::open("/statements/v1/credit-card"),
        Route::needing("/transfers/v1", "transfers"),
    ],
};
