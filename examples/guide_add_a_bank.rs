//! The code of the guide `docs/add_a_bank.md`. It reads a dialect and calls nobody.
//!
//! ```sh
//! cargo run --example guide_add_a_bank -- my-bank.toml
//! ```

use tower_oauth::{
    BoxError, ClientId, ClientSecret, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// The file that the guide ends with.
const MY_BANK: &str = r#"
name = "my-bank"
token_url = "http://127.0.0.1:9200/oauth/access-token"
origins = ["http://127.0.0.1:9200"]
credentials = "basic_raw"
body = "json"
headers = { client_id = "{client_id}", access_token = "{token}" }
rejection = { definite = [401], ambiguous = [403] }
"#;

fn main() -> Result<(), BoxError> {
    match std::env::args().nth(1) {
        Some(path) => open(&std::fs::read_to_string(path)?)?,
        None => open(MY_BANK)?,
    };

    let error = read("name = \"my-bank\"\nclient_secret = \"hunter2\"").unwrap_err();
    assert!(error.starts_with("line 2: unknown field `client_secret`"));
    assert!(!error.contains("hunter2"));
    Ok(())
}

fn open(text: &str) -> Result<TokenSource, BoxError> {
    let dialect: Dialect = toml::from_str(text)?;
    let source = ClientCredentialsBuilder::new(dialect, ClientId::new("me")?)
        .secret(ClientSecret::new("from your vault"))
        .build_reqwest(reqwest::Client::builder())?;
    Ok(source)
}

/// Reads a file that may hold a secret by mistake.
fn read(text: &str) -> Result<Dialect, String> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().map_or("", |span| &text[..span.start]);
        let line = 1 + before.matches('\n').count();
        format!("line {line}: {}", error.message())
    })
}
