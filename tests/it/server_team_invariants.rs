//! Invariants of the account service that concern teams, each a test with its sentence as its name.

use std::sync::Arc;

use futures::future::join_all;
use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Kind, PASSWORD, TOKEN, TestService, VENDOR_TOKEN, text};
use crate::teams::{CARA, INVITATIONS, MEMBERS, MIA, Org, SEED, SUBSCRIPTIONS, TEAMS, TOM};

#[tokio::test]
async fn one_pending_per_scope_and_address() {
    let org = Org::start().await;
    let design = org.invite(TOM, "Design", "una@example.com", "member").await;
    design.expect(StatusCode::CREATED);
    let again = org.invite(CARA, "Design", "una@example.com", "team-admin").await;
    again.refused(409, "invitation-already-pending");
    org.invite(CARA, "Sales", "una@example.com", "member").await.expect(StatusCode::CREATED);
    org.service.browser().accept_by_sign_in(&org.service.link_to("una@example.com").await).await;
    assert_eq!(org.people("Sales").await, "una:member");
    let waits = org.service.list(&format!("{INVITATIONS}?state=pending")).await;
    assert_eq!((waits.len(), &waits[0]["team"]), (1, &json!(org.id("Design").await)));
    org.stop().await;
}

// rule: X5
// rule: CT-14
// rule: CT-15
#[tokio::test]
async fn seats_count_distinct_people_per_pool() {
    let org = Org::start().await;
    assert_eq!((org.pool("starter").await, org.pool("growth").await), seats("4 of 5", "0 of 25"));
    // Who is in two teams of a pool takes one seat, who is in another pool one there too.
    org.add(CARA, "Print", "mia@example.com", "member").await.expect(StatusCode::CREATED);
    org.add(CARA, "Sales", "mia@example.com", "member").await.expect(StatusCode::CREATED);
    assert_eq!((org.pool("starter").await, org.pool("growth").await), seats("4 of 5", "1 of 25"));
    // The company admin counts in a team, not above them.
    org.add(CARA, "Print", "cara@example.com", "team-admin").await.expect(StatusCode::CREATED);
    assert_eq!(org.pool("starter").await, "5 of 5");
    org.invite(TOM, "Design", "una@example.com", "member").await.refused(409, "seat-limit-reached");
    org.add(TOM, "Design", "pia@example.com", "member").await.expect(StatusCode::CREATED);

    // 5 + 1 pending − 1 removed = 5.
    org.remove(CARA, "Print", "cara@example.com").await.expect(StatusCode::NO_CONTENT);
    org.invite(TOM, "Design", "una@example.com", "member").await.expect(StatusCode::CREATED);
    assert_eq!(org.pool("starter").await, "5 of 5");
    org.invite(CARA, "Print", "una@example.com", "member").await.expect(StatusCode::CREATED);
    assert_eq!(org.pool("starter").await, "5 of 5", "waiting in two teams is one person");
    let refused = org.invite(CARA, "Print", "new@example.com", "member").await;
    let problem = refused.refused(409, "seat-limit-reached");
    assert!(text(&problem["detail"]).contains("starter"), "{problem}");
    org.remove(CARA, "Design", "ted@example.com").await.expect(StatusCode::NO_CONTENT);
    org.invite(CARA, "Print", "new@example.com", "member").await.expect(StatusCode::CREATED);

    let seats = org.service.seats().await;
    assert_eq!(seats["limit"], Value::Null, "the account has none of its own");
    let starter = &seats["pools"][0];
    assert_eq!(starter["subscription"], org.subscription("starter").await["id"]);
    let people = (&starter["breakdown"]["active"], &starter["breakdown"]["pending"]);
    assert_eq!(people, (&json!(3), &json!(2)));
    org.stop().await;
}

fn seats(starter: &str, growth: &str) -> (String, String) {
    (starter.to_owned(), growth.to_owned())
}

