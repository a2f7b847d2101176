//! `examples/tenants` as a black box: its table and its exit status.

use std::process::{Command, Output};

use crate::call::tool::binary;

fn run(options: &[&str]) -> Output {
    let output = Command::new(binary("tenants")).args(options).output();
    output.expect("the example is built: `cargo build --example tenants`")
}

#[test]
fn it_keeps_its_promises_and_prints_them() {
    let output = run(&["--customers", "100", "--rate", "100"]);
    let table = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{table}{said}");
    let rows: Vec<_> = table.lines().skip(1).collect();
    assert_eq!(rows.len(), 19, "{table}");
    assert!(rows.iter().all(|row| row.ends_with("| kept")), "{table}");
    for measured in [
        "100 for 100 in ",
        "0 of 100 over it",
        "38 of 101",
        "0 left of ",
    ] {
        assert!(table.contains(measured), "{measured}: {table}");
    }
    // Without a terminal each scene is a line.
    assert_eq!(said.lines().count(), 9, "{said}");
}

#[test]
fn a_client_that_exceeds_the_rate_breaks_a_promise() {
    let options = ["--customers", "40", "--rate", "20", "--client-rate", "1000"];
    let output = run(&options);
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{table}");
    let mut rows = table.lines();
    let rate = rows.find(|row| row.starts_with("all: no token request over the bank's rate"));
    assert!(rate.unwrap().ends_with("| BROKEN"), "{table}");
    // It costs time, and never another customer's token.
    let mut rows = table.lines();
    let whose = rows.find(|row| row.starts_with("all: each response is of the customer"));
    assert!(whose.unwrap().ends_with("| kept"), "{table}");
}
