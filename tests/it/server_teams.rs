//! Teams and their people: who sees, adds, changes, removes, suggests and is told of what.

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{PASSWORD, TOKEN, text};
use crate::teams::{CARA, INVITATIONS, MEMBERS, MIA, Org, PIA, TEAMS, TOM};

// rule: CT-01
// rule: CT-03
// rule: CT-14
#[tokio::test]
async fn a_team_shows_its_subscription_with_renewal_date_its_people_and_its_state() {
    let org = Org::start().await;
    let design = org.team("Design").await;
    let starter = org.subscription("starter").await;
    assert_eq!(
        design["subscription"],
        json!({
            "id": starter["id"], "plan": "starter", "state": "active",
            "period_end": starter["period_end"],
        })
    );
    assert_eq!((&design["state"], &design["members"]), (&json!("active"), &json!(3)));
    assert_eq!(design["created_at"], json!(org.service.clock.now().to_string()));
    let one = org.get(TOKEN, &format!("{TEAMS}/{}", text(&design["id"]))).await;
    assert_eq!(one.header("etag"), text(&design["etag"]));
    assert_eq!(one.expect(StatusCode::OK), design);

    let mia = org.place("Design", "mia@example.com").await;
    assert_eq!((&mia["role"], &mia["state"]), (&json!("member"), &json!("active")));
    assert_eq!(mia["joined_at"], json!(org.service.clock.now().to_string()));
    org.stop().await;
}

// rule: CT-03
#[tokio::test]
async fn a_person_sees_the_teams_that_he_has_access_to() {
    let org = Org::start().await;
    for (token, seen) in [
        (CARA, vec!["Design", "Print", "Sales"]),
        (TOKEN, vec!["Design", "Print", "Sales"]),
        (TOM, vec!["Design"]),
        (MIA, vec!["Design"]),
        (PIA, vec!["Print"]),
    ] {
        let page = org.get(token, TEAMS).await.expect(StatusCode::OK);
        let names: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|t| text(&t["name"])).collect();
        assert_eq!(
            (names, &page["total"]),
            (seen.iter().map(|name| (*name).to_owned()).collect(), &json!(seen.len()))
        );
    }
    let print = org.id("Print").await;
    org.get(MIA, &format!("{TEAMS}/{print}")).await.refused(404, "not-found");
    org.get(MIA, &format!("{MEMBERS}?team={print}")).await.refused(403, "forbidden");
    org.edit(TOM, "Print", &json!({ "name": "Mine" })).await.refused(404, "not-found");
    let design = org.id("Design").await;
    let rows = org.get(MIA, &format!("{MEMBERS}?team={design}")).await.expect(StatusCode::OK);
    assert_eq!(rows["total"], 3);
    org.stop().await;
}

#[tokio::test]
async fn teams_are_listed_page_by_page_with_figures_of_their_own() {
    let org = Org::start().await;
    let all = org.service.list(TEAMS).await;
    let mut seen = Vec::new();
    let mut path = format!("{TEAMS}?page_size=2");
    loop {
        let page = org.service.get(&path).await.expect(StatusCode::OK);
        assert_eq!(page["total"], 3);
        seen.extend(page["items"].as_array().unwrap().clone());
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("{TEAMS}?page_size=2&cursor={cursor}");
    }
    assert_eq!(seen, all);
    let figures: Vec<_> = all.iter().map(|team| team["members"].clone()).collect();
    assert_eq!(figures, [json!(3), json!(1), json!(0)]);
    org.stop().await;
}

