//! Who manages an account, by command line: ledgers that are lost, and accounts that are taken over.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fs;

use reqwest::StatusCode;
use serde_json::Value;

use crate::cli_run::{Desk, Said, said, service_now, values};
use crate::service::{TOKEN, TestService, text};

const SEED: &str = r"
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com}
    subscriptions: [scale]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

/// One more person to invite.
const DAN: &str = "\
apiVersion: seatkeeper.dev/v1alpha1
kind: Membership
metadata: {name: dan-core, namespace: web}
spec: {teamRef: {name: core}, email: dan@example.com, role: developer}
";

/// A service, and a desk that has invited three people.
async fn three() -> (TestService, Desk) {
    let service = service_now(SEED).await;
    let desk = Desk::new(&service.base, TOKEN);
    desk.exits(0, &["apply"]).await;
    assert_eq!(service.mails().await.len(), 3);
    (service, desk)
}

/// Installation whose claim is on the account.
async fn claim(service: &TestService) -> String {
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    text(&account["claim"]["installation_id"])
}

fn lose_the_ledger(desk: &Desk) {
    fs::remove_dir_all(desk.path("ledger")).unwrap();
}

/// Runs it until it is killed at a point.
async fn dies_at(point: &str, desk: &Desk, arguments: &[&str]) -> Said {
    let mut command = desk.command(arguments);
    command.env("SEATKEEPER_FAILPOINT", point);
    let said = said(command.output().await.unwrap());
    assert_eq!(said.signal, Some(6), "{point}: {}{}", said.out, said.err);
    said
}

/// The digest of what waits.
async fn digest(desk: &Desk) -> String {
    let said = desk.run(&["plan", "-o", "json"]).await;
    text(&values(&said.out)["hold"]["digest"])
}

// rule: OP-02
#[tokio::test]
async fn a_lost_ledger_sends_nothing_until_a_person_approves_what_would_be_sent() {
    let (service, desk) = three().await;
    let before = claim(&service).await;
    lose_the_ledger(&desk);
    desk.write("git/dan.yaml", DAN);
    let said = desk.exits(4, &["apply"]).await;
    let digest = digest(&desk).await;
    assert_eq!(
        said.out,
        format!(
            "account web/acme (Acme): scale, mode Manage\n\
             ! held: invite dan@example.com as developer (LedgerLost)\n\
             ! held set {digest}: 1 addition, 0 removals, 0 lower roles; the ledger is lost\n  \
             hint: let exactly this set run, once: seatkeeper apply … --approve {digest}; or bring the \
             ledger back\n\
             ! LedgerLost: the account is claimed from here, and the ledger that goes with the claim is \
             gone: nothing is written until it is back, or a person approves what would be done without \
             it; who said no, or was mailed, is not known any more\n\
             nothing to do now; seats 3 of 10; 1 held\n"
        )
    );
    desk.exits(4, &["apply", "--approve", "0123456789abcdef"]).await;
    assert_eq!((desk.ledger().as_str(), service.mails().await.len()), ("-", 3));
    assert_eq!(claim(&service).await, before);

    // Killed between ledger and claim: the next run goes on, without a second approval.
    dies_at("apply.recorded", &desk, &["apply", "--approve", &digest]).await;
    assert_eq!((claim(&service).await, service.mails().await.len()), (before.clone(), 3));
    let said = desk.exits(0, &["apply"]).await;
    let again = "+ invite dan@example.com as developer (again, under the same key)";
    assert!(said.out.contains(again), "{}", said.out);
    assert_eq!(service.mails().await.len(), 4);
    let after = claim(&service).await;
    assert_ne!(after, before);
    let noted = desk.ledger();
    desk.exits(0, &["apply"]).await;
    assert_eq!((claim(&service).await, desk.ledger()), (after, noted), "nothing left to do");

    // The same loss again is not let through by the same approval.
    lose_the_ledger(&desk);
    let used = desk.exits(4, &["apply", "--approve", &digest]).await;
    assert!(used.err.contains("approved nothing: the held set is"), "{}", used.err);
    service.stop().await;
}

