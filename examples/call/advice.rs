//! What to look at, for everything that went wrong.

use std::{env, time::SystemTime};

use tower_oauth::Status;

use crate::{
    args::Args,
    cause::{Cause, Tls},
    source::{SECRET, default_env},
    tally::Tally,
};

const GOOD_CERT: &str = "Check --cert: that an authority which the server trusts issued it, that it has not expired, \
                         and that it is registered for this client.";

/// Advice in terms of the options that were given.
pub(crate) struct Advice<'a> {
    how: How,
    has_cert: bool,
    /// Where the secret is, if there is one.
    secret: Option<&'static str>,
    has_assertion: bool,
    status: &'a Status,
}

/// Where the knobs of the token request are.
enum How {
    /// A provider that the crate knows; with the environment.
    Provider(String),
    /// A dialect's file.
    Dialect(String),
}

impl<'a> Advice<'a> {
    pub(crate) fn new(args: &Args, status: &'a Status) -> Self {
        let bank = &args.bank;
        let env = bank.env.as_deref().or(bank.provider.map(default_env));
        let env = env.unwrap_or("production").to_owned();
        let how = match &bank.dialect {
            Some(file) => How::Dialect(file.display().to_string()),
            None => How::Provider(env),
        };
        Self {
            how,
            has_cert: args.tls.cert.is_some(),
            secret: match bank.secret_file {
                Some(_) => Some("--secret-file"),
                None => env::var_os(SECRET).map(|_| SECRET),
            },
            has_assertion: args.signing.alg.is_some(),
            status,
        }
    }

    /// One text for each kind of error, and for each status that is no success.
    pub(crate) fn on(&self, tally: &Tally) -> Vec<String> {
        let errors = tally.errors.iter().map(|(kind, failures)| {
            let (count, cause) = (failures.count, &failures.first);
            format!(
                "call: {count} x {kind}: {}\n      {}",
                cause.text,
                self.remedy(cause)
            )
        });
        let bad = tally.statuses.iter();
        let bad = bad.filter(|(status, _)| !(200..300).contains(*status));
        let statuses = bad.map(|(status, count)| {
            format!("call: {count} x HTTP {status}: {}", self.meaning(*status))
        });
        errors.chain(statuses).collect()
    }

    pub(crate) fn remedy(&self, cause: &Cause) -> String {
        if let Some(tls) = cause.tls {
            return self.on_tls(tls);
        }
        if cause.text.contains("the shared store ") {
            return "Check --store: scheme (rediss:// for TLS), host, port, user and password."
                .into();
        }
        match (cause.kind, cause.status, cause.code.as_deref()) {
            (_, Some(429), _) => too_many(cause.retry_at),
            (_, Some(404 | 405 | 410), _) => format!("Check {}.", self.token_url()),
            // Also where a passing code comes with a status of 4xx.
            ("unavailable", Some(_), _) | (_, Some(500..), _) => {
                "The token endpoint is out of order, whatever is sent to it. Try again later."
                    .into()
            }
            ("denied", _, Some(code)) => self.on_code(code),
            ("denied", _, None) => self.on_no_code(),
            ("malformed", ..) => self.on_malformed(),
            ("timeout", ..) => {
                "Check that the hosts answer; --timeout sets how long one request may take.".into()
            }
            ("unavailable", ..) => {
                format!(
                    "Check the network, and host and port of {}.",
                    self.token_url()
                )
            }
            ("transport", ..) => "Check the network, and host and port of the address.".into(),
            _ => "Run it again; if it stays, the message above is what to report.".into(),
        }
    }

    pub(crate) fn on_tls(&self, tls: Tls) -> String {
        let remedy = match (tls, self.has_cert) {
            (Tls::ClientRejected, true) => GOOD_CERT,
            (Tls::ClientRejected, false) => "Give a client certificate with --cert (and --key).",
            (Tls::ServerRejected, _) => {
                "The server's certificate is not trusted. Check --cacert, the host name and the clock."
            }
            (Tls::Failed | Tls::HungUp, true) => {
                return format!("The server may have rejected the client certificate. {GOOD_CERT}");
            }
            (Tls::Failed | Tls::HungUp, false) => {
                "The server may want a client certificate (--cert and --key), or the connection broke."
            }
        };
        remedy.into()
    }

