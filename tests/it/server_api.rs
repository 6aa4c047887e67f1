//! Conventions of the account API.

use futures::future::join_all;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{OTHER_TOKEN, READ_TOKEN, SEED, TOKEN, TestService, VENDOR_TOKEN, text};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";

fn ana() -> Value {
    json!({ "email": "ana@example.com", "role": "biller" })
}

#[tokio::test]
async fn without_a_valid_token_nothing_is_answered() {
    let service = TestService::start().await;
    for path in ["/v1/accounts/acme", "/v1/capabilities", "/v1/accounts/acme/members"] {
        let answer = service.call(Method::GET, path).send().await;
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        let problem = answer.refused(401, "unauthenticated");
        assert!(problem["request_id"].as_str().unwrap().starts_with("req_"));
        service
            .call(Method::GET, path)
            .token("unknown-token-000")
            .send()
            .await
            .refused(401, "unauthenticated");
        let basic = service.call(Method::GET, path).header("authorization", "Basic YTpi");
        basic.send().await.refused(401, "unauthenticated");
    }
    service.clock.advance(SignedDuration::from_hours(24 * 366));
    service.get("/v1/accounts/acme").await.refused(401, "unauthenticated");
    service.stop().await;
}

#[tokio::test]
async fn a_token_finds_nothing_of_another_account() {
    let service = TestService::start().await;
    let invitation = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let member = service.member("owner@example.com").await;
    let theirs = service.call(Method::GET, "/v1/accounts/acme").token(TOKEN).send().await.body;
    for account in ["acme".to_owned(), text(&theirs["id"]), "nothing-there".to_owned()] {
        let get = |path: String| service.call(Method::GET, &path).token(OTHER_TOKEN).send();
        for part in ["", "/members", "/invitations", "/seats", "/roles", "/audit-events"] {
            get(format!("/v1/accounts/{account}{part}")).await.refused(404, "not-found");
        }
    }
    // Its own account with the ids of the other one.
    let path = format!("/v1/accounts/other/members/{}", text(&member["id"]));
    service.call(Method::GET, &path).token(OTHER_TOKEN).send().await.refused(404, "not-found");
    let call = service.call(Method::DELETE, &path).token(OTHER_TOKEN).if_match("*");
    call.send().await.refused(404, "not-found");
    let path = format!("/v1/accounts/other/invitations/{}/revoke", text(&invitation["id"]));
    let call = service.call(Method::POST, &path).token(OTHER_TOKEN).if_match("*");
    call.send().await.refused(404, "not-found");
    service.stop().await;
}

#[tokio::test]
async fn a_token_does_what_its_scopes_say_and_nothing_else() {
    let service = TestService::start().await;
    let member = service.join("ana@example.com", "admin").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&member["id"]));
    let invite = |token: &'static str| {
        let body = json!({ "email": "new@example.com", "role": "biller" });
        service.call(Method::POST, INVITATIONS).token(token).key(token).json(&body).send()
    };
    let change = |token: &'static str, role: &'static str| {
        let call = service.call(Method::PATCH, &path).token(token).if_match("*");
        call.json(&json!({ "role": role })).send()
    };
    let remove =
        |token: &'static str| service.call(Method::DELETE, &path).token(token).if_match("*").send();
    invite(READ_TOKEN).await.refused(403, "scope-missing");
    change(READ_TOKEN, "biller").await.refused(403, "scope-missing");
    remove(READ_TOKEN).await.refused(403, "scope-missing");
    invite("acme-token-that-only-grows").await.expect(StatusCode::CREATED);
    change("acme-token-that-only-grows", "biller").await.refused(403, "scope-missing");
    // A demotion takes rights away: it needs `remove` too.
    let problem = change("acme-token-without-removals", "biller").await;
    assert_eq!(problem.refused(403, "scope-missing")["detail"], "the scope `remove` is needed");
    remove("acme-token-without-removals").await.refused(403, "scope-missing");
    change(TOKEN, "biller").await.expect(StatusCode::OK);
    change("acme-token-without-removals", "admin").await.expect(StatusCode::OK);

    let members = service.call(Method::GET, "/v1/accounts/acme/members").token(VENDOR_TOKEN);
    members.send().await.refused(403, "forbidden");
    let account = service.call(Method::GET, "/v1/accounts/acme").token(VENDOR_TOKEN).send().await;
    assert_eq!(account.expect(StatusCode::OK)["caller"]["scopes"], json!(["vendor"]));
    let plan = json!({ "plan": "custom" });
    let call = service.call(Method::POST, "/v1/accounts/acme/subscriptions").token(TOKEN);
    let picked = call.new_key().json(&plan).send().await.expect(StatusCode::CREATED);
    assert_eq!(picked["state"], "requested", "it waits for the vendor");
    service.stop().await;
}

