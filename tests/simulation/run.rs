//! One run: a seed's scenario from its first request to what is left over at its end.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use http::Method;
use tokio::{
    runtime::{Builder, Handle},
    sync::Semaphore,
    task::JoinHandle,
    time::sleep,
};
use tower_oauth::TokenSource;

use crate::{
    api::{Stacks, rejection_rule},
    bank::{Mood, TransportError},
    callers::Client,
    endpoint::fetcher,
    record::{At, Calm, LeftOver, Mode, Outcome, Record, Wish},
    scenario::{Ending, Scenario, one_in, within},
    world::World,
};

pub(crate) fn run(scenario: Scenario) -> Record {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(live(scenario))
}

async fn live(scenario: Scenario) -> Record {
    let world = World::new(scenario);
    let permits = Arc::new(Semaphore::new(world.scenario.permits));
    let client = client(&world, &permits);
    let keeper = world
        .scenario
        .keep_fresh
        .then(|| tokio::spawn(client.source.keep_fresh()));
    let crowd = crowd(&client);
    let fate = Fate {
        client: client.clone(),
        rng: rng(&world, 0xfa7e),
    };
    fate.run().await;
    match world.scenario.ending {
        Ending::Calm => {
            join(crowd).await;
            calm(&client).await;
            end(client);
        }
        Ending::Shutdown => {
            shut_down(&client).await;
            end(client);
            join(crowd).await;
        }
        Ending::Dropped => {
            for caller in &crowd {
                caller.abort();
            }
            join(crowd).await;
            end(client);
        }
    }
    left_over(&world, keeper, &permits).await;
    world.at(|seen, at| seen.record.finished = Some(at));
    world.into_record()
}

fn client(world: &World, permits: &Arc<Semaphore>) -> Client {
    let scenario = &world.scenario;
    let source = TokenSource::builder(fetcher(world.clone()))
        .policy(|policy| *policy = scenario.policy.clone())
        .clock(world.clock.clone())
        .seed(scenario.seed)
        .rejection(rejection_rule(scenario.ambiguous))
        .build()
        .unwrap();
    Client {
        stacks: Stacks::new(world, &source, permits),
        world: world.clone(),
        source,
    }
}

fn crowd(client: &Client) -> Vec<JoinHandle<()>> {
    let mut rng = rng(&client.world, 0xc0de);
    let clients = 0..client.world.scenario.clients;
    clients
        .map(|_| tokio::spawn(client.clone().run(rng.fork())))
        .collect()
}

async fn join(tasks: Vec<JoinHandle<()>>) {
    for task in tasks {
        // Aborted ones are no concern; a panic of a task's own is one.
        if let Err(error) = task.await
            && error.is_panic()
        {
            std::panic::resume_unwind(error.into_panic());
        }
    }
}

/// In the middle of the traffic, and of the replacement of a rejected token, if it comes to that.
async fn shut_down(client: &Client) {
    let world = &client.world;
    world.look(|seen| {
        seen.bank.revoke_all();
        seen.bank.mood = Mood::Down(TransportError::Hang);
    });
    let request = Wish::Request {
        method: Method::GET,
        mode: Mode::Plain,
    };
    client.grant(request.clone(), false, None).await;
    world.at(|seen, at| seen.record.ended = Some(at));
    client.source.shutdown();
    client.grant(request, false, None).await;
}

/// Lets go of the last handle.
fn end(client: Client) {
    let world = client.world.clone();
    world.at(|seen, at| {
        seen.record.ended.get_or_insert(at);
    });
    drop(client);
}

/// What befalls everyone: moods, revocations, clocks, operators.
struct Fate {
    client: Client,
    rng: Rng,
}

impl Fate {
    async fn run(mut self) {
        let scenario = self.client.world.scenario.clone();
        let pause = scenario.span / scenario.events;
        for _ in 0..scenario.events {
            sleep(pause.mul_f64(2.0 * self.rng.f64())).await;
            self.event();
        }
    }

    fn event(&mut self) {
        let world = self.client.world.clone();
        match self.rng.u32(0..12) {
            0..3 => world.look(|seen| seen.bank.change_mood()),
            3..7 => world.look(|seen| {
                seen.bank.revoke_all();
                seen.record.revocations += 1;
            }),
            7 => world.suspend(self.distance()),
            8 => world.step_wall(self.distance(), true),
            9 => world.step_wall(self.distance(), false),
            10 => {
                world.at(|seen, at| seen.record.retried_now.push(at));
                self.client.source.retry_now();
            }
            _ => {
                world.suspend(self.distance());
                world.look(|seen| seen.bank.mood = Mood::Well);
            }
        }
    }

    fn distance(&mut self) -> Duration {
        let lifetime = self.client.world.scenario.lifetime.as_secs_f64();
        match one_in(&mut self.rng, 3) {
            true => within(&mut self.rng, 0.0, 2.0),
            false => within(&mut self.rng, 0.0, 2.0 * lifetime),
        }
    }
}

/// The faults are over: sends requests at a steady pace until they succeed, or should.
async fn calm(client: &Client) {
    let world = &client.world;
    world.at(|seen, at| {
        seen.bank.mood = Mood::Calm;
        seen.record.calm = Some(Calm {
            at,
            first_token: None,
            first_success: None,
        });
    });
    let scenario = &world.scenario;
    if !poll(client, &Wish::Token, scenario.longest_recovery()).await {
        return;
    }
    note(client, |calm, at| calm.first_token = Some(at));
    // A last revocation, which shows only when a request is rejected. Twice: the second finds the token that replaced
    // the first on probation.
    let request = Wish::Request {
        method: Method::GET,
        mode: Mode::RetryRejected,
    };
    for _ in 0..2 {
        world.look(|seen| seen.bank.revoke_all());
        if !poll(client, &request, scenario.longest_healing()).await {
            return;
        }
    }
    note(client, |calm, at| calm.first_success = Some(at));
    // A stale token may still be under refresh, and what comes of it must be seen.
    sleep(scenario.lifetime.min(Duration::from_secs(60))).await;
}

/// Whether the wish was granted in that time, or nearly.
async fn poll(client: &Client, wish: &Wish, bound: Duration) -> bool {
    let pause = (bound / 200).max(Duration::from_millis(1));
    for _ in 0..=201 {
        let outcome = client.grant(wish.clone(), false, None).await;
        let granted = matches!(
            outcome,
            Outcome::Token { .. } | Outcome::Response { status: 200, .. }
        );
        if granted {
            return true;
        }
        sleep(pause).await;
    }
    false
}

fn note(client: &Client, what: impl FnOnce(&mut Calm, At)) {
    client.world.at(|seen, at| {
        if let Some(calm) = &mut seen.record.calm {
            what(calm, at);
        }
    });
}

async fn left_over(world: &World, keeper: Option<JoinHandle<()>>, permits: &Semaphore) {
    if let Some(keeper) = keeper {
        join(vec![keeper]).await;
    }
    // Aborts and last words come in the moment after; nothing else may. The clock is paused: it takes no real time.
    sleep(Duration::from_secs(60)).await;
    world.look(|seen| {
        seen.record.left_over = LeftOver {
            tasks: Handle::current().metrics().num_alive_tasks(),
            permits: world.scenario.permits - permits.available_permits(),
            fetches: seen.record.under_way,
        };
    });
}

fn rng(world: &World, salt: u64) -> Rng {
    Rng::with_seed(world.scenario.seed ^ salt)
}
