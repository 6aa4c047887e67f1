//! Headers, cookies, probes and the stop of the service.

use std::time::Duration;

use axum::body::Body;
use reqwest::{Method, StatusCode};
use tokio::time::{Instant, sleep};
use tower::ServiceExt as _;

use crate::raw::{Raw, statuses};
use crate::service::{PASSWORD, SEED, TOKEN, TestService};

#[tokio::test]
async fn no_answer_is_cached_sniffed_framed_or_leaves_its_address_behind() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let link = service.link_to("ana@example.com").await;
    let invitation = link.strip_prefix(&service.base).unwrap();
    for path in ["/signin", "/signup", invitation, "/i/forged", "/", "/nothing", "/accounts/acme"] {
        let answer = service.http.get(format!("{}{path}", service.base)).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        if answer.status().is_redirection() {
            continue;
        }
        let policy = header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!answer.text().await.unwrap().contains("<script"), "{path}");
    }
    for path in ["/v1/accounts/acme", "/v1/accounts/acme/members", "/v1/nothing"] {
        let answer = service.get(path).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("set-cookie"), "", "{path}");
    }
    service.stop().await;
}

#[tokio::test]
async fn over_https_cookies_are_bound_to_the_host() {
    let public = |settings: &mut seatkeeper::server::Settings| {
        settings.public_url = Some("https://seats.example.com".parse().unwrap());
    };
    let service = TestService::start_as(SEED, public).await;
    let answer = service.http.get(format!("{}/signin", service.base)).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-seatkeeper_mark="), "{cookie}");
    assert!(cookie.ends_with("; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");

    let mut browser = service.browser();
    let page = browser.sign_in("owner@example.com", PASSWORD).await;
    assert!(page.text().contains("Acme"), "the cookies come back: {}", page.text());
    // Another host of the domain can set a cookie without the prefix only.
    let forged = service.http.get(format!("{}/", service.base));
    let forged = forged.header("cookie", "seatkeeper_session=x; seatkeeper_mark=y");
    assert_eq!(forged.send().await.unwrap().status(), StatusCode::SEE_OTHER);
    service.stop().await;
}

#[tokio::test]
async fn figures_have_labels_of_closed_lists_only() {
    let service = TestService::start().await;
    service.join("ana@example.com", "biller").await;
    for path in ["/v1/canary", "/canary?canary=1", "/i/canary", "/v1/accounts/canary"] {
        service.call(Method::GET, path).token("canary").send().await;
    }
    let answer = service.http.get(format!("{}/metrics", service.base)).send().await.unwrap();
    let text = answer.text().await.unwrap();
    assert!(!text.contains("canary") && !text.contains('@'), "{text}");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<_> = lines.map(|line| line.split(' ').next().unwrap()).collect();
    for name in [
        "seatkeeper_server_requests_total{status=\"2xx\"}",
        "seatkeeper_server_requests_total{status=\"4xx\"}",
        "seatkeeper_server_mails_total{outcome=\"sent\"}",
        "seatkeeper_server_passwords_total",
        "seatkeeper_server_connections",
        "seatkeeper_server_refused_connections_total",
    ] {
        assert!(names.contains(&name), "{name} is not in {names:?}");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_service_that_stops_is_alive_and_not_ready() {
    let service = TestService::start().await;
    let router = service.running().router();
    let probe = |path: &'static str| {
        let request = http::Request::get(path).body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request);
        async move { answer.await.unwrap().status() }
    };
    assert_eq!((probe("/livez").await, probe("/readyz").await), (StatusCode::OK, StatusCode::OK));
    service.stop().await;
    assert_eq!(probe("/livez").await, StatusCode::OK);
    assert_eq!(probe("/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_stop_lets_requests_under_way_end_takes_no_new_ones_and_cuts_what_does_not_end() {
    let service = TestService::start().await;
    let address = service.running().address();
    let body = r#"{"name": "Acme Ltd"}"#;
    let head = format!(
        "PATCH /v1/accounts/acme HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n\
         If-Match: *\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (mut ends, mut never) = (Raw::to(address).await, Raw::to(address).await);
    let mut idle = Raw::to(address).await;
    ends.send(&head).await.unwrap();
    never.send(&head).await.unwrap();
    idle.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(500)).await;

    let began = Instant::now();
    let stop = tokio::spawn(service.stop());
    let idle = idle.rest().await;
    assert!(idle.1 < Duration::from_secs(5), "an idle connection is closed at once: {idle:?}");
    let refused = tokio::net::TcpStream::connect(address).await;
    assert!(refused.is_err(), "nobody new gets in");
    ends.send(body).await.unwrap();
    let answer = ends.rest().await;
    assert_eq!(statuses(&answer.0), "200", "{answer:?}");
    assert!(!stop.is_finished());
    assert_eq!(statuses(&never.rest().await.0), "");
    stop.await.unwrap();
    let took = began.elapsed();
    assert!((8..15).contains(&took.as_secs()), "{took:?}");
}