#[tokio::test]
async fn the_same_key_gives_the_same_answer_and_one_mail() {
    let service = TestService::start().await;
    let send = |body: Value| {
        service.call(Method::POST, INVITATIONS).token(TOKEN).key("k1").json(&body).send()
    };
    let first = send(ana()).await;
    let again = send(ana()).await;
    assert_eq!(first.header("idempotency-replayed"), "");
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!((again.status, again.header("etag")), (first.status, first.header("etag")));
    assert_eq!(again.body, first.body);
    send(json!({ "email": "ana@example.com", "role": "admin" }))
        .await
        .refused(422, "idempotency-key-reused");
    // The key belongs to the account: another token of the same account finds it.
    let call = service.call(Method::POST, INVITATIONS).token("acme-token-that-only-grows");
    let other_token = call.key("k1").json(&ana()).send().await;
    assert_eq!(other_token.header("idempotency-replayed"), "true");
    // A token that could not have sent it does not learn of it.
    let call = service.call(Method::POST, INVITATIONS).token(READ_TOKEN);
    call.key("k1").json(&ana()).send().await.refused(403, "scope-missing");
    assert_eq!(service.mails().await.len(), 1);

    let without = service.call(Method::POST, INVITATIONS).token(TOKEN).json(&ana()).send().await;
    without.refused(400, "idempotency-key-required");
    service.pass(SignedDuration::from_hours(25)).await;
    send(ana()).await.refused(409, "invitation-already-pending");
    service.stop().await;
}

