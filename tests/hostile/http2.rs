//! Token endpoints over HTTP/2 whose answers end too soon: some clients do not report that as an error.

use std::{
    collections::VecDeque,
    net::{Shutdown, SocketAddr},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use h2::{Reason, RecvStream, server::Connection};
use http::{Response, header::CONTENT_LENGTH};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower_oauth::testing::Authority;

use crate::{
    client::{CLIENTS, LONG, recovers},
    support::http2::server_config,
};

const WHOLE: &str = r#"{"access_token":"abc","expires_in":3600}"#;
const PART: &str = r#"{"access_token":"abc","expires_"#;

/// One answer: its body, and what comes after it.
#[derive(Clone, Copy, Debug)]
struct Answer {
    body: &'static str,
    announced: Option<usize>,
    end: End,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Stream,
    Reset(Reason),
    Connection,
}

const GOOD: Answer = Answer {
    body: WHOLE,
    announced: Some(WHOLE.len()),
    end: End::Stream,
};

impl Answer {
    const fn cut(end: End) -> Self {
        Self {
            body: PART,
            announced: Some(WHOLE.len()),
            end,
        }
    }

    const fn unannounced(self) -> Self {
        Self {
            announced: None,
            ..self
        }
    }

    const fn whole_then(end: End) -> Self {
        Self {
            body: WHOLE,
            ..Self::cut(end)
        }
    }
}

type Answers = Arc<Mutex<VecDeque<Answer>>>;
type Http2 = Connection<TlsStream<TcpStream>, Bytes>;

async fn endpoint(authority: &Authority, answers: impl IntoIterator<Item = Answer>) -> SocketAddr {
    let config = server_config(&authority.loopback_server().unwrap(), &["h2"]);
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Answers = Arc::new(Mutex::new(answers.into_iter().collect()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, acceptor.clone(), answers.clone()));
        }
    });
    address
}

async fn serve(stream: TcpStream, acceptor: TlsAcceptor, answers: Answers) {
    let stream = stream.into_std().unwrap();
    let socket = stream.try_clone().unwrap();
    let stream = TcpStream::from_std(stream).unwrap();
    let stream = acceptor.accept(stream).await.unwrap();
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((request, mut respond))) = connection.accept().await {
        hear(&mut connection, request.into_body()).await;
        let Some(answer) = answers.lock().unwrap().pop_front() else {
            return;
        };
        let mut head = Response::new(());
        if let Some(length) = answer.announced {
            head.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        let mut stream = respond.send_response(head, false).unwrap();
        let is_last = matches!(answer.end, End::Stream);
        stream.send_data(answer.body.into(), is_last).unwrap();
        // A reset would take what was not sent yet with it.
        send(&mut connection).await;
        match answer.end {
            End::Stream => {}
            End::Reset(reason) => stream.send_reset(reason),
            // What the client still sends is read: a reset would take the answer with it.
            End::Connection => socket.shutdown(Shutdown::Write).unwrap(),
        }
    }
}

/// Reads a request to its end. Only who drives the connection gets something from it.
async fn hear(connection: &mut Http2, mut body: RecvStream) {
    let read = async { while let Some(Ok(_)) = body.data().await {} };
    tokio::select! {
        biased;
        () = read => {}
        next = connection.accept() => panic!("it did not end its request: {next:?}"),
    }
}

async fn send(connection: &mut Http2) {
    std::future::poll_fn(|cx| {
        let _ = connection.poll_accept(cx);
        std::task::Poll::Ready(())
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_cut_short_is_asked_for_again() {
    let authority = Authority::new().unwrap();
    for client in CLIENTS {
        for end in [
            End::Connection,
            End::Reset(Reason::INTERNAL_ERROR),
            End::Reset(Reason::CANCEL),
            End::Reset(Reason::NO_ERROR),
        ] {
            let cut = Answer::cut(end);
            for cut in [cut, cut.unannounced()] {
                let case = format!("{client:?} {cut:?}");
                let address = endpoint(&authority, [cut, GOOD]).await;
                let source = client.source_with(format!("https://{address}"), &authority, |_| {});
                recovers(&source, "abc", &case).await;
                let counters = source.status().counters;
                assert_eq!((counters.fetches, counters.attempts), (1, 2), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_complete_is_used_however_it_ends() {
    let authority = Authority::new().unwrap();
    for client in CLIENTS {
        for end in [
            End::Stream,
            End::Connection,
            End::Reset(Reason::INTERNAL_ERROR),
            End::Reset(Reason::CANCEL),
            End::Reset(Reason::NO_ERROR),
        ] {
            let whole = Answer::whole_then(end);
            for whole in [whole, whole.unannounced()] {
                let case = format!("{client:?} {whole:?}");
                let address = endpoint(&authority, [whole]).await;
                let source = client.source_with(format!("https://{address}"), &authority, |_| {});
                let token = timeout(LONG, source.token()).await.expect(&case);
                let token = token.unwrap_or_else(|error| panic!("{case}: {error}"));
                assert_eq!(token.expose_token(), "abc", "{case}");
                assert_eq!(source.status().counters.attempts, 1, "{case}");
            }
        }
    }
}