// rule: CT-15
#[tokio::test]
async fn over_the_limit_those_who_are_there_stay_and_nobody_new_comes() {
    let more = "          - {email: pia@example.com, name: Pia, role: member, password: correct horse battery}\n          \
                - {email: pat@example.com, name: Pat, role: member}\n          \
                - {email: pam@example.com, name: Pam, role: member}\n";
    let one = "          - {email: pia@example.com, name: Pia, role: member, password: correct horse battery}\n";
    let org = Org { service: TestService::start_with(&SEED.replace(one, more)).await };
    assert_eq!(org.pool("starter").await, "6 of 5");
    org.service.pass(SignedDuration::from_hours(48)).await;
    org.add(CARA, "Design", "pam@example.com", "member").await.expect(StatusCode::CREATED);
    org.invite(CARA, "Design", "una@example.com", "member")
        .await
        .refused(409, "seat-limit-reached");
    org.add(CARA, "Design", "cara@example.com", "member").await.refused(409, "seat-limit-reached");
    let una = org.suggest(MIA, "Design", "una@example.com").await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/acme/suggestions/{}/approve", text(&una["id"]));
    org.act(TOM, &path, &una["etag"]).await.refused(409, "seat-limit-reached");
    assert_eq!(org.pool("starter").await, "6 of 5");
    org.stop().await;
}

// rule: OP-03
#[tokio::test]
async fn of_parallel_invitations_to_two_teams_for_the_last_seat_of_their_pool_one_wins() {
    for kind in Kind::ALL {
        let folder = tempfile::tempdir().unwrap();
        let database = kind.database(folder.path()).await;
        let service = TestService::start_as(SEED, |settings| settings.database = database).await;
        let org = Org { service };
        let teams = [org.id("Design").await, org.id("Print").await];
        let invite = |at: usize| {
            let call = org.service.call(Method::POST, INVITATIONS).token(TOKEN);
            let email = format!("p{at}@example.com");
            let body = json!({ "email": email, "role": "member", "team": teams[at % 2] });
            call.key(&format!("key-{at}")).json(&body).send()
        };
        let answers = join_all((0..12).map(invite)).await;
        let won = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
        assert_eq!(won, 1, "{kind:?}");
        assert_eq!(org.pool("starter").await, "5 of 5");
        org.stop().await;
    }
}

#[tokio::test]
async fn a_team_is_not_moved_to_a_pool_that_has_no_room_for_it() {
    let org = Org::start().await;
    for at in 0..3 {
        let email = format!("p{at}@example.com");
        org.invite(CARA, "Sales", &email, "member").await.expect(StatusCode::CREATED);
    }
    let starter = json!({ "subscription": org.subscription("starter").await["id"] });
    org.edit(CARA, "Sales", &starter).await.refused(409, "seat-limit-reached");
    assert_eq!(org.team("Sales").await["subscription"]["plan"], "growth");
    let growth = json!({ "subscription": org.subscription("growth").await["id"] });
    org.edit(CARA, "Print", &growth).await.expect(StatusCode::OK);
    assert_eq!((org.pool("starter").await, org.pool("growth").await), seats("3 of 5", "4 of 25"));
    org.stop().await;
}

