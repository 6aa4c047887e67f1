//! What the people of a team product and of a licensing portal see, told through the API.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, Mail, PASSWORD, TestService, text};

const TEAM: &str = "team-token-of-all-scopes";
const TEAM_DORA: &str = "team-token-of-dora-herself";
const TEAM_MARK: &str = "team-token-of-mark-himself";
const PORTAL: &str = "portal-token-of-all-scopes";
const PORTAL_ADAM: &str = "portal-token-of-adam-himself";
const PORTAL_MAX: &str = "portal-token-of-max-himself";

const PEOPLE: &str = "
users:
  - {email: ben@example.com, name: Ben, password: correct horse battery}
accounts:
  - name: Team
    slug: team
    profile: digitalocean
    owner: {email: dora@example.com, name: Dora, password: correct horse battery}
    members:
      - {email: mark@example.com, name: Mark, role: member, password: correct horse battery}
    tokens:
      - {token: team-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: team-token-of-dora-herself, scopes: [read, invite, change, remove, manage], email: dora@example.com}
      - {token: team-token-of-mark-himself, scopes: [read, invite, change, remove, manage], email: mark@example.com}
  - name: Portal
    slug: portal
    profile: portal
    owner: {email: lena@example.com, name: Lena, password: correct horse battery}
    subscriptions: [team]
    members:
      - {email: adam@example.com, name: Adam, role: admin, password: correct horse battery}
      - {email: max@example.com, name: Max, role: member, password: correct horse battery}
    tokens:
      - {token: portal-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: portal-token-of-adam-himself, scopes: [read, invite, change, remove, manage], email: adam@example.com}
      - {token: portal-token-of-max-himself, scopes: [read, invite, change, remove, manage], email: max@example.com}
";

async fn get(service: &TestService, token: &str, path: &str) -> Value {
    let call = service.call(Method::GET, &format!("/v1/accounts/{path}")).token(token);
    call.send().await.expect(StatusCode::OK)
}

async fn invite(service: &TestService, token: &str, slug: &str, who: &str, role: &str) -> Answer {
    let body = json!({ "email": format!("{who}@example.com"), "role": role });
    let call = service.call(Method::POST, &format!("/v1/accounts/{slug}/invitations"));
    call.token(token).key(&format!("{slug}-{who}-{role}")).json(&body).send().await
}

async fn act(service: &TestService, token: &str, path: &str) -> Answer {
    let call = service.call(Method::POST, &format!("/v1/accounts/{path}")).token(token);
    call.key(path).if_match("*").send().await
}

async fn change(service: &TestService, token: &str, path: &str, role: &str) -> Answer {
    let call = service.call(Method::PATCH, &format!("/v1/accounts/{path}")).token(token);
    call.if_match("*").json(&json!({ "role": role })).send().await
}

async fn remove(service: &TestService, token: &str, path: &str) -> Answer {
    let call = service.call(Method::DELETE, &format!("/v1/accounts/{path}")).token(token);
    call.if_match("*").send().await
}

async fn member(service: &TestService, token: &str, slug: &str, who: &str) -> Value {
    let members = get(service, token, &format!("{slug}/members")).await;
    let email = format!("{who}@example.com");
    let rows = members["items"].as_array().into_iter().flatten();
    rows.clone().find(|row| row["email"] == email).cloned().unwrap_or(Value::Null)
}

async fn path_of(service: &TestService, token: &str, slug: &str, who: &str) -> String {
    format!("{slug}/members/{}", text(&member(service, token, slug, who).await["id"]))
}

async fn mails_to(service: &TestService, who: &str) -> Vec<Mail> {
    let mut mails = service.mails().await;
    mails.retain(|mail| mail.to == format!("{who}@example.com"));
    mails
}

