use std::time::Duration;

use http::StatusCode;

use super::{Attachment, Encoding, Expected, Proof, Route, Scopes, Specification, TokenEndpoint};

/// Avista, as on the page "Authentication" of its PIX Bacen API: without a grant type.
pub(in crate::testing) const AVISTA: Specification = Specification {
    name: "avista",
    client_id: "avista-client",
    client_secret: "avista-client-secret",
    token_endpoints: &[TokenEndpoint {
        path: "/oauth/token",
        encoding: Encoding::Json,
        proof: Proof::Secret,
        fields: &[
            ("clientId", Expected::ClientId),
            ("clientSecret", Expected::ClientSecret),
        ],
    }],
    issued: StatusCode::OK,
    token_type: "Bearer",
    lifetime: Duration::from_secs(3600),
    scopes: Scopes::Granted(&["pix:read", "pix:write", "balance:read"]),
    attachment: Attachment::Bearer,
    routes: &[
        Route::open("/cob"),
        Route::needing("/webhook", "webhook:write"),
    ],
};