#[tokio::test]
async fn an_account_is_taken_over_by_who_confirms_it_and_the_other_installation_stops() {
    let (service, first) = three().await;
    let second = Desk::new(&service.base, TOKEN);
    let says = async |desk: &Desk, code: i32, arguments: &[&str]| {
        let said = desk.exits(code, &[&["claim"], arguments].concat()).await;
        format!("{}{}", said.out, said.err)
    };
    assert_eq!(says(&first, 0, &[]).await, "web/acme: we hold the claim\n");
    let held = claim(&service).await;
    let other = format!("installation {held} holds the claim, with a ledger in a folder");
    let said = says(&second, 4, &[]).await;
    assert!(said.contains(&other) && said.contains("claim --take"), "{said}");

    second.write("git/dan.yaml", DAN);
    let said = says(&second, 1, &["--take"]).await;
    assert!(said.contains("--yes takes it without a question"), "{said}");
    assert!(said.contains("+ invite dan@example.com as developer"), "{said}");
    assert_eq!((claim(&service).await, second.ledger().as_str()), (held.clone(), "-"));

    for point in ["apply.opened", "apply.claimed"] {
        dies_at(point, &second, &["claim", "--take", "--yes"]).await;
    }
    let said = says(&second, 0, &["--take", "--yes"]).await;
    assert!(said.ends_with("web/acme: we hold the claim\n"), "{said}");
    let ours = claim(&service).await;
    assert_ne!(ours, held);
    assert_eq!(service.mails().await.len(), 3, "a claim mails nobody");

    let said = first.exits(4, &["apply"]).await;
    assert!(said.out.contains("! ClaimedByOther: another installation manages"), "{}", said.out);
    let said = second.exits(0, &["apply"]).await;
    assert!(said.out.ends_with("+ invite dan@example.com as developer\n1 done; seats 4 of 10\n"));

    // And back, in one go.
    let said = says(&first, 0, &["--take", "--yes"]).await;
    assert!(said.contains("web/acme: the claim is ours now"), "{said}");
    assert_eq!(claim(&service).await, held);
    second.exits(4, &["apply"]).await;
    let claims = service.list("/v1/accounts/acme/audit-events").await;
    let claims = claims.iter().filter(|entry: &&Value| entry["action"] == "account.claimed");
    assert_eq!(claims.count(), 3, "each change of the claim is in the audit log");
    service.stop().await;
}

#[tokio::test]
async fn a_take_over_that_was_killed_is_finished_by_the_next_run() {
    let (service, _first) = three().await;
    let held = claim(&service).await;
    let second = Desk::new(&service.base, TOKEN);
    dies_at("apply.opened", &second, &["claim", "--take", "--yes"]).await;
    assert_eq!(claim(&service).await, held);
    second.exits(0, &["apply"]).await;
    assert_ne!(claim(&service).await, held);
    second.replace("git/account.yaml", "mode: Manage", "mode: Observe");
    let said = second.exits(0, &["claim", "--take", "--yes"]).await;
    assert_eq!(said.out, "web/acme: we hold the claim\n");
    service.stop().await;
}

#[tokio::test]
async fn a_setting_of_the_account_goes_behind_our_own_claim_in_the_same_run() {
    let seed =
        SEED.replace("nitropack", "digitalocean").replace("    subscriptions: [scale]\n", "");
    let service = service_now(&seed).await;
    let desk = Desk::new(&service.base, TOKEN);
    desk.delete("git/membership.yaml");
    desk.replace("git/account-class.yaml", "profile: nitropack", "profile: digitalocean");
    let account = desk.read("git/account.yaml");
    let account: Vec<_> = account.lines().filter(|line| !line.contains("grantable")).collect();
    desk.write("git/account.yaml", &(account.join("\n") + "\n"));
    desk.write(
        "git/team.yaml",
        "apiVersion: seatkeeper.dev/v1alpha1\nkind: Team\nmetadata: {name: core, namespace: web}\n\
         spec: {accountRef: {name: acme}, requireSecureSignIn: true, roster: []}\n",
    );
    desk.exits(0, &["apply"]).await;
    let account = service.get("/v1/accounts/acme").await.expect(StatusCode::OK);
    assert_eq!(account["secure_sign_in_required"], true);
    assert!(account["claim"].is_object());
    let requests = service.requests();
    let writes = requests.iter().filter(|line| line["method"] == "PATCH");
    let answers: Vec<_> = writes.map(|line| line["status"].clone()).collect();
    assert_eq!(answers, [200, 200], "the claim, then the setting");
    service.stop().await;
}
