//! Imports run one way: `middleware -> lifecycle -> base`, `provider -> client_credentials -> base`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The rooms, each with those it may import from, which stand above it: so there is no circle. Every room may import
/// from the base, which is the rest. A file belongs to the innermost room that holds it.
const ROOMS: [(&str, &[&str]); 12] = [
    ("lifecycle", &[]),
    ("pool", &["lifecycle"]),
    ("middleware", &["lifecycle"]),
    ("transport", &[]),
    ("identity", &["lifecycle", "transport"]),
    ("client_credentials/dialect", &[]),
    (
        "client_credentials/request",
        &["client_credentials/dialect"],
    ),
    (
        "client_credentials/response",
        &["client_credentials/dialect"],
    ),
    (
        "client_credentials",
        &[
            "identity",
            "client_credentials/dialect",
            "client_credentials/request",
            "client_credentials/response",
        ],
    ),
    ("provider", &["client_credentials", "identity"]),
    ("testing", &[]),
    ("shared", &[]),
];

/// `build.rs` and the folder `build/` put the rooms together.
const ASSEMBLY: &str = "client_credentials/build";

#[test]
fn imports_run_one_way() {
    let files = rust_files(Path::new("src"));
    assert!(files.len() > 20, "the walk found {} files", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let path = file.strip_prefix("src").unwrap();
        let path = path.to_str().unwrap().to_owned();
        if path.contains("/tests/") {
            continue; // a room's own tests may look at whatever they compare with
        }
        let text = fs::read_to_string(&file).unwrap();
        for import in imports(&path, &text) {
            if !is_allowed(&path, &import) {
                wrong.push(format!("{path} imports {import}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_rooms_make_no_circle() {
    for (at, (room, may)) in ROOMS.iter().enumerate() {
        for below in *may {
            let stands_above = ROOMS[..at].iter().any(|(name, _)| name == below);
            assert!(stands_above, "{room} imports {below}");
        }
    }
}

/// Whether a file may import a path such as `client_credentials/dialect/Dialect`.
fn is_allowed(file: &str, import: &str) -> bool {
    let Some((room, _)) = room_of(import) else {
        return true;
    };
    match room_of(file) {
        None => file == "lib.rs",
        Some((own, may)) => own == room || may.contains(&room) || file.starts_with(ASSEMBLY),
    }
}

fn room_of(path: &str) -> Option<(&'static str, &'static [&'static str])> {
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let holds = |room: &str| match path.strip_prefix(room) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    };
    let rooms = ROOMS.into_iter().filter(|(room, _)| holds(room));
    rooms.max_by_key(|(room, _)| room.len())
}

/// What a file imports, from the root of the crate on: every path that begins with `crate`, `self` or `super`.
fn imports(file: &str, text: &str) -> Vec<String> {
    let text = code(text);
    let mut rest = text.as_str();
    let mut paths = Vec::new();
    while let Some(at) = ["crate::", "self::", "super::"]
        .iter()
        .filter_map(|root| rest.find(root))
        .min()
    {
        rest = tree(&rest[at..], &[], &mut paths);
    }
    let module = module(file);
    paths.iter().map(|path| resolve(&module, path)).collect()
}

/// The text without its comments, since a link in a doc comment imports nothing, without its tests, and without the
/// scopes of its visibilities.
fn code(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = text.unwrap_or_default().lines();
    let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
    let text = lines.collect::<Vec<_>>().join("\n");
    text.replace("pub(in crate::", "pub(in ")
}

/// Reads one path, or a tree of them in braces, and returns what follows it.
fn tree<'a>(text: &'a str, parents: &[&'a str], paths: &mut Vec<Vec<&'a str>>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut list) = text.strip_prefix('{') {
        // The last name may have a comma behind it.
        while !list.trim_start().starts_with('}') {
            list = tree(list, parents, paths);
            let end = list.find([',', '}']).expect("a list ends");
            list = list[end..].trim_start_matches(',');
        }
        return &list.trim_start()[1..];
    }
    let word = first_word(text);
    let path = [parents, &[word]].concat();
    let rest = &text[word.len()..];
    match rest.strip_prefix("::") {
        Some(rest) => tree(rest, &path, paths),
        None => {
            paths.push(path);
            rest
        }
    }
}

fn first_word(text: &str) -> &str {
    let end = text.find(|it: char| !it.is_alphanumeric() && it != '_');
    &text[..end.unwrap_or(text.len())]
}

/// The module that a file holds: a folder's is in its `mod.rs`.
fn module(file: &str) -> Vec<&str> {
    let file = file.strip_suffix(".rs").unwrap_or(file);
    let mut module: Vec<_> = file.split('/').collect();
    if matches!(module.last(), Some(&("mod" | "lib"))) {
        module.pop();
    }
    module
}

fn resolve(module: &[&str], path: &[&str]) -> String {
    let mut module = module.to_vec();
    for word in path {
        match *word {
            "crate" => module.clear(),
            "" | "self" => {} // `super::*` ends in no word
            "super" => drop(module.pop()),
            word => module.push(word),
        }
    }
    module.join("/")
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
    let text = "use super::{\n super::scrub::Scrubber,\n body,\n};\nuse crate::{\n error::{A, B},\n C,\n};\n\
                pub(in crate::provider) fn f() { crate::provider::d(super::super::lifecycle::E) }\n\
                // crate::testing\n#[cfg(test)]\nmod tests {\n use crate::middleware::F;\n}";
    assert_eq!(
        imports("client_credentials/request/encode.rs", text),
        [
            "client_credentials/scrub/Scrubber",
            "client_credentials/request/body",
            "error/A",
            "error/B",
            "C",
            "provider/d",
            "client_credentials/lifecycle/E",
        ]
    );
    assert_eq!(
        imports("client_credentials/request/mod.rs", "use super::x;"),
        ["client_credentials/x"]
    );
    for (file, import, allowed) in [
        ("middleware/layer.rs", "lifecycle/Guard", true),
        ("lifecycle/core.rs", "middleware", false),
        ("lifecycle/core.rs", "lifecycle/cell", true),
        ("error/oauth.rs", "lifecycle", false),
        ("lib.rs", "lifecycle", true),
        ("client_credentials/build.rs", "lifecycle", true),
        ("client_credentials/fetcher.rs", "lifecycle", false),
        ("provider/bankly.rs", "client_credentials/Dialect", true),
    ] {
        assert_eq!(is_allowed(file, import), allowed, "{file} {import}");
    }
}

#[test]
fn the_check_sees_a_circle_within_client_credentials() {
    for (file, import, allowed) in [
        ("fetcher.rs", "response/Reader", true),
        ("request/body.rs", "dialect/Dialect", true),
        ("response/reader.rs", "dialect/Dialect", true),
        ("dialect/mod.rs", "dialect/scope", true),
        ("dialect/validate.rs", "request", false),
        ("dialect/failure.rs", "response/failure", false),
        ("request/mod.rs", "response/Scrubber", false),
        ("response/scrub.rs", "request/encode", false),
        ("response/reader.rs", "exchange/Answer", false),
        ("response/reader.rs", "Dialect", false),
    ] {
        let within = |path: &str| format!("client_credentials/{path}");
        let seen = is_allowed(&within(file), &within(import));
        assert_eq!(seen, allowed, "{file} {import}");
    }
}
