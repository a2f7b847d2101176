//! The providers of the catalogue: `call --list`, `call --provider` and `banks --provider`.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tower_oauth::{
    provider,
    testing::{Bank, Exchange},
};

use super::tool::{CLIENTS, Call, binary};

#[tokio::test]
async fn a_list_of_every_provider_is_one_json_array() {
    let outcome = Call::bare(&["--list"]).run().await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    let list: Vec<Value> = serde_json::from_str(&outcome.stdout).unwrap();
    let names: Vec<_> = list.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let known: Vec<_> = provider::all().iter().map(|it| it.name()).collect();
    assert_eq!(names, known);
    let inter = list.iter().find(|it| it["name"] == "inter").unwrap();
    assert_eq!(inter["title"], "Banco Inter");
    assert_eq!(
        inter["environments"],
        serde_json::json!(["production", "sandbox"])
    );
    assert_eq!(inter["confidence"], "official");
    assert_eq!(
        inter["documents"][0],
        "https://developers.inter.co/references/token"
    );
}

#[tokio::test]
async fn a_provider_is_called_by_its_name() {
    let text = std::fs::read_to_string("src/provider/exchanges/inter.txt").unwrap();
    let bank = Bank::from_exchange(Exchange::from_text(&text).unwrap(), 0);
    let bank = bank.await.unwrap();
    let call = Call::bare(&["--provider", "inter", "--env", "production"])
        .arg("--token-url", bank.token_url())
        .arg("--origin", bank.origin())
        .arg("--client-id", "client-1")
        .secret("s3cret-value-1")
        .arg("--scope", "extrato.read")
        .arg("--scope", "boleto-cobranca.read")
        .arg("--scope", "cob.write");
    let outcome = call.url(bank.api_url()).run().await;
    assert_eq!(outcome.code, 0, "{}", outcome.stderr);
    assert_eq!(bank.differences(), Vec::<String>::new());
}

/// `banks` serving one provider, until it is dropped.
struct Served {
    process: Child,
    call_line: String,
}

impl Served {
    fn start(provider: &str) -> Self {
        let mut command = Command::new(binary("banks"));
        command.args(["--port", "0", "--provider", provider]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("`cargo build --example banks`");
        let mut call_line = String::new();
        let output = process.stdout.as_mut().unwrap();
        BufReader::new(output).read_line(&mut call_line).unwrap();
        Self { process, call_line }
    }

    /// Runs the command line that it printed: variables, `cargo run … --`, and arguments.
    fn call(&self) -> Call {
        let (variables, args) = self.call_line.split_once("cargo run").unwrap();
        let (_, args) = args.split_once(" -- ").unwrap();
        let args = shell_words(args);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let mut call = Call::bare(&args);
        for variable in shell_words(variables) {
            let (name, value) = variable.split_once('=').unwrap();
            call = call.variable(name, value);
        }
        call
    }

    /// The first line of its standard error.
    fn complaint(&mut self) -> String {
        let mut line = String::new();
        let output = self.process.stderr.as_mut().unwrap();
        BufReader::new(output).read_line(&mut line).unwrap();
        line
    }
}

impl Drop for Served {
    /// By an interrupt, so that it removes its key file.
    fn drop(&mut self) {
        let interrupt = format!("kill -INT {}", self.process.id());
        let sent = Command::new("sh").args(["-c", &interrupt]).status();
        if !sent.is_ok_and(|status| status.success()) {
            let _ = self.process.kill();
        }
        let _ = self.process.wait();
    }
}

/// Splits at white space outside of single quotes.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (number, part) in line.trim().split('\'').enumerate() {
        let is_quoted = number % 2 == 1;
        for (nth, word) in part.split(' ').enumerate() {
            match (is_quoted, nth) {
                (_, 0) => {}
                (true, _) => words.last_mut().unwrap().push(' '),
                (false, _) => words.push(String::new()),
            }
            words.last_mut().unwrap().push_str(word);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[tokio::test]
async fn every_provider_is_served_and_called_by_the_line_that_banks_prints() {
    for (number, provider) in provider::all().iter().enumerate() {
        let name = provider.name();
        let served = Served::start(name);
        let call = served.call().arg("--client", CLIENTS[number % 2]);
        let outcome = call.run().await;
        assert_eq!(outcome.code, 0, "{name}: {}", outcome.stderr);
        assert_eq!(outcome.report()["status"], json!({ "200": 1 }), "{name}");
    }
}

#[tokio::test]
async fn what_differs_is_printed_by_call_and_by_banks() {
    let mut served = Served::start("inter");
    let outcome = served.call().arg("--scope", "pix.read").run().await;
    assert_eq!(outcome.code, 1);
    let difference = "field `scope`: has another value than the document's";
    assert!(outcome.stderr.contains(difference), "{}", outcome.stderr);
    assert_eq!(served.complaint(), format!("inter: {difference}\n"));
}

#[tokio::test]
async fn an_unknown_provider_is_an_error_that_lists_those_there_are() {
    let names: Vec<_> = provider::all().iter().map(|it| it.name()).collect();
    let listed = format!("did you mean `sicoob`? Known: {}", names.join(", "));
    let mut served = Served::start("sicob");
    assert!(!served.process.wait().unwrap().success());
    let complaint = served.complaint();
    assert!(complaint.contains(&listed), "{complaint}");
    let call = Call::bare(&["--provider", "sicob", "--client-id", "me"]).url("http://127.0.0.1:9/");
    call.run().await.assert_usage_error(&listed);
}

/// A call that reaches nobody: its configuration or its address is rejected first.
fn unsent(provider: &str) -> Call {
    Call::bare(&["--provider", provider, "--client-id", "me"])
        .secret("shh-shh-shh")
        .arg("--scope", "cob.read")
}

#[tokio::test]
async fn an_environment_chooses_the_providers_addresses() {
    let production = "https://cdpj.partners.bancointer.com.br";
    let sandbox = "https://cdpj-sandbox.partners.uatinter.co";
    let of_sandbox = unsent("inter").url(production);
    let says = "is not among the source's origins";
    of_sandbox.run().await.assert_usage_error(says);
    let of_production = unsent("inter").arg("--env", "production").url(sandbox);
    of_production.run().await.assert_usage_error(says);
}

#[tokio::test]
async fn a_token_url_that_no_document_names_must_be_given() {
    let call = unsent("bs2").url("https://api.bank.example/");
    let says = "invalid `token_url` \"\": must be given";
    call.run().await.assert_usage_error(says);
}
