//! What is to be checked, from the command line. Nothing is sent yet.

use std::sync::{Arc, Mutex, PoisonError};

use tower_oauth::{BoxError, client_credentials::AttemptRecord};

use super::{server::Server, step::Finding};
use crate::{advice::Advice, api::Api, args::Args, source, tls::Tls};

pub(super) struct Plan<'a> {
    pub(super) args: &'a Args,
    pub(super) tls: Tls,
    pub(super) token_endpoint: Server,
    /// The token endpoint, if no URL was given.
    pub(super) api: Server,
    pub(super) api_client: Api,
    attempts: Attempts,
}

type Attempts = Arc<Mutex<Vec<AttemptRecord>>>;

impl<'a> Plan<'a> {
    pub(super) fn of(args: &'a Args) -> Result<Self, BoxError> {
        let token_url = source::token_url(args)?;
        let attempts = Attempts::default();
        let seen = attempts.clone();
        let builder = source::builder(args)?.on_attempt(move |record| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(record.clone());
        });
        let tls = Tls::of(args)?;
        // Not shown: some banks want a key in its query.
        let token_url = token_url.parse().map_err(|_| "the token URL is no URL")?;
        let token_endpoint = Server::of(&token_url)?;
        let api = Server::of(args.url.as_ref().unwrap_or(&token_url))?;
        let api_client = Api::over(&tls, args, builder, &api.origin)?;
        if let Some(url) = &args.url {
            api_client.permit(args, url)?;
        }
        Ok(Self {
            args,
            tls,
            token_endpoint,
            api,
            api_client,
            attempts,
        })
    }

    /// The token requests that were made since the last look.
    pub(super) fn attempts(&self) -> Vec<AttemptRecord> {
        let attempts = self.attempts.lock();
        std::mem::take(&mut *attempts.unwrap_or_else(PoisonError::into_inner))
    }

    /// What a reader should recognize.
    pub(super) fn settings(&self) -> Finding {
        let bank = &self.args.bank;
        let status = self.api_client.source.status();
        let advice = Advice::new(self.args, &status);
        let env = bank.env.as_deref();
        let env = env.or(bank.provider.map(source::default_env));
        let env = env.map_or_else(String::new, |env| format!(" ({env})"));
        let given = advice.credentials();
        Finding::ok(format!("{}{env}, with {given}", status.name)).fact("provider", status.name)
    }
}
