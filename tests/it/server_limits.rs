//! Limits on requests and on tries to sign in, and what does not tell who has an account.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::num::NonZeroU32;

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use seatkeeper::server::{Limits, Settings};

use crate::service::{Answer, PASSWORD, READ_TOKEN, SEED, TOKEN, TestService};

/// So few that none comes back while a test runs.
fn few(settings: &mut Settings) {
    settings.limits.requests_per_minute = NonZeroU32::new(6);
}

async fn asked(service: &TestService, token: &str) -> Answer {
    service.call(Method::GET, "/v1/accounts/acme").token(token).send().await
}

#[tokio::test]
async fn every_answer_says_where_the_caller_stands_and_a_refusal_how_long_to_wait() {
    let service = TestService::start_as(SEED, few).await;
    let told = |answer: &Answer| {
        (answer.header("ratelimit-policy").to_owned(), answer.header("ratelimit").to_owned())
    };
    let policy = "\"requests\";q=6;w=60".to_owned();
    // A token is counted by itself once it has proved itself.
    let first = asked(&service, TOKEN).await;
    assert_eq!(told(&first), (policy.clone(), "\"requests\";r=5;t=10".to_owned()));
    for left in (0..6).rev() {
        let answer = asked(&service, TOKEN).await;
        let (said, rest) = told(&answer);
        assert_eq!(said, policy);
        assert!(rest.starts_with(&format!("\"requests\";r={left};t=")), "{rest}");
        answer.expect(StatusCode::OK);
    }
    let refused = asked(&service, TOKEN).await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=10).contains(&wait), "{wait}");
    assert_eq!(told(&refused), (policy, format!("\"requests\";r=0;t={wait}")));
    let problem = refused.refused(429, "rate-limited");
    assert_eq!(problem["retryable"], true);
    assert_eq!(problem["detail"], format!("wait {wait} s, then try again"));

    asked(&service, READ_TOKEN).await.expect(StatusCode::OK);
    let missing = service.call(Method::GET, "/v1/accounts/acme/members/mem_1").token(READ_TOKEN);
    let missing = missing.send().await;
    assert!(missing.header("ratelimit").starts_with("\"requests\";r=5"), "on refusals too");
    missing.refused(404, "not-found");
    service.stop().await;
}

