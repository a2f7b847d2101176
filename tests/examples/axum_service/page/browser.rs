//! A headless Chromium, driven over the WebDriver protocol.

use std::{
    fmt::Debug,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::time::{self, Instant};

use super::super::world::caller;

/// Longer than any change takes to reach the page.
const DEADLINE: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(super) struct Browser {
    driver: Child,
    address: String,
    session: String,
    client: reqwest::Client,
}

impl Browser {
    /// Starts the driver and one window.
    pub(super) async fn start() -> Self {
        let driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut driver = driver.expect("chromedriver is installed: `.ci/page` does it");
        let address = format!("127.0.0.1:{}", port(&mut driver));
        let mut browser = Self {
            client: caller(&format!("http://{address}")),
            driver,
            address,
            session: String::new(),
        };
        // The tests may run as root, where Chromium has no sandbox, and in a container with little shared memory.
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-dev-shm-usage",
            "--disable-gpu",
            "--hide-scrollbars",
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": { "args": arguments },
        } } });
        let session = browser.post("/session", wanted).await;
        browser.session = session["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    pub(super) async fn open(&self, url: &str) {
        self.command("/url", json!({ "url": url })).await;
    }

    /// The value of an expression of JavaScript.
    pub(super) async fn value(&self, expression: &str) -> Value {
        let script = json!({ "script": format!("return {expression}"), "args": [] });
        self.command("/execute/sync", script).await
    }

    /// Waits until an expression has a value that fits.
    pub(super) async fn until(&self, expression: &str, fits: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + DEADLINE;
        loop {
            let value = self.value(expression).await;
            if fits(&value) {
                return value;
            }
            if Instant::now() > end {
                let page = self.value("document.body.innerText").await;
                panic!(
                    "{expression} is {value}, on the page\n{}",
                    page.as_str().unwrap_or_default()
                );
            }
            time::sleep(LOOK_EVERY).await;
        }
    }

    pub(super) async fn until_equal(&self, expression: &str, expected: impl Into<Value> + Debug) {
        let expected = expected.into();
        self.until(expression, |value| *value == expected).await;
    }

    /// A width and a height in CSS pixels, each of so many pixels of the picture.
    pub(super) async fn resize(&self, width: u32, height: u32, scale: f64) {
        let size = json!({
            "width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
    }

    pub(super) async fn prefer(&self, scheme: &str) {
        let scheme = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": scheme }))
            .await;
    }

    pub(super) async fn disable_javascript(&self) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": true }),
        )
        .await;
    }

    pub(super) async fn screenshot(&self) -> Vec<u8> {
        let url = self.path("/screenshot");
        let picture = self.answer(self.client.get(url)).await;
        BASE64_STANDARD.decode(picture.as_str().unwrap()).unwrap()
    }

    /// A command of Chromium's own protocol.
    async fn devtools(&self, command: &str, parameters: Value) {
        let command = json!({ "cmd": command, "params": parameters });
        self.command("/goog/cdp/execute", command).await;
    }

    async fn command(&self, path: &str, body: Value) -> Value {
        self.post(&format!("/session/{}{path}", self.session), body)
            .await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let url = format!("http://{}{path}", self.address);
        self.answer(self.client.post(url).body(body.to_string()))
            .await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Value {
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{text}");
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].take()
    }

    fn path(&self, command: &str) -> String {
        format!("http://{}/session/{}{command}", self.address, self.session)
    }
}

/// Which the driver prints once it listens.
fn port(driver: &mut Child) -> u16 {
    let output = BufReader::new(driver.stdout.take().unwrap());
    let mut lines = output.lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("started successfully on port"));
    let line = line.expect("the driver starts");
    let port = line.trim_end_matches('.').rsplit(' ').next().unwrap();
    port.parse().unwrap()
}

/// Also after a test that failed. Only the driver knows the processes of the browser, so it must end them first.
impl Drop for Browser {
    fn drop(&mut self) {
        if let Ok(mut driver) = TcpStream::connect(&self.address) {
            let _ = driver.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = write!(
                driver,
                "DELETE /session/{} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n",
                self.session, self.address
            );
            let _ = driver.read(&mut [0; 512]);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
