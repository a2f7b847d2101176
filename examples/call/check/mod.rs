//! `--check`: checks the way to the token endpoint and to the API step by step, and says what to do where it fails.

mod call;
mod certificate;
mod client_certificate;
mod clock;
mod handshake;
mod head;
mod lines;
mod name;
mod network;
mod plan;
mod report;
mod server;
mod step;
mod tcp;
mod token;
mod watching;

use std::{io, process::ExitCode, time::Duration};

use http::Uri;

use self::{
    network::Network,
    plan::Plan,
    report::Report,
    server::Server,
    step::{Finding, Kind, Target},
};
use crate::{USAGE, advice::Advice, args::Args};

/// How long a step of the network may take. The token request and the call have all of `--timeout`.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn check(args: &Args) -> io::Result<ExitCode> {
    let mut report = Report::new(args);
    let plan = match Plan::of(args) {
        Ok(plan) => plan,
        Err(error) => {
            let remedy = "Correct this setting; see --help. Nothing was sent.";
            report.note(None, Kind::SETTINGS, Finding::failed(error, remedy));
            skip_everything(args, &mut report);
            report.finish()?;
            return Ok(ExitCode::from(USAGE));
        }
    };
    report.note(None, Kind::SETTINGS, plan.settings());
    let has_token = get_token(&plan, &mut report).await;
    if let Some(url) = &args.url {
        call_api(&plan, url, has_token, &mut report).await;
    }
    report.finish()
}

fn skip_everything(args: &Args, report: &mut Report) {
    let reason = "the step `settings` failed";
    let token = [&Kind::NETWORK[..], &Kind::TOKEN].concat();
    report.skip(Target::TokenEndpoint, &token, reason);
    if args.url.is_some() {
        let call = [&Kind::NETWORK[..], &[Kind::CALL]].concat();
        report.skip(Target::Api, &call, reason);
    }
}

/// Whether there is a token.
async fn get_token(plan: &Plan<'_>, report: &mut Report) -> bool {
    let (target, server) = (Target::TokenEndpoint, &plan.token_endpoint);
    if let Err(step) = reach(plan, target, server, report).await {
        let reason = format!("the step `{step}` failed");
        report.skip(target, &Kind::TOKEN, &reason);
        return false;
    }
    token::fetch(plan, report).await
}

async fn call_api(plan: &Plan<'_>, url: &Uri, has_token: bool, report: &mut Report) {
    let (target, server) = (Target::Api, &plan.api);
    let reached = match *server == plan.token_endpoint {
        true => {
            let reason = "same server as the token endpoint";
            report.skip(target, &Kind::NETWORK, reason);
            Ok(())
        }
        false => reach(plan, target, server, report).await,
    };
    match reached {
        Err(step) => {
            let reason = format!("the step `{step}` failed");
            report.skip(target, &[Kind::CALL], &reason);
        }
        Ok(()) if !has_token => report.skip(target, &[Kind::CALL], "there is no token"),
        Ok(()) => call::call(plan, url, report).await,
    }
}

/// The steps of the network, or the name of the one that failed.
async fn reach(
    plan: &Plan<'_>,
    target: Target,
    server: &Server,
    report: &mut Report,
) -> Result<(), &'static str> {
    if let Some(proxy) = server.proxy(plan.args.client) {
        let reason = format!("the client uses the proxy of {proxy}");
        report.skip(target, &Kind::NETWORK, &reason);
        return Ok(());
    }
    let status = plan.api_client.source.status();
    let network = Network {
        target,
        server,
        tls: &plan.tls,
        advice: &Advice::new(plan.args, &status),
        limit: PATIENCE.min(plan.args.load.timeout),
        report,
    };
    network.check().await
}
