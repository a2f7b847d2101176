//! One call of the API, with the token.

use http::{StatusCode, Uri, Version};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_oauth::BoxError;

use super::{
    plan::Plan,
    report::Report,
    step::{Finding, Kind, Target},
};
use crate::{advice::Advice, cause::Cause, run};

pub(super) async fn call(plan: &Plan<'_>, url: &Uri, report: &mut Report) {
    let step = async { (send(plan, url).await, Some(())) };
    let limit = plan.args.load.timeout;
    report.take(Target::Api, Kind::CALL, limit, step).await;
}

async fn send(plan: &Plan<'_>, url: &Uri) -> Finding {
    let answer = exchange(plan, url).await;
    let status = plan.api_client.source.status();
    let advice = Advice::new(plan.args, &status);
    let (code, version) = match answer {
        Ok(answer) => answer,
        Err(error) => {
            let cause = Cause::of(error.as_ref());
            let remedy = advice.remedy(&cause);
            return Finding::failed(cause.text, remedy).fact("error", cause.kind);
        }
    };
    let detail = format!("HTTP {code}, over {version:?}");
    let finding = match code.is_success() {
        true => Finding::ok(detail),
        false => Finding::failed(detail, sentence(&advice.meaning(code.as_u16()))),
    };
    finding
        .fact("status", code.as_u16())
        .fact("version", format!("{version:?}"))
}

/// The body is read and not shown: it is the customers'.
async fn exchange(plan: &Plan<'_>, url: &Uri) -> Result<(StatusCode, Version), BoxError> {
    let request = run::request(&plan.args.request, url);
    let response = plan.api_client.service.clone().oneshot(request).await?;
    let (status, version) = (response.status(), response.version());
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok((status, version))
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|it| it.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