// rule: DO-01
#[tokio::test]
async fn owners_and_only_owners_manage_the_people_of_a_team() {
    let service = TestService::start_with(PEOPLE).await;
    let row = invite(&service, TEAM_DORA, "team", "ana", "biller").await;
    let row = row.expect(StatusCode::CREATED);
    let invitation = format!("team/invitations/{}", text(&row["id"]));
    let mark = path_of(&service, TEAM, "team", "mark").await;
    let dora = path_of(&service, TEAM, "team", "dora").await;
    invite(&service, TEAM_MARK, "team", "eve", "biller").await.refused(403, "forbidden");
    act(&service, TEAM_MARK, &format!("{invitation}/resend")).await.refused(403, "forbidden");
    act(&service, TEAM_MARK, &format!("{invitation}/revoke")).await.refused(403, "forbidden");
    change(&service, TEAM_MARK, &dora, "biller").await.refused(403, "forbidden");
    remove(&service, TEAM_MARK, &dora).await.refused(403, "forbidden");
    act(&service, TEAM_DORA, &format!("{invitation}/resend")).await.expect(StatusCode::OK);
    act(&service, TEAM_DORA, &format!("{invitation}/revoke")).await.expect(StatusCode::OK);
    change(&service, TEAM_DORA, &mark, "modifier").await.expect(StatusCode::OK);
    remove(&service, TEAM_DORA, &mark).await.expect(StatusCode::NO_CONTENT);
    service.stop().await;
}

// rule: DO-04
#[tokio::test]
async fn everyone_on_the_team_sees_roles_and_who_is_pending() {
    let service = TestService::start_with(PEOPLE).await;
    invite(&service, TEAM, "team", "ana", "biller").await.expect(StatusCode::CREATED);
    let members = get(&service, TEAM_MARK, "team/members").await;
    let roles: Vec<_> = members["items"].as_array().into_iter().flatten().collect();
    assert_eq!(roles.len(), 2);
    assert!(roles.iter().all(|row| row["role"].is_string() && row["state"] == "active"));
    let invited = get(&service, TEAM_MARK, "team/invitations").await;
    assert_eq!(invited["items"][0]["role"], "biller");
    assert_eq!(invited["items"][0]["state"], "pending");
    service.stop().await;
}

// rule: DO-07
#[tokio::test]
async fn a_resend_mails_the_same_link_again_and_a_cancelled_link_stops_working() {
    let service = TestService::start_with(PEOPLE).await;
    let row = invite(&service, TEAM, "team", "ben", "biller").await.expect(StatusCode::CREATED);
    let invitation = format!("team/invitations/{}", text(&row["id"]));
    let first = service.link_to("ben@example.com").await;
    act(&service, TEAM, &format!("{invitation}/resend")).await.expect(StatusCode::OK);
    assert_eq!(mails_to(&service, "ben").await.len(), 2);
    assert_eq!(service.link_to("ben@example.com").await, first);
    let mut ben = service.browser();
    let page = ben.open(&first).await;
    assert_eq!(page.status, StatusCode::OK);
    act(&service, TEAM, &format!("{invitation}/revoke")).await.expect(StatusCode::OK);
    let late = ben.submit(&page, &format!("{}/accept", page.path), &[("password", PASSWORD)]).await;
    assert_eq!(late.status, StatusCode::CONFLICT, "the form from before is worth nothing");
    assert_eq!(member(&service, TEAM, "team", "ben").await, Value::Null);
    assert_eq!(service.browser().open(&first).await.status, StatusCode::GONE);
    service.stop().await;
}

// rule: X15
#[tokio::test]
async fn the_page_changes_the_role_of_a_pending_person_only_where_the_product_does() {
    let service = TestService::start_with(PEOPLE).await;
    let row = invite(&service, TEAM, "team", "ben", "biller").await.expect(StatusCode::CREATED);
    let invitation = format!("team/invitations/{}", text(&row["id"]));
    let action = format!("/accounts/{invitation}/role");
    let mut dora = service.browser();
    dora.sign_in("dora@example.com", PASSWORD).await;
    let page = dora.open("/accounts/team/members").await;
    assert_eq!(page.mark(&action), None);
    let mark = page.mark(&format!("/accounts/{invitation}/resend")).unwrap_or_default();
    let page = dora.post(&action, &[("mark", &mark), ("role", "member")]).await;
    assert_eq!(page.status, StatusCode::CONFLICT);
    let path = format!("/v1/accounts/{invitation}");
    assert_eq!(get(&service, TEAM, &invitation).await["role"], "biller");
    let call = service.call(Method::PATCH, &path).token(TEAM).if_match("*");
    call.json(&json!({ "role": "member" })).send().await.expect(StatusCode::OK);
    assert_eq!(get(&service, TEAM, &invitation).await["role"], "member");
    service.stop().await;
}

