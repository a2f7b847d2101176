//! Each provider's token request byte for byte, and the answers of its documentation.

mod anbima;
mod avista;
mod bankly;
mod catalogue;
mod conta_simples;

use std::time::Duration;

use crate::{
    ConfigError,
    client_credentials::{
        ClientCredentialsBuilder, Dialect,
        tests::{answer, ask, id, secret, sent, written},
    },
    provider,
    token::Life,
};

fn rejected(builder: ClientCredentialsBuilder) -> ConfigError {
    let transport = tower::service_fn(
        |_: http::Request<http_body_util::Full<bytes::Bytes>>| async {
            Ok::<_, std::convert::Infallible>(answer(200, ""))
        },
    );
    builder.fetcher(transport).unwrap_err()
}

/// The API's headers for the token of this answer.
async fn api_headers(builder: ClientCredentialsBuilder, dialect: Dialect, body: &str) -> String {
    let token = ask(builder, answer(200, body)).await.unwrap();
    let headers = dialect.headers.bind(&id("aC2yaac23")).render(&token);
    let text = |(name, value): &(http::HeaderName, http::HeaderValue)| {
        format!("{name}: {}\n", value.to_str().unwrap())
    };
    headers.unwrap().pairs().iter().map(text).collect()
}

async fn life(builder: ClientCredentialsBuilder, body: &str) -> Life {
    ask(builder, answer(200, body)).await.unwrap().life()
}

fn seconds(seconds: u64) -> Life {
    Life::For(Duration::from_secs(seconds))
}

#[test]
fn every_dialect_checks() {
    for dialect in [
        provider::anbima::dialect(),
        provider::avista::dialect(),
        provider::conta_simples::dialect(),
        provider::bankly::dialect(),
    ] {
        assert_eq!(dialect.check(), Ok(()), "{}", dialect.name);
    }
}
