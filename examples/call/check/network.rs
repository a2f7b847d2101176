//! The steps of the network, on a connection of their own: no token and no secret goes over it.

use std::{future::ready, time::Duration};

use futures_util::FutureExt;

use super::{
    client_certificate, clock, handshake,
    head::ask,
    name,
    report::Report,
    server::Server,
    step::{Finding, Kind, Target},
    tcp,
};
use crate::{advice::Advice, tls::Tls};

/// The way to one server.
pub(super) struct Network<'a> {
    pub(super) target: Target,
    pub(super) server: &'a Server,
    pub(super) tls: &'a Tls,
    pub(super) advice: &'a Advice<'a>,
    pub(super) limit: Duration,
    pub(super) report: &'a mut Report,
}

impl Network<'_> {
    /// Takes all steps, or returns the name of the one that failed.
    pub(super) async fn check(mut self) -> Result<(), &'static str> {
        let (server, advice) = (self.server, self.advice);
        let addresses = name::find(server, advice, self.target);
        let addresses = self.take(Kind::NAME, addresses).await?;
        let stream = tcp::open(addresses, server, advice, self.target);
        let stream = self.take(Kind::TCP, stream).await?;
        // Less than a step has: without an answer to `HEAD /` it goes on.
        let soon = self.limit / 2;
        if !server.is_secure {
            let without_tls = [Kind::TLS, Kind::CLIENT_CERTIFICATE];
            self.report.skip(self.target, &without_tls, "plain http");
            let clock = async { clock::compare(ask(stream, server, false, soon).await) };
            return self.take(Kind::CLOCK, clock.map(done)).await;
        }
        let handshake = handshake::run(stream, server, self.tls, advice);
        let handshake = self.take(Kind::TLS, handshake).await?;
        let identity = self.tls.identity.as_ref();
        let shown = client_certificate::show(handshake, server, identity, advice, soon);
        let answer = self.take(Kind::CLIENT_CERTIFICATE, shown).await?;
        let clock = ready(clock::compare(answer));
        self.take(Kind::CLOCK, clock.map(done)).await
    }

    /// Takes a step. If it fails, those after it are skipped.
    async fn take<T>(
        &mut self,
        kind: Kind,
        step: impl Future<Output = (Finding, Option<T>)>,
    ) -> Result<T, &'static str> {
        let found = self.report.take(self.target, kind, self.limit, step).await;
        found.ok_or_else(|| {
            let later = Kind::NETWORK.iter().skip_while(|it| it.name != kind.name);
            let later: Vec<_> = later.skip(1).copied().collect();
            let reason = format!("the step `{}` failed", kind.name);
            self.report.skip(self.target, &later, &reason);
            kind.name
        })
    }
}

/// A step that says something, and does not fail.
fn done(finding: Finding) -> (Finding, Option<()>) {
    (finding, Some(()))
}
