//! Accepts a connection: plain, or with TLS and perhaps the client's certificate.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
#[cfg(feature = "testing-tls")]
use tokio::io::{self, AsyncWriteExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
#[cfg(feature = "testing-tls")]
use tokio_rustls::server::TlsStream;

use super::server::{Handler, serve};
#[cfg(feature = "testing-tls")]
use super::tls::Serving;

/// A stream that a connection runs over.
pub(super) trait Accepted: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Ends the connection with a TCP RST.
    fn reset(self);
}

impl Accepted for TcpStream {
    fn reset(self) {
        // If the option cannot be set, the connection closes normally.
        let _ = self.set_zero_linger();
    }
}

#[cfg(feature = "testing-tls")]
impl Accepted for TlsStream<TcpStream> {
    fn reset(self) {
        self.into_inner().0.reset();
    }
}

#[derive(Clone)]
pub(super) enum Acceptor {
    Plain,
    #[cfg(feature = "testing-tls")]
    Tls(Arc<Serving>),
}

impl Acceptor {
    pub(super) fn scheme(&self) -> &'static str {
        match self {
            Self::Plain => "http",
            #[cfg(feature = "testing-tls")]
            Self::Tls(_) => "https",
        }
    }

    pub(super) async fn welcome(self, stream: TcpStream, handler: Arc<impl Handler>) {
        match self {
            Self::Plain => serve(stream, None, handler).await,
            #[cfg(feature = "testing-tls")]
            Self::Tls(serving) => match serving.acceptor().accept(stream).into_fallible().await {
                Ok(stream) => {
                    let shown = ClientCertificate::shown(&stream);
                    if let Some(shown) = &shown {
                        handler.welcomed(shown);
                    }
                    serve(stream, shown, handler).await;
                }
                Err((error, stream)) => {
                    handler.connection_refused(error.to_string());
                    turn_away(stream).await;
                }
            },
        }
    }
}

/// Reads until the client closes the connection. The server has sent a TLS alert; closing at once, with the client's
/// request unread, would reset the connection, and the alert could be lost.
#[cfg(feature = "testing-tls")]
async fn turn_away(mut stream: TcpStream) {
    if stream.shutdown().await.is_ok() {
        // Nothing depends on how it ends.
        let _ = io::copy(&mut stream, &mut io::sink()).await;
    }
}

/// The bytes of the valid certificate that a client showed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct ClientCertificate(pub(super) Bytes);

impl ClientCertificate {
    pub(super) fn of<B>(request: &Request<B>) -> Option<&Self> {
        request.extensions().get()
    }

    #[cfg(feature = "testing-tls")]
    fn shown(stream: &TlsStream<TcpStream>) -> Option<Self> {
        let certificates = stream.get_ref().1.peer_certificates()?;
        let own = certificates.first()?;
        Some(Self(Bytes::copy_from_slice(own)))
    }
}