// rule: CT-13
#[tokio::test]
async fn expired_subscription_team_inactive_writes_refused_nothing_deleted() {
    let org = Org::start().await;
    org.service.pass(SignedDuration::from_hours(24)).await;
    org.suggest(MIA, "Design", "una@example.com").await.expect(StatusCode::CREATED);
    let before = org.people("Design").await;
    org.expire("starter").await;
    assert_eq!(org.team("Design").await["state"], "inactive");
    assert_eq!(org.team("Print").await["state"], "inactive");
    assert_eq!(org.team("Sales").await["state"], "active");
    assert_eq!(org.people("Design").await, before);

    org.invite(TOM, "Design", "new@example.com", "member").await.refused(409, "team-inactive");
    org.add(TOM, "Design", "pia@example.com", "member").await.refused(409, "team-inactive");
    org.suggest(MIA, "Design", "x@example.com").await.refused(409, "team-inactive");
    org.give_role(TOM, "Design", "mia@example.com", "team-admin")
        .await
        .refused(409, "team-inactive");
    org.edit(TOM, "Design", &json!({ "name": "Studio" })).await.refused(409, "team-inactive");
    let mia = org.place("Design", "mia@example.com").await;
    let edit = json!({ "members": [{ "id": mia["id"], "etag": mia["etag"], "role": "member" }] });
    org.edit(TOM, "Design", &edit).await.refused(409, "team-inactive");
    let list = format!("{TEAMS}/{}/suggestions", org.id("Design").await);
    let open = org.get(TOM, &list).await.expect(StatusCode::OK)["items"][0].clone();
    let path = format!("/v1/accounts/acme/suggestions/{}", text(&open["id"]));
    org.act(TOM, &format!("{path}/approve"), &open["etag"]).await.refused(409, "team-inactive");

    // Reads, removals and revocations work.
    org.act(TOM, &format!("{path}/reject"), &open["etag"]).await.expect(StatusCode::OK);
    org.remove(TOM, "Design", "mia@example.com").await.expect(StatusCode::NO_CONTENT);
    let tom = org.place("Design", "tom@example.com").await;
    let leave = format!("{MEMBERS}/{}/leave", text(&tom["id"]));
    org.act(TOM, &leave, &tom["etag"]).await.expect(StatusCode::OK);
    assert_eq!(org.people("Design").await, "ted:team-admin");

    let renewal = org.subscription("starter").await;
    let path = format!("{SUBSCRIPTIONS}/{}/renew", text(&renewal["id"]));
    let waits = org.act(TOKEN, &path, &renewal["etag"]).await.expect(StatusCode::OK);
    assert_eq!(waits["state"], "requested", "it waits for the vendor, as when it is picked");
    assert_eq!(org.team("Design").await["state"], "inactive");
    let path = format!("{SUBSCRIPTIONS}/{}/confirm", text(&renewal["id"]));
    org.act(VENDOR_TOKEN, &path, &waits["etag"]).await.expect(StatusCode::OK);
    assert_eq!(org.team("Design").await["state"], "active");
    org.invite(CARA, "Design", "new@example.com", "member").await.expect(StatusCode::CREATED);
    org.stop().await;
}

// rule: CT-13
#[tokio::test]
async fn an_inactive_team_comes_back_under_another_subscription_too() {
    let org = Org::start().await;
    org.expire("starter").await;
    let growth = org.subscription("growth").await;
    let ended = json!({ "subscription": org.subscription("starter").await["id"] });
    org.edit(CARA, "Sales", &ended).await.refused(409, "row-state");
    let both = json!({ "name": "Studio", "subscription": growth["id"] });
    let team = org.edit(CARA, "Design", &both).await.expect(StatusCode::OK);
    assert_eq!((&team["name"], &team["state"]), (&json!("Studio"), &json!("active")));
    org.stop().await;
}

#[tokio::test]
async fn accept_re_checks_scope_and_inviter() {
    let org = Org::start().await;
    org.invite(TOM, "Design", "una@example.com", "member").await.expect(StatusCode::CREATED);
    let link = org.service.link_to("una@example.com").await;
    org.give_role(CARA, "Design", "tom@example.com", "member").await.expect(StatusCode::OK);
    let page = org.service.browser().open(&link).await;
    assert_eq!(page.status, StatusCode::GONE, "{}", page.text());

    org.service.pass(SignedDuration::from_hours(25 * 24)).await;
    org.invite(CARA, "Design", "una@example.com", "member").await.expect(StatusCode::CREATED);
    let link = org.service.link_to("una@example.com").await;
    org.expire_within("starter", SignedDuration::from_hours(6 * 24)).await;
    let page = org.service.browser().accept(&link, &[("password", PASSWORD)]).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text());
    org.renew("starter").await;
    org.service.browser().accept_by_sign_in(&link).await;
    org.place("Design", "una@example.com").await;
    org.stop().await;
}

