//! What a provider's documents show, for every provider: request, answer, lifetime, margin, errors.

use std::{collections::BTreeSet, convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::time::{advance, sleep};
use tower::{ServiceExt, service_fn};
use tower_oauth::{
    Clock, FailureClass, FetchError,
    provider::{self, Provider},
    testing::{Bank, ClientKey, Exchange, RecordedAnswer},
};

use super::{builder, builder_of, call, exchanges, first, hyper, provider_of, reqwest_to};

/// The seconds that the good answer's meaning has under that name.
fn seconds(exchange: &Exchange, name: &str) -> Duration {
    seconds_of(&exchange.answers()[0], name).unwrap_or_else(|| panic!("no `= {name} SECONDS`"))
}

fn seconds_of(answer: &RecordedAnswer, name: &str) -> Option<Duration> {
    let mut lines = answer.meaning.iter();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    Some(Duration::from_secs_f64(value.parse().unwrap()))
}

#[tokio::test]
async fn the_request_is_the_documents_and_the_answer_is_understood() {
    for (name, exchange) in exchanges() {
        for client in ["hyper", "reqwest"] {
            let case = format!("{name} over {client}");
            let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
            let builder = builder(&exchange, &bank);
            let (source, status) = if client == "hyper" {
                let source = builder.build(hyper()).unwrap();
                let status = call(&source, hyper(), &bank).await;
                (source, status)
            } else {
                let own = reqwest::Client::builder();
                let source = builder.build_reqwest(own).unwrap();
                let status = call(&source, reqwest_to(&bank), &bank).await;
                (source, status)
            };
            assert_eq!(bank.differences(), Vec::<String>::new(), "{case}");
            assert_eq!(status, StatusCode::OK, "{case}");
            assert_eq!(bank.token_requests(), 1, "{case}");
            let lifetime = seconds(&exchange, "lifetime");
            assert_eq!(source.status().lifetime, Some(lifetime), "{case}");
        }
    }
}

/// Without the random part, the refresh begins at the margin and not before.
#[tokio::test(start_paused = true)]
async fn the_token_is_refreshed_at_the_margin() {
    for (name, exchange) in exchanges() {
        let good = response(&exchange.answers()[0]);
        let endpoint = service_fn(move |_: Request<Full<Bytes>>| {
            let good = good.clone();
            async { Ok::<_, Infallible>(good) }
        });
        let algorithm = exchange.setting("assertion").map(|it| it.parse().unwrap());
        let key = algorithm.map(ClientKey::generate);
        let source = builder_of(provider_of(&exchange), &exchange, key.as_ref())
            .token_url("https://login.example/token")
            .clock(Clock::tokio())
            .policy(|policy| policy.refresh.jitter = 0.0)
            .build(endpoint)
            .unwrap();
        source.token().await.unwrap();
        let second = Duration::from_secs(1);
        advance(seconds(&exchange, "lifetime") - seconds(&exchange, "margin") - second).await;
        for attempts in [1, 2] {
            source.token().await.unwrap();
            sleep(Duration::from_millis(1)).await;
            assert_eq!(source.status().counters.attempts, attempts, "{name}");
            advance(second).await;
        }
    }
}

fn response(answer: &RecordedAnswer) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(answer.body.clone()));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers.clone();
    response
}

/// Each error says whether its class is documented or a judgement.
#[tokio::test]
async fn every_documented_error_is_classified() {
    for (name, exchange) in exchanges() {
        for (number, answer) in exchange.answers().iter().enumerate().skip(1) {
            let expected = match answer.meaning[0].as_str() {
                "permanent" => FailureClass::Permanent,
                "transient" => FailureClass::Transient,
                "unclear" => FailureClass::Unclear,
                other => panic!("{name}: {other}"),
            };
            let origin = answer.meaning.get(1).map_or("", String::as_str);
            let is_told = ["documented: ", "judgement: "].map(|it| origin.starts_with(it));
            assert!(is_told.contains(&true), "{name}: {}", answer.status);
            for error in answered_with(&exchange, number).await {
                let case = format!("{name}: {} {error}", answer.status);
                assert_eq!(error.class(), expected, "{case}");
                let wait = seconds_of(answer, "wait");
                assert_eq!(error.retry_after(), wait, "{case}");
            }
        }
    }
}

/// What a fetch makes of an answer, by both clients.
async fn answered_with(exchange: &Exchange, number: usize) -> [FetchError; 2] {
    let bank = Bank::from_exchange(exchange.clone(), 0).await.unwrap();
    bank.answer_with(number);
    let hyper = builder(exchange, &bank).fetcher(hyper()).unwrap();
    let reqwest = builder(exchange, &bank);
    let reqwest = reqwest.fetcher::<Full<Bytes>>(reqwest_to(&bank)).unwrap();
    let errors = [
        hyper.oneshot(first()).await.unwrap_err(),
        reqwest.oneshot(first()).await.unwrap_err(),
    ];
    assert_eq!(bank.differences(), Vec::<String>::new());
    errors
}

#[test]
fn every_provider_has_an_exchange() {
    let exchanges = exchanges();
    let recorded: BTreeSet<_> = exchanges
        .iter()
        .map(|(_, it)| provider_of(it).name())
        .collect();
    let known: BTreeSet<_> = provider::all().iter().map(Provider::name).collect();
    assert_eq!(recorded, known);
    for (name, exchange) in &exchanges {
        for origin in ["documented", "composed"] {
            assert!(exchange.setting(origin).is_some(), "{name}: `{origin}`");
        }
    }
}
