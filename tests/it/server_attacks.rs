//! What no honest client sends, over real sockets: it is refused or cut, and others are served.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use tokio::net::TcpSocket;
use tokio::time::{Instant, sleep};

use crate::raw::{Raw, statuses};
use crate::service::{PASSWORD, SEED, TOKEN, TestService, text};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";

/// The head of a request with a token, up to the last header.
fn head(method: &str, target: &str) -> String {
    format!("{method} {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n")
}

/// The head of an invitation without a length.
fn invitation() -> String {
    format!("{}Idempotency-Key: k\r\nContent-Type: application/json\r\n", head("POST", INVITATIONS))
}

/// The figure of a metric, by name and labels; 0 if it is not there.
async fn figure(service: &TestService, name: &str) -> u64 {
    let answer = service.http.get(format!("{}/metrics", service.base)).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let line = text.lines().find(|line| line.split(' ').next() == Some(name));
    line.map_or(0, |line| line.rsplit_once(' ').unwrap().1.parse().unwrap())
}

/// Nothing failed inside, nothing was mailed, and who behaves is served.
async fn unharmed(service: &TestService) {
    assert_eq!(service.mails().await.len(), 0);
    assert_eq!(service.people().await, "");
    let failed = "seatkeeper_server_requests_total{status=\"5xx\"}";
    assert_eq!(figure(service, failed).await, 0);
}

async fn check(service: &TestService, request: String, wanted: &str) {
    let answers = Raw::ask(service.running().address(), &request).await;
    let shown: String = request.chars().take(300).collect();
    assert_eq!(statuses(&answers), wanted, "{shown}\n{answers}");
}

