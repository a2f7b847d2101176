//! The token request, and the token that came of it.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;
use tower_oauth::{ObtainedFrom, Status, client_credentials::AttemptRecord};

use super::{
    plan::Plan,
    report::Report,
    step::{Finding, Kind, Target},
};
use crate::{advice::Advice, cause::Cause};

/// Below this, tokens are fetched all the time.
const SHORT: Duration = Duration::from_secs(60);

/// Whether there is a token.
pub(super) async fn fetch(plan: &Plan<'_>, report: &mut Report) -> bool {
    let target = Target::TokenEndpoint;
    let step = async {
        let finding = request(plan).await;
        let attempts = plan.attempts();
        let has_token = plan.api_client.source.status().generation.is_some();
        (shown(finding, &attempts), has_token.then_some(attempts))
    };
    // The step has a time-out of its own, after which it still shows what was sent.
    let limit = plan.args.load.timeout + super::PATIENCE;
    let Some(attempts) = report.take(target, Kind::REQUEST, limit, step).await else {
        let reason = "the step `token_request` failed";
        report.skip(target, &[Kind::LIFE, Kind::SCOPES], reason);
        return false;
    };
    let status = plan.api_client.source.status();
    report.note(Some(target), Kind::LIFE, life(&status));
    let scopes = scopes(&plan.args.bank.scope, &attempts);
    report.note(Some(target), Kind::SCOPES, scopes);
    true
}

async fn request(plan: &Plan<'_>) -> Finding {
    let (source, limit) = (&plan.api_client.source, plan.args.load.timeout);
    let outcome = timeout(limit, source.token()).await;
    let status = source.status();
    let cause = match outcome {
        Ok(Ok(_)) => return granted(&status),
        Ok(Err(error)) => Cause::of(&error),
        Err(elapsed) => Cause::of(&elapsed),
    };
    let remedy = Advice::new(plan.args, &status).remedy(&cause);
    Finding::failed(cause.text, remedy)
        .fact("error", cause.kind)
        .fact("code", cause.code)
}

fn granted(status: &Status) -> Finding {
    let from = match status.obtained_from {
        Some(ObtainedFrom::Endpoint) | None => "the token endpoint issued a token",
        Some(_) => "a token from the shared store, for which nothing was sent",
    };
    Finding::ok(from)
}

/// The exchange without secrets and tokens.
fn shown(finding: Finding, attempts: &[AttemptRecord]) -> Finding {
    let last = attempts.last().and_then(AttemptRecord::status);
    let exchange = attempts.iter().map(|it| Value::from(it.to_string()));
    finding
        .fact("status", last.map(|it| it.as_u16()))
        .fact("attempts", attempts.len())
        .fact("exchange", exchange.collect::<Vec<_>>())
}

fn life(status: &Status) -> Finding {
    let whole = status.lifetime.unwrap_or_default();
    let left = status.expires_in.unwrap_or_default();
    let finding = match left < SHORT {
        true => Finding::warning(
            format!(
                "{} s, of which {} s are left",
                whole.as_secs(),
                left.as_secs()
            ),
            "A new token is needed that often. Check that the token endpoint allows as many requests.",
        ),
        false => Finding::ok(format!("{} s", whole.as_secs())),
    };
    finding
        .fact("lifetime_s", whole.as_secs_f64())
        .fact("expires_in_s", left.as_secs_f64())
}

/// Those that were granted, against those that were asked for. An answer names them if they differ (RFC 6749 §5.1).
fn scopes(asked: &[String], attempts: &[AttemptRecord]) -> Finding {
    let Some(last) = attempts.last() else {
        return Finding::skipped("the token came from the shared store");
    };
    let granted = granted_scopes(last);
    let missing = granted.as_ref().map_or_else(Vec::new, |granted| {
        let missing = asked.iter().filter(|it| !granted.contains(it));
        missing.cloned().collect::<Vec<_>>()
    });
    let finding = match (&granted, &*missing, asked) {
        (Some(granted), [], []) => Finding::ok(format!("granted: {}", granted.join(" "))),
        (None, _, []) => Finding::ok("none asked for, and none named in the answer"),
        (Some(_), [], asked) => Finding::ok(format!("granted as asked: {}", asked.join(" "))),
        (None, _, asked) => Finding::ok(format!(
            "asked: {}; the answer names no scopes, so all were granted",
            asked.join(" ")
        )),
        (Some(_), missing, _) => Finding::warning(
            format!("not granted: {}", missing.join(" ")),
            "Ask the provider to grant them to this client. The API answers 403 where they are needed.",
        ),
    };
    finding
        .fact("asked", asked.to_vec())
        .fact("granted", granted)
        .fact("missing", missing)
}

fn granted_scopes(attempt: &AttemptRecord) -> Option<Vec<String>> {
    let members = attempt.answer_members();
    let scope = members
        .iter()
        .find(|it| it.name == "scope" && it.kind == "text")?;
    let text = scope.text.as_deref()?;
    // A longer one is cut, and compares with nothing.
    let is_whole = scope.length == Some(text.chars().count());
    let names = text.split([' ', ',']).filter(|it| !it.is_empty());
    let names: Vec<_> = names.map(str::to_owned).collect();
    (is_whole && !names.is_empty()).then_some(names)
}
