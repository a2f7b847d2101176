//! Many clients of one bank over one transport: its connections are shared, and its thread ends with it.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tower_oauth::{
    ClientId, ClientSecret, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    transport::ReqwestThread,
};

/// A token endpoint that keeps its connections open, and counts them.
struct Bank {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    serving: JoinHandle<()>,
}

impl Bank {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        Self {
            address: listener.local_addr().unwrap(),
            serving: tokio::spawn(serve(listener, Arc::clone(&connections))),
            connections,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Bank {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, connections: Arc<AtomicUsize>) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        connections.fetch_add(1, Ordering::SeqCst);
        tokio::spawn(async move { while answer(&mut stream).await {} });
    }
}

/// Reads one request and answers it; `false` once the client has hung up.
async fn answer(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    let mut read = [0; 4096];
    while !request.ends_with(b"client_credentials") {
        match stream.read(&mut read).await {
            Ok(0) | Err(_) => return false,
            Ok(length) => request.extend_from_slice(&read[..length]),
        }
    }
    let body = r#"{"access_token":"abc","expires_in":3600}"#;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all((head + body).as_bytes()).await.is_ok()
}

fn dialect(address: SocketAddr) -> Arc<Dialect> {
    Arc::new(Dialect::new("bank", format!("http://{address}/token")))
}

fn transport(dialect: &Dialect) -> ReqwestThread {
    let client = reqwest::Client::builder().tls_certs_only([]);
    ReqwestThread::new(client, &dialect.token_origin().unwrap()).unwrap()
}

fn source(dialect: &Arc<Dialect>, transport: &ReqwestThread, customer: usize) -> TokenSource {
    let id = ClientId::new(format!("customer-{customer}")).unwrap();
    ClientCredentialsBuilder::new(Arc::clone(dialect), id)
        .secret(ClientSecret::new("shh"))
        .build(transport.clone())
        .unwrap()
}

#[tokio::test]
async fn a_hundred_clients_share_their_connections() {
    let bank = Bank::start().await;
    let dialect = dialect(bank.address);
    let transport = transport(&dialect);
    let sources: Vec<_> = (0..100)
        .map(|customer| source(&dialect, &transport, customer))
        .collect();
    assert_eq!(bank.connections(), 0, "none before the first fetch");
    for source in &sources {
        source.ready().await.unwrap();
    }
    assert_eq!(bank.connections(), 1, "one after the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_fetch_at_once_wait_for_no_other() {
    let bank = Bank::start().await;
    let dialect = dialect(bank.address);
    let transport = transport(&dialect);
    let ready = (0..100).map(|customer| {
        let source = source(&dialect, &transport, customer);
        tokio::spawn(async move { source.ready().await })
    });
    for ready in join_all(ready).await {
        ready.unwrap().unwrap();
    }
    assert!((1..=100).contains(&bank.connections()));
}

/// It accepts one connection, and ends when the client hangs up.
async fn one_connection() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connection = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        while answer(&mut stream).await {}
    });
    (address, connection)
}

#[tokio::test]
async fn the_thread_ends_with_the_last_handle_and_not_before() {
    let (address, connection) = one_connection().await;
    let dialect = dialect(address);
    let transport = transport(&dialect);
    let [first, second] = [1, 2].map(|customer| source(&dialect, &transport, customer));
    drop(transport);
    first.ready().await.unwrap();
    drop(first);
    second.ready().await.unwrap();
    assert!(!connection.is_finished());
    drop(second);
    // The connection lived on the thread's runtime.
    connection.await.unwrap();
}

#[tokio::test]
async fn dropping_the_source_cancels_its_request() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let dialect = dialect(listener.local_addr().unwrap());
    let transport = transport(&dialect);
    let source = source(&dialect, &transport, 1);
    let waiting = tokio::spawn(async move { source.ready().await });
    let (mut connection, _) = listener.accept().await.unwrap();
    waiting.abort();
    // It ends when the client hangs up. With or without an error is no matter.
    let _ = connection.read_to_end(&mut Vec::new()).await;
    drop(transport);
}

/// With the runtime of the first request, its connection would end.
#[test]
fn callers_on_runtimes_that_end_share_the_connection() {
    let servers = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let bank = servers.block_on(Bank::start());
    let dialect = dialect(bank.address);
    let transport = transport(&dialect);
    for customer in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let source = source(&dialect, &transport, customer);
        runtime.block_on(source.ready()).unwrap();
    }
    assert_eq!(bank.connections(), 1);
}