#[tokio::test]
async fn accept_re_checks_the_seats_of_the_pool() {
    let text = include_str!("../../profiles/catalogue.yaml")
        .replace("counts: [ownerInTeam, active, pending]", "counts: [ownerInTeam, active]");
    let profile = Arc::new(seatkeeper::profile::read("p.yaml", &text).unwrap());
    let service = TestService::start_as(SEED, |settings| {
        settings.profiles.insert("catalogue".to_owned(), profile);
    });
    let org = Org { service: service.await };
    for (team, email) in [("Design", "una@example.com"), ("Print", "new@example.com")] {
        org.invite(CARA, team, email, "member").await.expect(StatusCode::CREATED);
    }
    org.service.browser().accept_by_sign_in(&org.service.link_to("una@example.com").await).await;
    assert_eq!(org.pool("starter").await, "5 of 5");
    let link = org.service.link_to("new@example.com").await;
    let fields = [("name", "New"), ("password", PASSWORD)];
    let page = org.service.browser().accept(&link, &fields).await;
    assert_eq!(page.status, StatusCode::CONFLICT, "{}", page.text());
    assert_eq!(org.people("Print").await, "pia:member");
    org.remove(CARA, "Design", "ted@example.com").await.expect(StatusCode::NO_CONTENT);
    org.service.browser().accept(&link, &fields).await;
    assert_eq!(org.people("Print").await, "pia:member new:member");
    org.stop().await;
}

#[tokio::test]
async fn removing_or_demoting_someone_revokes_pending_invitations_they_sent_beyond_present_rights()
{
    let org = Org::start().await;
    org.add(CARA, "Sales", "tom@example.com", "team-admin").await.expect(StatusCode::CREATED);
    org.invite(TOM, "Design", "a@example.com", "member").await.expect(StatusCode::CREATED);
    org.invite(TOM, "Sales", "b@example.com", "member").await.expect(StatusCode::CREATED);
    org.give_role(CARA, "Design", "tom@example.com", "member").await.expect(StatusCode::OK);
    let waits = org.service.list(&format!("{INVITATIONS}?state=pending")).await;
    assert_eq!(waits.len(), 1);
    assert_eq!(waits[0]["email"], "b@example.com", "his role in the other team stays");
    org.remove(CARA, "Sales", "tom@example.com").await.expect(StatusCode::NO_CONTENT);
    assert!(org.service.list(&format!("{INVITATIONS}?state=pending")).await.is_empty());
    org.get(TOM, TEAMS).await.expect(StatusCode::OK);
    org.stop().await;
}

#[tokio::test]
async fn an_account_of_many_teams_counts_each_person_once_and_trims_until_people_fit() {
    let rules = include_str!("../../profiles/catalogue.yaml");
    let changes = [
        (
            "subscription: exactlyOne, status: {noSubscription: Pending",
            "subscription: none, status: {noSubscription: Active",
        ),
        ("\nplans:\n", "\nplans:\n  none: {seats: 3, paid: false}\n"),
        ("pool: subscription, limit: subscription", "pool: account, limit: highestTier"),
        ("onShrink: keep", "onShrink: trimLatestAdded"),
        ("{lastPaid: atPeriodEnd, then: deactivateTeams}", "{lastPaid: atOnce, then: nothing}"),
    ];
    let rules = changes.iter().fold(rules.to_owned(), |rules, (from, to)| {
        assert!(rules.contains(from), "{from}");
        rules.replace(from, to)
    });
    let profile = Arc::new(seatkeeper::profile::read("p.yaml", &rules).unwrap());
    let seed = SEED
        .replace("[starter, growth]", "[starter]")
        .replace(", subscription: growth", "")
        .replace("        subscription: starter\n", "");
    let service = TestService::start_as(&seed, |settings| {
        settings.profiles.insert("catalogue".to_owned(), profile);
    });
    let org = Org { service: service.await };
    org.service.pass(SignedDuration::from_hours(1)).await;
    org.add(CARA, "Print", "mia@example.com", "member").await.expect(StatusCode::CREATED);
    let seats = org.service.seats().await;
    assert_eq!((&seats["used"], &seats["limit"]), (&json!(4), &json!(5)));
    assert_eq!((&seats["breakdown"]["owner"], &seats["pools"]), (&json!(1), &Value::Null));

    let row = org.subscription("starter").await;
    let path = format!("{SUBSCRIPTIONS}/{}/cancel", text(&row["id"]));
    org.act(TOKEN, &path, &row["etag"]).await.expect(StatusCode::OK);
    let seats = org.service.seats().await;
    assert_eq!((&seats["used"], &seats["limit"]), (&json!(3), &json!(3)));
    let rows = org.service.list(MEMBERS).await;
    let trimmed = rows.iter().filter(|row| row["state"] == "trimmed");
    let trimmed: Vec<_> = trimmed.map(|row| text(&row["email"])).collect();
    assert_eq!(trimmed, ["pia@example.com", "mia@example.com"], "a place more frees no seat");
    assert_eq!(org.place("Design", "mia@example.com").await["state"], "active");
    org.stop().await;
}

