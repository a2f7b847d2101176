//! A source for each request, in the extensions that the client was given for it.

use tower_oauth::{OAuthError, OAuthErrorKind, OAuthMiddleware, testing::Bank};

use super::{middleware, recommended};

#[tokio::test]
async fn the_source_is_the_requests() {
    let (ours, theirs) = (
        Bank::avista().start().await.unwrap(),
        Bank::avista().start().await.unwrap(),
    );
    let client = recommended(&ours)
        .with(OAuthMiddleware::from_extension().retry_rejected())
        .build();
    for bank in [&ours, &theirs, &ours] {
        let source = middleware(bank).source().clone();
        let request = client.get(bank.api_url()).with_extension(source);
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    assert_eq!((ours.counters().api_ok, theirs.counters().api_ok), (2, 1));

    let error = client.get(ours.api_url()).send().await.unwrap_err();
    let error = OAuthError::find(&error).unwrap();
    assert_eq!(error.kind(), OAuthErrorKind::NoSource);
    assert_eq!(ours.counters().api_ok, 2);
}
