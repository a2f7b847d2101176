//! What a customer of a platform costs: memory, time and tasks of one of many sources in a pool.
//!
//! ```sh
//! cargo bench --bench tenants            # all cases
//! cargo bench --bench tenants -- --fast  # without the largest, for CI
//! ```
//!
//! It fails if a limit is broken. Each case has a process of its own, so that its resident memory is its own.

use std::{
    alloc::System,
    env, fs,
    process::{Command, ExitCode},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime;
use tower::{Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, ConfigError, OAuthLayer, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    pool::SourcePool,
    provider,
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TOKEN_LENGTH: usize = 1200;

/// The most bytes of a customer without a token, and of one with a token that one thread uses.
const MOST_IDLE: usize = 1536;
const MOST_USED: usize = 6 * 1024;
/// The most time of a processor to build a hundred thousand sources, in an optimised build.
const LONGEST_BUILD: Duration = Duration::from_secs(1);
const MANY: u32 = 100_000;

const API: &str = "https://pix-h.api.efipay.com.br/";

type Transport = BoxCloneSyncService<Request<Full<Bytes>>, Response<Full<Bytes>>, BoxError>;

/// What a process of its own measures.
struct Case {
    name: &'static str,
    customers: u32,
    are_used: bool,
    is_slow: bool,
}

const CASES: [Case; 4] = [
    Case {
        name: "idle, 1",
        customers: 1,
        are_used: false,
        is_slow: false,
    },
    Case {
        name: "idle, 10,000",
        customers: 10_000,
        are_used: false,
        is_slow: false,
    },
    Case {
        name: "idle, 100,000",
        customers: MANY,
        are_used: false,
        is_slow: true,
    },
    Case {
        name: "used, 10,000",
        customers: 10_000,
        are_used: true,
        is_slow: false,
    },
];

fn main() -> ExitCode {
    let args: Vec<_> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == "--case") {
        let case = &CASES[args[at + 1].parse::<usize>().expect("a number")];
        return on_a_runtime(case.measure());
    }
    println!(
        "{:<16} {:>14} {:>14} {:>14} {:>8}",
        "customers", "bytes each", "resident each", "built in", "tasks"
    );
    let is_fast = args.iter().any(|arg| arg == "--fast");
    let chosen = (0..CASES.len()).filter(|at| !(is_fast && CASES[*at].is_slow));
    // All of them, whatever the first says.
    let kept: Vec<_> = chosen.map(run_alone).collect();
    match kept.into_iter().all(|it| it) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn run_alone(case: usize) -> bool {
    let mut command = Command::new(env::current_exe().expect("a path"));
    let status = command.args(["--case", &case.to_string()]).status();
    status.expect("a process").success()
}

fn on_a_runtime(measurement: impl Future<Output = bool>) -> ExitCode {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match runtime.block_on(measurement) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

impl Case {
    async fn measure(&self) -> bool {
        let bank = Bank::new();
        // What a thread and the process keep for all sources.
        bank.use_once(bank.source(u32::MAX).expect("a source"))
            .await;
        let pool = bank.pool(self.customers);
        let (resident, region) = (resident(), Region::new(ALLOCATOR));
        let started = processor_time();
        let mut sources = Vec::with_capacity(self.customers as usize);
        for customer in 0..self.customers {
            sources.push(pool.source(&customer).await.expect("a source"));
        }
        let built_in = processor_time() - started;
        if self.are_used {
            for source in &sources {
                bank.use_once(source.clone()).await;
            }
        }
        // A fetch's task ends after its waiters have the token.
        tokio::task::yield_now().await;
        let cost = Cost {
            bytes: live(&region) / self.customers as usize,
            resident: self::resident().saturating_sub(resident) / self.customers as usize,
            built_in,
            tasks: runtime::Handle::current().metrics().num_alive_tasks(),
        };
        cost.print(self);
        cost.keeps_the_limits(self)
    }
}

/// One bank, of whose customers all share the dialect and the transport.
struct Bank {
    dialect: Arc<Dialect>,
    transport: Transport,
}

impl Bank {
    fn new() -> Self {
        let efi = provider::find("efi-pix").and_then(|efi| efi.dialect("sandbox"));
        let token = "t".repeat(TOKEN_LENGTH);
        let answer = format!(r#"{{"access_token":"{token}","expires_in":3600}}"#);
        let answer = Bytes::from(answer);
        let transport = service_fn(move |_: Request<Full<Bytes>>| {
            let answer = Full::from(answer.clone());
            async move { Ok::<_, BoxError>(Response::new(answer)) }
        });
        Self {
            dialect: Arc::new(efi.expect("a dialect")),
            transport: BoxCloneSyncService::new(transport),
        }
    }

    fn pool(&self, capacity: u32) -> SourcePool<u32> {
        let (dialect, transport) = (Arc::clone(&self.dialect), self.transport.clone());
        let make = move |customer| {
            let source = source(&dialect, &transport, customer);
            async move { source }
        };
        let pool = SourcePool::builder(make).capacity(capacity as usize);
        pool.build().expect("a pool")
    }

    fn source(&self, customer: u32) -> Result<TokenSource, ConfigError> {
        source(&self.dialect, &self.transport, customer)
    }

    /// One request of a customer, which fetches the token.
    async fn use_once(&self, source: TokenSource) {
        let api = service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
        let mut api = OAuthLayer::new(source).layer(api);
        let request = Request::get(API).body(()).expect("a request");
        let api = api.ready().await.expect("it is always ready");
        api.call(request).await.expect("a response");
    }
}

fn source(
    dialect: &Arc<Dialect>,
    transport: &Transport,
    customer: u32,
) -> Result<TokenSource, ConfigError> {
    let id = ClientId::new(format!("Client_Id_{customer:08x}"))?;
    ClientCredentialsBuilder::new(Arc::clone(dialect), id)
        .name(format!("efi/customer-{customer}"))
        .secret(ClientSecret::new(
            "Client_Secret_0123456789abcdef0123456789",
        ))
        .build(transport.clone())
}

/// What one customer costs.
struct Cost {
    /// On the heap, as they were asked for.
    bytes: usize,
    /// Resident memory of the process, with what the allocator adds. Of one source it says nothing: pages are larger.
    resident: usize,
    built_in: Duration,
    tasks: usize,
}

impl Cost {
    fn print(&self, case: &Case) {
        println!(
            "{:<16} {:>14} {:>14} {:>11} ms {:>8}",
            case.name,
            self.bytes,
            self.resident,
            self.built_in.as_millis(),
            self.tasks
        );
    }

    fn keeps_the_limits(&self, case: &Case) -> bool {
        let most = match case.are_used {
            true => MOST_USED,
            false => MOST_IDLE,
        };
        let memory = match case.customers {
            1 => self.bytes,
            _ => self.bytes.max(self.resident),
        };
        // A debug build takes ten times as long.
        let is_timed = case.customers == MANY && !cfg!(debug_assertions);
        let limits = [
            (memory <= most, format!("more than {most} bytes each")),
            (self.tasks == 0, "tasks while idle".to_owned()),
            (
                !is_timed || self.built_in < LONGEST_BUILD,
                format!("building took longer than {LONGEST_BUILD:?}"),
            ),
        ];
        for (_, broken) in limits.iter().filter(|(is_kept, _)| !is_kept) {
            eprintln!("{}: {broken}", case.name);
        }
        limits.iter().all(|(is_kept, _)| *is_kept)
    }
}

fn live(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .saturating_sub(change.bytes_deallocated)
}

/// Of this process, so that it does not matter how busy the machine is.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    use rustix::time::{ClockId, clock_gettime};

    let time = clock_gettime(ClockId::ProcessCPUTime);
    let nanos = i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec);
    Duration::from_nanos(u64::try_from(nanos).expect("a time"))
}

/// Not measured elsewhere.
#[cfg(not(target_os = "linux"))]
fn processor_time() -> Duration {
    Duration::ZERO
}

/// In bytes; 0 on systems without `/proc`.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.map_or(0, |kib| {
        kib.trim().parse::<usize>().expect("a number") << 10
    })
}
