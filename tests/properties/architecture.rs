//! Imports run one way: `middleware -> lifecycle -> base`, `provider -> client_credentials -> base`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms, each with those it may import from; everything may import from the base.
const ROOMS: [(&str, &[&str]); 7] = [
    ("middleware", &["lifecycle"]),
    ("lifecycle", &[]),
    ("provider", &["client_credentials"]),
    ("client_credentials", &[]),
    ("transport", &[]),
    (
        "reqwest_middleware",
        &["middleware", "lifecycle", "transport"],
    ),
    ("testing", &[]),
];

/// The one file that puts the rooms together.
const ASSEMBLY: &str = "client_credentials/build.rs";

#[test]
fn imports_run_one_way() {
    let files = rust_files(Path::new("src"));
    assert!(files.len() > 20, "the walk found {} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let path = file
            .strip_prefix("src")
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        if path.contains("/tests/") {
            continue; // a room's own tests may look at whatever they compare with
        }
        let text = fs::read_to_string(&file).unwrap();
        for import in imports(&code(&text)) {
            if !is_allowed(&path, &import) {
                wrong.push(format!("{path} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn is_allowed(path: &str, import: &str) -> bool {
    let room_of = |name: &str| ROOMS.iter().find(|(room, _)| *room == name);
    let importer = path.split(['/', '.']).next().unwrap_or_default();
    let Some((room, _)) = room_of(import) else {
        return true;
    };
    match room_of(importer) {
        None => path == "lib.rs",
        Some((own, may)) => own == room || may.contains(room) || path == ASSEMBLY,
    }
}

/// The text without its comments: a link in a doc comment imports nothing.
fn code(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first segment of every `crate::` path, also of those in a braced list.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => found.extend(top_level(list)),
            None => found.push(first_word(rest)),
        }
    }
    found
}

fn top_level(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut names = vec![first_word(list.trim_start())];
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => names.push(first_word(list[at + 1..].trim_start())),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn first_word(text: &str) -> String {
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_');
    text[..end.unwrap_or(text.len())].to_owned()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| rust_files(folder));
    files
        .into_iter()
        .chain(below)
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .collect()
}

#[test]
fn the_check_sees_what_it_should() {
    let text = "use crate::{\n error::{A, B},\n lifecycle::C,\n};\nlet x = crate::provider::d();";
    assert_eq!(imports(text), ["error", "lifecycle", "provider"]);
    assert!(is_allowed("middleware/layer.rs", "lifecycle"));
    assert!(!is_allowed("lifecycle/core.rs", "middleware"));
    assert!(!is_allowed("error/oauth.rs", "lifecycle"));
    assert!(is_allowed("client_credentials/build.rs", "lifecycle"));
}
