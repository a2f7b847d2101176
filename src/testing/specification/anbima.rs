use std::time::Duration;

use http::StatusCode;

use super::{Attachment, Encoding, Expected, Proof, Route, Scopes, Specification, TokenEndpoint};

/// ANBIMA, as on the authentication page of its developers' portal, with the worked example.
///
/// Its document names no status for a token, and clients have met both 200 and 201: here it is 201, which catches a
/// client that insists on 200.
pub(in crate::testing) const ANBIMA: Specification = Specification {
    name: "anbima",
    client_id: "aC2yaac23",
    client_secret: "1bhS45TT",
    token_endpoints: &[TokenEndpoint {
        path: "/oauth/access-token",
        encoding: Encoding::Json,
        proof: Proof::Basic,
        fields: &[("grant_type", Expected::GrantType)],
    }],
    issued: StatusCode::CREATED,
    token_type: "access_token",
    lifetime: Duration::from_secs(3600),
    scopes: Scopes::Unstated,
    attachment: Attachment::ClientIdAndAccessToken,
    routes: &[
        Route::open("/feed/precos-indices/v1"),
        Route::needing("/feed/fundos/v1", "fundos"),
    ],
};
