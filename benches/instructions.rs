//! How many instructions a request with a fresh token costs, and how many allocations: counts that a busy machine does
//! not change.
//!
//! ```sh
//! cargo bench --bench instructions              # a table
//! cargo bench --bench instructions -- --check   # fails where a count has grown; this is `.ci/bench-guard`
//! cargo bench --bench instructions -- --accept  # writes the counts down
//! ```
//!
//! Each case runs under valgrind's callgrind twice, with different numbers of calls: the difference is what the calls
//! cost, without the start of the process. What "no layer at all" costs is taken off, so that a count is the layer's
//! own. What is held against the counts written down is the quotient to the floor in the same binary: another compiler
//! changes both. Instructions hide what waiting for a cache line costs: `hot_path` has that.

#![allow(
    clippy::disallowed_types,
    reason = "shared with the benchmarks that read the clock"
)]

use std::{
    alloc::System,
    collections::BTreeMap,
    env, fs,
    process::{Command, ExitCode},
};

use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

mod cases;

use cases::Case;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The counts that a change is held against.
const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/instructions.txt");
/// How much more the quotient to the floor may be.
const TOLERANCE: f64 = 1.05;
const BASE: &str = "no layer at all";
const FLOOR: &str = "SetRequestHeaderLayer (the floor)";
const CALLS: u64 = 2_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--run", case, calls, ..] => run(case, calls.parse().expect("a number")),
        ["--check", ..] => return check(&measure()),
        ["--accept", ..] => fs::write(COMMITTED, lines(&measure())).expect("a file to write"),
        _ => print!("{}", lines(&measure())),
    }
    ExitCode::SUCCESS
}

/// What one call costs beyond the bare service.
#[derive(Clone, Copy)]
struct Count {
    instructions: i64,
    allocations: i64,
}

/// In the process under valgrind: makes the calls, and says how many allocations they took.
fn run(name: &str, calls: u64) {
    let (_, case) = all()
        .into_iter()
        .find(|(known, _)| known == name)
        .expect("a case of this name");
    let mut step = (case.thread)();
    step();
    let region = Region::new(ALLOCATOR);
    for _ in 0..calls {
        std::hint::black_box(step());
    }
    let change = region.change();
    println!("{}", change.allocations + change.reallocations);
}

/// Every case under the title of its group.
fn all() -> Vec<(String, Case)> {
    let named = |group: cases::Group| {
        let title = group.title;
        let name = move |case: Case| (format!("{title}: {}", case.name), case);
        group.cases.into_iter().map(name)
    };
    cases::groups().into_iter().flat_map(named).collect()
}

fn measure() -> BTreeMap<String, Count> {
    let mut counts = BTreeMap::new();
    for group in cases::groups() {
        let name = |case: &Case| format!("{}: {}", group.title, case.name);
        let base = group.cases.iter().find(|case| case.name == BASE);
        let base = count(&name(base.expect("a bare service in every group")));
        for case in group.cases.iter().filter(|case| case.name != BASE) {
            let count = count(&name(case));
            counts.insert(
                name(case),
                Count {
                    instructions: count.instructions - base.instructions,
                    allocations: count.allocations - base.allocations,
                },
            );
        }
    }
    counts
}

fn count(name: &str) -> Count {
    let [few, many] = [CALLS, 2 * CALLS].map(|calls| under_valgrind(name, calls));
    let calls = CALLS as i64;
    Count {
        instructions: (many.instructions - few.instructions) / calls,
        // Rounded up: one in so many calls shows too.
        allocations: (many.allocations - few.allocations + calls - 1) / calls,
    }
}

/// What a whole process costs.
fn under_valgrind(name: &str, calls: u64) -> Count {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe().expect("this program"))
        .args(["--run", name, &calls.to_string()])
        .output()
        .expect("valgrind must be installed");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} failed:\n{told}");
    let collected = told
        .lines()
        .find_map(|line| line.split("Collected : ").nth(1));
    let number = |text: &str| text.trim().parse().expect("a number");
    Count {
        instructions: number(collected.expect("callgrind's count")),
        allocations: number(&String::from_utf8_lossy(&output.stdout)),
    }
}

/// Compares with what is written down. Fewer is well; it is said, so that it can be written down.
fn check(measured: &BTreeMap<String, Count>) -> ExitCode {
    let committed = fs::read_to_string(COMMITTED).expect("the committed counts");
    let committed = parse(&committed);
    let mut failed = committed.keys().ne(measured.keys());
    if failed {
        println!("the cases are not those that are written down");
    }
    for (name, now) in measured
        .iter()
        .filter(|(name, _)| name.contains("tower-oauth"))
    {
        let Some(before) = committed.get(name) else {
            continue;
        };
        let (now_quotient, quotient) = (to_floor(measured, name), to_floor(&committed, name));
        let within = now_quotient <= quotient * TOLERANCE && now.allocations <= before.allocations;
        failed |= !within;
        println!(
            "{} {name}: {now_quotient:.2} floors (written down: {quotient:.2}), {} instructions ({}), {} allocations ({})",
            if within { "ok  " } else { "MORE" },
            now.instructions,
            before.instructions,
            now.allocations,
            before.allocations,
        );
    }
    if failed {
        println!("fix it, or accept it: cargo bench --bench instructions -- --accept");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// A case's instructions as a multiple of its group's floor.
fn to_floor(counts: &BTreeMap<String, Count>, name: &str) -> f64 {
    let (group, _) = name.split_once(": ").expect("a group and a case");
    let of = |name: &str| {
        counts
            .get(name)
            .map_or(f64::NAN, |it| it.instructions as f64)
    };
    of(name) / of(&format!("{group}: {FLOOR}"))
}

fn lines(counts: &BTreeMap<String, Count>) -> String {
    let line = |(name, count): (&String, &Count)| {
        format!(
            "{:>6} {:>3}  {name}\n",
            count.instructions, count.allocations
        )
    };
    counts.iter().map(line).collect()
}

fn parse(lines: &str) -> BTreeMap<String, Count> {
    let parse = |line: &str| {
        let (instructions, rest) = line.trim_start().split_once(' ')?;
        let (allocations, name) = rest.trim_start().split_once("  ")?;
        let count = Count {
            instructions: instructions.parse().ok()?,
            allocations: allocations.parse().ok()?,
        };
        Some((name.to_owned(), count))
    };
    lines.lines().filter_map(parse).collect()
}
