//! CONTRIBUTING.md is a map of the code, and names only what exists.

use std::{fs, path::Path};

#[test]
fn the_map_names_only_what_exists() {
    let page = fs::read_to_string("CONTRIBUTING.md").unwrap();
    let paths: Vec<String> = ["src", "tests", "examples", "docs", "benches"]
        .iter()
        .flat_map(|folder| below(Path::new(folder)))
        .collect();
    let names = page.split('`').skip(1).step_by(2);
    let names = names.filter(|name| name.ends_with(".rs") || name.ends_with('/'));
    let names: Vec<_> = names.filter(|name| !name.contains('*')).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        let exists = paths.iter().any(|it| it.contains(&format!("/{name}")));
        assert!(exists, "CONTRIBUTING.md names `{name}`");
    }
}

/// Every file and folder from here on, as `/src/token.rs` and `/src/error/`.
fn below(folder: &Path) -> Vec<String> {
    let mut found = vec![format!("/{}/", folder.display())];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(below(&path)),
            false => found.push(format!("/{}", path.display())),
        }
    }
    found
}