// rule: DO-08
#[tokio::test]
async fn removal_ends_the_pages_and_the_api_for_a_person() {
    let service = TestService::start_with(PEOPLE).await;
    let mut mark = service.browser();
    mark.sign_in("mark@example.com", PASSWORD).await;
    assert_eq!(mark.open("/accounts/team").await.status, StatusCode::OK);
    let path = path_of(&service, TEAM, "team", "mark").await;
    change(&service, TEAM, &path, "modifier").await.expect(StatusCode::OK);
    assert_eq!(member(&service, TEAM, "team", "mark").await["role"], "modifier");
    remove(&service, TEAM, &path).await.expect(StatusCode::NO_CONTENT);
    assert_eq!(mark.open("/accounts/team").await.status, StatusCode::NOT_FOUND);
    let call = service.call(Method::GET, "/v1/accounts/team").token(TEAM_MARK);
    call.send().await.refused(401, "unauthenticated");
    service.stop().await;
}

// rule: DO-10
#[tokio::test]
async fn one_person_belongs_to_several_accounts_and_switches_between_them() {
    let service = TestService::start_with(PEOPLE).await;
    for (token, slug) in [(TEAM, "team"), (PORTAL, "portal")] {
        invite(&service, token, slug, "ben", "member").await.expect(StatusCode::CREATED);
        service.browser().accept_by_sign_in(&service.link_to("ben@example.com").await).await;
    }
    let mut ben = service.browser();
    ben.sign_in("ben@example.com", PASSWORD).await;
    let home = ben.open("/").await;
    for (slug, name) in [("team", "Team"), ("portal", "Portal")] {
        assert!(home.html.contains(&format!("/accounts/{slug}")), "{}", home.text());
        let page = ben.open(&format!("/accounts/{slug}")).await;
        assert!(page.status == StatusCode::OK && page.text().contains(name), "{}", page.text());
    }
    service.stop().await;
}

// rule: PO-01
#[tokio::test]
async fn the_list_of_an_organisation_shows_name_address_role_join_date_and_status() {
    let service = TestService::start_with(PEOPLE).await;
    invite(&service, PORTAL, "portal", "ana", "member").await.expect(StatusCode::CREATED);
    let adam = member(&service, PORTAL_MAX, "portal", "adam").await;
    let shown = [&adam["name"], &adam["email"], &adam["role"], &adam["state"]];
    assert_eq!(
        shown,
        [&json!("Adam"), &json!("adam@example.com"), &json!("admin"), &json!("active")]
    );
    assert_eq!(adam["joined_at"], service.clock.now().to_string());
    let pending = get(&service, PORTAL_MAX, "portal/invitations").await;
    assert_eq!(pending["items"][0]["state"], "pending");

    // The join date is that of the acceptance.
    let invited = service.clock.now().to_string();
    service.clock.advance(SignedDuration::from_hours(1));
    let link = service.link_to("ana@example.com").await;
    service.browser().accept_by_sign_up(&link).await;
    let ana = member(&service, PORTAL_MAX, "portal", "ana").await;
    assert_eq!(ana["joined_at"], service.clock.now().to_string());
    assert_eq!(ana["added_at"], invited);
    service.stop().await;
}

// rule: PO-02
#[tokio::test]
async fn admins_and_members_are_invited_by_mail_and_nobody_as_owner() {
    let service = TestService::start_with(PEOPLE).await;
    for (who, role) in [("ana", "admin"), ("ben", "member")] {
        invite(&service, PORTAL, "portal", who, role).await.expect(StatusCode::CREATED);
        let mails = mails_to(&service, who).await;
        assert!(mails[0].link.as_ref().is_some_and(|link| link.contains("/i/")), "{who}");
    }
    invite(&service, PORTAL, "portal", "eve", "owner").await.refused(409, "role-not-invitable");
    service.stop().await;
}

// rule: PO-06
#[tokio::test]
async fn a_resend_is_a_new_mail_and_a_cancelled_invitation_frees_its_seat() {
    let service = TestService::start_with(PEOPLE).await;
    let row = invite(&service, PORTAL, "portal", "ana", "member").await.expect(StatusCode::CREATED);
    let invitation = format!("portal/invitations/{}", text(&row["id"]));
    act(&service, PORTAL, &format!("{invitation}/resend")).await.expect(StatusCode::OK);
    assert_eq!(mails_to(&service, "ana").await.len(), 2);
    assert_eq!(get(&service, PORTAL, "portal/seats").await["used"], 4);
    act(&service, PORTAL, &format!("{invitation}/revoke")).await.expect(StatusCode::OK);
    assert_eq!(get(&service, PORTAL, "portal/seats").await["used"], 3);
    service.stop().await;
}

