//! Two runs of one account on two machines, with a ledger at the service: who is slower looks again.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use reqwest::StatusCode;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::cli_run::{Desk, Said, forward, said, service_now, values};
use crate::service::{SEED, TOKEN, TestService};

/// What happens before a run writes its ledger.
enum Meanwhile {
    /// Another run of the same files, from beginning to end, the first time.
    Runs(Option<Desk>),
    /// Somebody is always faster.
    Conflict,
}

/// Stands between a run and the service; gives its URL.
async fn between(service: &TestService, meanwhile: Meanwhile) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (base, meanwhile) = (service.base.clone(), Arc::new(Mutex::new(meanwhile)));
    let router = Router::new().fallback(move |request: Request| {
        let (base, meanwhile) = (base.clone(), Arc::clone(&meanwhile));
        async move { pass(&base, &meanwhile, request).await }
    });
    (url, tokio::spawn(async move { axum::serve(listener, router).await.unwrap() }))
}

async fn pass(base: &str, meanwhile: &Mutex<Meanwhile>, request: Request) -> Response {
    if request.method() == "PUT" && request.uri().path().ends_with("/client-state") {
        match &mut *meanwhile.lock().await {
            Meanwhile::Runs(desk) => {
                if let Some(desk) = desk.take() {
                    assert_eq!(apply(&desk).await.code, Some(0));
                }
            }
            Meanwhile::Conflict => {
                return (StatusCode::PRECONDITION_FAILED, r#"{"code":"stale"}"#).into_response();
            }
        }
    }
    forward(base, request).await.unwrap()
}

async fn apply(desk: &Desk) -> Said {
    let mut command = desk.command_with("account", &["apply", "--output", "json"]);
    said(command.output().await.unwrap())
}

async fn invited(service: &TestService) -> usize {
    service.mails().await.iter().filter(|mail| mail.template == "invitation").count()
}

// rule: OP-02
#[tokio::test]
async fn a_run_that_another_one_overtakes_looks_again_and_has_nothing_left_to_do() {
    let service = service_now(SEED).await;
    let other = Desk::new(&service.base, TOKEN);
    let (url, proxy) = between(&service, Meanwhile::Runs(Some(other))).await;
    let said = apply(&Desk::new(&url, TOKEN)).await;
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.err.contains("another run changed the ledger meanwhile; looking again\n"));
    assert_eq!(values(&said.out)["done"].as_array().unwrap().len(), 0, "{}", said.out);
    assert_eq!(invited(&service).await, 3, "each once");
    proxy.abort();
    service.stop().await;
}

#[tokio::test]
async fn a_run_that_is_always_overtaken_says_so_and_does_nothing() {
    let service = service_now(SEED).await;
    let (url, proxy) = between(&service, Meanwhile::Conflict).await;
    let said = apply(&Desk::new(&url, TOKEN)).await;
    assert_eq!(said.code, Some(1));
    let again = said.err.matches("looking again").count();
    assert_eq!(again, 4, "{}", said.err);
    assert!(said.err.contains("another run was faster 5 times"), "{}", said.err);
    assert!(said.err.contains("hint: try again"), "{}", said.err);
    assert_eq!(invited(&service).await, 0);
    proxy.abort();
    service.stop().await;
}
