//! `examples/rotate_certificates` as a black box: its table and its exit status.

use std::process::Command;

use crate::call::tool::binary;

#[test]
fn it_keeps_its_promises_for_each_client_and_prints_them() {
    let output = Command::new(binary("rotate_certificates")).output();
    let output = output.expect("the example is built: `cargo build --example rotate_certificates`");
    let table = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{table}{said}");
    let rows: Vec<Vec<_>> = table
        .lines()
        .map(|line| line.split('|').map(str::trim).collect())
        .collect();
    assert_eq!(rows.len(), 5, "{table}");
    let named: Vec<_> = rows[1..].iter().map(|row| (row[0], row[1])).collect();
    let expected = [
        ("hyper", "1.2"),
        ("hyper", "1.3"),
        ("reqwest", "1.2"),
        ("reqwest", "1.3"),
    ];
    assert_eq!(named, expected, "{table}");
    for row in &rows[1..] {
        let [_, _, serial, _, requests, failed, late, fetches] = row[..] else {
            panic!("{table}");
        };
        assert_eq!(
            [serial, failed, late, fetches],
            ["01 -> 02", "0", "0", "2"],
            "{table}"
        );
        // Some 2,000, or fewer where the machine is slower than the load.
        assert!(requests.parse::<u32>().unwrap() >= 500, "{table}");
    }
}