    /// On the codes of RFC 6749, and all others.
    fn on_code(&self, code: &str) -> String {
        match (code, &self.how) {
            ("invalid_client", How::Provider(env)) => format!(
                "Check {}, and that they belong to --env {env}.",
                self.credentials()
            ),
            ("invalid_client", How::Dialect(file)) => format!(
                "Check {}, that they belong to this token endpoint, and `credentials` in {file}: basic_encoded, basic_raw or body.",
                self.credentials()
            ),
            ("invalid_scope", How::Provider(_)) => {
                "Check --scope: each scope must exist, and be granted to this client.".into()
            }
            ("invalid_scope", How::Dialect(file)) => format!(
                "Check --scope: each scope must exist, and be granted to this client; and `scope` in {file}."
            ),
            ("unauthorized_client", _) => {
                "The client may not use this grant or these scopes: ask the provider to allow it."
                    .into()
            }
            ("unsupported_grant_type", How::Dialect(file)) => {
                format!("Check `grant` and `body` in {file}.")
            }
            ("unsupported_grant_type", How::Provider(_)) => {
                format!("Check {}.", self.token_url())
            }
            ("invalid_request", _) => self.form_of_request(),
            ("temporarily_unavailable" | "server_error" | "slow_down", _) => {
                "The token endpoint is busy or out of order. Try again later.".into()
            }
            (_, How::Provider(_)) => format!(
                "See what the provider's documentation says of this code. {}",
                self.form_of_request()
            ),
            (_, How::Dialect(file)) => format!(
                "See what the provider's documentation says of this code; whether it passes by itself is for `failures` in {file} to say. {}",
                self.form_of_request()
            ),
        }
    }

    fn on_no_code(&self) -> String {
        let elsewhere = match &self.how {
            How::Provider(_) => String::new(),
            How::Dialect(file) => {
                format!(
                    ", or says it in members that `response.error` and `response.error_description` in {file} do not name"
                )
            }
        };
        format!(
            "The token endpoint does not say why{elsewhere}: credentials, the form of the request, or too many requests. {}",
            self.form_of_request()
        )
    }

    /// A server may say `invalid_request` for the wrong encoding of Basic, too.
    fn form_of_request(&self) -> String {
        let seen = "--verbose shows what was sent and received.";
        match &self.how {
            How::Provider(env) => format!(
                "Check {}, --scope, and that they belong to --env {env}. {seen}",
                self.credentials()
            ),
            How::Dialect(file) => format!(
                "Check {} and --scope; and in {file} `credentials` (basic_encoded, basic_raw or body), `body`, `grant`, `scope`, `token_params` and `token_headers`. {seen}",
                self.credentials()
            ),
        }
    }

    fn on_malformed(&self) -> String {
        let seen = "--verbose shows what was received.";
        match &self.how {
            How::Provider(_) => {
                format!(
                    "Check that this is the token endpoint: {}. {seen}",
                    self.token_url()
                )
            }
            How::Dialect(file) => format!(
                "Check that this is the token endpoint: {}; and `response` in {file}. {seen}",
                self.token_url()
            ),
        }
    }

    pub(crate) fn credentials(&self) -> String {
        if self.has_assertion {
            return "--client-id, --key, --alg, --kid, --audience and --claim".into();
        }
        format!("--client-id, {}", self.secret.unwrap_or("--cert"))
    }

    /// Where the address of one or the other comes from.
    pub(crate) fn address(&self, is_api: bool) -> String {
        match is_api {
            true => "Check host and port of the URL.".into(),
            false => format!("Check host and port of {}.", self.token_url()),
        }
    }

    fn token_url(&self) -> String {
        match &self.how {
            How::Provider(_) => "--token-url".into(),
            How::Dialect(file) => format!("--token-url, or `token_url` in {file}"),
        }
    }

    /// What a status of the API means.
    pub(crate) fn meaning(&self, status: u16) -> String {
        match (status, &self.how) {
            (401, how) => {
                let place = match how {
                    How::Provider(env) => format!("check that the API belongs to --env {env}, too"),
                    How::Dialect(file) => format!(
                        "check that token endpoint and API belong together, and `headers` in {file}"
                    ),
                };
                let stuck = match self.status.counters.failures {
                    0 => "",
                    _ => "; a rejected token goes on being sent while no new one can be fetched",
                };
                format!("the API does not take the token; {place}{stuck}.")
            }
            (403, _) => {
                "the token does not open this address; check --scope, and what was agreed with the provider.".into()
            }
            (404 | 405, _) => "the API knows no such address or method; check the URL and --method.".into(),
            (429, _) => "too many requests; lower --rate or -c.".into(),
            (500..=599, _) => "the API failed; try again later.".into(),
            (300..=399, _) => "redirects are not followed; call the final address.".into(),
            _ => "see the API's documentation; a single request (without -n) shows the answer.".into(),
        }
    }
}

fn too_many(retry_at: Option<SystemTime>) -> String {
    let until = retry_at.and_then(|at| jiff::Timestamp::try_from(at).ok());
    match until {
        Some(at) => format!(
            "Too many requests for tokens. The token endpoint may be asked again at {at:.0}; until then no new token is fetched."
        ),
        None => "Too many requests for tokens. Wait before you try again.".into(),
    }
}
