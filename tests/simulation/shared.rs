//! Lives of a fleet that shares one token, each from a seed: outages, revocations, and replicas that die as they fetch.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tower::{Layer, service_fn};
use tower_oauth::{
    BoxError, Clock, FetchError, Token, TokenRequest, TokenSource,
    shared::{SealingKeys, SharedLayer, SharedStore},
};

use crate::{SEEDS, from_environment};

/// The tokens of the one bank, and the token requests of the fleet.
#[derive(Default)]
struct Bank {
    /// When each token ends.
    ends: Vec<Instant>,
    under_way: usize,
    most_under_way: usize,
    down: bool,
}

/// Counts a token request, also if it is dropped.
struct UnderWay(Arc<Mutex<Bank>>);

impl UnderWay {
    fn begin(bank: &Arc<Mutex<Bank>>) -> Self {
        let mut state = bank.lock().unwrap();
        state.under_way += 1;
        state.most_under_way = state.most_under_way.max(state.under_way);
        Self(bank.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().under_way -= 1;
    }
}

fn replica(
    bank: &Arc<Mutex<Bank>>,
    store: &SharedStore,
    clock: &Clock,
    seed: u64,
    (lifetime, latency): (Duration, Duration),
) -> TokenSource {
    let bank = bank.clone();
    let fetcher = service_fn(move |_: TokenRequest| {
        let bank = bank.clone();
        async move {
            let _under_way = UnderWay::begin(&bank);
            let end = Instant::now() + lifetime;
            sleep(latency).await;
            let mut bank = bank.lock().unwrap();
            if bank.down {
                return Err::<Token, BoxError>(FetchError::transient("down").into());
            }
            bank.ends.push(end);
            let text = (bank.ends.len() - 1).to_string();
            Ok(Token::new(text).with_lifetime(lifetime))
        }
    });
    let layer = SharedLayer::new(store.clone(), "bank").clock(clock.clone());
    TokenSource::builder(layer.layer(fetcher))
        .sharing(layer.sharing())
        .clock(clock.clone())
        .seed(seed)
        .build()
        .unwrap()
}

async fn live(seed: u64) {
    fastrand::seed(seed);
    let mut rng = fastrand::Rng::with_seed(seed);
    let clock = Clock::tokio();
    let store = SharedStore::in_memory(clock.clone(), SealingKeys::new(&[7; 32]));
    let bank = Arc::new(Mutex::new(Bank::default()));
    let times = (
        Duration::from_secs(rng.u64(60..4000)),
        Duration::from_millis(rng.u64(1..3000)),
    );
    let mut new = |seed| replica(&bank, &store, &clock, seed, times);
    let mut fleet: Vec<_> = (0..rng.u64(2..12)).map(&mut new).collect();
    for step in 0..60 {
        let chosen = rng.usize(..fleet.len());
        match rng.u8(..10) {
            0 => bank.lock().unwrap().down ^= true,
            // Replaced as it fetches: what it did is dropped, and its lease stays.
            1 => {
                let dying = fleet[chosen].clone();
                let asked = tokio::spawn(async move { dying.token().await.map(drop) });
                sleep(times.1 / 2).await;
                asked.abort();
                fleet[chosen].shutdown();
                fleet[chosen] = new(step);
            }
            2 => {
                if let Ok(token) = fleet[chosen].token().await {
                    fleet[chosen].invalidate(token.generation());
                }
            }
            _ => {}
        }
        for source in &fleet {
            let usable = source.status().state.is_usable();
            let token = source.token().await;
            // A request that can be served is served.
            assert!(!usable || token.is_ok(), "seed {seed}, step {step}");
            if let Ok(token) = token {
                let number: usize = token.expose_token().parse().unwrap();
                let end = bank.lock().unwrap().ends[number];
                assert!(Instant::now() < end, "seed {seed}, step {step}: expired");
            }
        }
        sleep(Duration::from_secs(rng.u64(1..300))).await;
    }
    let most = bank.lock().unwrap().most_under_way;
    assert!(most <= 1, "seed {seed}: {most} token requests at once");
}

#[test]
fn a_fleet_keeps_every_promise_for_every_seed() {
    // A fleet lives as long as ten sources.
    let seeds = from_environment("SEEDS").unwrap_or(SEEDS).div_ceil(10);
    for seed in 0..seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(live(seed));
    }
}
