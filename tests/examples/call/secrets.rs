//! Nothing that may hold a secret is repeated: not a key's file, not a dialect's, not the command line.

use std::{env, fs, path::PathBuf};

use http::{HeaderValue, Response, StatusCode};
use tower_oauth::testing::{Authority, Bank, Fault};

use super::tool::{CLIENTS, Call, Outcome};

const URL: &str = "http://127.0.0.1:9/";
const SECRET: &str = "canary-secret";

/// A file with this text, removed at the end.
pub(super) struct File(PathBuf);

impl File {
    pub(super) fn new(name: &str, text: impl AsRef<[u8]>) -> Self {
        let name = format!("tower-oauth-{}-{name}", std::process::id());
        let path = env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn usage_error(outcome: &Outcome, says: &str) {
    outcome.assert_usage_error(says);
    assert!(!outcome.stderr.contains("canary"), "{}", outcome.stderr);
}

/// Nobody listens there.
const HTTPS: &str = "https://127.0.0.1:9/";

fn avista_by_https() -> Call {
    let call = avista().arg("--token-url", HTTPS);
    call.arg("--origin", "https://127.0.0.1:9").url(HTTPS)
}

fn avista() -> Call {
    Call::bare(&["--provider", "avista", "--client-id", "me"]).secret(SECRET)
}

/// What is wrong with a key, and what is said of it. `{}` is the good key.
fn wrong_keys(good: &str, certificate: &str) -> Vec<(Vec<u8>, &'static str)> {
    let literal = good.trim_end().replace('\n', "\\n");
    let blanks = good.trim_end().replace('\n', " ");
    let one_line = good.replace('\n', "");
    let cut = good[..good.len() / 2].to_owned();
    let base64 = good.lines().nth(1).unwrap();
    let odd = good.replacen(base64, &format!("{}!", &base64[1..]), 1);
    let short = good.replacen(base64, &base64[3..], 1);
    let indented = good.replace("-----BEGIN", "  -----BEGIN");
    let quoted = format!("\"{}\"", good.trim_end());
    let other_end = good.replace("END PRIVATE", "END RSA PRIVATE");
    let labelled = |label: &str| good.replace("PRIVATE KEY", label);
    let old = good.replacen(base64, &format!("Proc-Type: 4,ENCRYPTED\n{base64}"), 1);
    let utf_16: Vec<u8> = good.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf_16 = [&[0xff, 0xfe][..], &utf_16].concat();
    [
        (
            literal,
            "line 1: line breaks are written as the two characters \\n",
        ),
        (blanks, "line 1: more follows the BEGIN marker"),
        (one_line, "line 1: more follows the BEGIN marker"),
        (cut, "line 1: the section that begins here has no END line"),
        (odd, "line 2: this is not base64"),
        (short, "line 1: the base64 of this section is damaged"),
        (
            indented,
            "line 1: there is text or a blank before -----BEGIN",
        ),
        (quoted, "line 1: there is text or a blank before -----BEGIN"),
        (other_end, "the END line does not match its BEGIN line"),
        (
            labelled("ENCRYPTED PRIVATE KEY"),
            "the key is encrypted: give its password",
        ),
        (old, "line 2: the key is encrypted"),
        (
            labelled("OPENSSH PRIVATE KEY"),
            "line 1: this kind is not supported",
        ),
        (
            labelled("PUBLIC KEY"),
            "line 1: a PRIVATE KEY is wanted, and this is a PUBLIC KEY",
        ),
        (labelled("CANARY"), "this is a section of another kind"),
        (
            certificate.into(),
            "a PRIVATE KEY is wanted, and this is a CERTIFICATE",
        ),
        (base64.into(), "the file holds no PEM section"),
        (" \n".into(), "the file is empty"),
    ]
    .map(|(text, says)| (text.replace("CANARY", "canary-KEY").into_bytes(), says))
    .into_iter()
    .chain([
        (utf_16, "the file is binary"),
        (vec![0x30, 0x82, 0xff], "the file is binary"),
    ])
    .collect()
}

/// Whether a part of the key stands there, as text or as the numbers of its bytes.
fn shows(text: &str, key: &str) -> bool {
    let lines = key.lines().filter(|line| !line.contains("-----"));
    let parts = lines.flat_map(|line| line.as_bytes().chunks(12));
    let mut parts = parts.filter(|part| part.len() == 12);
    parts.any(|part| {
        let numbers = format!("{part:?}");
        let numbers = numbers.trim_matches(['[', ']']);
        text.contains(std::str::from_utf8(part).unwrap()) || text.contains(numbers)
    })
}

#[tokio::test]
async fn a_key_that_cannot_be_read_is_not_printed() {
    let identity = Authority::new().unwrap().client("call").unwrap();
    let (cert, key) = (identity.certificate_pem(), identity.key_pem());
    let certificate = File::new("cert.pem", cert);
    for ((text, says), number) in wrong_keys(key, cert).into_iter().zip(0..) {
        let file = File::new(&format!("{number}.key"), text);
        let call = avista_by_https();
        let call = call.arg("--cert", certificate.path());
        let outcome = call.arg("--key", file.path()).run().await;
        usage_error(&outcome, says);
        assert!(
            outcome.stderr.contains(&format!("--key {}", file.path())),
            "{says}"
        );
        assert!(!shows(&outcome.stderr, key), "{}", outcome.stderr);
    }
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_is_not_printed() {
    let authority = Authority::new().unwrap();
    let (identity, other) = (
        authority.client("a").unwrap(),
        authority.client("b").unwrap(),
    );
    let key = File::new("good.key", identity.key_pem());
    let good = identity.certificate_pem();
    // A certificate's DER begins with a tag, a length, a tag.
    let damaged = good.replacen("MII", "AAA", 1);
    for (text, says) in [
        (
            good.trim_end().replace('\n', "\\n"),
            "line 1: line breaks are written",
        ),
        (
            identity.key_pem().into(),
            "line 1: a CERTIFICATE is wanted, and this is a PRIVATE KEY",
        ),
        (damaged, "the certificate is damaged"),
        (
            other.certificate_pem().into(),
            "the key does not belong to the certificate",
        ),
    ] {
        let file = File::new("wrong.pem", text);
        for option in ["--cert", "--cacert"] {
            let is_other = says.contains("does not belong");
            if option == "--cacert" && is_other {
                continue;
            }
            let call = avista_by_https();
            let call = match option {
                "--cert" => call.arg("--cert", file.path()).arg("--key", key.path()),
                _ => call.arg("--cacert", file.path()),
            };
            let outcome = call.run().await;
            usage_error(&outcome, says.trim_start_matches("the certificate "));
            let named = if is_other { "--key" } else { option };
            assert!(outcome.stderr.contains(named), "{}", outcome.stderr);
            assert!(
                !shows(&outcome.stderr, identity.key_pem()),
                "{}",
                outcome.stderr
            );
        }
    }
}

#[tokio::test]
async fn a_line_of_a_dialect_is_not_printed() {
    for (line, says) in [
        (
            "client_secret = \"canary\"",
            "column 1: unknown key `client_secret`, expected one of",
        ),
        (
            "\"canary-4711\" = 1",
            "column 1: unknown key, expected one of",
        ),
        ("credentials = \"canary\"", "expected"),
        ("credentials = \"canary, expected canary\"", "expected"),
        ("credentials = { canary4711 = 1 }", "expected"),
        ("scope = \"canary\"", "expected"),
        (
            "scope = { field = 4711 }",
            "invalid type: integer, expected a string",
        ),
        (
            "single_active = \"canary\"",
            "invalid type: string, expected a boolean",
        ),
        ("default_lifetime = \"canary\"", "column 20: "),
        ("origins = [\"canary://canary\"]", "column 11: "),
        ("refresh_margin = \"canary\"", "expected"),
        ("token_params = { x = { env = [\"canary\"] } }", "line 3"),
        (
            "token_headers = { x = \"canary\", x = \"canary\" }",
            "column 33: duplicate key",
        ),
        ("secret = canary", "column 10: "),
        ("canary", "column 7: "),
        ("secret = \"canary", "line 3"),
        ("x = \"canary\\q\"", "line 3"),
    ] {
        let text = format!("name = \"bank\"\ntoken_url = \"https://x.example\"\n{line}\n");
        let file = File::new("dialect.toml", text);
        let call = Call::bare(&["--client-id", "me", URL]).secret(SECRET);
        let outcome = call.arg("--dialect", file.path()).run().await;
        usage_error(&outcome, says);
        let place = format!("--dialect {}: line 3, column ", file.path());
        assert!(outcome.stderr.contains(&place), "{}", outcome.stderr);
        assert!(!outcome.stderr.contains("4711"), "{}", outcome.stderr);
    }
    for (text, says) in [
        ("name = \"bank\"", "missing field `token_url`"),
        (
            "name = \"bank\"\ntoken_url = \"https://x.example\"\nheaders = { x = \"canary {tok}\" }",
            "`headers`",
        ),
    ] {
        let file = File::new("whole.toml", text);
        let call = Call::bare(&["--client-id", "me", URL]).secret(SECRET);
        let outcome = call.arg("--dialect", file.path()).run().await;
        usage_error(&outcome, says);
    }
}

#[tokio::test]
async fn an_argument_is_not_printed() {
    for (call, says) in [
        (
            avista().url(URL).arg("--header", "canary"),
            "'--header <K:V>'",
        ),
        (
            avista().url(URL).arg("--header", "x-key:canary\n1"),
            "'--header <K:V>'",
        ),
        (
            avista().url("http://x.example/?key=canary canary"),
            "'[URL]'",
        ),
        (
            avista()
                .url(URL)
                .arg("--origin", "https://me:canary@x.example"),
            "'--origin <URL>'",
        ),
        (
            avista()
                .url(URL)
                .arg("--token-url", "https://me:canary@x.example"),
            "token_url",
        ),
        (avista().url("http://me:canary@127.0.0.1/"), "the URL"),
        (avista().url(URL).flag("canary"), "unexpected argument"),
        (avista().url(URL).flag("--no-retry=canary"), "--no-retry"),
        (
            avista().url(URL).flag("--client-secret=canary"),
            "'--client-secret'",
        ),
        (avista().url(URL).arg("-n", "canary"), "'-n <REQUESTS>'"),
    ] {
        usage_error(&call.run().await, says);
    }
}

#[tokio::test]
async fn a_secret_that_is_missing_or_broken_is_named_by_its_variable() {
    let text = "name = \"bank\"\ntoken_url = \"http://127.0.0.1:9/\"";
    let file = File::new("plain.toml", text);
    let dialect = || Call::bare(&["--client-id", "me", URL]).arg("--dialect", file.path());
    let no_secret = "credentials = { id_only = {} }";
    let by_certificate = File::new("id.toml", format!("{text}\n{no_secret}"));
    let id_only = Call::bare(&["--client-id", "me", URL]).arg("--dialect", by_certificate.path());
    for (call, says) in [
        (dialect(), "invalid `client_secret`: must be given"),
        (dialect().secret("canary\n"), "invalid `client_secret`"),
        (id_only.secret(SECRET), "is not sent at all"),
        (
            avista().without_secret().url(URL),
            "put the client's secret",
        ),
        (avista().url(URL).secret("canary"), "8 to 64 characters"),
    ] {
        let outcome = call.run().await;
        usage_error(&outcome, says);
        assert!(
            outcome.stderr.contains("OAUTH_CLIENT_SECRET"),
            "{}",
            outcome.stderr
        );
    }
}

#[tokio::test]
async fn what_could_move_a_cursor_is_escaped() {
    let bytes =
        b"a\x1b[2J\x1b]0;title\x07\r\nb\tc\rd\xc2\x9b31m\x9b \xe2\x80\xae\xc3\xa9\x7f\xf0\x9f"
            .to_vec();
    for client in CLIENTS {
        let bank = Bank::avista().start().await.unwrap();
        let mut answer = Response::new(bytes.clone().into());
        let value = HeaderValue::from_static("text/plain");
        answer.headers_mut().insert("content-type", value);
        bank.api_faults([Fault::Answer(answer)]);
        let outcome = Call::of(&bank).arg("--client", client).run().await;
        assert_eq!(outcome.code, 0, "{}", outcome.stderr);
        assert_eq!(
            outcome.stderr,
            "a\\u001b[2J\\u001b]0;title\\u0007\nb\tc\\u000dd\\u009b31m\\x9b \\u202eé\\u007f\\xf0\\x9f\n"
        );
    }
}

/// A character may come in two pieces.
#[tokio::test]
async fn a_body_in_drips_is_shown_whole() {
    let bank = Bank::avista().start().await.unwrap();
    bank.api_faults([Fault::Drip(std::time::Duration::from_micros(1))]);
    let call = Call::of(&bank).arg("--data", "é€😀\r\n\u{202e}");
    let outcome = call.run().await;
    let echo: serde_json::Value = serde_json::from_str(&outcome.stderr).unwrap();
    assert_eq!(echo["body"], "é€😀\r\n\u{202e}");
}

#[tokio::test]
async fn an_errors_text_is_escaped_too() {
    let bank = Bank::avista().start().await.unwrap();
    let body = "{\"error\":\"x\\u001b[2J\",\"error_description\":\"\\u001b[2J\"}";
    bank.token_fault_always(Fault::answer(StatusCode::BAD_REQUEST, body));
    for verbose in [&[][..], &["--verbose"]] {
        let call = verbose
            .iter()
            .fold(Call::of(&bank), |call, flag| call.flag(flag));
        let outcome = call.run().await;
        assert_eq!(outcome.code, 1);
        assert!(!outcome.stderr.contains('\x1b'), "{}", outcome.stderr);
    }
}