#[tokio::test]
async fn a_refusal_is_not_kept_under_the_key() {
    let service = TestService::start().await;
    for email in ["a@example.com", "b@example.com", "c@example.com"] {
        service.invite(email, "biller").await.expect(StatusCode::CREATED);
    }
    service.invite("ana@example.com", "biller").await.refused(409, "seat-limit-reached");
    service.subscribe("scale").await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn the_same_key_at_once_sends_one_mail() {
    let service = TestService::start().await;
    let send =
        || service.call(Method::POST, INVITATIONS).token(TOKEN).key("k1").json(&ana()).send();
    let answers = join_all((0..16).map(|_| send())).await;
    let ids: std::collections::BTreeSet<_> =
        answers.into_iter().map(|answer| text(&answer.expect(StatusCode::CREATED)["id"])).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(service.mails().await.len(), 1);
    service.stop().await;
}

#[tokio::test]
async fn a_key_is_looked_up_before_if_match() {
    let service = TestService::start().await;
    let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let path = format!("{INVITATIONS}/{}/resend", text(&row["id"]));
    let resend = |etag: String| {
        service.call(Method::POST, &path).token(TOKEN).key("r1").if_match(&etag).send()
    };
    let first = resend(text(&row["etag"])).await.expect(StatusCode::OK);
    assert_eq!(first["send_count"], 2);
    let again = resend(text(&row["etag"])).await;
    assert_eq!(again.header("idempotency-replayed"), "true", "the old etag is no matter");
    assert_eq!(again.body, first);
    assert_eq!(service.mails().await.len(), 2);
    service.stop().await;
}

#[tokio::test]
async fn changes_need_the_version_that_was_read() {
    let service = TestService::start().await;
    let member = service.join("ana@example.com", "biller").await;
    let path = format!("/v1/accounts/acme/members/{}", text(&member["id"]));
    let patch = |etag: Option<String>, role: &'static str| {
        let call = service.call(Method::PATCH, &path).token(TOKEN).json(&json!({ "role": role }));
        match etag {
            Some(etag) => call.if_match(&etag).send(),
            None => call.send(),
        }
    };
    patch(None, "admin").await.refused(428, "if-match-required");
    let delete = service.call(Method::DELETE, &path).token(TOKEN).send().await;
    delete.refused(428, "if-match-required");
    let answer = patch(Some(text(&member["etag"])), "admin").await;
    let etag = answer.header("etag").to_owned();
    assert_eq!(etag, text(&answer.expect(StatusCode::OK)["etag"]));
    patch(Some(text(&member["etag"])), "biller").await.refused(412, "stale");
    patch(Some(format!("W/{etag}")), "biller").await.refused(412, "stale");
    assert_eq!(service.member("ana@example.com").await["role"], "admin");
    patch(Some(format!("\"77\", {etag}")), "biller").await.expect(StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn an_unchanged_row_is_not_sent_again() {
    let service = TestService::start().await;
    service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.mails().await;
    let invitation = service.list(INVITATIONS).await[0].clone();
    let member = service.member("owner@example.com").await;
    for path in [
        "/v1/accounts/acme".to_owned(),
        format!("/v1/accounts/acme/members/{}", text(&member["id"])),
        format!("{INVITATIONS}/{}", text(&invitation["id"])),
    ] {
        let first = service.get(&path).await;
        let etag = first.header("etag").to_owned();
        assert_eq!(etag, text(&first.expect(StatusCode::OK)["etag"]));
        let call = service.call(Method::GET, &path).token(TOKEN);
        let second = call.header("if-none-match", &etag).send().await;
        assert_eq!((second.status, &second.body), (StatusCode::NOT_MODIFIED, &Value::Null));
        let call = service.call(Method::GET, &path).token(TOKEN);
        let weak = call.header("if-none-match", &format!("W/{etag}")).send().await;
        assert_eq!(weak.status, StatusCode::NOT_MODIFIED, "as a proxy that compresses has it");
        let call = service.call(Method::GET, &path).token(TOKEN);
        call.header("if-none-match", "\"other\"").send().await.expect(StatusCode::OK);
    }
    // What time alone changes is a change too.
    let (path, etag) =
        (format!("{INVITATIONS}/{}", text(&invitation["id"])), text(&invitation["etag"]));
    service.clock.advance(SignedDuration::from_hours(24 * 31));
    let call = service.call(Method::GET, &path).token(TOKEN).header("if-none-match", &etag);
    assert_eq!(call.send().await.expect(StatusCode::OK)["state"], "expired");
    service.stop().await;
}

#[tokio::test]
async fn a_mail_that_goes_out_spoils_nobodys_change() {
    let service = TestService::start().await;
    let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    service.mails().await;
    let sent = service.list(INVITATIONS).await[0].clone();
    assert_eq!(sent["delivery"], "sent");
    assert_ne!(sent["etag"], row["etag"]);
    let path = format!("{INVITATIONS}/{}", text(&row["id"]));
    let call = service.call(Method::PATCH, &path).token(TOKEN).if_match(&text(&row["etag"]));
    call.json(&json!({ "role": "admin" })).send().await.expect(StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn pages_hold_every_row_once_with_total_and_position() {
    let members: String = (0..25)
        .map(|at| format!("      - {{email: m{at}@example.com, role: developer}}\n"))
        .collect();
    let seed = SEED.replace(
        "subscriptions: [growth]\n",
        &format!("subscriptions: [custom]\n    members:\n{members}"),
    );
    let service = TestService::start_with(&seed).await;
    let (mut path, mut seen, mut pages) = (String::new(), Vec::new(), 0);
    loop {
        let query = format!("/v1/accounts/acme/members?page_size=10{path}");
        let page = service.get(&query).await.expect(StatusCode::OK);
        assert_eq!(page["total"], 26);
        assert_eq!(page["as_of"], 28, "opened, owner, subscription, 25 members");
        seen.extend(page["items"].as_array().unwrap().iter().map(|row| text(&row["id"])));
        pages += 1;
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (3, 26));
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted, seen);
    for bad in ["page_size=0", "page_size=1001", "page_size=x", "cursor=zz", "state=odd", "wat=1"] {
        let answer = service.get(&format!("/v1/accounts/acme/members?{bad}")).await;
        answer.refused(400, "invalid-request");
    }
    service.stop().await;
}

#[tokio::test]
async fn unknown_fields_and_wrong_values_are_refused_with_their_place() {
    let service = TestService::start().await;
    let send = |body: Value| {
        service.call(Method::POST, INVITATIONS).token(TOKEN).key("k").json(&body).send()
    };
    let place = |problem: Value| text(&problem["errors"][0]["pointer"]);
    let body = json!({ "email": "ana@example.com", "role": "biller", "state": "accepted" });
    assert_eq!(place(send(body).await.refused(400, "invalid-request")), "/state");
    let body = json!({ "email": 7, "role": "biller" });
    assert_eq!(place(send(body).await.refused(400, "invalid-request")), "/email");
    let body = json!({ "email": "no address", "role": "biller" });
    assert_eq!(place(send(body).await.refused(400, "invalid-request")), "/email");
    let body = json!({ "email": "ana@example.com", "role": "boss" });
    let problem = send(body).await.refused(400, "invalid-request");
    let detail = text(&problem["errors"][0]["detail"]);
    assert!(detail.contains("owner, admin, developer, biller"), "{detail}");
    let body = json!({ "email": "ana@example.com", "role": "owner" });
    send(body).await.refused(409, "role-not-invitable");
    let claim = json!({ "claim": { "installation_id": "i", "fingerprint": "f", "extra": 1 } });
    let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    let problem = call.json(&claim).send().await.refused(400, "invalid-request");
    assert_eq!(place(problem), "/claim/extra");
    assert_eq!(service.mails().await.len(), 0);
    service.stop().await;
}

#[tokio::test]
async fn bodies_that_are_no_json_too_large_or_too_deep_are_refused() {
    let service = TestService::start().await;
    let send = |kind: &'static str, body: String| {
        let call = service.call(Method::POST, INVITATIONS).token(TOKEN).key("k");
        call.header("content-type", kind).body(body).send()
    };
    let good = ana().to_string();
    send("text/plain", good.clone()).await.refused(415, "unsupported-media-type");
    send("application/json", "{".to_owned()).await.refused(400, "not-json");
    send("application/json", String::new()).await.refused(400, "not-json");
    send("application/json", format!("{good} {good}")).await.refused(400, "not-json");
    let twice = r#"{"email": "a@example.com", "email": "b@example.com", "role": "biller"}"#;
    send("application/json", twice.to_owned()).await.refused(400, "invalid-request");
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let answer = send("application/json", format!("{{\"email\": {deep}}}")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let large = format!("{{\"email\": \"{}\"}}", "a".repeat(1024 * 1024));
    send("application/json", large).await.refused(413, "body-too-large");
    send("application/json; charset=utf-8", good).await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let service = TestService::start().await;
    service.get("/v1/nothing").await.refused(404, "not-found");
    service
        .call(Method::PUT, "/v1/accounts/acme")
        .token(TOKEN)
        .send()
        .await
        .refused(405, "method-not-allowed");
    service.get("/v1/accounts/acme/members/mem_1").await.refused(404, "not-found");
    let page = service.browser().open("/nothing").await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.html.contains("There is nothing here"));
    service.stop().await;
}

#[tokio::test]
async fn an_external_reference_follows_the_person_into_the_membership() {
    let service = TestService::start().await;
    let body = json!({ "email": "ana@example.com", "role": "biller", "external_ref": "rec-1" });
    let call = service.call(Method::POST, INVITATIONS).token(TOKEN).key("k");
    let row = call.json(&body).send().await.expect(StatusCode::CREATED);
    assert_eq!(row["external_ref"], "rec-1");
    assert_eq!(service.list(INVITATIONS).await[0]["external_ref"], "rec-1");
    service.browser().accept_by_sign_up(&service.link_to("ana@example.com").await).await;
    assert_eq!(service.member("ana@example.com").await["external_ref"], "rec-1");
    let long =
        json!({ "email": "b@example.com", "role": "biller", "external_ref": "x".repeat(129) });
    let call = service.call(Method::POST, INVITATIONS).token(TOKEN).key("k2");
    call.json(&long).send().await.refused(400, "invalid-request");
    service.stop().await;
}

#[tokio::test]
async fn a_foreign_claim_is_a_full_stop() {
    let service = TestService::start().await;
    let claim = |installation: &'static str| {
        let body = json!({
            "claim": { "installation_id": installation, "fingerprint": "cluster-1" }
        });
        let call = service.call(Method::PATCH, "/v1/accounts/acme");
        call.token("acme-token-that-only-grows").if_match("*").json(&body).send()
    };
    let account = claim("ours").await.expect(StatusCode::OK);
    assert_eq!(account["claim"]["installation_id"], "ours");
    claim("ours").await.expect(StatusCode::OK);
    claim("theirs").await.refused(409, "claimed-by-other");
    let read = service.call(Method::PATCH, "/v1/accounts/acme").token(READ_TOKEN).if_match("*");
    let body = json!({ "claim": { "installation_id": "ours", "fingerprint": "x" } });
    read.json(&body).send().await.refused(403, "scope-missing");
    let rename = service.call(Method::PATCH, "/v1/accounts/acme").if_match("*");
    let rename = rename.token("acme-token-that-only-grows").json(&json!({ "name": "Evil" }));
    rename.send().await.refused(403, "scope-missing");
    service.stop().await;
}

#[tokio::test]
async fn the_service_says_which_guarantees_and_rules_it_keeps() {
    let service = TestService::start().await;
    let can = service.get("/v1/capabilities").await.expect(StatusCode::OK);
    assert_eq!(can["idempotency_retention_seconds"], 86_400);
    for yes in ["unique_pending", "external_ref", "if_match", "claims", "trimmed_state"] {
        assert_eq!(can[yes], true, "{yes}");
    }
    let rules = service.get("/v1/accounts/acme/roles").await.expect(StatusCode::OK);
    let names: Vec<_> =
        rules["items"].as_array().unwrap().iter().map(|role| text(&role["name"])).collect();
    assert_eq!(names, ["owner", "admin", "developer", "biller"]);
    assert_eq!(rules["on_shrink"], "trimLatestAdded");
    assert_eq!(rules["plans"][3], json!({ "name": "growth", "seats": 3, "paid": true }));
    service.stop().await;
}
