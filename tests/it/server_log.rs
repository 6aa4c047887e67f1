//! What a person did at the service is in its log without the person.

#![expect(clippy::panic, reason = "test helpers")]

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::cli_run::{Desk, serve};
use crate::service::{Browser, Call, Mail, client, mails_in};

const TOKEN: &str = "canary-token-5d1e-of-the-account";
const BAD_TOKEN: &str = "canary-token-77aa-that-is-bad";
const PASSWORD: &str = "canary-password-0c9b";
const BAD_PASSWORD: &str = "canary-password-f00d";

/// Every address of the story; none is a part of another word.
const ADDRESSES: [&str; 5] = [
    "canary-owner@example.com",
    "canary-ana@example.com",
    "canary-bo@example.com",
    "canary-new@example.com",
    "canary-nobody@example.com",
];

fn seed() -> String {
    format!(
        "accounts:\n  - name: Acme\n    slug: acme\n    profile: nitropack\n    owner: \
         {{email: {}, name: Canary Owner, password: {PASSWORD}}}\n    subscriptions: [growth]\n    \
         tokens:\n      - {{token: {TOKEN}, scopes: [read, invite, change, remove, billing, \
         manage]}}\n",
        ADDRESSES[0]
    )
}

/// The mails to this address, once there is one.
async fn mail_to(spool: &std::path::Path, address: &str) -> Mail {
    for _ in 0..400 {
        if let Some(mail) = mails_in(spool).into_iter().rfind(|mail| mail.to == address) {
            return mail;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no mail");
}

// rule: OP-10
#[tokio::test]
async fn the_log_of_the_service_names_no_person_link_token_password_or_cookie() {
    let home = Desk::empty();
    home.write("seed.yaml", &seed());
    let mut process = serve(&home, &["--log", "trace"]).await;
    let http = client();
    let url = process.url.clone();
    let call = |method: Method, path: &str| Call::new(http.request(method, format!("{url}{path}")));
    let spool = home.path("data/spool");

    let invite = |email: &str| {
        let body = json!({ "email": email, "role": "developer" });
        let call = call(Method::POST, "/v1/accounts/acme/invitations").token(TOKEN);
        call.key(&format!("canary-key-{}", email.len())).json(&body).send()
    };
    invite(ADDRESSES[1]).await.expect(StatusCode::CREATED);
    invite(ADDRESSES[2]).await.expect(StatusCode::CREATED);
    invite("canary-bad address").await.refused(400, "invalid-request");
    let bad = json!({ "email": [ADDRESSES[3]], "canary": ADDRESSES[3] });
    let posted = call(Method::POST, "/v1/accounts/acme/invitations").token(TOKEN).key("canary-key");
    posted.json(&bad).send().await.refused(400, "invalid-request");
    let get = |path: &str, token: &str| call(Method::GET, path).token(token).send();
    get("/v1/accounts/acme", BAD_TOKEN).await.refused(401, "unauthenticated");
    get("/v1/accounts/acme/members?state=canary-ana@example.com", TOKEN)
        .await
        .refused(400, "invalid-request");
    let rows: Value = get("/v1/accounts/acme/members", TOKEN).await.expect(StatusCode::OK);
    assert_eq!(rows["items"][0]["email"], ADDRESSES[0]);

    let mut ana = Browser::new(&url);
    let ana_link = mail_to(&spool, ADDRESSES[1]).await.link.unwrap();
    let fields = [("name", "Canary Ana"), ("password", PASSWORD)];
    let page = ana.accept(&ana_link, &fields).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.html);
    let mut owner = Browser::new(&url);
    for (address, password) in
        [(ADDRESSES[4], PASSWORD), (ADDRESSES[0], BAD_PASSWORD), (ADDRESSES[0], PASSWORD)]
    {
        owner.sign_in(address, password).await;
    }
    assert!(owner.open("/accounts/acme/members").await.html.contains(ADDRESSES[1]));
    let page = owner.open("/signup").await;
    owner.submit(&page, "/signup", &[("email", ADDRESSES[3])]).await;
    let new_link = mail_to(&spool, ADDRESSES[3]).await.link.unwrap();
    owner.open(&new_link).await;
    owner.open(&format!("{new_link}-canary")).await;
    owner.post("/signin", &[("email", ADDRESSES[0]), ("mark", "canary-mark")]).await;

    let cookies: Vec<String> = owner.cookie_values().chain(ana.cookie_values()).collect();
    assert!(cookies.len() >= 4, "two sessions and two marks");
    process.kill().await;
    let log = home.read("server.log") + &home.read("requests.jsonl");
    assert!(log.contains(" DEBUG ") && log.len() > 10_000, "{}", log.len());
    let secrets = [TOKEN, BAD_TOKEN, PASSWORD, BAD_PASSWORD, "canary", "Canary"];
    let links = [&ana_link, &new_link].map(|link| link.rsplit_once('/').unwrap().1.to_owned());
    for secret in secrets.into_iter().map(str::to_owned).chain(links).chain(cookies) {
        let line = log.lines().find(|line| line.contains(&secret));
        assert_eq!(line, None, "{secret} is in the log");
    }
    for address in ADDRESSES {
        let encoded: String = url::form_urlencoded::byte_serialize(address.as_bytes()).collect();
        assert!(!log.contains(&encoded), "{encoded} is in the log");
    }
}
