//! The model bank's token endpoint, as a fetcher: it does what the bank is up to, and records what came.

use std::{future::pending, panic::resume_unwind, time::Duration};

use tokio::time::sleep;
use tower::{Service, service_fn};
use tower_oauth::{BoxError, FailureClass, FetchError, Token, TokenRequest};

use crate::{
    bank::{Answer, Form},
    record::{At, Attempt, End, Grant, Nanos},
    world::{Seen, World, nanos},
};

pub(crate) fn fetcher(
    world: World,
) -> impl Service<
    TokenRequest,
    Response = Token,
    Error = BoxError,
    Future = impl Future<Output = Result<Token, BoxError>> + Send,
> + Send
+ 'static {
    service_fn(move |request| answer(world.clone(), request))
}

async fn answer(world: World, request: TokenRequest) -> Result<Token, BoxError> {
    let visit = Visit::begin(world.clone(), &request);
    let plan = world.look(|seen| seen.bank.plan());
    sleep(plan.latency).await;
    match plan.answer {
        Answer::Token {
            lifetime,
            form,
            revoked,
        } => Ok(visit.grant(&request, lifetime, form, revoked)),
        Answer::Repeat => Ok(visit.repeat()),
        Answer::Empty => {
            visit.fail(FailureClass::Unclear, None);
            Ok(Token::new(""))
        }
        Answer::Fail(class, wait) => Err(failure(visit, class, wait)),
        Answer::Panic => {
            visit.fail(FailureClass::Unclear, None);
            // Not `panic!`: the panic hook would print it.
            resume_unwind(Box::new("planned"))
        }
        Answer::Hang => pending().await,
    }
}

fn failure(visit: Visit, class: FailureClass, wait: Option<Duration>) -> BoxError {
    visit.fail(class, wait);
    let error = match class {
        FailureClass::Transient => FetchError::transient("planned"),
        FailureClass::Permanent => FetchError::permanent("planned"),
        _ => return "planned, and not said what it is".into(),
    };
    match wait {
        Some(wait) => error.with_retry_after(wait).into(),
        None => error.into(),
    }
}

/// One attempt's stay at the endpoint; dropped before it has ended, it was cut.
struct Visit {
    world: World,
    number: usize,
    at: At,
    ended: bool,
}

impl Visit {
    fn begin(world: World, request: &TokenRequest) -> Self {
        let (number, at) = world.at(|seen, at| {
            let record = &mut seen.record;
            record.under_way += 1;
            record.most_under_way = record.most_under_way.max(record.under_way);
            record.attempts.push(Attempt {
                at,
                number: request.attempt(),
                cause: request.cause(),
                end: None,
            });
            (record.attempts.len() - 1, at)
        });
        Self {
            world,
            number,
            at,
            ended: false,
        }
    }

    fn grant(self, request: &TokenRequest, lifetime: Duration, form: Form, revoked: bool) -> Token {
        let unstated = self.world.look(|seen| seen.bank.default_lifetime());
        let lifetime = match form {
            Form::Unstated => unstated,
            _ => lifetime,
        };
        let age = match form {
            Form::Aged(age) => age,
            _ => Duration::ZERO,
        };
        let serial = self.end(|seen, at| {
            // The bank counts from when it answers, but a kept token has been counting since.
            let true_until = at.truth + nanos(lifetime) - nanos(age);
            let serial = seen.bank.issue(true_until, revoked);
            let grant = Grant {
                serial,
                lifetime: nanos(lifetime),
                age: nanos(age),
                true_until,
            };
            (End::Token(grant), serial)
        });
        let token = Token::new(format!("token-{serial}"));
        match form {
            Form::For => token.with_lifetime(lifetime),
            Form::Until => token.with_expiry(request.started_at() + lifetime),
            Form::Unstated => token,
            Form::Aged(age) => token
                .with_issued_at(request.started_at() - age)
                .with_lifetime(lifetime),
        }
    }

    /// The token handed out last, with what is left of its life.
    fn repeat(self) -> Token {
        let began = self.at.truth;
        let (serial, left) = self.end(|seen, _| {
            let (serial, true_until) = seen.bank.last().unwrap();
            // Counted from when the attempt began, as the client counts it.
            let left: Nanos = (true_until - began).max(0);
            let grant = Grant {
                serial,
                lifetime: left,
                age: 0,
                true_until,
            };
            (End::Token(grant), (serial, left))
        });
        let left = Duration::from_nanos(left.unsigned_abs());
        Token::new(format!("token-{serial}")).with_lifetime(left)
    }

    fn fail(self, class: FailureClass, wait: Option<Duration>) {
        let retry_after = wait.map(nanos);
        self.end(|_, _| (End::Failed { class, retry_after }, ()));
    }

    fn end<T>(mut self, how: impl FnOnce(&mut Seen, At) -> (End, T)) -> T {
        self.ended = true;
        self.world.clone().at(|seen, at| {
            let (end, result) = how(seen, at);
            seen.record.attempts[self.number].end = Some((at, end));
            result
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.world.at(|seen, at| {
            seen.record.under_way -= 1;
            if !self.ended {
                seen.record.attempts[self.number].end = Some((at, End::Cut));
            }
        });
    }
}
