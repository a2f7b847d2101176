//! A server over TLS that speaks HTTP/2 with clients that offer it. It hands every request on to a bank.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response, Version, header::HOST};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use rustls::{
    ALL_VERSIONS, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier},
};
use tokio::{
    io::{self, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tower_oauth::{
    BoxError,
    testing::{Authority, Bank, Identity},
};

/// In front of a bank without TLS. It stops when it is dropped.
pub struct Gateway {
    origin: String,
    seen: Seen,
    accepting: AbortHandle,
}

type Seen = Arc<Mutex<Vec<Version>>>;

impl Gateway {
    /// Starts it with these protocols in the TLS handshake (ALPN). Clients need no certificate.
    pub async fn start(bank: &Bank, identity: &Identity, protocols: &[&str]) -> Self {
        Self::with(bank, server_config(identity, protocols)).await
    }

    /// Starts it with HTTP/2, for clients with a certificate of this authority, in one version of TLS.
    pub async fn demanding(
        bank: &Bank,
        identity: &Identity,
        authority: &Authority,
        version: &'static SupportedProtocolVersion,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let pem = authority.certificate_pem();
        roots
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
        let config = config(clients.build().unwrap(), identity, &["h2"], &[version]);
        Self::with(bank, config).await
    }

    async fn with(bank: &Bank, config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://{}", listener.local_addr().unwrap());
        let way = Way {
            bank: bank.api_origin(),
            seen: Seen::default(),
            client: Client::builder(TokioExecutor::new()).build_http(),
        };
        let seen = way.seen.clone();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let accepting = tokio::spawn(accept(listener, acceptor, way)).abort_handle();
        Self {
            origin,
            seen,
            accepting,
        }
    }

    /// The bank's address of this, at the gateway.
    pub fn url(&self, of_bank: &str) -> String {
        let uri: http::Uri = of_bank.parse().unwrap();
        format!("{}{}", self.origin, uri.path())
    }

    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The version of each request that arrived.
    pub fn versions(&self) -> Vec<Version> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A server's TLS without client certificates, with these protocols (ALPN).
pub fn server_config(identity: &Identity, protocols: &[&str]) -> ServerConfig {
    config(Arc::new(NoClientAuth), identity, protocols, ALL_VERSIONS)
}

fn config(
    clients: Arc<dyn ClientCertVerifier>,
    identity: &Identity,
    protocols: &[&str],
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(identity.certificate_pem().as_bytes());
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem().as_bytes());
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(vec![certificate.unwrap()], key.unwrap())
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|&it| it.into()).collect();
    config
}

async fn accept(listener: TcpListener, acceptor: TlsAcceptor, way: Way) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, acceptor.clone(), way.clone()));
    }
}

/// How a connection ends is the client's to see.
async fn serve(stream: TcpStream, acceptor: TlsAcceptor, way: Way) {
    let stream = match acceptor.accept(stream).into_fallible().await {
        Ok(stream) => stream,
        Err((_, stream)) => return turn_away(stream).await,
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let service = service_fn(move |request| way.clone().hand_on(request));
    let stream = TokioIo::new(stream);
    let _ = match is_http2 {
        true => {
            let server = http2::Builder::new(TokioExecutor::new());
            server.serve_connection(stream, service).await
        }
        false => {
            let server = http1::Builder::new();
            server.serve_connection(stream, service).await
        }
    };
}

/// Reads until the client closes: a reset could overtake the alert that was sent.
async fn turn_away(mut stream: TcpStream) {
    if stream.shutdown().await.is_ok() {
        let _ = io::copy(&mut stream, &mut io::sink()).await;
    }
}

#[derive(Clone)]
struct Way {
    bank: String,
    seen: Seen,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Way {
    async fn hand_on(self, request: Request<Incoming>) -> Result<Response<Incoming>, BoxError> {
        self.seen.lock().unwrap().push(request.version());
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |it| it.as_str());
        head.uri = format!("{}{path}", self.bank).parse()?;
        head.version = Version::HTTP_11;
        head.headers.remove(HOST);
        let body = Full::new(body.collect().await?.to_bytes());
        Ok(self.client.request(Request::from_parts(head, body)).await?)
    }
}
