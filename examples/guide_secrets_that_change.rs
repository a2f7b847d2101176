//! The code of the guide `docs/secrets_that_change.md`. It needs no bank.
//!
//! ```sh
//! cargo run --example guide_secrets_that_change
//! ```

use std::{env, fs, path::Path};

use tower_oauth::{BoxError, TokenSource};

fn main() -> Result<(), BoxError> {
    let path = env::temp_dir().join(format!("guide-secret-{}", std::process::id()));
    fs::write(&path, "8 to 64 characters\n")?;
    let source = open(&path);
    fs::remove_file(&path)?;
    source.map(drop)
}

fn open(path: &Path) -> Result<TokenSource, BoxError> {
    use tower_oauth::{ClientId, Secret, provider::avista};

    let source = avista::production(ClientId::new("me")?, Secret::from_file(path))
        .build_reqwest(reqwest::Client::builder())?;
    Ok(source)
}
