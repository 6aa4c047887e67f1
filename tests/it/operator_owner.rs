//! Becoming an owner through the operator: the real API server, the real account service, and two
//! people who follow the links of their mails.

use reqwest::StatusCode;

use crate::operator_world::{World, manifests};
use crate::service::{Browser, PASSWORD};

/// A team of an owner and two members.
const TEAM: &str = "profile: digitalocean
    members:
      - {email: mia@example.com, name: Mia, role: member, password: correct horse battery}";

async fn team() -> World {
    let mut world = World::of(TEAM).await;
    world.start_operator("info").await;
    let account = manifests(&world.namespace, &world.base, "", "");
    let account = account.replace("nitropack", "digitalocean").replace("[admin]", "[owner]");
    let end = account.rfind("---").unwrap_or(account.len());
    world.apply(&account[..end]).await;
    world
}

async fn declare(world: &World, person: &str, role: &str) {
    let membership = format!(
        "---\napiVersion: seatkeeper.dev/v1alpha1\nkind: Membership\nmetadata: {{name: {person}, \
         namespace: {}}}\nspec: {{accountRef: {{name: acme}}, email: {person}@example.com, role: {role}}}\n",
        world.namespace
    );
    world.apply(&membership).await;
}

/// Follows the link of the last mail of this template and says yes.
async fn accepts(world: &World, person: &str, template: &str) {
    let link = || {
        let email = format!("{person}@example.com");
        let mails = world.mails(template);
        mails.iter().rev().find(|mail| mail.to == email).and_then(|mail| mail.link.clone())
    };
    world.until("the mail is there", async || link().is_some()).await;
    let link = link().unwrap_or_default();
    let mut browser = Browser::new(&world.base);
    browser.sign_in(&format!("{person}@example.com"), PASSWORD).await;
    let page = browser.open(&link).await;
    let page = browser.submit(&page, &format!("{}/accept", page.path), &[]).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text());
}

// rule: DO-09
// rule: OP-01
// rule: OP-08
#[tokio::test]
async fn a_member_becomes_owner_in_two_steps_and_a_change_that_is_deleted_is_withdrawn() {
    let world = team().await;
    declare(&world, "mia", "owner").await;
    world.becomes("membership/mia", "AwaitingConfirmation").await;
    world.says("membership/mia", "Ready", "True/AwaitingConfirmation").await;
    world.is_quiet().await;
    assert_eq!(world.mails("ownership-confirm").len(), 1);

    accepts(&world, "owner", "ownership-confirm").await;
    world.becomes("membership/mia", "AwaitingAcceptance").await;
    accepts(&world, "mia", "ownership-accept").await;
    world.becomes("membership/mia", "Active").await;
    assert_eq!(world.member("mia").await["role"], "owner");
    world.is_quiet().await;
    assert_eq!(world.mails("ownership-confirm").len(), 1);

    declare(&world, "bo", "owner").await;
    world.says("membership/bo", "Stalled", "True/NotMemberYet").await;
    declare(&world, "bo", "member").await;
    world.becomes("membership/bo", "Pending").await;
    world.join("bo").await;
    world.becomes("membership/bo", "Active").await;
    declare(&world, "bo", "owner").await;
    // He was mailed today: only a person's word mails again.
    world.says("membership/bo", "Synced", "False/MailCap").await;
    world.k(&["annotate", "membership", "bo", "seatkeeper.dev/resend=1"]).await;
    world.becomes("membership/bo", "AwaitingConfirmation").await;
    world.k(&["delete", "membership", "bo", "--timeout=60s"]).await;
    let changes = world.read("/ownership-changes").await;
    assert_eq!(changes["items"][1]["state"], "cancelled", "{changes}");
    assert_eq!(world.people().await, "", "nobody but the owners");
    assert_eq!(world.member("mia").await["role"], "owner");
    world.is_quiet().await;
}
