//! Accepts connections on loopback and sends replies. The accept loop owns the connections: dropping it ends them all.

use std::{
    error::Error,
    future::pending,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
    time::sleep,
};

use super::{
    acceptor::{Accepted, Acceptor, ClientCertificate},
    reply::{Body, Broken, Reply},
};

/// The pause after a failed accept, such as when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

pub(super) trait Handler: Send + Sync + 'static {
    fn handle(&self, request: &Request<Bytes>) -> Reply;

    /// A client has shown this certificate in a handshake that succeeded.
    #[cfg(feature = "testing-tls")]
    fn welcomed(&self, _certificate: &ClientCertificate) {}

    /// A connection ended in its TLS handshake.
    #[cfg(feature = "testing-tls")]
    fn connection_refused(&self, _why: String) {}
}

#[derive(Debug)]
pub(super) struct Server {
    scheme: &'static str,
    address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(super) async fn start(
        port: u16,
        acceptor: Acceptor,
        handler: Arc<impl Handler>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        Ok(Self {
            scheme: acceptor.scheme(),
            address: listener.local_addr()?,
            accepting: tokio::spawn(accept(listener, acceptor, handler)),
        })
    }

    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Returns when the port is free again.
    pub(super) async fn stop(mut self) {
        self.accepting.abort();
        let _ = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, acceptor: Acceptor, handler: Arc<impl Handler>) {
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                connections.spawn(acceptor.clone().welcome(stream, Arc::clone(&handler)));
            }
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
        while connections.try_join_next().is_some() {}
    }
}

pub(super) async fn serve(
    stream: impl Accepted,
    certificate: Option<ClientCertificate>,
    handler: Arc<impl Handler>,
) {
    let service = service_fn(|mut request| {
        if let Some(certificate) = &certificate {
            Request::extensions_mut(&mut request).insert(certificate.clone());
        }
        perform(&*handler, request)
    });
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if let Err(error) = (&mut connection).await
        && is_reset(&error)
    {
        connection.into_parts().io.into_inner().reset();
    }
}

fn is_reset(error: &hyper::Error) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref());
    matches!(cause, Some(Broken::Reset))
}

async fn perform(
    handler: &impl Handler,
    request: Request<Incoming>,
) -> Result<Response<Body>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken::CutOff)?;
    match handler.handle(&Request::from_parts(head, body.to_bytes())) {
        Reply::Respond { after, response } => {
            // Even a sleep of zero lasts until the timer's next millisecond.
            if !after.is_zero() {
                sleep(after).await;
            }
            Ok(response)
        }
        Reply::Hang => pending().await,
        Reply::Reset => Err(Broken::Reset),
    }
}
