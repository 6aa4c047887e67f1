//! The contract of the account API: the committed document, what is served, and what is refused.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use reqwest::{Method, StatusCode};
use seatkeeper::server::openapi;
use serde_json::{Value, json};

use crate::service::{READ_TOKEN, TOKEN, TestService, VENDOR_TOKEN, text};

const INVITATIONS: &str = "/v1/accounts/acme/invitations";

/// Methods that the document has for a path.
fn methods(item: &Value) -> BTreeSet<String> {
    let keys = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
    keys.map(|key| key.to_uppercase()).collect()
}

/// A path with something between its braces.
fn filled(path: &str) -> String {
    let part = |part: &str| if part.starts_with('{') { "acme" } else { part }.to_owned();
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// Pointer and sentence of the first field that was refused.
fn first_field(problem: &Value) -> (&str, &str) {
    let field = &problem["errors"][0];
    (field["pointer"].as_str().unwrap(), field["detail"].as_str().unwrap())
}

#[test]
fn the_committed_contract_is_that_of_the_operations() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let committed = fs::read_to_string(path).unwrap_or_default();
    let fresh = format!("{:#}\n", openapi());
    assert!(committed == fresh, "not what the operations and types say; run `make openapi`");
}

#[tokio::test]
async fn every_operation_of_the_contract_is_served_and_wants_a_token() {
    let service = TestService::start().await;
    let document = openapi();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in methods(item) {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let call = service.call(method, &filled(path)).json(&json!({}));
            call.send().await.refused(401, "unauthenticated");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn other_methods_are_refused_and_the_answer_says_which_there_are() {
    let service = TestService::start().await;
    let document = openapi();
    for (path, item) in document["paths"].as_object().unwrap() {
        let mut offered = methods(item);
        if offered.contains("GET") {
            offered.insert("HEAD".to_owned());
        }
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "ODD"] {
            if offered.contains(method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let answer = service.call(method, &filled(path)).token(TOKEN).send().await;
            let said: BTreeSet<_> = answer.header("allow").split(',').map(str::to_owned).collect();
            assert_eq!(said, offered, "{path}");
            answer.refused(405, "method-not-allowed");
        }
    }
    service.stop().await;
}

#[tokio::test]
async fn no_path_but_one_of_ids_and_names_finds_anything() {
    let service = TestService::start().await;
    let long = "a".repeat(129);
    for part in ["%00", "acme%00", "a%2Fb", "a%20b", "%FF", "%C3%A9", "acme%0A", "%2E", &long] {
        for path in [format!("/v1/accounts/{part}"), format!("/v1/accounts/acme/members/{part}")] {
            service.get(&path).await.refused(404, "not-found");
        }
    }
    service.get("/v1/accounts/%61cme").await.expect(StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn texts_with_control_characters_are_refused_with_their_field() {
    let service = TestService::start().await;
    let person = json!({ "email": "ana@example.com", "role": "biller" });
    for (field, value) in [
        ("email", "ana\0@example.com"),
        ("role", "biller\0"),
        ("name", "Ana\nBcc: bo@example.com"),
        ("external_ref", "\u{85}"),
        ("team", "\0"),
    ] {
        let mut body = person.clone();
        body[field] = value.into();
        let call = service.call(Method::POST, INVITATIONS).token(TOKEN).key(field);
        let problem = call.json(&body).send().await.refused(400, "invalid-request");
        let at = format!("/{field}");
        assert_eq!(first_field(&problem), (at.as_str(), "has control characters"));
    }
    let rename = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
    let claim = json!({ "claim": { "installation_id": "a\0", "fingerprint": "f" } });
    let problem = rename.json(&claim).send().await.refused(400, "invalid-request");
    assert_eq!(first_field(&problem).0, "/claim/installation_id");
    for query in ["?team=%00", "?team=", "?cursor=3100", "?state=%00", "?team=a&team=b"] {
        let problem = service.get(&format!("{INVITATIONS}{query}")).await;
        problem.refused(400, "invalid-request");
    }
    service.stop().await;
}

#[tokio::test]
async fn an_array_is_no_object_at_any_depth() {
    let service = TestService::start().await;
    let edit = async |body: Value| {
        let rename = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match("*");
        rename.json(&body).send().await.refused(400, "invalid-request")
    };
    assert_eq!(first_field(&edit(json!([])).await), ("", "is an object, not an array"));
    assert_eq!(first_field(&edit(json!(["Acme"])).await).0, "");
    let claim = edit(json!({ "claim": ["installation", "fingerprint"] })).await;
    assert_eq!(first_field(&claim), ("/claim", "is an object, not an array"));
    service.stop().await;
}

#[tokio::test]
async fn names_and_references_have_the_lengths_that_the_contract_says() {
    let service = TestService::start().await;
    let invite = async |field: &str, value: String| {
        let body = json!({ "email": "ana@example.com", "role": "biller", field: value });
        let call = service.call(Method::POST, INVITATIONS).token(TOKEN);
        call.key(&format!("{field}{}", value.len())).json(&body).send().await
    };
    for (field, most) in [("name", 100), ("external_ref", 128)] {
        for value in [String::new(), "é".repeat(most + 1)] {
            let problem = invite(field, value).await.refused(400, "invalid-request");
            assert_eq!(first_field(&problem).0, format!("/{field}"));
        }
    }
    let spaced = invite("name", " ".to_owned()).await.refused(400, "invalid-request");
    assert_eq!(first_field(&spaced).1, "has 1 to 100 printable characters");
    let long = format!("{:254}@example.com", "ana");
    let problem = invite("email", long).await.refused(400, "invalid-request");
    assert_eq!(first_field(&problem), ("/email", "is longer than 254 bytes"));
    invite("name", "é".repeat(100)).await.expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn bodies_that_are_no_json_of_the_contract_are_refused() {
    let service = TestService::start().await;
    let send = async |kind: &str, body: Vec<u8>| {
        let call = service.call(Method::POST, INVITATIONS).token(TOKEN).key("k");
        call.header("content-type", kind).body(body).send().await
    };
    let person = r#"{"email": "ana@example.com", "role": "biller""#;
    let deep = format!("{person}, \"name\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let twice = format!("{person}, \"role\": \"admin\"}}");
    for (body, code) in [
        (Vec::new(), "not-json"),
        (b"{\"email\": \"\xFF\"}".to_vec(), "not-json"),
        (br#"{"email": "\ud800"}"#.to_vec(), "not-json"),
        (deep.into_bytes(), "invalid-request"),
        (twice.into_bytes(), "invalid-request"),
        (format!("{person}}} {{}}").into_bytes(), "not-json"),
        (format!("{person}, \"send_count\": 1e999}}").into_bytes(), "invalid-request"),
        (b"[]".to_vec(), "invalid-request"),
    ] {
        send("application/json", body).await.refused(400, code);
    }
    for kind in ["text/plain", "application/jsonp", "json", "application/x-www-form-urlencoded"] {
        let body = format!("{person}}}").into_bytes();
        send(kind, body).await.refused(415, "unsupported-media-type");
    }
    send("Application/JSON ; charset=utf-8", format!("{person}}}").into_bytes())
        .await
        .expect(StatusCode::CREATED);
    service.stop().await;
}

#[tokio::test]
async fn an_operation_without_a_body_takes_none_or_an_empty_object() {
    let service = TestService::start().await;
    let row = service.invite("ana@example.com", "biller").await.expect(StatusCode::CREATED);
    let path = format!("{INVITATIONS}/{}/resend", text(&row["id"]));
    let send = async |key: &str, kind: &str, body: &'static str| {
        let call = service.call(Method::POST, &path).token(TOKEN).key(key).if_match("*");
        call.header("content-type", kind).body(body).send().await
    };
    send("a", "text/plain", "{}").await.refused(415, "unsupported-media-type");
    send("b", "application/json", " ").await.refused(400, "not-json");
    let problem = send("c", "application/json", r#"{"a": 1}"#).await;
    assert_eq!(first_field(&problem.refused(400, "invalid-request")).0, "/a");
    send("d", "application/json", "{}").await.expect(StatusCode::OK);
    send("e", "text/plain", "").await.expect(StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn conditions_and_keys_that_cannot_be_read_are_refused() {
    let service = TestService::start().await;
    let rename = async |etag: &str| {
        let call = service.call(Method::PATCH, "/v1/accounts/acme").token(TOKEN).if_match(etag);
        call.json(&json!({ "name": "Acme Ltd" })).send().await
    };
    for garbage in ["", "1", "\"1", "\"1\" \"2\"", "*, \"1\"", "w/\"1\"", "\"a\"b\"", "\"é\""] {
        rename(garbage).await.refused(400, "invalid-request");
    }
    for stale in ["\"x\"", "W/\"9\"", "\"7\", \"8-a\"", "\"\""] {
        rename(stale).await.refused(412, "stale");
    }
    let invite = |key: &str| {
        let call = service.call(Method::POST, INVITATIONS).token(TOKEN).key(key);
        call.json(&json!({ "email": "ana@example.com", "role": "biller" }))
    };
    for key in ["", "a b", "é", &"k".repeat(256)] {
        invite(key).send().await.refused(400, "invalid-request");
    }
    invite("one").key("two").send().await.refused(400, "invalid-request");
    invite(&"k".repeat(255)).send().await.expect(StatusCode::CREATED);
    // Who only reads needs no key, and none is looked at.
    let call = service.call(Method::GET, "/v1/accounts/acme").token(READ_TOKEN).key("a b");
    call.send().await.expect(StatusCode::OK);
    service.stop().await;
}

#[tokio::test]
async fn addresses_that_the_contract_allows_are_taken() {
    let service = TestService::start().await;
    let open = async |slug: usize, email: &str| {
        let call = service.call(Method::POST, "/v1/accounts").token(VENDOR_TOKEN);
        let slug = format!("a{slug}");
        let body = json!({ "name": "A", "slug": slug, "profile": "generic", "owner_email": email });
        call.json(&body).send().await
    };
    let fine = [
        "a@b.co",
        "!#$%&'*+-/=?^_`{|}~@example.com",
        "jörg@bücher.example",
        "ana@xn--bcher-kva.example",
        " ana@example.com ",
        "\"a b\"@example.com",
    ];
    for (slug, email) in fine.iter().enumerate() {
        open(slug, email).await.expect(StatusCode::CREATED);
    }
    for email in ["ana", "@example.com", "ana@", "ana@localhost", "a b@example.com", ""] {
        open(99, email).await.refused(400, "invalid-request");
    }
    service.stop().await;
}

#[tokio::test]
async fn whole_numbers_may_be_written_with_a_point() {
    let service = TestService::start().await;
    let make = async |days: &str| {
        let call = service.call(Method::POST, "/v1/accounts/acme/tokens").token(TOKEN);
        let text = r#"{"kind": "account", "name": "A", "scopes": ["read"], "expires_in_days": "#;
        let body = format!("{text}{days}}}");
        call.header("content-type", "application/json").body(body).send().await
    };
    make("30.0").await.expect(StatusCode::CREATED);
    for days in ["30.5", "1e300", "-1.0", "\"30\""] {
        let problem = make(days).await.refused(400, "invalid-request");
        assert_eq!(first_field(&problem).0, "/expires_in_days");
    }
    service.stop().await;
}
