//! The providers of the catalogue, by `--list` and by name.

use serde_json::Value;
use tower_oauth::testing::{Bank, Exchange};

use super::tool::Call;

#[tokio::test]
async fn a_list_of_every_provider_is_one_json_array() {
    let outcome = Call::bare(&["--list"]).run().await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let list: Vec<Value> = serde_json::from_str(&outcome.stdout).unwrap();
    assert!(list.len() >= 34, "{}", list.len());
    let inter = list.iter().find(|it| it["name"] == "inter").unwrap();
    assert_eq!(inter["title"], "Banco Inter");
    assert_eq!(
        inter["environments"],
        serde_json::json!(["production", "sandbox"])
    );
    assert_eq!(inter["confidence"], "official");
    assert_eq!(
        inter["documents"][0],
        "https://developers.inter.co/references/token"
    );
}

#[tokio::test]
async fn a_provider_is_called_by_its_name() {
    let text = std::fs::read_to_string("src/provider/exchanges/inter.txt").unwrap();
    let bank = Bank::from_exchange(Exchange::from_text(&text).unwrap(), 0);
    let bank = bank.await.unwrap();
    let call = Call::bare(&["--provider", "inter", "--env", "production"])
        .arg("--token-url", bank.token_url())
        .arg("--origin", bank.origin())
        .arg("--client-id", "client-1")
        .secret("s3cret-value-1")
        .arg("--scope", "extrato.read")
        .arg("--scope", "boleto-cobranca.read")
        .arg("--scope", "cob.write");
    let outcome = call.url(bank.api_url()).run().await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(bank.differences(), Vec::<String>::new());
}
