//! Compares the crate's public API, all features on, with the list that was reviewed. The list leaves out what a
//! reviewer does not read: derived traits, auto traits (`Send`, `Unpin`, …) and blanket implementations.
//!
//! ```sh
//! cargo run --manifest-path tests/public_api/Cargo.toml              # fails when they differ, and says in what
//! cargo run --manifest-path tests/public_api/Cargo.toml -- --accept  # takes the API as it is now
//! ```

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

type BoxError = Box<dyn Error>;

const ACCEPT: &str = "cargo run --manifest-path tests/public_api/Cargo.toml -- --accept";

fn main() -> Result<ExitCode, BoxError> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let reviewed = root.join("tests/public_api.txt");
    let now = public_api(&root)?;
    if env::args().any(|arg| arg == "--accept") {
        fs::write(&reviewed, now)?;
        return Ok(ExitCode::SUCCESS);
    }
    let then = fs::read_to_string(&reviewed)?;
    if then == now {
        println!("public API: {} items, as reviewed", now.lines().count());
        return Ok(ExitCode::SUCCESS);
    }
    differ(&then, &now);
    Ok(ExitCode::FAILURE)
}

fn differ(then: &str, now: &str) {
    let (old, new): (BTreeSet<_>, BTreeSet<_>) = (then.lines().collect(), now.lines().collect());
    eprintln!("The public API is not what was reviewed:\n");
    for gone in old.difference(&new) {
        eprintln!("- {gone}");
    }
    for added in new.difference(&old) {
        eprintln!("+ {added}");
    }
    eprintln!("\nIf that is meant, put it into CHANGELOG.md and run\n    {ACCEPT}");
}

fn public_api(root: &Path) -> Result<String, BoxError> {
    let api = public_api::Builder::from_rustdoc_json(rustdoc_json(root)?)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| {
            format!("{error}: for another rustdoc, take another `public-api` in tests/public_api/Cargo.toml")
        })?;
    Ok(api.to_string())
}

/// What rustdoc knows of the crate. Only a nightly writes it as JSON, or a compiler that acts as one: it alone, as much
/// would be built anew otherwise.
fn rustdoc_json(root: &Path) -> Result<PathBuf, BoxError> {
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let status = Command::new(env!("CARGO"))
        .current_dir(root)
        .env("RUSTDOC", root.join("tests/public_api/rustdoc"))
        .args(["rustdoc", "--locked", "--quiet", "--lib", "--all-features"])
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format=json"])
        .status()?;
    match status.success() {
        true => Ok(target.join("doc/tower_oauth.json")),
        false => Err("rustdoc failed".into()),
    }
}
