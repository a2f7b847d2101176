use std::time::Duration;

use http::StatusCode;

use super::{Attachment, Encoding, Expected, Proof, Route, Scopes, Specification, TokenEndpoint};

/// Bankly, as on its page "Token para gerar certificado mTLS", with the endpoint that takes a client certificate in
/// place of the secret, and the route that issues such certificates (its page "Download do certificado TLS").
pub(in crate::testing) const BANKLY: Specification = Specification {
    name: "bankly",
    client_id: "3f2b1c9e-5d47-4a86-9b0e-7c1d2e3f4a5b",
    client_secret: "bankly-client-secret",
    token_endpoints: &[
        TokenEndpoint {
            path: "/connect/token",
            encoding: Encoding::Form,
            proof: Proof::Secret,
            fields: &[
                ("grant_type", Expected::GrantType),
                ("client_id", Expected::ClientId),
                ("client_secret", Expected::ClientSecret),
                ("scope", Expected::Scopes),
            ],
        },
        TokenEndpoint {
            path: "/oauth2/token",
            encoding: Encoding::Form,
            proof: Proof::Certificate,
            fields: &[
                ("grant_type", Expected::GrantType),
                ("client_id", Expected::ClientId),
                ("scope", Expected::Scopes),
            ],
        },
    ],
    issued: StatusCode::OK,
    token_type: "Bearer",
    lifetime: Duration::from_secs(3600),
    scopes: Scopes::Requested,
    attachment: Attachment::Bearer,
    routes: &[
        Route::open("/accounts"),
        Route::needing("/cards", "card.read"),
        Route::giving_certificates("/partners", "certificate.create"),
    ],
};
