//! Serves, calls every route once, and stops. For a first look, and for CI.

use http::header::CONTENT_TYPE;
use tokio::{net::TcpListener, sync::oneshot};
use tower_oauth::{BoxError, transport::ReqwestService};

use crate::{ROUTES, environment::Environment, service};

const HTML: &str = "text/html; charset=utf-8";

pub(crate) async fn run() -> Result<(), BoxError> {
    let environment = Environment::open().await?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(service::serve(listener, environment.banks.clone(), async {
        // A dropped sender means the same as a used one.
        let _ = stopped.await;
    }));

    let called = call_all(&base).await;
    drop(stop);
    serving.await??;
    println!("stopped gracefully");
    called
}

async fn call_all(base: &str) -> Result<(), BoxError> {
    let service = ReqwestService::new(reqwest::Client::builder(), &base.parse()?)?;
    for route in ROUTES {
        let response = service
            .client()
            .get(format!("{base}{route}"))
            .send()
            .await?;
        let status = response.status();
        let media_type = response.headers().get(CONTENT_TYPE);
        let is_page = media_type.is_some_and(|it| it == HTML);
        let text = match response.text().await? {
            page if is_page => format!("a page of {} bytes: open it in a browser", page.len()),
            text => text,
        };
        println!("GET {route}\n  {status}\n  {text}\n");
        if !status.is_success() {
            return Err(format!("{route} answered {status}").into());
        }
    }
    Ok(())
}
