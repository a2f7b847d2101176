//! A real process that is stopped in the middle of a fetch, and wakes when all its time-outs have passed.
#![cfg(target_os = "linux")]

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tower_oauth::{
    BoxError, ClientId, ClientSecret,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

/// Where the client finds the token endpoint.
const TOKEN_URL: &str = "TOWER_OAUTH_TEST_TOKEN_URL";

const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

/// What runs in the process that is stopped. On its own it does nothing.
#[tokio::test]
async fn client() -> Result<(), BoxError> {
    let Ok(token_url) = env::var(TOKEN_URL) else {
        return Ok(());
    };
    let dialect = Dialect::new("stopped", token_url);
    let source = ClientCredentialsBuilder::new(dialect, ClientId::new("id")?)
        .secret(ClientSecret::new("s"))
        .policy(|policy| {
            policy.timeouts.attempt = ATTEMPT_TIMEOUT;
            policy.timeouts.fetch = ATTEMPT_TIMEOUT;
            policy.retry.max_retry_after_in_fetch = Duration::ZERO;
            policy.timeouts.acquire = 2 * ATTEMPT_TIMEOUT;
            policy.retry.attempts = 1;
        })
        .build_reqwest(reqwest::Client::builder())?;
    assert_eq!(source.token().await?.expose_token(), "tok-1");
    Ok(())
}

fn start_client(token_url: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "stopped::client", "--nocapture"])
        .env(TOKEN_URL, token_url)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

fn read_request(connection: &mut TcpStream) {
    let mut seen = Vec::new();
    let mut part = [0; 1024];
    while !seen.ends_with(b"grant_type=client_credentials") {
        let length = connection.read(&mut part).unwrap();
        seen.extend_from_slice(&part[..length]);
    }
}

fn answer(connection: &mut TcpStream) {
    let body = r#"{"access_token":"tok-1","token_type":"Bearer","expires_in":3600}"#;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
    write!(connection, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
}

fn stop(client: &Child, pid: Pid) {
    kill_process(pid, Signal::STOP).unwrap();
    let is_stopped = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", client.id())).unwrap();
        stat.rsplit(')').next().unwrap().starts_with(" T")
    };
    while !is_stopped() {
        thread::yield_now();
    }
}

#[test]
fn an_answer_that_came_while_the_process_was_stopped_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = start_client(&format!("http://{address}/token"));
    let pid = Pid::from_child(&client);
    let (mut connection, _) = listener.accept().unwrap();
    read_request(&mut connection);
    stop(&client, pid);
    answer(&mut connection);
    // Time that only the stopped process must not count.
    thread::sleep(ATTEMPT_TIMEOUT + Duration::from_secs(1));
    kill_process(pid, Signal::CONT).unwrap();
    assert!(client.wait().unwrap().success());
}