#[tokio::test]
async fn a_request_whose_length_is_unclear_is_refused() {
    let service = TestService::start().await;
    let body = r#"{"email": "ana@example.com", "role": "bill"#;
    for lines in [
        "Content-Length: 500\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 42\r\n",
    ] {
        let request = format!("{}{lines}\r\n{body}", invitation());
        let answer = Raw::ask_all(service.running().address(), request).await;
        assert_eq!(statuses(&answer), "400", "{lines}\n{answer}");
    }
    // What follows the announced length is another request, and this one is none.
    let short = format!("{}Content-Length: 10\r\n\r\n{body}", invitation());
    check(&service, short, "400 400").await;
    // A request hidden in the body of another is never carried out.
    let hidden = format!("{}\r\n", head("DELETE", "/v1/accounts/acme"));
    let both = format!(
        "{}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
        invitation(),
        hidden.len() + 5
    );
    let answers = Raw::ask(service.running().address(), both).await;
    assert!(!statuses(&answers).contains("20"), "{answers}");
    unharmed(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let service = TestService::start().await;
    let large = "a".repeat(1024 * 1024 + 1);
    let length = format!("{}Content-Length: {}\r\n\r\n{large}", invitation(), large.len());
    let chunk = format!("{:x}\r\n{}\r\n", 64 * 1024, "a".repeat(64 * 1024));
    let chunked =
        format!("{}Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n", invitation(), chunk.repeat(17));
    for request in [length, chunked] {
        let mut raw = Raw::to(service.running().address()).await;
        let _ = raw.send(request).await;
        let answer = raw.rest().await.0;
        assert_eq!(statuses(&answer), "413", "{answer}");
        assert!(answer.contains("\"code\":\"body-too-large\""), "{answer}");
    }
    let deep = format!("{{\"email\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let deep = format!("{}Content-Length: {}\r\n\r\n{deep}", invitation(), deep.len());
    check(&service, deep, "400").await;
    unharmed(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn heads_that_are_malformed_or_too_large_are_refused() {
    let service = TestService::start().await;
    let get = |more: &str| format!("{}{more}\r\n", head("GET", "/v1/accounts/acme"));
    let close = "Connection: close\r\n";
    check(&service, get(close), "200").await;
    for (more, wanted) in [
        ("X-A: b\r\n folded: c\r\n", "400"),
        ("X-A: b\0c\r\n", "400"),
        ("X-A: b\rSet-Cookie: c\r\n", "400"),
        ("X A: b\r\n", "400"),
        (": b\r\n", "400"),
    ] {
        check(&service, get(more), wanted).await;
    }
    let pad = |size: usize| format!("X-Pad: {}\r\n", "a".repeat(size));
    check(&service, get(&format!("{}{close}", pad(40_000))), "200").await;
    check(&service, get(&pad(200_000)), "431").await;
    check(&service, get(&"X-A: b\r\n".repeat(101)), "431").await;

    let cookies: String = (0..3000).map(|n| format!("c{n}=v; ")).collect();
    let page = |cookies: &str| format!("GET /signin HTTP/1.1\r\nHost: a\r\n{cookies}{close}\r\n");
    check(&service, page(&format!("Cookie: {cookies}\r\n")), "200").await;
    check(&service, page(&"Cookie: seatkeeper_session=x\r\n".repeat(90)), "200").await;

    for target in [
        format!("{INVITATIONS}?cursor={}", "a".repeat(50_000)),
        format!("{INVITATIONS}?{}", "page_size=1&".repeat(4000)),
        format!("{INVITATIONS}?state=%ff%fe%00"),
    ] {
        check(&service, format!("{}{close}\r\n", head("GET", &target)), "400").await;
    }
    let endless = format!("{INVITATIONS}?cursor={}", "a".repeat(65_600));
    let answers =
        Raw::ask(service.running().address(), format!("{}\r\n", head("GET", &endless))).await;
    assert!(["414", "431"].contains(&statuses(&answers).as_str()), "{answers}");
    unharmed(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn other_protocols_get_no_further_than_the_first_line() {
    let service = TestService::start().await;
    for bytes in [
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"EHLO mail.example.com\r\n",
        b"GET /\r\n\r\n",
        b"GET / HTTP/3.0\r\n\r\n",
        &[0; 4096],
    ] {
        let answer = Raw::ask(service.running().address(), bytes).await;
        assert!(["", "400", "505"].contains(&statuses(&answer).as_str()), "{answer}");
    }
    unharmed(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn an_id_is_never_a_path() {
    let service = TestService::start().await;
    for id in [
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..",
        "..%5c..%5cwindows",
        "%00",
        "acme%00",
        "acme%2fmembers",
        "%ff",
        "acme'--",
        "%25",
    ] {
        for target in [
            format!("/v1/accounts/{id}"),
            format!("/v1/accounts/{id}/members"),
            format!("/v1/accounts/acme/members/{id}"),
            format!("/accounts/{id}"),
            format!("/i/{id}"),
            format!("/v/{id}"),
        ] {
            let request = format!("{}Connection: close\r\n\r\n", head("GET", &target));
            let answer = Raw::ask(service.running().address(), request).await;
            let refused = ["303", "400", "404"].contains(&statuses(&answer).as_str());
            assert!(refused, "{target}\n{answer}");
        }
    }
    unharmed(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn no_header_or_field_makes_one_method_another() {
    let service = TestService::start().await;
    let owner = service.member("owner@example.com").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&owner["id"]));
    for name in ["x-http-method-override", "x-http-method", "x-method-override"] {
        let call = service.call(Method::GET, &path).token(TOKEN).header(name, "DELETE");
        call.send().await.expect(StatusCode::OK);
        let call = service.call(Method::POST, &path).token(TOKEN).header(name, "DELETE");
        call.if_match("*").send().await.refused(405, "method-not-allowed");
    }
    let mut browser = service.browser();
    browser.sign_in("owner@example.com", PASSWORD).await;
    let page = browser.open("/accounts/acme/members").await;
    let mark = page.mark("/signout").unwrap();
    let form = [("mark", mark.as_str()), ("_method", "DELETE")];
    let page = browser.post("/accounts/acme", &form).await;
    assert_eq!(page.status, StatusCode::METHOD_NOT_ALLOWED);
    for method in ["TRACE", "CONNECT", "PROPFIND", "get"] {
        let request = format!("{}Connection: close\r\n\r\n", head(method, "/v1/accounts/acme"));
        check(&service, request, "405").await;
    }
    unharmed(&service).await;
    service.stop().await;
}

#[tokio::test]
async fn a_forged_host_reaches_no_link_redirect_or_page() {
    let public = |settings: &mut seatkeeper::server::Settings| {
        settings.public_url = Some("https://seats.example.com".parse().unwrap());
    };
    let service = TestService::start_as(SEED, public).await;
    let forged = [
        "Host: evil.example\r\n",
        "Host: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\n",
        "Host: evil.example\r\nForwarded: host=evil.example\r\nX-Original-Host: evil.example\r\n",
        "Host: evil.example\r\nX-Original-URL: http://evil.example/\r\n",
    ];
    for (at, lines) in forged.iter().enumerate() {
        for target in ["/", "/signin", "http://evil.example/signup", "//evil.example/"] {
            let request = format!("GET {target} HTTP/1.1\r\n{lines}Connection: close\r\n\r\n");
            let answer = Raw::ask(service.running().address(), request).await;
            assert!(!answer.contains("evil"), "{answer}");
        }
        let body = format!(r#"{{"email": "p{at}@example.com", "role": "biller"}}"#);
        let request = format!(
            "POST http://evil.example{INVITATIONS} HTTP/1.1\r\n{lines}Authorization: Bearer \
             {TOKEN}\r\nIdempotency-Key: k{at}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let answer = Raw::ask(service.running().address(), request).await;
        assert!(["201", "409"].contains(&statuses(&answer).as_str()), "{answer}");
        assert!(!answer.contains("evil"), "{answer}");
    }
    let mut mails = service.mails().await;
    // The owner is told that the seats have run out.
    mails.retain(|mail| mail.to != "owner@example.com");
    assert_eq!(mails.len(), 3, "as many as there are seats");
    for mail in mails {
        assert!(mail.link.unwrap().starts_with("https://seats.example.com/i/"));
        assert!(!mail.raw.contains("evil"), "{}", mail.raw);
    }
    service.stop().await;
}

/// Sends these bytes, one every second, until the service hangs up; gives its answer and the time.
async fn trickle(address: SocketAddr, first: String, byte: &str) -> (String, Duration) {
    let mut raw = Raw::to(address).await;
    raw.send(first).await.unwrap();
    let began = Instant::now();
    let mut answer = [0; 4096];
    loop {
        let _ = raw.send(byte).await;
        sleep(Duration::from_secs(1)).await;
        match raw.0.try_read(&mut answer) {
            Ok(0) => return (String::new(), began.elapsed()),
            Ok(read) => {
                return (String::from_utf8_lossy(&answer[..read]).into(), began.elapsed());
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => (),
            Err(_) => return (String::new(), began.elapsed()),
        }
        assert!(began.elapsed() < Duration::from_mins(1), "held for ever");
    }
}

/// Asks for many pages and takes none; gives how long the service holds the connection.
async fn deaf(service: &TestService) -> Duration {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.set_send_buffer_size(4096).unwrap();
    let stream = socket.connect(service.running().address()).await.unwrap();
    let began = Instant::now();
    let pages = "GET /signin HTTP/1.1\r\nHost: a\r\n\r\n".repeat(20_000);
    let mut left = pages.as_bytes();
    loop {
        match stream.try_write(left) {
            Ok(sent) => left = &left[sent..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => (),
            Err(_) => return began.elapsed(),
        }
        assert!(!left.is_empty() && began.elapsed() < Duration::from_mins(1), "held for ever");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn clients_that_are_slow_are_cut_while_others_are_served() {
    let service = TestService::start().await;
    let address = service.running().address();
    let secs = Duration::from_secs;
    let slow_head = async {
        let (answer, held) = trickle(address, "GET /livez HTTP/1.1\r\nX-A: ".into(), "a").await;
        assert!(held < secs(15), "the head took {held:?}");
        assert!(!answer.contains("200"), "{answer}");
    };
    let silent = async {
        let (answer, held) = Raw::to(address).await.rest().await;
        assert!(held < secs(15) && answer.is_empty(), "{held:?} {answer}");
    };
    let idle = async {
        let mut raw = Raw::to(address).await;
        raw.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let (answer, held) = raw.rest().await;
        assert!(held < secs(15) && statuses(&answer) == "200", "{held:?} {answer}");
    };
    let slow_body = async {
        let first = format!("{}Content-Length: 1000\r\n\r\n", invitation());
        let (answer, held) = trickle(address, first, " ").await;
        assert!(held < secs(40), "the body took {held:?}");
        assert_eq!(statuses(&answer), "503", "{answer}");
    };
    let deaf = async {
        let held = deaf(&service).await;
        assert!(held < secs(45), "nothing was taken for {held:?}");
    };
    let others = async {
        for _ in 0..60 {
            let asked = Instant::now();
            service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
            assert!(asked.elapsed() < secs(5), "others wait");
            sleep(Duration::from_millis(500)).await;
        }
    };
    tokio::join!(slow_head, silent, idle, slow_body, deaf, others);
    // The one that asks is there itself.
    for _ in 0..100 {
        if figure(&service, "seatkeeper_server_connections").await <= 1 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(figure(&service, "seatkeeper_server_connections").await <= 1, "some are held");
    assert_eq!(service.mails().await.len(), 0);
    service.stop().await;
}
