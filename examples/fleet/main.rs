//! A thousand replicas of a service and one bank for a day, on a paused clock: the token requests that the bank gets,
//! with and without jitter and back-off.
//!
//! ```sh
//! cargo run --release --example fleet            # draws docs/fleet.svg and prints the table
//! cargo run --release --example fleet -- --check # compares them with docs/fleet.svg and benches/README.md
//! ```

mod bank;
mod chart;
mod day;
mod manager;

use std::{fs, path::Path, process::ExitCode};

use day::Figures;
use manager::Kind;

fn main() -> ExitCode {
    let days = Kind::ALL.map(|kind| (kind, day::simulate(kind)));
    let table = table(&days);
    println!("{table}");
    let drawing = chart::draw(&days[0].1.fetches, &days[1].1.fetches, &days[2].1.fetches).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (svg, page) = (root.join("docs/fleet.svg"), root.join("benches/README.md"));
    if std::env::args().any(|it| it == "--check") {
        let up_to_date = read(&svg) == drawing && read(&page).contains(&table);
        if !up_to_date {
            eprintln!("docs/fleet.svg or the table in benches/README.md is not what was simulated");
            return ExitCode::FAILURE;
        }
        println!("docs/fleet.svg and benches/README.md say the same");
        return ExitCode::SUCCESS;
    }
    fs::write(&svg, drawing).unwrap();
    println!("drawn to docs/fleet.svg");
    ExitCode::SUCCESS
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

fn table(days: &[(Kind, day::Day)]) -> String {
    let mut table = String::from(
        "| | start | steady | outage | revocation | fetches | requests lost |\n|---|---|---|---|---|---|---|\n",
    );
    for (kind, day) in days {
        let name = kind.name();
        let Figures {
            start,
            steady,
            outage,
            revocation,
            total,
        } = day.figures();
        let lost = thousands(day.lost);
        let total = thousands(total);
        table += &format!(
            "| {name} | {start} | {steady} | {outage} | {revocation} | {total} | {lost} |\n"
        );
    }
    table
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
