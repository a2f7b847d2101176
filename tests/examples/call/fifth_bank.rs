//! A bank that the crate does not know, described and called as the README and the guide say: their file, their command
//! line, with nothing changed but the address.

use std::{env, fs};

use serde_json::json;
use tower_oauth::{
    client_credentials::Dialect,
    testing::{Bank, BankBuilder},
};

use super::tool::{Call, Outcome};

const README: &str = include_str!("../../../README.md");
const GUIDE: &str = include_str!("../../../docs/add_a_bank.md");

/// The last fenced block of a language that holds a text.
fn block<'a>(page: &'a str, language: &str, holds: &str) -> &'a str {
    let blocks = page.split("```").skip(1).step_by(2);
    blocks
        .filter_map(|block| block.strip_prefix(language))
        .filter(|block| block.contains(holds))
        .last()
        .unwrap()
}

async fn call_as_written(page: &str, bank: BankBuilder, address: &str) -> Outcome {
    let bank = bank.start().await.unwrap();
    let origin = bank.api_origin();
    // No two banks that are open have the same port.
    let port = origin.rsplit(':').next().unwrap();
    let file = env::temp_dir().join(format!("tower-oauth-bank-{port}.toml"));
    let dialect = block(page, "toml", "my-bank").replace(address, &origin);
    fs::write(&file, dialect).unwrap();

    let line = block(page, "sh", "--dialect").replace("\\\n", " ");
    let (secret, args) = line.split_once(" cargo run --example call -- ").unwrap();
    let secret = secret.trim().strip_prefix("OAUTH_CLIENT_SECRET=").unwrap();
    let args = args.split_whitespace().map(|arg| {
        arg.replace(address, &origin)
            .replace("my-bank.toml", &file.display().to_string())
    });
    let call = args.fold(Call::bare(&[]), |call, arg| call.flag(&arg));
    let outcome = call.secret(secret).run().await;
    fs::remove_file(file).unwrap();
    outcome
}

#[tokio::test]
async fn the_readmes_and_the_guides() {
    for (page, bank, address) in [
        (README, Bank::avista(), "http://127.0.0.1:9201"),
        (GUIDE, Bank::anbima(), "http://127.0.0.1:9200"),
    ] {
        let outcome = call_as_written(page, bank, address).await;
        assert_eq!(outcome.code, 0, "{address}: {}", outcome.stderr);
        assert_eq!(outcome.report()["status"], json!({ "200": 1 }));
    }
}

#[tokio::test]
async fn a_file_that_is_wrong_is_rejected_as_the_guide_says() {
    let wrong = GUIDE.replace("body = \"json\"\nheaders", "headers");
    assert_ne!(wrong, GUIDE);
    let outcome = call_as_written(&wrong, Bank::anbima(), "http://127.0.0.1:9200").await;
    assert_eq!(outcome.code, 1);
    let said = block(GUIDE, "text", "denied").trim().trim_end_matches('…');
    assert!(outcome.stderr.starts_with(said), "{}", outcome.stderr);
}

#[test]
fn every_line_that_the_guide_says_to_write_is_understood() {
    let (_, table) = GUIDE.split_once("| write |").unwrap();
    let (table, _) = table.split_once("\n\n").unwrap();
    let rows = table.lines().filter_map(|row| row.rsplit(" | ").next());
    let lines = rows.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let lines: Vec<_> = lines
        .filter(|line| line.contains('=') && !line.contains('…'))
        .collect();
    assert!(lines.len() >= 20, "{lines:?}");
    for line in lines {
        let text = format!("name = \"x\"\ntoken_url = \"https://x.example\"\n{line}");
        if let Err(error) = toml::from_str::<Dialect>(&text) {
            panic!("{line}: {error}");
        }
    }
}
