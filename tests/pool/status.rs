//! All sources at a glance.

use tower::service_fn;
use tower_oauth::{
    BoxError, Clock, FetchError, Token, TokenRequest, TokenSource, pool::SourcePool,
};

#[tokio::test(start_paused = true)]
async fn the_worst_are_named() {
    let clock = Clock::tokio();
    let of_sources = clock.clone();
    let pool = SourcePool::builder(move |customer: u32| {
        let clock = of_sources.clone();
        async move {
            let fetcher = service_fn(move |_: TokenRequest| async move {
                match customer {
                    1..=3 => Err(BoxError::from(FetchError::unclear("an odd answer"))),
                    4 => Err(FetchError::permanent("invalid_client").into()),
                    _ => Ok(Token::new("abc")),
                }
            });
            let source = TokenSource::builder(fetcher).name(format!("efi/{customer}"));
            source.clock(clock).seed(1).build()
        }
    })
    .name("efi")
    .clock(clock)
    .build()
    .unwrap();
    for customer in 0..10 {
        let source = pool.source(&customer).await.unwrap();
        if customer < 8 {
            let _ = source.token().await;
        }
    }
    pool.source(&2).await.unwrap().retry_now();
    let _ = pool.source(&2).await.unwrap().token().await;

    let status = pool.status();
    assert_eq!(
        (status.name.as_str(), status.capacity, status.made),
        ("efi", 10_000, 10)
    );
    let counts = status.sources;
    assert_eq!((counts.total, counts.fresh, counts.missing), (10, 4, 6));
    assert_eq!((counts.failing, counts.failing_for_good), (4, 1));
    let worst: Vec<_> = status.worst.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(worst[..2], ["efi/4", "efi/2"]);
    assert_eq!(worst.len(), 4);
    let json = serde_json::to_string(&status).unwrap();
    assert!(json.contains(r#""failing_for_good":1"#), "{json}");
    assert!(!json.contains("abc"), "{json}");
}