#[tokio::test]
async fn every_change_of_teams_has_an_audit_row_with_before_and_after() {
    let org = Org::start().await;
    let from = org.service.list("/v1/accounts/acme/audit-events").await.len();
    let new = json!({ "name": "Web" });
    org.post(CARA, TEAMS, &new).await.expect(StatusCode::CREATED);
    let growth = org.subscription("growth").await;
    let edit = json!({ "name": "Shop", "subscription": growth["id"] });
    org.edit(CARA, "Web", &edit).await.expect(StatusCode::OK);
    org.add(CARA, "Shop", "mia@example.com", "member").await.expect(StatusCode::CREATED);
    org.invite(CARA, "Shop", "pia@example.com", "member").await.expect(StatusCode::CREATED);
    let una = org.suggest(MIA, "Shop", "una@example.com").await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/acme/suggestions/{}/reject", text(&una["id"]));
    org.act(CARA, &path, &una["etag"]).await.expect(StatusCode::OK);
    let ivo = org.suggest(MIA, "Shop", "ivo@example.com").await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/acme/suggestions/{}/approve", text(&ivo["id"]));
    org.act(CARA, &path, &ivo["etag"]).await.expect(StatusCode::OK);
    let mia = org.place("Shop", "mia@example.com").await;
    let path = format!("{MEMBERS}/{}/leave", text(&mia["id"]));
    org.act(MIA, &path, &mia["etag"]).await.expect(StatusCode::OK);

    let events = org.service.list("/v1/accounts/acme/audit-events").await;
    let told: Vec<_> = events[from..]
        .iter()
        .map(|event| {
            let side = |name| if event[name].is_null() { "-" } else { "+" };
            format!("{} {}{}", text(&event["action"]), side("before"), side("after"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "team.created -+",
            "team.linked ++",
            "team.renamed ++",
            "member.added -+",
            "invitation.created -+",
            "invitation.accepted ++",
            "member.added -+",
            "suggestion.created -+",
            "suggestion.rejected ++",
            "suggestion.created -+",
            "invitation.created -+",
            "suggestion.approved ++",
            "member.removed ++",
        ]
    );
    org.stop().await;
}

#[tokio::test]
async fn a_renewal_of_what_is_over_is_refused_where_no_team_waits_for_it() {
    let service = TestService::start().await;
    service.subscribe("business").await;
    service.cancel("growth").await;
    let held = service.list(SUBSCRIPTIONS).await;
    let ended = held.iter().find(|row| row["state"] == "ended").unwrap();
    let path = format!("{SUBSCRIPTIONS}/{}/renew", text(&ended["id"]));
    let call = service.call(Method::POST, &path).token(VENDOR_TOKEN).new_key();
    let call = call.if_match(&text(&ended["etag"]));
    call.send().await.refused(409, "subscription-state");
    service.stop().await;
}

#[test]
fn a_profile_whose_pools_would_be_trimmed_is_refused() {
    let text = include_str!("../../profiles/catalogue.yaml")
        .replace("onShrink: keep", "onShrink: trimLatestAdded");
    let problems = seatkeeper::profile::read("p.yaml", &text).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert!(told[0].contains("only seats of the account can be trimmed"), "{told:?}");
}