// rule: PO-07
// rule: PO-12
#[tokio::test]
async fn owner_and_admin_remove_members_and_the_person_can_come_back() {
    let service = TestService::start_with(PEOPLE).await;
    let adam = path_of(&service, PORTAL, "portal", "adam").await;
    let max = path_of(&service, PORTAL, "portal", "max").await;
    remove(&service, PORTAL_MAX, &adam).await.refused(403, "forbidden");
    change(&service, PORTAL_ADAM, &max, "admin").await.refused(403, "beyond-manage");
    remove(&service, PORTAL_ADAM, &max).await.expect(StatusCode::NO_CONTENT);
    let call = service.call(Method::GET, "/v1/accounts/portal").token(PORTAL_MAX);
    call.send().await.refused(401, "unauthenticated");
    assert_eq!(get(&service, PORTAL, "portal/seats").await["used"], 2);
    let gone = get(&service, PORTAL, "portal/members?state=deleted").await;
    assert_eq!(gone["items"][0]["email"], "max@example.com", "what the person did stays");
    invite(&service, PORTAL, "portal", "max", "member").await.expect(StatusCode::CREATED);
    service.browser().accept_by_sign_in(&service.link_to("max@example.com").await).await;
    assert_eq!(member(&service, PORTAL, "portal", "max").await["state"], "active");
    service.stop().await;
}

// rule: PO-08
// rule: PO-09
// rule: PO-10
#[tokio::test]
async fn at_the_limit_nobody_new_is_invited_nobody_is_touched_and_the_ways_out_are_named() {
    let service = TestService::start_with(PEOPLE).await;
    for at in 3..10 {
        invite(&service, PORTAL, "portal", &format!("p{at}"), "member")
            .await
            .expect(StatusCode::CREATED);
    }
    let seats = get(&service, PORTAL, "portal/seats").await;
    assert_eq!((&seats["used"], &seats["limit"]), (&json!(10), &json!(10)), "the owner counts");
    let mut lena = service.browser();
    lena.sign_in("lena@example.com", PASSWORD).await;
    for (page, usage) in [("", "Members 10 of 10"), ("/members", "10 of 10 seats")] {
        let page = lena.open(&format!("/accounts/portal{page}")).await;
        assert!(page.text().contains(usage), "{}", page.text());
    }
    let refused = invite(&service, PORTAL, "portal", "late", "member").await;
    let detail = text(&refused.refused(409, "seat-limit-reached")["detail"]);
    for way_out in ["remove a member", "revoke a pending invitation", "upgrade the plan"] {
        assert!(detail.contains(way_out), "{detail}");
    }

    let held = get(&service, PORTAL, "portal/subscriptions").await;
    let path = format!("portal/subscriptions/{}/cancel", text(&held["items"][0]["id"]));
    act(&service, PORTAL, &path).await.expect(StatusCode::OK);
    let seats = get(&service, PORTAL, "portal/seats").await;
    assert_eq!((&seats["used"], &seats["limit"]), (&json!(10), &json!(1)));
    for who in ["lena", "adam", "max"] {
        assert_eq!(member(&service, PORTAL, "portal", who).await["state"], "active", "{who}");
    }
    service.stop().await;
}

// rule: PO-13
#[tokio::test]
async fn the_audit_log_says_who_did_what_to_whom_and_when() {
    let service = TestService::start_with(PEOPLE).await;
    let max = member(&service, PORTAL, "portal", "max").await;
    let adam = member(&service, PORTAL, "portal", "adam").await;
    let path = format!("portal/members/{}", text(&max["id"]));
    remove(&service, PORTAL_ADAM, &path).await.expect(StatusCode::NO_CONTENT);
    let log = get(&service, PORTAL_ADAM, "portal/audit-events?page_size=1000").await;
    let removed = log["items"].as_array().into_iter().flatten().last().cloned().unwrap_or_default();
    assert_eq!(removed["actor"], format!("member:{}", text(&adam["id"])));
    assert_eq!((&removed["action"], &removed["subject"]), (&json!("member.removed"), &max["id"]));
    assert_eq!(removed["at"], service.clock.now().to_string());
    let call = service.call(Method::GET, "/v1/accounts/portal/audit-events").token(PORTAL_MAX);
    call.send().await.refused(401, "unauthenticated");
    service.stop().await;
}

