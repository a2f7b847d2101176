//! The bank that the guide "Add a bank" makes up.

use std::{fs, time::Duration};

use http::StatusCode;
use tower_oauth::{
    provider::Provider,
    testing::{Bank, Exchange},
};

use super::{builder_of, call, hyper};

/// The bank that the guide makes up, as its reader copies it.
#[tokio::test]
async fn the_guides_bank_passes() {
    let page = fs::read_to_string("docs/add_a_bank.md").unwrap();
    let block = |fence: &str, with: &str| {
        let fence = format!("```{fence}\n");
        let mut blocks = page.split(fence.as_str()).skip(1);
        let block = blocks.find(|it| it.split("```").next().unwrap().contains(with));
        block.unwrap().split("```").next().unwrap().to_owned()
    };
    let aurora = Provider::from_toml(&block("toml", "Banco Aurora")).unwrap();
    let exchange = Exchange::from_text(&block("text", "provider: aurora")).unwrap();
    let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
    let source = builder_of(&aurora, &exchange, None)
        .token_url(bank.token_url())
        .origin(bank.origin())
        .build(hyper())
        .unwrap();
    assert_eq!(call(&source, hyper(), &bank).await, StatusCode::OK);
    assert_eq!(bank.differences(), Vec::<String>::new());
    assert_eq!(source.status().lifetime, Some(Duration::from_secs(600)));
}
