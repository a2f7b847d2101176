//! All steps succeeded.

use http::Version;
use rustls::version::{TLS12, TLS13};
use tower_oauth::{
    SigningAlgorithm,
    testing::{Assertions, Authority, Bank, ClientKey, Tls},
};

use super::check;
use crate::{
    call::{
        banks::{BANKS, Folder, with_certificate},
        http2::through,
        secrets::File as Text,
        signing::File,
        tool::{CLIENTS, Call},
    },
    support::http2::Gateway,
};

#[tokio::test]
async fn every_bank_by_both_clients() {
    for open in BANKS {
        for client in CLIENTS {
            let bank = open().start().await.unwrap();
            let checked = check(Call::of(&bank).arg("--client", client)).await;
            checked.assert_warnings(&[]);
            assert_eq!(checked.verdict("token_endpoint", "tls"), "skipped");
            assert_eq!(checked.verdict("token_endpoint", "clock"), "ok");
            assert_eq!(checked.verdict("token_endpoint", "scopes"), "ok");
            assert_eq!(checked.verdict("api", "name"), "skipped");
            assert_eq!(checked.step("api", "call")["facts"]["status"], 200);
            let request = &checked.step("token_endpoint", "token_request")["facts"];
            assert_eq!(request["attempts"], 1);
            let exchange = request["exchange"][0].as_str().unwrap();
            assert!(exchange.contains(&bank.token_url()), "{exchange}");
            assert!(
                exchange.contains("access_token: text [elided]"),
                "{exchange}"
            );
            let counters = bank.counters();
            assert_eq!((counters.token_requests, counters.api_ok), (1, 1));
        }
    }
}

#[tokio::test]
async fn without_an_address_of_the_api() {
    let bank = Bank::bankly().start().await.unwrap();
    for client in CLIENTS {
        let checked = check(Call::at(&bank).arg("--client", client)).await;
        checked.assert_warnings(&[]);
        assert_eq!(checked.steps().len(), 9, "{}", checked.report);
        assert_eq!(
            checked.step("token_endpoint", "life")["facts"]["lifetime_s"],
            3600.0
        );
    }
    assert_eq!(bank.counters().api_requests, 0);
}

#[tokio::test]
async fn an_api_elsewhere_is_walked_to_as_well() {
    let bank = Bank::avista().start().await.unwrap();
    let authority = Authority::new().unwrap();
    let folder = Folder::new("check-api", &authority, &authority.client("call").unwrap());
    let identity = authority.loopback_server().unwrap();
    let api = Gateway::start(&bank, &identity, &["h2"]).await;
    for client in CLIENTS {
        let call = Call::at(&bank).arg("--client", client);
        let call = call.arg("--cacert", folder.file("ca.pem"));
        let call = call.arg("--origin", api.origin());
        let checked = check(call.url(api.url(&bank.api_url()))).await;
        checked.assert_warnings(&[]);
        assert_eq!(checked.step("api", "tls")["facts"]["alpn"], "h2");
        assert_eq!(checked.verdict("api", "clock"), "ok");
        assert_eq!(checked.step("api", "call")["facts"]["version"], "HTTP/2.0");
    }
    assert_eq!(api.versions(), [Version::HTTP_2; 4]);
}

#[tokio::test]
async fn with_a_client_certificate() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new("check-mtls", &authority, &authority.client("call").unwrap());
    for client in CLIENTS {
        let tls = Tls::new(&authority).unwrap();
        let bank = Bank::anbima().tls(tls).start().await.unwrap();
        let call = with_certificate(Call::of(&bank), &folder).arg("--client", client);
        let checked = check(call).await;
        checked.assert_warnings(&[]);
        let server = &checked.step("token_endpoint", "tls")["facts"];
        assert_eq!(server["version"], "TLS 1.3");
        assert_eq!(server["not_after"], "4096-01-01T00:00:00Z");
        let names = ["localhost", "127.0.0.1", "::1"];
        assert_eq!(server["names"].as_array().unwrap()[..], names);
        let own = &checked.step("token_endpoint", "client_certificate")["facts"];
        assert_eq!(
            (&own["requested"], &own["subject"]),
            (&true.into(), &"CN=call".into())
        );
    }
}

/// Older TLS shows the client's certificate before the handshake is over.
#[tokio::test]
async fn with_a_client_certificate_in_both_versions_of_tls() {
    let authority = Authority::new().unwrap();
    let folder = Folder::new(
        "check-http2",
        &authority,
        &authority.client("call").unwrap(),
    );
    let identity = authority.loopback_server().unwrap();
    let bank = Bank::avista().start().await.unwrap();
    for version in [&TLS12, &TLS13] {
        let gateway = Gateway::demanding(&bank, &identity, &authority, version).await;
        let call = with_certificate(through(&gateway, &bank), &folder);
        let checked = check(call).await;
        checked.assert_warnings(&[]);
        checked.assert_says(
            "token_endpoint",
            "client_certificate",
            "accepted; CN=call",
            "",
        );
    }
}

#[tokio::test]
async fn a_dialects_file_and_a_signed_assertion() {
    let key = ClientKey::generate(SigningAlgorithm::Es256);
    let file = File::new("check", key.pem());
    let bank = Bank::bankly().assertions(Assertions::client(&key));
    let bank = bank.start().await.unwrap();
    let call = Call::of(&bank).without_secret().arg("--key", file.path());
    let checked = check(call.arg("--alg", "ES256")).await;
    checked.assert_warnings(&[]);

    let bank = Bank::conta_simples().start().await.unwrap();
    let text = format!(
        "name = \"my-bank\"\ntoken_url = \"{}\"\ncredentials = \"basic_encoded\"",
        bank.token_url()
    );
    let file = Text::new("check.toml", text);
    let call = Call::bare(&["--client-id", bank.client_id()]);
    let call = call.arg("--dialect", file.path()).url(bank.api_url());
    let checked = check(call.secret(bank.client_secret())).await;
    checked.assert_warnings(&[]);
    assert_eq!(checked.steps()[0]["facts"]["provider"], "my-bank");
}

#[tokio::test]
async fn lines_for_people() {
    let bank = Bank::bankly().start().await.unwrap();
    let outcome = Call::of(&bank).flag("--check").run().await;
    assert_eq!((outcome.code, &*outcome.stderr), (0, ""));
    for line in [
        "ok      settings                             bankly (sandbox), with --client-id, OAUTH_CLIENT_SECRET\n",
        "skipped token endpoint: tls to client certificate plain http\n",
        "        > POST http://127.0.0.1:",
        "        <   access_token: text [elided], 1200 characters\n",
        "ok      token endpoint: scopes               granted as asked: boleto.read\n",
        "skipped API: name to clock                   same server as the token endpoint\n",
        "ok      API: call                            HTTP 200 OK",
    ] {
        assert!(outcome.stdout.contains(line), "{line}: {}", outcome.stdout);
    }
    assert!(outcome.stdout.ends_with("\nAll steps succeeded.\n"));
    // It is no terminal.
    assert!(!outcome.stdout.contains('\x1b'));
}

#[tokio::test]
async fn options_that_do_not_go_with_it() {
    let bank = Bank::avista().start().await.unwrap();
    for (flag, value) in [
        ("-n", "2"),
        ("-c", "2"),
        ("--rate", "1"),
        ("--duration", "1"),
    ] {
        let call = Call::of(&bank).flag("--check").arg(flag, value);
        call.run().await.assert_usage_error("cannot be used with");
    }
    let json = Call::of(&bank).flag("--json").run().await;
    json.assert_usage_error("--check");
    Call::at(&bank).run().await.assert_usage_error("<URL>");
}
