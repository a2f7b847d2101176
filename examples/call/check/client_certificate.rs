//! The client's certificate: whether the server asks for one, and takes it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tower_oauth::{BoxError, Clock, identity::Identity};

use super::{
    certificate::Certificate,
    handshake::Handshake,
    head::{HeadAnswer, ask},
    server::Server,
    step::Finding,
};
use crate::{
    advice::Advice,
    cause::{Cause, Tls},
};

/// Certificate authorities take days, and so do registrations at a bank.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Whether an answer to `HEAD /` came is the next step's.
type Answer = Result<HeadAnswer, BoxError>;

pub(super) async fn show(
    handshake: Handshake,
    server: &Server,
    identity: Option<&Identity>,
    advice: &Advice<'_>,
    limit: Duration,
) -> (Finding, Option<Answer>) {
    let answer = match handshake.stream {
        Ok(stream) => {
            let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            ask(stream, server, is_http2, limit).await
        }
        Err(error) => {
            let finding = rejected(Cause::of(&error), advice);
            return (described(finding, identity), None);
        }
    };
    if let Err(error) = &answer {
        let cause = Cause::of(error.as_ref());
        if let (true, Some(Tls::ClientRejected)) = (handshake.asked, cause.tls) {
            return (described(rejected(cause, advice), identity), None);
        }
    }
    let finding = accepted(handshake.asked, answer.is_ok(), identity);
    (described(finding, identity), Some(answer))
}

fn rejected(cause: Cause, advice: &Advice<'_>) -> Finding {
    let tls = cause.tls.unwrap_or(Tls::Failed);
    Finding::failed(cause.text, advice.on_tls(tls)).fact("requested", true)
}

fn accepted(asked: bool, answered: bool, identity: Option<&Identity>) -> Finding {
    let finding = match (asked, identity) {
        (false, None) => Finding::ok("not requested"),
        (false, Some(_)) => Finding::ok("not requested, so it is not shown"),
        (true, None) => Finding::ok("requested, but not required"),
        (true, Some(identity)) => shown(answered, identity),
    };
    finding.fact("requested", asked)
}

fn shown(answered: bool, identity: &Identity) -> Finding {
    let how = match answered {
        true => "accepted",
        false => "shown",
    };
    let end = Timestamp::try_from(identity.certificate().not_after);
    let now = Timestamp::try_from(Clock::system().wall());
    let left = match (end, now) {
        (Ok(end), Ok(now)) => end.duration_since(now),
        _ => return Finding::ok(how),
    };
    match left < SOON {
        true => Finding::warning(
            format!("{how}; it expires in {} days", left.as_hours() / 24),
            "Renew the certificate, and register the new one with the provider before this one expires.",
        ),
        false => Finding::ok(how),
    }
}

fn described(mut finding: Finding, identity: Option<&Identity>) -> Finding {
    let Some(own) = identity.and_then(read) else {
        return finding;
    };
    finding.detail = format!("{}; {}", finding.detail, own.words());
    own.add_to(finding)
}

fn read(identity: &Identity) -> Option<Certificate> {
    let shown = identity.resolver().resolve(&[], &[])?;
    Certificate::read(shown.cert.first()?)
}
