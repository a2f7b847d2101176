//! The data files.

use std::{collections::BTreeSet, fs};

use crate::provider::{self, Provider, catalogue::FILES};

#[test]
fn every_file_is_read_and_listed() {
    for (name, text) in FILES {
        let provider = Provider::from_toml(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(provider.name(), *name);
        let is_official = provider.confidence() == provider::Confidence::Official;
        assert!(!is_official || !provider.documents().is_empty(), "{name}");
    }
    let folder = fs::read_dir("src/provider/data").unwrap();
    let files: BTreeSet<_> = folder
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    let listed: BTreeSet<_> = FILES
        .iter()
        .map(|(name, _)| format!("{name}.toml"))
        .collect();
    assert_eq!(files, listed);
    assert_eq!(provider::all().len(), FILES.len());
}

/// The marks of sources, such as `[D1]`, in a comment or an exchange's note. Other words in brackets are no marks.
fn marks(text: &str) -> impl Iterator<Item = &str> {
    let bracketed = text.split('[').skip(1).filter_map(|it| it.split_once(']'));
    bracketed
        .map(|(mark, _)| mark)
        .filter(|it| it.starts_with(|first: char| first.is_ascii_alphabetic()))
}

/// The marks that a data file explains: behind each document stands `# D1`, `# D1, D2` or `# D1: a note`.
fn explained(file: &str) -> BTreeSet<&str> {
    let (_, documents) = file.split_once("documents = [").unwrap();
    let lines = documents.split("\n]").next().unwrap().lines();
    let notes = lines.filter_map(|line| line.split_once("\",   # "));
    let named = notes.flat_map(|(_, note)| note.split(':').next().unwrap().split(", "));
    named.chain(["docs", "client", "note"]).collect()
}

#[test]
fn every_source_that_is_named_is_explained() {
    for (name, file) in FILES {
        let explained = explained(file);
        let comments = file.lines().filter_map(|line| line.split_once('#'));
        for mark in comments.flat_map(|(_, comment)| marks(comment)) {
            assert!(explained.contains(mark), "{name}.toml: [{mark}]");
        }
    }
    for exchange in fs::read_dir("src/provider/exchanges").unwrap() {
        let path = exchange.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let provider = text.lines().find_map(|it| it.strip_prefix("provider: "));
        let file = FILES.iter().find(|(name, _)| Some(*name) == provider);
        let explained = explained(file.unwrap().1);
        let notes = text.lines().filter(|it| !it.starts_with(['<', '>']));
        for mark in notes.flat_map(marks) {
            assert!(explained.contains(mark), "{}: [{mark}]", path.display());
        }
    }
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let error = provider::find("sicob").unwrap_err().to_string();
    assert!(error.contains("did you mean `sicoob`?"), "{error}");
    let known: Vec<_> = provider::all().iter().map(Provider::name).collect();
    assert!(error.contains(&known.join(", ")), "{error}");
    let inter = provider::find("inter").unwrap();
    let error = inter.dialect("sandbx").unwrap_err().to_string();
    assert!(
        error.contains("inter") && error.contains("did you mean `sandbox`?"),
        "{error}"
    );
    assert!(error.contains("production, sandbox"), "{error}");
}

/// The error of a file with these lines in `[dialect]`, and these in an environment.
fn file_error(dialect: &str, environment: &str) -> String {
    let text = format!(
        "name = 'x'\ntitle = 'X'\nconfidence = 'official'\ndocuments = []\n[dialect]\n{dialect}\n\
         [environments.production]\ntoken_url = 'https://x.example/token'\n\
         [environments.sandbox]\ntoken_url = 'https://y.example/token'\n{environment}"
    );
    Provider::from_toml(&text).unwrap_err().to_string()
}

#[test]
fn a_file_that_contradicts_itself_names_the_key() {
    for (dialect, key) in [
        ("body = 'empty'", "grant"),
        (
            "default_lifetime = '2h'\nmax_lifetime = '1h'",
            "default_lifetime",
        ),
        (
            "headers = { key = '{key}', Authorization = 'Bearer {token}' }",
            "headers",
        ),
        ("token_params = { dr = 10 }", "token_params.dr"),
        ("min_fetch_interval = '2h'", "min_fetch_interval"),
        (
            "blocked = { statuses = [200], wait = '1m' }",
            "blocked.statuses",
        ),
        ("content_type = ''", "content_type"),
        (
            "credentials = { headers = { id = 'Accept', secret = 'S' } }",
            "credentials.headers",
        ),
        (
            "failures = [{ status = 401, class = 'transient', attempts = 0 }]",
            "failures.attempts",
        ),
        (
            "response = { in_headers = true, token = 'Set-Token' }",
            "response",
        ),
    ] {
        let error = file_error(dialect, "");
        let place = format!("x: invalid `environments.production.{key}");
        assert!(error.starts_with(&place), "{dialect}: {error}");
        // An environment's own lines are checked together with the shared ones.
        let error = file_error("", dialect);
        let place = format!("x: invalid `environments.sandbox.{key}");
        assert!(error.starts_with(&place), "{dialect}: {error}");
    }
}

#[test]
fn a_line_that_cannot_be_read_names_its_table_and_its_key() {
    for (line, says) in [
        (
            "grantt = 'absent'",
            "unknown field `grantt`, expected one of",
        ),
        (
            "body = 'emty'",
            "unknown variant `emty`, expected one of `form`, `json`, `empty` in `body`",
        ),
        ("scope = { most = 'x' }", "expected usize in `scope.most`"),
        ("header_values = { key = 1 }", "in `header_values.key`"),
    ] {
        let error = file_error(line, "");
        assert!(error.starts_with("x: invalid `dialect`: "), "{error}");
        assert!(error.contains(says), "{error}");
        let error = file_error("", line);
        assert!(
            error.starts_with("x: invalid `environments.sandbox`: "),
            "{error}"
        );
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_text_that_is_no_data_file_names_the_line() {
    for (text, says) in [
        (
            "nme = 'x'",
            "line 1: unknown field `nme`, expected one of `name`",
        ),
        ("name = 'x'\nname = 'y'", "line 2: duplicate key"),
        (
            "name = 'x'\ntitle = 'X'\nconfidence = 'sure'",
            "line 3: unknown variant `sure`, expected one of `official`",
        ),
        ("name = 'x'\ntitle =", "line 2: "),
    ] {
        let error = Provider::from_toml(text).unwrap_err().to_string();
        assert!(error.starts_with("invalid `data file`: "), "{error}");
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn an_address_that_no_document_names_must_be_given() {
    let id = crate::ClientId::new("me").unwrap();
    let builder = provider::find("bs2")
        .unwrap()
        .builder("production", id)
        .unwrap();
    let error = super::rejected(
        builder
            .secret(crate::ClientSecret::new("shh"))
            .scopes(["cob.read"]),
    );
    assert_eq!(error.field(), "token_url");
    assert!(error.rule().contains("must be given"), "{error}");
}

/// Run it with `ACCEPT=1` to write the page anew.
#[test]
fn the_table_of_providers_is_in_step() {
    let mut page = String::from(
        "# Providers\n\nGenerated from `src/provider/data/`; a test compares the two. \
         Select one with `provider::find(\"inter\")` or `call --provider inter`.\n\n\
         `official`: the provider's own documents or client say it. `several_clients`: independent clients agree, and no \
         document\nof the provider was read. `one_client`: one source; check every setting against your contract. Doubts are \
         comments in the\ndata file, marked (?).\n\n\
         | name | title | environments | confidence | sources |\n|---|---|---|---|---|\n",
    );
    for it in provider::all() {
        let environments: Vec<_> = it.environments().collect();
        let documents = it.documents().iter().zip(1..);
        let documents: Vec<_> = documents
            .map(|(url, n)| format!("[{n}](<{url}>)"))
            .collect();
        page.push_str(&format!(
            "| `{}` | {} | {} | `{}` | {} |\n",
            it.name(),
            it.title(),
            environments.join(", "),
            it.confidence(),
            documents.join(" ")
        ));
    }
    if std::env::var_os("ACCEPT").is_some() {
        fs::write("docs/providers.md", &page).unwrap();
    }
    assert_eq!(fs::read_to_string("docs/providers.md").unwrap(), page);
}

/// As above, with `ACCEPT=1`.
#[test]
fn the_readme_has_the_table_of_providers() {
    const BEGIN: &str = "<!-- providers: begin -->\n";
    const END: &str = "<!-- providers: end -->";
    let mut table = format!(
        "All {} providers pass their recorded exchanges through hyper and reqwest (`tests/wire/exchanges/`).\n\n\
         <details>\n<summary>All providers</summary>\n\n\
         | name | provider | environments | confidence |\n|---|---|---|---|\n",
        provider::all().len()
    );
    for it in provider::all() {
        let environments: Vec<_> = it.environments().collect();
        let (name, title, environments) = (it.name(), it.title(), environments.join(", "));
        table.push_str(&format!(
            "| `{name}` | {title} | {environments} | {} |\n",
            it.confidence()
        ));
    }
    table.push_str("\n</details>\n");
    let readme = fs::read_to_string("README.md").unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expected = format!("{before}{BEGIN}{table}{END}{after}");
    if std::env::var_os("ACCEPT").is_some() {
        fs::write("README.md", &expected).unwrap();
    } else {
        assert_eq!(readme, expected);
    }
}
