//! What the compiler says about three common mistakes with `OAuthLayer`.
//!
//! `--cfg mistake="…"` switches one of them on in this file. Each test has cargo compile the file with it, against the
//! dependencies that are built already, and reads the errors. That the file compiles without one is the counter-check.

use std::process::Command;

#[cfg(mistake = "box_service")]
fn a_box_service_inside(source: tower_oauth::TokenSource) {
    use tower::{Layer, ServiceExt, service_fn};

    let inner = service_fn(async |_: http::Request<String>| {
        Ok::<_, tower_oauth::BoxError>(http::Response::new(()))
    });
    tower_oauth::OAuthLayer::new(source).layer(inner.boxed());
}

#[cfg(mistake = "reqwest_client")]
fn a_bare_reqwest_client_inside(source: tower_oauth::TokenSource) {
    use tower::{Layer, util::BoxCloneSyncService};

    let api = tower_oauth::OAuthLayer::new(source).layer(reqwest::Client::new());
    BoxCloneSyncService::<http::Request<reqwest::Body>, _, _>::new(api);
}

#[cfg(mistake = "unclonable_body")]
fn a_body_that_is_not_clone_under_retry(source: tower_oauth::TokenSource) {
    use tower::{Layer, service_fn, util::BoxCloneSyncService};

    let inner = service_fn(async |_: http::Request<reqwest::Body>| {
        Ok::<_, tower_oauth::BoxError>(http::Response::new(()))
    });
    let layer = tower_oauth::OAuthLayer::new(source).retry_rejected();
    BoxCloneSyncService::<http::Request<reqwest::Body>, _, _>::new(layer.layer(inner));
}

/// The errors of this file with one mistake in it.
fn errors(mistake: &str) -> String {
    let cargo = Command::new(env!("CARGO"))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "rustc",
            "--offline",
            "--color=never",
            "--test=compile_errors",
        ])
        .args(["--", "--cfg", &format!("mistake=\"{mistake}\"")])
        .output()
        .unwrap();
    assert!(!cargo.status.success(), "{mistake} compiles");
    String::from_utf8(cargo.stderr).unwrap()
}

#[test]
fn a_mistake_is_named_with_its_fix() {
    for (mistake, what, fix) in [
        (
            "box_service",
            "error[E0277]: `OAuthLayer` cannot wrap `BoxService<",
            "use `tower::util::BoxCloneSyncService`",
        ),
        (
            "reqwest_client",
            // The compiler writes the path before `Client` if another dependency has a type of this name.
            "Client` for requests whose body is `reqwest::Body`",
            "wrap it in `tower_oauth::transport::ReqwestService`, or use `tower_oauth::OAuthMiddleware`",
        ),
        (
            "unclonable_body",
            "error[E0277]: `retry_rejected()` needs a request body that is `Clone`, which `reqwest::Body` is not",
            "put a `tower_oauth::ResendableBodyLayer` outside, buffer the body into `http_body_util::Full<bytes::Bytes>`, or",
        ),
    ] {
        let errors = errors(mistake);
        assert!(errors.contains(what), "{errors}");
        assert!(errors.contains(fix), "{errors}");
    }
}
