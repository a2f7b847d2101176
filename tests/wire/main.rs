//! The whole stack over real sockets: a provider's preset, its token source, the layer and a client, against the
//! embedded banks; everything once with hyper-util's client and once with reqwest.

#[path = "../support/mod.rs"]
mod support;

mod catalogue;
mod exchanges;
mod fifth_bank;
mod knobs;
mod mtls;
mod stack;

mod answers;
mod assertion_ids;
mod assertions;
mod bad_answers;
mod banks;
mod credentials;
mod custom_dialect;
mod messages;
mod no_key_shown;
mod nothing_shown;
mod one_transport;
mod proxy;
mod redirects;
mod resendable_bodies;
mod secrets;
mod slow_answers;
