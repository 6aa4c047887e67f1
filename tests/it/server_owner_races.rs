//! Sixteen clients at once against the limits of a role, on both databases: no commit breaks one.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use seatkeeper::profile::{Profile, built_in};
use serde_json::{Value, json};

use crate::server_races::{CLIENTS, at_once, count, service_on, service_with};
use crate::service::{Call, Kind, TOKEN, TestService, client, text};

const MEMBERS: &str = "/v1/accounts/acme/members";

/// An account of this profile with sixteen people, each with a token of their own.
fn seed(profile: &str, plans: &str, role: &str) -> String {
    let scopes = "scopes: [read, invite, change, remove, billing, manage]";
    let people = (0..CLIENTS).map(|at| {
        format!(
            "      - {{email: p{at}@example.com, role: {role}, password: correct horse battery}}\n"
        )
    });
    let tokens = (0..CLIENTS).map(|at| {
        format!("      - {{token: {}, email: p{at}@example.com, {scopes}}}\n", token_of(at))
    });
    format!(
        "accounts:\n  - name: Acme\n    slug: acme\n    profile: {profile}\n{plans}    \
         owner: {{email: owner@example.com}}\n    members:\n{}    tokens:\n{}      \
         - {{token: {TOKEN}, {scopes}}}\n",
        people.collect::<String>(),
        tokens.collect::<String>(),
    )
}

fn token_of(at: usize) -> String {
    format!("personal-token-of-number-{at}")
}

/// Makes all sixteen owners, which no single call may do.
async fn make_owners(service: &TestService) {
    service.sql("delete from members where address = 'owner@example.com'").await;
    service.sql("update members set role = 'owner'").await;
    service.sql("delete from tallies where list = 'members'").await;
    service
        .sql(
            "insert into tallies (account_id, list, team_id, principal, role, state, entries) \
             select account_id, 'members', team_id, principal, role, state, count(*) \
             from members group by account_id, team_id, principal, role, state",
        )
        .await;
}

async fn holders(service: &TestService, role: &str) -> usize {
    let rows = service.list(MEMBERS).await;
    rows.iter().filter(|row| row["role"] == role).count()
}

async fn people(service: &TestService) -> Vec<String> {
    let rows = service.list(MEMBERS).await;
    let mut rows: Vec<&Value> =
        rows.iter().filter(|row| row["email"] != "owner@example.com").collect();
    rows.sort_by_key(|row| text(&row["email"]));
    rows.iter().map(|row| text(&row["id"])).collect()
}

fn call(method: Method, url: &str, token: &str, key: &str) -> Call {
    let key_rule = method == Method::POST;
    let call = Call::new(client().request(method, url)).token(token).if_match("*");
    if key_rule { call.key(key) } else { call }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn removals_demotions_and_leaving_at_once_never_leave_an_account_without_an_owner() {
    for (kind, profile) in
        Kind::ALL.into_iter().flat_map(|kind| [(kind, "digitalocean"), (kind, "generic")])
    {
        let service = service_on(kind, &seed(profile, "", "member")).await;
        make_owners(&service).await;
        let (ids, url) = (people(&service).await, format!("{}{MEMBERS}", service.base));
        assert_eq!(holders(&service, "owner").await, CLIENTS);
        let mut emails: Vec<usize> = (0..CLIENTS).collect();
        emails.sort_by_key(|at| format!("p{at}@example.com"));
        let statuses = at_once(|at| {
            let (row, own) = (format!("{url}/{}", ids[at]), token_of(emails[at]));
            async move {
                let answer = match at % 3 {
                    0 => call(Method::DELETE, &row, TOKEN, "").send().await,
                    1 => {
                        let demotion = call(Method::PATCH, &row, TOKEN, "");
                        demotion.json(&json!({ "role": "member" })).send().await
                    }
                    _ => call(Method::POST, &format!("{row}/leave"), &own, &own).send().await,
                };
                if answer.status == StatusCode::CONFLICT {
                    assert_eq!(answer.body["code"], "role-holders", "{}", answer.body);
                }
                answer.status
            }
        })
        .await;
        let won = statuses.iter().filter(|status| status.is_success()).count();
        let last = count(&statuses, StatusCode::CONFLICT);
        assert_eq!((won, last), (CLIENTS - 1, 1), "{kind:?} {profile}: {statuses:?}");
        assert_eq!(holders(&service, "owner").await, 1, "{kind:?} {profile}");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn role_holder_limits_hold_after_every_commit() {
    const MOST: usize = 3;
    for kind in Kind::ALL {
        let mut rules = Profile::clone(&built_in("nitropack").unwrap());
        let developer = rules.roles.iter_mut().find(|role| role.name.as_str() == "developer");
        developer.unwrap().max_holders = Some(3);
        let seed = seed("nitropack", "    subscriptions: [custom]\n", "biller");
        let service = service_with(kind, &seed, |settings| {
            settings.profiles.insert("nitropack".to_owned(), Arc::new(rules));
        })
        .await;
        let (ids, url) = (people(&service).await, format!("{}{MEMBERS}", service.base));
        let statuses = at_once(|at| {
            let row = format!("{url}/{}", ids[at]);
            async move {
                let body = json!({ "role": "developer" });
                let answer = call(Method::PATCH, &row, TOKEN, "").json(&body).send().await;
                if answer.status == StatusCode::CONFLICT {
                    assert_eq!(answer.body["code"], "role-holders", "{}", answer.body);
                }
                answer.status
            }
        })
        .await;
        let won = count(&statuses, StatusCode::OK);
        let lost = count(&statuses, StatusCode::CONFLICT);
        assert_eq!((won, lost), (MOST, CLIENTS - MOST), "{kind:?}: {statuses:?}");
        assert_eq!(holders(&service, "developer").await, MOST, "{kind:?}");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_sixteen_changes_of_owner_at_once_one_is_begun() {
    for (kind, (profile, plans)) in Kind::ALL.into_iter().flat_map(|kind| {
        [(kind, ("digitalocean", "")), (kind, ("portal", "    subscriptions: [business]\n"))]
    }) {
        let service = service_on(kind, &seed(profile, plans, "member")).await;
        let changes = "/v1/accounts/acme/ownership-changes";
        let (ids, url) = (people(&service).await, format!("{}{changes}", service.base));
        let statuses = at_once(|at| {
            let (url, body) = (url.clone(), json!({ "member": ids[at] }));
            async move {
                call(Method::POST, &url, TOKEN, &format!("k{at}")).json(&body).send().await.status
            }
        })
        .await;
        let begun = count(&statuses, StatusCode::CREATED);
        let refused = count(&statuses, StatusCode::CONFLICT);
        assert_eq!((begun, refused), (1, CLIENTS - 1), "{kind:?} {profile}: {statuses:?}");
        assert_eq!(service.list(changes).await.len(), 1, "{kind:?} {profile}");
        assert_eq!(service.mails().await.len(), 1, "{kind:?} {profile}: one owner is asked");
        assert_eq!(holders(&service, "owner").await, 1, "{kind:?} {profile}");
        service.stop().await;
    }
}