// rule: CT-01
#[tokio::test]
async fn a_team_is_made_with_a_reference_of_its_own_and_waits_for_a_subscription() {
    let org = Org::start().await;
    let body = json!({ "name": "Web", "external_ref": "web" });
    org.post(TOM, TEAMS, &body).await.refused(403, "forbidden");
    let team = org.post(CARA, TEAMS, &body).await.expect(StatusCode::CREATED);
    assert_eq!((&team["state"], &team["external_ref"]), (&json!("pending"), &json!("web")));
    org.post(CARA, TEAMS, &body).await.refused(409, "external-ref-taken");
    let unknown = json!({ "name": "Web", "subscription": "sub_x" });
    let problem = org.post(CARA, TEAMS, &unknown).await.refused(400, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/subscription");

    org.invite(CARA, "Web", "una@example.com", "member").await.refused(409, "team-pending");
    let growth = org.subscription("growth").await;
    let link = json!({ "name": "Web shop", "subscription": growth["id"] });
    let linked = org.edit(CARA, "Web", &link).await.expect(StatusCode::OK);
    assert_eq!((&linked["state"], &linked["name"]), (&json!("active"), &json!("Web shop")));
    org.invite(CARA, "Web shop", "una@example.com", "member").await.expect(StatusCode::CREATED);
    let seed = crate::service::SEED;
    let single = crate::service::TestService::start_with(seed).await;
    let call = single.call(Method::POST, TEAMS).token(TOKEN).json(&json!({ "name": "Web" }));
    call.send().await.refused(409, "not-offered");
    single.stop().await;
    org.stop().await;
}

// rule: CT-02
// rule: CT-05
// rule: CT-06
// rule: CT-11
#[tokio::test]
async fn a_new_address_is_invited_to_a_team_and_is_pending_until_accepted() {
    let org = Org::start().await;
    let team = org.id("Design").await;
    let body = json!({
        "email": "una@example.com", "role": "member", "team": team, "name": "Una Early",
    });
    let first = org.post(TOM, INVITATIONS, &body).await.expect(StatusCode::CREATED);
    assert_eq!((&first["state"], &first["name"]), (&json!("pending"), &json!("Una Early")));
    assert_eq!(first["actions"], json!(["resend", "revoke", "change-role"]));
    let old = org.service.link_to("una@example.com").await;

    org.service.pass(SignedDuration::from_hours(7 * 24)).await;
    let path = format!("{INVITATIONS}/{}", text(&first["id"]));
    let row = org.get(TOM, &path).await.expect(StatusCode::OK);
    assert_eq!(row["state"], "expired");
    org.act(TOM, &format!("{path}/resend"), &row["etag"]).await.expect(StatusCode::OK);
    let new = org.service.link_to("una@example.com").await;
    assert_ne!(old, new, "a resend gives a new link");
    assert_eq!(org.service.browser().open(&old).await.status, StatusCode::NOT_FOUND);
    org.service.browser().accept_by_sign_in(&new).await;
    let una = org.place("Design", "una@example.com").await;
    assert_eq!((&una["role"], &una["name"]), (&json!("member"), &json!("Una")));
    assert_eq!(una["added_at"], first["created_at"], "since the first mail");

    org.remove(TOM, "Design", "una@example.com").await.expect(StatusCode::NO_CONTENT);
    let next = org.invite(TOM, "Design", "next@example.com", "member").await;
    let next = next.expect(StatusCode::CREATED);
    let link = org.service.link_to("next@example.com").await;
    let path = format!("{INVITATIONS}/{}/revoke", text(&next["id"]));
    org.act(MIA, &path, &next["etag"]).await.refused(403, "forbidden");
    org.act(TOM, &path, &next["etag"]).await.expect(StatusCode::OK);
    assert_eq!(org.service.browser().open(&link).await.status, StatusCode::GONE);

    let admin = json!({ "email": "x@example.com", "role": "company-admin" });
    org.post(CARA, INVITATIONS, &admin).await.refused(409, "role-not-invitable");
    let nowhere = json!({ "email": "x@example.com", "role": "member" });
    let problem = org.post(CARA, INVITATIONS, &nowhere).await.refused(400, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/team");
    org.stop().await;
}

// rule: CT-05
// rule: CT-15
// rule: X9
#[tokio::test]
async fn a_person_of_the_account_is_added_at_once_by_address_or_by_name() {
    let org = Org::start().await;
    let pia = org.add(TOM, "Design", "PIA@example.com", "member").await.expect(StatusCode::CREATED);
    assert_eq!((&pia["name"], &pia["state"]), (&json!("Pia"), &json!("active")));
    let sales = org.id("Sales").await;
    let by_name = |name: &str| json!({ "name": name, "role": "team-admin", "team": sales });
    let ted = org.post(CARA, MEMBERS, &by_name("ted")).await.expect(StatusCode::CREATED);
    assert_eq!(ted["email"], "ted@example.com");
    assert_eq!(org.people("Sales").await, "ted:team-admin");
    assert!(org.service.mails().await.is_empty(), "nobody has to accept");

    org.add(CARA, "Design", "pia@example.com", "member").await.refused(409, "already-member");
    // Una has a user, but is not of this account.
    let unknown = org.add(CARA, "Design", "una@example.com", "member").await;
    let problem = unknown.refused(409, "unknown-user");
    assert_eq!(problem["detail"], "invite the address instead");
    org.post(CARA, MEMBERS, &by_name("Una")).await.refused(409, "unknown-user");
    let both =
        json!({ "name": "Ted", "email": "ted@example.com", "role": "member", "team": sales });
    org.post(CARA, MEMBERS, &both).await.refused(400, "invalid-request");

    org.invite(CARA, "Sales", "una@example.com", "member").await.expect(StatusCode::CREATED);
    org.service.browser().accept_by_sign_in(&org.service.link_to("una@example.com").await).await;
    let ted = json!({ "email": "ted2@example.com", "role": "member", "team": sales });
    org.post(CARA, INVITATIONS, &ted).await.expect(StatusCode::CREATED);
    let link = org.service.link_to("ted2@example.com").await;
    let fields = [("name", "Ted"), ("password", PASSWORD)];
    org.service.browser().accept(&link, &fields).await;
    let print = json!({ "name": "Ted", "role": "member", "team": org.id("Print").await });
    let problem = org.post(CARA, MEMBERS, &print).await.refused(400, "invalid-request");
    assert_eq!(problem["errors"][0]["pointer"], "/name", "there are two");
    org.stop().await;
}

// rule: CT-05
#[tokio::test]
async fn people_are_found_by_name_whatever_the_letters_of_it_on_both_databases() {
    let org = Org::start().await;
    for (team, email) in [("Sales", "zoe@example.com"), ("Sales", "emil@example.com")] {
        org.invite(CARA, team, email, "member").await.expect(StatusCode::CREATED);
        let link = org.service.link_to(email).await;
        let name = if email.starts_with("zoe") { "Émile Zöé" } else { "Emil" };
        org.service.browser().accept(&link, &[("name", name), ("password", PASSWORD)]).await;
    }
    org.remove(CARA, "Design", "ted@example.com").await.expect(StatusCode::NO_CONTENT);
    let design = org.id("Design").await;
    let by_name = |name: &str| json!({ "name": name, "role": "member", "team": design });
    // Letters beyond ASCII are the same in the same case only.
    org.post(CARA, MEMBERS, &by_name("émile zöé")).await.refused(409, "unknown-user");
    let added = org.post(CARA, MEMBERS, &by_name("ÉMILE ZöÉ")).await;
    added.refused(409, "unknown-user");
    let added = org.post(CARA, MEMBERS, &by_name("ÉmILE Zöé")).await.expect(StatusCode::CREATED);
    assert_eq!(added["email"], "zoe@example.com");
    for (text, found) in [("Émile Zöé", 2), ("ÉMILE", 2), ("éMile", 0), ("zöé", 2), ("EMIL", 1)]
    {
        let query: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let page = org.get(CARA, &format!("{MEMBERS}?q={query}")).await.expect(StatusCode::OK);
        assert_eq!(page["total"], found, "{text}: {page}");
    }
    org.stop().await;
}

// rule: CT-05
#[tokio::test]
async fn an_invitation_of_a_person_of_the_account_is_accepted_when_it_is_answered() {
    let org = Org::start().await;
    let known = org.invite(TOM, "Design", "pia@example.com", "member").await;
    let known = known.expect(StatusCode::CREATED);
    assert_eq!((&known["state"], &known["delivery"]), (&json!("accepted"), &json!("none")));
    assert_eq!((&known["send_count"], &known["actions"]), (&json!(0), &json!([])));
    assert_eq!(org.place("Design", "pia@example.com").await["name"], "Pia");
    assert!(org.service.mails().await.is_empty());

    // The service knows Una, the account does not: she is asked, as everybody else is.
    let una = org.invite(TOM, "Print", "una@example.com", "member").await;
    una.refused(403, "forbidden");
    let mut answers = Vec::new();
    for email in ["una@example.com", "new@example.com"] {
        let answer = org.invite(CARA, "Sales", email, "member").await;
        let mut answer = answer.expect(StatusCode::CREATED);
        for field in ["id", "email"] {
            answer[field].take();
        }
        answers.push(answer);
    }
    assert_eq!(answers[0], answers[1], "no telling who has a user");
    assert_eq!(answers[0]["state"], "pending");
    org.stop().await;
}

#[tokio::test]
async fn members_are_found_by_a_part_of_name_or_address() {
    let org = Org::start().await;
    for (text, found) in [("tom", 1), ("IA", 2), ("example.com", 5), ("%", 0), ("a_a", 0)] {
        let text: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let page = org.get(CARA, &format!("{MEMBERS}?q={text}")).await.expect(StatusCode::OK);
        let rows = page["items"].as_array().unwrap().len();
        assert_eq!((rows, &page["total"]), (found, &json!(found)), "{text}: {page}");
    }
    let design = org.id("Design").await;
    let here = org.get(MIA, &format!("{MEMBERS}?q=ia&team={design}")).await.expect(StatusCode::OK);
    assert_eq!(here["total"], 1);
    org.get(MIA, &format!("{MEMBERS}?q=ia")).await.refused(403, "forbidden");
    org.stop().await;
}

// rule: CT-07
// rule: CT-16
// rule: X2
#[tokio::test]
async fn a_team_admin_changes_roles_of_the_own_team_and_nobody_that_of_a_company_admin() {
    let org = Org::start().await;
    let up = org.give_role(TOM, "Design", "mia@example.com", "team-admin").await;
    up.expect(StatusCode::OK);
    let down = org.give_role(TOM, "Design", "mia@example.com", "member").await;
    down.expect(StatusCode::OK);
    org.give_role(CARA, "Design", "ted@example.com", "member").await.expect(StatusCode::OK);
    org.give_role(MIA, "Design", "ted@example.com", "team-admin").await.refused(403, "forbidden");
    org.give_role(TOM, "Print", "pia@example.com", "team-admin").await.refused(403, "forbidden");
    let admin = org.give_role(CARA, "Design", "mia@example.com", "company-admin").await;
    admin.refused(400, "invalid-request");
    assert_eq!(org.people("Design").await, "tom:team-admin ted:member mia:member");

    let cara = org.service.member("cara@example.com").await;
    let path = format!("{MEMBERS}/{}", text(&cara["id"]));
    for token in [TOKEN, CARA] {
        let call = org.service.call(Method::PATCH, &path).token(token).if_match("*");
        let answer = call.json(&json!({ "role": "member" })).send().await;
        answer.refused(400, "invalid-request");
        let call = org.service.call(Method::DELETE, &path).token(token).if_match("*");
        call.send().await.refused(409, "role-holders");
    }
    let call = org.service.call(Method::DELETE, &path).token(TOM).if_match("*");
    call.send().await.refused(403, "forbidden");
    let leave = format!("{path}/leave");
    org.act(CARA, &leave, &cara["etag"]).await.refused(409, "role-holders");
    org.stop().await;
}

// rule: CT-08
// rule: CT-10
// rule: X1
#[tokio::test]
async fn a_team_admin_removes_members_only_and_who_is_removed_can_be_added_again() {
    let org = Org::start().await;
    org.remove(TOM, "Design", "ted@example.com").await.refused(403, "beyond-manage");
    org.remove(MIA, "Design", "ted@example.com").await.refused(403, "forbidden");
    org.remove(TOM, "Print", "pia@example.com").await.refused(403, "forbidden");
    let before = org.place("Design", "mia@example.com").await;
    org.remove(TOM, "Design", "mia@example.com").await.expect(StatusCode::NO_CONTENT);
    org.get(MIA, TEAMS).await.refused(401, "unauthenticated");
    org.remove(CARA, "Design", "ted@example.com").await.expect(StatusCode::NO_CONTENT);
    assert_eq!(org.people("Design").await, "tom:team-admin");

    org.add(TOM, "Design", "mia@example.com", "member").await.refused(409, "unknown-user");
    org.invite(TOM, "Design", "mia@example.com", "member").await.expect(StatusCode::CREATED);
    org.service.browser().accept_by_sign_in(&org.service.link_to("mia@example.com").await).await;
    let after = org.place("Design", "mia@example.com").await;
    assert_ne!(before["id"], after["id"], "a new membership, the old one is history");
    org.get(MIA, TEAMS).await.refused(401, "unauthenticated");
    org.stop().await;
}

// rule: X1
#[tokio::test]
async fn the_profile_can_let_team_admins_remove_each_other() {
    let text = include_str!("../../profiles/catalogue.yaml").replace(
        "remove: {company-admin: lower, team-admin: lower}",
        "remove: {company-admin: lower, team-admin: own}",
    );
    let profile = std::sync::Arc::new(seatkeeper::profile::read("open.yaml", &text).unwrap());
    let service = crate::service::TestService::start_as(crate::teams::SEED, |settings| {
        settings.profiles.insert("catalogue".to_owned(), profile);
    });
    let org = Org { service: service.await };
    org.remove(TOM, "Design", "ted@example.com").await.expect(StatusCode::NO_CONTENT);
    org.stop().await;
}

// rule: CT-06
#[tokio::test]
async fn a_person_leaves_a_team_by_himself_and_keeps_the_others() {
    let org = Org::start().await;
    org.add(CARA, "Print", "mia@example.com", "member").await.expect(StatusCode::CREATED);
    let mia = org.place("Design", "mia@example.com").await;
    let path = format!("{MEMBERS}/{}/leave", text(&mia["id"]));
    for token in [TOM, CARA, TOKEN] {
        org.act(token, &path, &mia["etag"]).await.refused(403, "forbidden");
    }
    let call = org.service.call(Method::POST, &path).token(MIA);
    call.send().await.refused(428, "if-match-required");
    let left = org.act(MIA, &path, &mia["etag"]).await.expect(StatusCode::OK);
    assert_eq!((&left["state"], &left["ended_by"]), (&json!("deleted"), &json!("self")));
    let seen = org.get(MIA, TEAMS).await.expect(StatusCode::OK);
    assert_eq!(seen["items"][0]["name"], "Print");
    assert!(org.mails("removed", "mia@example.com").await.is_empty(), "she knows");

    let last = org.place("Print", "mia@example.com").await;
    let path = format!("{MEMBERS}/{}/leave", text(&last["id"]));
    org.act(MIA, &path, &last["etag"]).await.expect(StatusCode::OK);
    org.get(MIA, TEAMS).await.refused(401, "unauthenticated");
    org.stop().await;
}

// rule: CT-12
// rule: X4
#[tokio::test]
async fn edits_of_name_and_roles_apply_together_or_not_at_all() {
    let org = Org::start().await;
    let (ted, mia) = (
        org.place("Design", "ted@example.com").await,
        org.place("Design", "mia@example.com").await,
    );
    let pia = org.place("Print", "pia@example.com").await;
    let edit =
        |row: &Value, role: &str| json!({ "id": row["id"], "etag": row["etag"], "role": role });
    let stale = json!({ "id": mia["id"], "etag": "\"7\"", "role": "team-admin" });
    let body = json!({
        "name": "Studio",
        "members": [
            edit(&ted, "member"), stale, edit(&mia, "boss"), edit(&pia, "member"),
            edit(&mia, "company-admin"),
        ],
    });
    let problem = org.edit(TOM, "Design", &body).await.refused(409, "edits-refused");
    let pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|error| &error["pointer"]).collect();
    assert_eq!(
        pointers,
        ["/members/1/etag", "/members/2/role", "/members/3/id", "/members/4/role"]
    );
    assert_eq!(org.people("Design").await, "tom:team-admin ted:team-admin mia:member");
    assert!(org.service.mails().await.is_empty(), "nobody was told of what did not happen");

    let body = json!({
        "name": "Studio", "members": [edit(&ted, "member"), edit(&mia, "team-admin")],
    });
    org.edit(MIA, "Design", &body).await.refused(403, "forbidden");
    let studio = org.edit(TOM, "Design", &body).await.expect(StatusCode::OK);
    assert_eq!(studio["name"], "Studio");
    assert_eq!(org.people("Studio").await, "tom:team-admin ted:member mia:team-admin");

    // The subscription is the company admin's.
    let growth = org.subscription("growth").await;
    let link = json!({ "subscription": growth["id"] });
    org.edit(TOM, "Studio", &link).await.refused(403, "forbidden");
    let call = org.service.call(Method::PATCH, &format!("{TEAMS}/{}", text(&studio["id"])));
    let late = call.token(TOM).if_match("\"1\"").json(&json!({ "name": "Late" })).send().await;
    late.refused(412, "stale");
    let events = org.service.list("/v1/accounts/acme/audit-events").await;
    let renamed = events.iter().find(|event| event["action"] == "team.renamed").unwrap();
    let names = (&renamed["before"]["name"], &renamed["after"]["name"]);
    assert_eq!(names, (&json!("Design"), &json!("Studio")));
    org.stop().await;
}

// rule: CT-04
// rule: CT-16
#[tokio::test]
async fn a_member_suggests_and_who_may_invite_approves_or_rejects() {
    let org = Org::start().await;
    org.invite(MIA, "Design", "una@example.com", "member").await.refused(403, "forbidden");
    let una = org.suggest(MIA, "Design", "una@example.com").await.expect(StatusCode::CREATED);
    assert_eq!(una["state"], "open");
    assert_eq!(org.service.mails().await.len(), 0, "nobody is invited yet");
    let again = org.suggest(MIA, "Design", "UNA@example.com").await;
    let problem = again.refused(409, "suggestion-already-open");
    let href = text(&problem["existing"]["href"]);
    assert_eq!(org.get(TOM, &href).await.expect(StatusCode::OK), una);
    org.suggest(PIA, "Design", "x@example.com").await.refused(404, "not-found");
    // Who may add need not suggest.
    org.suggest(TOM, "Design", "x@example.com").await.refused(403, "forbidden");
    org.suggest(MIA, "Design", "tom@example.com").await.refused(409, "already-member");

    let list = format!("{TEAMS}/{}/suggestions", org.id("Design").await);
    org.get(MIA, &list).await.refused(403, "forbidden");
    let page = org.get(TOM, &list).await.expect(StatusCode::OK);
    assert_eq!((&page["items"], &page["total"]), (&json!([una]), &json!(1)));
    for verb in ["approve", "reject"] {
        let path = format!("{href}/{verb}");
        org.act(MIA, &path, &una["etag"]).await.refused(403, "forbidden");
    }
    // Nor does the admin of another team decide.
    let ina = org.suggest(PIA, "Print", "ina@example.com").await.expect(StatusCode::CREATED);
    for verb in ["approve", "reject"] {
        let path = format!("/v1/accounts/acme/suggestions/{}/{verb}", text(&ina["id"]));
        org.act(TOM, &path, &ina["etag"]).await.refused(403, "forbidden");
    }
    let approved = org.act(TOM, &format!("{href}/approve"), &una["etag"]).await;
    let approved = approved.expect(StatusCode::OK);
    assert_eq!(approved["state"], "approved");
    org.service.browser().accept_by_sign_in(&org.service.link_to("una@example.com").await).await;
    assert_eq!(org.place("Design", "una@example.com").await["role"], "member");
    org.act(TOM, &format!("{href}/reject"), &approved["etag"]).await.refused(409, "row-state");

    // Pia is of the account: approving adds her at once.
    let pia = org.suggest(MIA, "Design", "pia@example.com").await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/acme/suggestions/{}", text(&pia["id"]));
    org.act(CARA, &format!("{path}/approve"), &pia["etag"]).await.expect(StatusCode::OK);
    org.place("Design", "pia@example.com").await;
    let no = org.suggest(MIA, "Design", "no@example.com").await.expect(StatusCode::CREATED);
    let path = format!("/v1/accounts/acme/suggestions/{}", text(&no["id"]));
    let no = org.act(TOM, &format!("{path}/reject"), &no["etag"]).await.expect(StatusCode::OK);
    assert_eq!(no["state"], "rejected");
    org.suggest(MIA, "Design", "no@example.com").await.expect(StatusCode::CREATED);
    let page = org.get(TOM, &format!("{list}?state=approved")).await.expect(StatusCode::OK);
    assert_eq!(page["total"], 2);
    org.stop().await;
}

// rule: CT-09
// rule: X14
#[tokio::test]
async fn company_admins_are_told_of_all_changes_in_one_mail_and_the_person_at_once() {
    let org = Org::start().await;
    org.service.pass(SignedDuration::from_hours(1)).await;
    assert!(org.service.mails().await.is_empty(), "what an account begins with is no news");
    org.give_role(TOM, "Design", "mia@example.com", "team-admin").await.expect(StatusCode::OK);
    org.remove(CARA, "Design", "ted@example.com").await.expect(StatusCode::NO_CONTENT);
    org.edit(TOM, "Design", &json!({ "name": "Studio" })).await.expect(StatusCode::OK);
    org.add(TOM, "Studio", "pia@example.com", "member").await.expect(StatusCode::CREATED);
    org.invite(CARA, "Sales", "una@example.com", "member").await.expect(StatusCode::CREATED);
    org.service.browser().accept_by_sign_in(&org.service.link_to("una@example.com").await).await;
    assert_eq!(org.mails("role-changed", "mia@example.com").await.len(), 1);
    assert_eq!(org.mails("removed", "ted@example.com").await.len(), 1);
    org.service.pass(SignedDuration::from_mins(9)).await;
    assert!(org.mails("members-changed", "cara@example.com").await.is_empty());

    org.service.pass(SignedDuration::from_mins(1)).await;
    let told = org.mails("members-changed", "cara@example.com").await;
    assert_eq!(told.len(), 1, "one mail for all");
    let people = ["mia@example.com", "ted@example.com", "pia@example.com", "una@example.com"];
    for word in people.into_iter().chain(["Studio", "team-admin"]) {
        assert!(told[0].text.contains(word), "{word} in {}", told[0].text);
    }
    let all = org.service.mails().await;
    let others = all.iter().filter(|mail| mail.template == "members-changed").count();
    assert_eq!(others, 1, "company admins only");

    org.service.pass(SignedDuration::from_mins(30)).await;
    org.remove(CARA, "Studio", "pia@example.com").await.expect(StatusCode::NO_CONTENT);
    org.service.pass(SignedDuration::from_mins(10)).await;
    let told = org.mails("members-changed", "cara@example.com").await;
    assert_eq!(told.len(), 2, "also of what she did herself");
    assert!(!told[1].text.contains("mia@example.com"), "each change once: {}", told[1].text);
    org.stop().await;
}
