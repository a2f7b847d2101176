//! TLS: whether the server's certificate is good, and what the two agreed on.

use std::{
    io,
    sync::{Arc, Mutex},
};

use rustls::{CertificateError, Error as TlsError, ProtocolVersion, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    certificate::Certificate,
    server::Server,
    step::Finding,
    watching::{Seen, config},
};
use crate::{advice::Advice, cause::Cause, tls::Tls};

/// A handshake in which the server's certificate was found good.
pub(super) struct Handshake {
    /// Whether the server asked for a client certificate.
    pub(super) asked: bool,
    /// How the handshake ended. With TLS 1.3 it may be over before the server looks at the client's certificate.
    pub(super) stream: io::Result<TlsStream<TcpStream>>,
}

pub(super) async fn run(
    stream: TcpStream,
    server: &Server,
    tls: &Tls,
    advice: &Advice<'_>,
) -> (Finding, Option<Handshake>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (connector, name) = match prepared(server, tls, &seen) {
        Ok(prepared) => prepared,
        Err(finding) => return (finding, None),
    };
    let stream = connector.connect(name, stream).await;
    let seen = Seen::take(&seen);
    // What the server says of the client's certificate belongs to the next step.
    let goes_on = stream.is_ok() || (seen.is_good && seen.asked);
    let finding = match &stream {
        Ok(stream) => agreed(stream),
        Err(_) if goes_on => Finding::ok("the server's certificate is accepted"),
        Err(error) => failed(error, seen.server.as_ref(), server, advice),
    };
    let finding = match &seen.server {
        Some(shown) => described(shown, finding),
        None => finding,
    };
    let handshake = Handshake {
        asked: seen.asked,
        stream,
    };
    (finding, goes_on.then_some(handshake))
}

fn prepared(
    server: &Server,
    tls: &Tls,
    seen: &Arc<Mutex<Seen>>,
) -> Result<(TlsConnector, ServerName<'static>), Finding> {
    let config = config(tls, seen)
        .map_err(|error| Finding::failed(error, "Name the authorities to trust with --cacert."))?;
    let name = ServerName::try_from(server.host.clone())
        .map_err(|error| Finding::failed(error, "Check the host name of the address."))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn described(shown: &Certificate, mut finding: Finding) -> Finding {
    finding.detail = format!("{}; {}", finding.detail, shown.words());
    shown.add_to(finding)
}

fn agreed(stream: &TlsStream<TcpStream>) -> Finding {
    let connection = stream.get_ref().1;
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS 1.3",
    };
    let alpn = connection.alpn_protocol().map(String::from_utf8_lossy);
    let http = match alpn.as_deref() {
        Some("h2") => "HTTP/2",
        _ => "HTTP/1.1",
    };
    Finding::ok(format!("{version}, {http}"))
        .fact("version", version)
        .fact("alpn", alpn)
}

fn failed(
    error: &io::Error,
    shown: Option<&Certificate>,
    server: &Server,
    advice: &Advice<'_>,
) -> Finding {
    let cause = error.get_ref().and_then(|it| it.downcast_ref());
    if let Some(TlsError::InvalidCertificate(why)) = cause {
        return not_good(why, shown, server);
    }
    if let Some(TlsError::InvalidMessage(_)) = cause {
        let remedy = "Check the port, and whether the address begins with https or http.";
        return Finding::failed("the server does not speak TLS", remedy);
    }
    let cause = Cause::of(error);
    let remedy = match cause.tls {
        Some(tls) => advice.on_tls(tls),
        None => {
            "The server ended the handshake. Check host and port, and proxies on the way.".into()
        }
    };
    Finding::failed(cause.text, remedy)
}

fn not_good(why: &CertificateError, shown: Option<&Certificate>, server: &Server) -> Finding {
    use CertificateError::*;
    let host = &*server.host;
    let names = shown.map_or_else(String::new, |it| it.names.join(", "));
    match why {
        Expired | ExpiredContext { .. } => Finding::failed(
            "the server's certificate has expired",
            "Check this machine's clock. If it is right, only the provider can renew the certificate.",
        ),
        NotValidYet | NotValidYetContext { .. } => Finding::failed(
            "the server's certificate is not valid yet",
            "Check this machine's clock.",
        ),
        NotValidForName | NotValidForNameContext { .. } => Finding::failed(
            format!("the server's certificate is not for {host}, but for {names}"),
            "Check the host name of the address: it leads to another server.",
        ),
        UnknownIssuer => Finding::failed(
            "the server's certificate was issued by an authority that is not trusted",
            "If the provider uses this authority, give its certificate with --cacert. If not, something intercepts the connection.",
        ),
        other => Finding::failed(
            format!("the server's certificate is not accepted ({other})"),
            "Ask the provider about its certificate.",
        ),
    }
}