// rule: X10
#[tokio::test]
async fn whoever_is_there_reads_the_table_of_members_whatever_the_role_and_changes_nothing() {
    let service = TestService::start_with(PEOPLE).await;
    let roles = ["biller", "billing-viewer", "member", "modifier", "resource-viewer"];
    let mark = path_of(&service, TEAM, "team", "mark").await;
    let dora = path_of(&service, TEAM, "team", "dora").await;
    let pending = invite(&service, TEAM, "team", "ana", "biller").await;
    let pending = text(&pending.expect(StatusCode::CREATED)["id"]);
    for role in roles {
        change(&service, TEAM, &mark, role).await.expect(StatusCode::OK);
        let rows = get(&service, TEAM_MARK, "team/members").await;
        assert_eq!(rows["total"], 2, "{role}");
        let rows = get(&service, TEAM_MARK, "team/invitations").await;
        assert_eq!(rows["items"][0]["state"], "pending", "{role}");
        let mut browser = service.browser();
        browser.sign_in("mark@example.com", PASSWORD).await;
        let page = browser.open("/accounts/team/members").await;
        assert_eq!(page.status, StatusCode::OK, "{role}: {}", page.text());
        assert!(page.row("dora@example.com").contains("owner"), "{role}: {}", page.text());
        assert!(page.row("ana@example.com").contains("invited"), "{role}: {}", page.text());

        invite(&service, TEAM_MARK, "team", "eve", "biller").await.refused(403, "forbidden");
        change(&service, TEAM_MARK, &dora, "member").await.refused(403, "forbidden");
        remove(&service, TEAM_MARK, &dora).await.refused(403, "forbidden");
        let revoke = format!("team/invitations/{pending}/revoke");
        act(&service, TEAM_MARK, &revoke).await.refused(403, "forbidden");
    }
    service.stop().await;
}

// rule: DO-03
#[tokio::test]
async fn a_team_takes_any_number_of_people_and_of_people_in_one_role() {
    let many: String = (0..150)
        .map(|at| format!("      - {{email: m{at}@example.com, role: member}}\n"))
        .collect();
    let seed = PEOPLE.replacen("    members:\n", &format!("    members:\n{many}"), 1);
    let service = TestService::start_with(&seed).await;
    let emails: Vec<_> = (0..300).map(|at| format!("i{at}@example.com")).collect();
    let call = service.call(Method::POST, "/v1/accounts/team/invitations/batch").token(TEAM);
    let batch = call.key("batch").json(&json!({ "emails": emails, "role": "biller" })).send().await;
    let done = batch.expect(StatusCode::OK);
    assert_eq!((&done["created"], &done["refused"]), (&json!(300), &json!(0)));
    assert_eq!(get(&service, TEAM, "team/members").await["total"], 152);
    assert_eq!(get(&service, TEAM, "team/seats").await["limit"], Value::Null);
    service.stop().await;
}

// rule: X12
#[tokio::test]
async fn admins_are_the_owners_to_invite_promote_demote_and_remove() {
    let service = TestService::start_with(PEOPLE).await;
    let adam = path_of(&service, PORTAL, "portal", "adam").await;
    let max = path_of(&service, PORTAL, "portal", "max").await;
    invite(&service, PORTAL, "portal", "ada", "admin").await.expect(StatusCode::CREATED);
    service.browser().accept_by_sign_up(&service.link_to("ada@example.com").await).await;
    let ada = path_of(&service, PORTAL, "portal", "ada").await;

    let by = PORTAL_ADAM;
    invite(&service, by, "portal", "eve", "admin").await.refused(403, "beyond-manage");
    change(&service, by, &max, "admin").await.refused(403, "beyond-manage");
    change(&service, by, &ada, "member").await.refused(403, "beyond-manage");
    remove(&service, by, &ada).await.refused(403, "beyond-manage");
    invite(&service, by, "portal", "ben", "member").await.expect(StatusCode::CREATED);

    change(&service, PORTAL, &max, "admin").await.expect(StatusCode::OK);
    change(&service, PORTAL, &max, "member").await.expect(StatusCode::OK);
    remove(&service, by, &max).await.expect(StatusCode::NO_CONTENT);
    remove(&service, PORTAL, &ada).await.expect(StatusCode::NO_CONTENT);
    change(&service, PORTAL, &adam, "member").await.expect(StatusCode::OK);
    service.stop().await;
}
