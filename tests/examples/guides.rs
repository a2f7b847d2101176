//! The guides in `docs/` show no code of their own: every block of Rust stands in the guide's example, and that runs.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A line that stands for code which the page leaves out.
const LEFT_OUT: &str = "// …";

/// The pages of `docs/` that show Rust.
fn guides() -> Vec<(String, String)> {
    let pages = fs::read_dir("docs").unwrap().map(|it| it.unwrap().path());
    pages
        .filter(|path| path.extension().is_some_and(|it| it == "md"))
        .map(|path| (name(&path), fs::read_to_string(&path).unwrap()))
        .filter(|(_, page)| !blocks(page).is_empty())
        .collect()
}

fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// What stands between the fences of Rust code, one text each.
fn blocks(page: &str) -> Vec<&str> {
    let fenced = page.split("```rust").skip(1);
    fenced
        .map(|rest| rest.split_once('\n').unwrap().1)
        .map(|rest| rest.split_once("```").expect("a closing fence").0)
        .collect()
}

/// The lines without indentation: a page shows the body of a function without it.
fn lines(text: &str) -> Vec<&str> {
    text.trim().lines().map(str::trim).collect()
}

#[test]
fn each_block_of_a_guide_stands_in_its_example() {
    let guides = guides();
    assert_eq!(guides.len(), 12);
    for (name, page) in guides {
        let example = format!("examples/guide_{name}.rs");
        let code = fs::read_to_string(&example).expect(&example);
        let code = lines(&code);
        for part in blocks(&page).iter().flat_map(|block| block.split(LEFT_OUT)) {
            let part = lines(part);
            assert!(
                code.windows(part.len()).any(|it| it == part),
                "docs/{name}.md shows what {example} does not have:\n{}",
                part.join("\n")
            );
        }
    }
}

#[test]
fn a_guide_hides_no_line_and_needs_no_rustdoc() {
    for (name, page) in guides() {
        assert!(page.starts_with("# "), "{name} has no title");
        assert!(!page.contains("crate::"), "{name} links to an item");
        let hidden = |line: &&str| line.starts_with("# ") || *line == "#";
        let hidden = blocks(&page)
            .iter()
            .find_map(|block| block.lines().find(hidden));
        assert_eq!(hidden, None, "{name}");
    }
}

#[test]
fn each_example_of_a_guide_runs() {
    for (name, _) in guides() {
        let output = Command::new(binary(&name)).output();
        let output = output.expect("the examples are built: `cargo build --examples`");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "guide_{name}: {said}");
    }
}

/// Cargo builds examples beside the folder of the tests.
fn binary(name: &str) -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    profile
        .join("examples")
        .join(format!("guide_{name}{}", env::consts::EXE_SUFFIX))
}
