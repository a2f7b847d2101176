//! Who signs: any Tower service.

use std::{fmt, sync::Arc, time::Duration};

use tower::{Service, ServiceExt};

use crate::{
    BoxError, FailureClass, FetchError, FetchErrorKind, SigningAlgorithm,
    client_credentials::shared_service::SharedService,
};

/// What a signer is asked to sign.
///
/// A signer is a Tower service: `Service<SigningRequest, Response = Vec<u8>>`. Write one for a key that you cannot hold
/// in memory, such as one in a KMS, an HSM or a vault; else use a [`SigningKey`](super::SigningKey). The response is
/// the signature as a JWT has it (RFC 7518 §3). For `ES256` and `ES384` it is r and s as two numbers of equal length,
/// 64 or 96 bytes. A KMS often answers with these in DER, which you must convert.
///
/// # Examples
///
/// ```
/// use tower::service_fn;
/// use tower_oauth::{FetchError, client_credentials::SigningRequest};
///
/// # async fn kms_sign(_: &str, _: &[u8]) -> Result<Vec<u8>, std::io::Error> { Ok(vec![]) }
/// let signer = service_fn(async |request: SigningRequest| {
///     let signature = kms_sign(request.algorithm().as_str(), request.bytes()).await;
///     signature.map_err(FetchError::transient) // tried again within the fetch
/// });
/// ```
#[derive(Clone)]
pub struct SigningRequest {
    algorithm: SigningAlgorithm,
    bytes: Arc<[u8]>,
}

impl SigningRequest {
    pub(super) fn new(algorithm: SigningAlgorithm, bytes: &[u8]) -> Self {
        let bytes = bytes.into();
        Self { algorithm, bytes }
    }

    /// Returns the algorithm to sign with.
    pub fn algorithm(&self) -> SigningAlgorithm {
        self.algorithm
    }

    /// Returns the bytes to sign: header and claims in base64url, with a dot between them. They are the message, not
    /// its digest.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Without the bytes, since a claim may be a secret.
impl fmt::Debug for SigningRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningRequest")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A signer without its own type. Clones are the same signer.
#[derive(Clone)]
pub(in crate::client_credentials) struct Signer(
    Arc<SharedService<SigningRequest, Vec<u8>, BoxError>>,
);

impl Signer {
    pub(in crate::client_credentials) fn new<S>(signer: S) -> Self
    where
        S: Service<SigningRequest, Response = Vec<u8>> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
    {
        Self(Arc::new(SharedService::new(
            signer.map_err(Into::into).boxed(),
        )))
    }

    /// `timeout`: how long the signer may take, if there is a bound.
    pub(super) async fn sign(
        &self,
        request: SigningRequest,
        timeout: Option<Duration>,
    ) -> Result<Vec<u8>, FetchError> {
        let algorithm = request.algorithm;
        let signed = self.0.call(request);
        let signature = match timeout {
            None => signed.await,
            Some(timeout) => tokio::time::timeout(timeout, signed)
                .await
                .map_err(|_| too_slow(timeout))?,
        };
        let signature = signature.map_err(FetchError::unsigned)?;
        check(algorithm, signature.len())?;
        Ok(signature)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

fn too_slow(timeout: Duration) -> FetchError {
    FetchError::new(
        FailureClass::Transient,
        FetchErrorKind::Signer,
        format!("the assertion's signer did not answer within timeouts.attempt, {timeout:?}"),
    )
    .with_advice("Check the signer: nothing was sent to the token endpoint")
}

/// What can be said of a signature without the public key: a wrong length is a wrong encoding.
fn check(algorithm: SigningAlgorithm, length: usize) -> Result<(), FetchError> {
    let expected = match algorithm {
        SigningAlgorithm::Es256 | SigningAlgorithm::EdDsa => 64,
        SigningAlgorithm::Es384 => 96,
        _ if length >= 256 => return Ok(()),
        _ => {
            let rule = format!("the signature has {length} bytes; one of RSA has 256 at least");
            return Err(wrong(rule));
        }
    };
    match length == expected {
        true => Ok(()),
        false => Err(wrong(format!(
            "the signature has {length} bytes; one of {algorithm} has {expected}: r and s of the same length, not in DER"
        ))),
    }
}

fn wrong(rule: String) -> FetchError {
    FetchError::unsigned(FetchError::permanent(rule).into())
}