#[tokio::test]
async fn guessed_tokens_use_up_the_requests_of_their_network_and_of_nobody_else() {
    let service = TestService::start_as(SEED, few).await;
    asked(&service, TOKEN).await.expect(StatusCode::OK);
    for at in 0..3 {
        asked(&service, &format!("guessed-token-{at}")).await.refused(401, "unauthenticated");
    }
    // An answer that does not depend on the token proves nothing of it.
    for (method, path, status) in
        [(Method::GET, "/v1/nothing", 404), (Method::PUT, "/v1/accounts/acme", 405)]
    {
        let call = service.call(method, path).token("guessed-token-3");
        assert_eq!(call.send().await.status, status);
    }
    asked(&service, "guessed-token-3").await.refused(429, "rate-limited");
    service.call(Method::GET, "/v1/nothing").send().await.refused(429, "rate-limited");
    let page = service.browser().open("/signin").await;
    assert_eq!(page.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(page.text().contains("Too many tries"), "{}", page.text());
    asked(&service, TOKEN).await.expect(StatusCode::OK);
    for path in ["/livez", "/readyz", "/metrics"] {
        let probe = service.http.get(format!("{}{path}", service.base)).send().await.unwrap();
        assert_eq!(probe.status(), StatusCode::OK, "{path} is not counted");
    }
    service.stop().await;
}

#[tokio::test]
async fn a_token_that_is_over_is_counted_with_its_network_again() {
    let service = TestService::start_as(SEED, few).await;
    asked(&service, TOKEN).await.expect(StatusCode::OK);
    asked(&service, TOKEN).await.expect(StatusCode::OK);
    service.clock.advance(SignedDuration::from_hours(24 * 366));
    let over = asked(&service, TOKEN).await;
    assert!(over.header("ratelimit").starts_with("\"requests\";r=4"), "its own");
    over.refused(401, "unauthenticated");
    let stranger = asked(&service, TOKEN).await;
    assert!(stranger.header("ratelimit").starts_with("\"requests\";r=4"), "that of its network");
    service.stop().await;
}

/// Someone at a sign-in page, who comes through our proxy from an address of choice.
struct Guesser {
    mark: String,
    cookie: String,
}

/// Six tries; our own proxy is this host.
fn guarded(settings: &mut Settings) {
    settings.limits.sign_ins_per_minute = NonZeroU32::new(6);
    settings.trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
}

impl Guesser {
    async fn new(service: &TestService) -> Self {
        let answer = service.http.get(format!("{}/signin", service.base)).send().await.unwrap();
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        let html = answer.text().await.unwrap();
        let mark = html.split("name=\"mark\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        Self { mark: mark.to_owned(), cookie }
    }

    /// Sends the form of a page from this network; gives status and page without its mark.
    async fn post(
        &self,
        service: &TestService,
        path: &str,
        fields: &[(&str, &str)],
        from: &str,
    ) -> (u16, String) {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        let form = form.append_pair("mark", &self.mark).extend_pairs(fields).finish();
        let request = service.http.post(format!("{}{path}", service.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = request.header("cookie", &self.cookie).header("x-forwarded-for", from);
        let answer = request.body(form).send().await.unwrap();
        let status = answer.status().as_u16();
        assert_eq!(answer.headers().contains_key("retry-after"), status == 429);
        let page = answer.text().await.unwrap().replace(&self.mark, "");
        (status, page.replace(|c: char| c.is_ascii_digit(), "0"))
    }

    async fn sign_in(&self, service: &TestService, email: &str, from: &str) -> (u16, String) {
        let fields = [("email", email), ("password", "not the password")];
        self.post(service, "/signin", &fields, from).await
    }
}

/// How often argon2 ran.
async fn hashed(service: &TestService) -> u64 {
    let answer = service.http.get(format!("{}/metrics", service.base)).send().await.unwrap();
    let text = answer.text().await.unwrap();
    let line =
        text.lines().find_map(|line| line.strip_prefix("seatkeeper_server_passwords_total "));
    line.unwrap().parse().unwrap()
}

#[tokio::test]
async fn passwords_of_one_address_are_tried_a_few_times_from_wherever_known_or_not() {
    let service = TestService::start_as(SEED, guarded).await;
    let guesser = Guesser::new(&service).await;
    let mut answers = Vec::new();
    for email in ["owner@example.com", "nobody@example.com"] {
        let before = hashed(&service).await;
        let mut said = Vec::new();
        for at in 0..8 {
            said.push(guesser.sign_in(&service, email, &format!("203.0.113.{at}")).await);
        }
        let codes: Vec<_> = said.iter().map(|(status, _)| *status).collect();
        assert_eq!(codes, [403, 403, 403, 403, 403, 403, 429, 429], "{email}");
        assert_eq!(hashed(&service).await - before, 6, "{email}: refused before any work");
        answers.push(said);
    }
    assert_eq!(answers[0], answers[1], "the answers do not tell who has an account");
    // The right password waits as well.
    let fields = [("email", "OWNER@example.com"), ("password", PASSWORD)];
    let (status, page) = guesser.post(&service, "/signin", &fields, "198.51.100.1").await;
    assert_eq!(status, 429, "{page}");
    service.stop().await;
}

#[tokio::test]
async fn passwords_are_tried_a_few_times_from_one_network_whatever_it_says_of_itself() {
    let service = TestService::start_as(SEED, guarded).await;
    let guesser = Guesser::new(&service).await;
    let mut codes = Vec::new();
    for at in 0..8 {
        let email = format!("p{at}@example.com");
        let claimed = format!("198.51.100.{at}, 203.0.113.7");
        codes.push(guesser.sign_in(&service, &email, &claimed).await.0);
    }
    assert_eq!(codes, [403, 403, 403, 403, 403, 403, 429, 429]);
    let fields = [("email", "new@example.com")];
    let (status, _) = guesser.post(&service, "/signup", &fields, "203.0.113.7").await;
    assert_eq!(status, 429, "the same for asking for a mail");
    assert_eq!(service.mails().await.len(), 0);
    let (status, _) = guesser.sign_in(&service, "p9@example.com", "203.0.113.8").await;
    assert_eq!(status, 403, "another network is not held up");

    let service = TestService::start_as(SEED, |settings| {
        guarded(settings);
        settings.trusted_proxies.clear();
    })
    .await;
    let guesser = Guesser::new(&service).await;
    let mut codes = Vec::new();
    for at in 0..8 {
        let email = format!("p{at}@example.com");
        codes.push(guesser.sign_in(&service, &email, &format!("198.51.100.{at}")).await.0);
    }
    assert_eq!(codes, [403, 403, 403, 403, 403, 403, 429, 429], "nobody's proxy is believed");
    service.stop().await;
}

#[tokio::test]
async fn asking_for_a_sign_up_tells_nothing_of_an_address_and_costs_the_same() {
    let service = TestService::start().await;
    let (guesser, before) = (Guesser::new(&service).await, hashed(&service).await);
    let mut answers = Vec::new();
    for email in ["owner@example.com", "nobody@example.com"] {
        answers.push(guesser.post(&service, "/signup", &[("email", email)], "192.0.2.1").await);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0].0, 200);
    assert_eq!(hashed(&service).await, before, "no password is hashed for either");
    service.stop().await;
}

#[tokio::test]
async fn the_password_of_an_invited_person_cannot_be_tried_at_will_through_the_link() {
    let service = TestService::start_as(SEED, guarded).await;
    service.invite("ben@example.com", "biller").await.expect(StatusCode::CREATED);
    let link = service.link_to("ben@example.com").await;
    let path = format!("{}/accept", link.strip_prefix(&service.base).unwrap());
    let guesser = Guesser::new(&service).await;
    let mut codes = Vec::new();
    for at in 0..8 {
        let fields = [("password", "not the password")];
        let from = format!("203.0.113.{at}");
        let request = guesser.post(&service, &path, &fields, &from);
        codes.push(request.await.0);
    }
    assert_eq!(codes, [400, 400, 400, 400, 400, 400, 429, 429]);
    assert_eq!(service.people().await, "");
    service.stop().await;
}

#[test]
fn the_defaults_let_a_managing_client_work() {
    let Limits { requests_per_minute, sign_ins_per_minute } = Limits::default();
    assert_eq!(
        (requests_per_minute.unwrap().get(), sign_ins_per_minute.unwrap().get()),
        (6000, 20)
    );
}

#[tokio::test]
async fn an_answer_to_a_call_that_mails_invitations_says_how_many_more_may_leave() {
    let service = TestService::start_as(SEED, |settings| {
        settings.limits.requests_per_minute = NonZeroU32::new(600);
        settings.invite_limits.per_account_hour = NonZeroU32::new(2).unwrap();
        settings.invite_limits.per_address_day = NonZeroU32::new(1).unwrap();
    })
    .await;
    let told = |answer: &Answer, name: &str| {
        let values = answer.headers.get_all(name).iter().map(|value| value.to_str().unwrap());
        let all = values.collect::<Vec<_>>().join(", ");
        all.split_once(", \"requests\";").map(|(mails, _)| mails.to_owned()).unwrap_or_default()
    };
    let stands = |answer: &Answer| (told(answer, "ratelimit-policy"), told(answer, "ratelimit"));
    let mails = |policy: &str, limit: &str| {
        (format!("\"invite-mail\";{policy}"), format!("\"invite-mail\";{limit}"))
    };
    let first = service.invite("a@example.com", "developer").await;
    assert_eq!(stands(&first), mails("q=2;w=3600", "r=1;t=3600"));
    first.expect(StatusCode::CREATED);

    let revoke = service.list("/v1/accounts/acme/invitations").await[0].clone();
    let path = format!("/v1/accounts/acme/invitations/{}/revoke", revoke["id"].as_str().unwrap());
    let revoked = service.call(Method::POST, &path).token(TOKEN).if_match("*").send().await;
    assert_eq!(stands(&revoked), (String::new(), String::new()), "it mails nothing");
    let again = service.invite("a@example.com", "biller").await;
    assert_eq!(stands(&again), mails("q=1;w=86400", "r=0;t=86401"), "the address has its own");
    assert_eq!(again.body["limit"], "invite-mail-address", "only this address has to wait");
    again.refused(429, "rate-limited");

    let last = service.invite("b@example.com", "developer").await;
    assert_eq!(stands(&last), mails("q=2;w=3600", "r=0;t=3600"));
    last.expect(StatusCode::CREATED);
    let refused = service.invite("c@example.com", "developer").await;
    assert_eq!(stands(&refused), mails("q=2;w=3600", "r=0;t=3601"));
    assert_eq!(refused.header("retry-after"), "3601");
    assert_eq!(refused.body["limit"], "invite-mail", "the account has to");
    refused.refused(429, "rate-limited");
    service.stop().await;
}
