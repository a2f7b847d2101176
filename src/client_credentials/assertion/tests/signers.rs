//! Signers that are Tower services.

use std::{io, sync::mpsc, thread, time::Duration};

use tokio::{runtime, time::sleep};
use tower::service_fn;

use super::super::signer::{Signer, SigningRequest};
use crate::{BoxError, FailureClass, FetchError, FetchErrorKind, SigningAlgorithm};

const PATIENCE: Duration = Duration::from_secs(8);

async fn signed(
    algorithm: SigningAlgorithm,
    signer: impl AsyncFnSigner,
) -> Result<Vec<u8>, FetchError> {
    let signer = Signer::new(service_fn(move |_: SigningRequest| signer.sign()));
    signer
        .sign(SigningRequest::new(algorithm, b"message"), Some(PATIENCE))
        .await
}

/// A function that stands for a signer.
trait AsyncFnSigner: Send + 'static {
    fn sign(&self) -> futures_util::future::BoxFuture<'static, Result<Vec<u8>, BoxError>>;
}

impl<F, R> AsyncFnSigner for F
where
    F: Fn() -> R + Send + 'static,
    R: Future<Output = Result<Vec<u8>, BoxError>> + Send + 'static,
{
    fn sign(&self) -> futures_util::future::BoxFuture<'static, Result<Vec<u8>, BoxError>> {
        Box::pin(self())
    }
}

#[tokio::test]
async fn what_a_signer_says_is_said() {
    let error = signed(SigningAlgorithm::Es256, || async {
        Err("the token PIN is locked".into())
    })
    .await
    .unwrap_err();
    assert_eq!(error.kind(), FetchErrorKind::Signer);
    assert_eq!(error.class(), FailureClass::Unclear);
    assert_eq!(error.to_string(), "the assertion could not be signed");
    assert_eq!(error.cause().unwrap(), "the token PIN is locked");

    let sealed = || async {
        let sealed = FetchError::transient(io::Error::other("the vault is sealed"));
        Err(sealed.with_retry_after(Duration::from_secs(3)).into())
    };
    let error = signed(SigningAlgorithm::Es256, sealed).await.unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(error.retry_after(), Some(Duration::from_secs(3)));
    assert_eq!(error.cause().unwrap(), "the vault is sealed");
}

#[tokio::test(start_paused = true)]
async fn a_signer_that_takes_too_long_is_given_up() {
    let slow = |time| {
        move || async move {
            sleep(time).await;
            Ok(vec![0; 64])
        }
    };
    let almost = PATIENCE - Duration::from_millis(1);
    assert!(signed(SigningAlgorithm::Es256, slow(almost)).await.is_ok());
    let error = signed(SigningAlgorithm::Es256, slow(PATIENCE * 2))
        .await
        .unwrap_err();
    assert_eq!(error.class(), FailureClass::Transient);
    assert_eq!(
        error.to_string(),
        "the assertion's signer did not answer within timeouts.attempt, 8s"
    );
}

#[tokio::test]
async fn a_signature_in_another_encoding_is_noticed() {
    for (algorithm, length, is_good) in [
        (SigningAlgorithm::Es256, 64, true),
        (SigningAlgorithm::Es256, 70, false),
        (SigningAlgorithm::Es384, 96, true),
        (SigningAlgorithm::Es384, 104, false),
        (SigningAlgorithm::EdDsa, 64, true),
        (SigningAlgorithm::EdDsa, 0, false),
        (SigningAlgorithm::Ps256, 256, true),
        (SigningAlgorithm::Rs512, 512, true),
        (SigningAlgorithm::Ps256, 0, false),
    ] {
        let signature = signed(algorithm, move || async move { Ok(vec![0; length]) }).await;
        assert_eq!(signature.is_ok(), is_good, "{algorithm} {length}");
        if let Err(error) = signature {
            assert_eq!(error.class(), FailureClass::Permanent);
            assert!(
                error
                    .cause()
                    .unwrap()
                    .contains(&format!("has {length} bytes"))
            );
        }
    }
}

/// A signer is asked by one attempt at a time, and an attempt that was taken over may still be inside.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_stuck_in_the_signer_blocks_no_thread_of_another() {
    let (entered, inside) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let mut stuck = Some(released);
    let signer = Signer::new(service_fn(move |_: SigningRequest| {
        if let Some(released) = stuck.take() {
            entered.send(()).unwrap();
            let _ = released.recv();
        }
        async { Ok::<_, BoxError>(vec![0; 64]) }
    }));
    let request = || SigningRequest::new(SigningAlgorithm::EdDsa, b"message");
    let other = signer.clone();
    let first = thread::spawn(move || {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(other.sign(request(), None))
    });
    inside.recv().unwrap();
    let error = signer.sign(request(), Some(PATIENCE)).await.unwrap_err();
    assert!(error.to_string().contains("did not answer"), "{error}");
    release.send(()).unwrap();
    first.join().unwrap().unwrap();
    signer.sign(request(), Some(PATIENCE)).await.unwrap();
}
