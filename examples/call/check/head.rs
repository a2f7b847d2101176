//! `HEAD /`, over the connection of the check: it shows what the server thinks of the client's certificate, and its
//! clock.

use std::{
    pin::pin,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, header::DATE};
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::timeout,
};
use tower_oauth::{BoxError, Clock};

use super::server::Server;

/// An answer, of which the moment matters.
pub(super) struct HeadAnswer {
    /// The server's `Date`.
    pub(super) date: Option<SystemTime>,
    /// When it came, by this machine's clock.
    pub(super) at: SystemTime,
}

pub(super) async fn ask<S>(
    stream: S,
    server: &Server,
    is_http2: bool,
    limit: Duration,
) -> Result<HeadAnswer, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let headers = async {
        match is_http2 {
            true => by_http2(stream, server).await,
            false => by_http1(stream, server).await,
        }
    };
    let headers = timeout(limit, headers).await;
    let headers = headers.map_err(|_| format!("no answer within {limit:?}"))??;
    let date = headers.get(DATE);
    let date = date.and_then(|it| httpdate::parse_http_date(it.to_str().ok()?).ok());
    Ok(HeadAnswer {
        date,
        at: Clock::system().wall(),
    })
}

async fn by_http1<S>(stream: S, server: &Server) -> Result<HeaderMap, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let authority = server.authority();
    let request = Request::head("/").header("host", authority);
    let request = request.body(Empty::<Bytes>::new())?;
    let answer = sender.send_request(request);
    headers(answer, connection).await
}

/// hyper runs the connection in a task of its own.
async fn by_http2<S>(stream: S, server: &Server) -> Result<HeaderMap, BoxError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = h2::client::handshake(stream).await?;
    let request = Request::head(format!("{}/", server.origin)).body(())?;
    let (answer, _) = sender.send_request(request, true)?;
    headers(answer, connection).await
}

/// Drives request and connection together, the request first: what ends the connection is then the request's error, too.
/// Apart, the connection may end before the request is made, and the request is told nothing but that.
async fn headers<B, E, W>(
    answer: impl Future<Output = Result<Response<B>, E>>,
    connection: impl Future<Output = Result<(), W>>,
) -> Result<HeaderMap, BoxError>
where
    E: Into<BoxError>,
    W: Into<BoxError>,
{
    let mut answer = pin!(answer);
    let answered = tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = connection => match ended {
            Err(why) => return Err(why.into()),
            Ok(()) => answer.await,
        },
    };
    Ok(answered.map_err(Into::into)?.into_parts().0.headers)
}
