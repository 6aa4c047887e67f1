//! In mode Observe `plan` says what each mode that writes would do, and writes nothing itself.

use crate::cli_run::{Desk, service_now, values};
use crate::service::TOKEN;

const SEED: &str = "
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com, name: Olga, password: correct horse battery}
    subscriptions: [growth]
    members:
      - {email: ana@example.com, name: Ana, role: developer}
      - {email: zoe@example.com, name: Zoe, role: biller}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

const TEAM: &str = "
apiVersion: seatkeeper.dev/v1alpha1
kind: Team
metadata: {name: core, namespace: web}
spec:
  accountRef: {name: acme}
  roster: [{email: ana@example.com, role: biller}, {email: bo@example.com, role: developer}]
";

// rule: OP-06
#[tokio::test]
async fn mode_observe_says_what_each_of_the_other_modes_would_do() {
    let service = service_now(SEED).await;
    let desk = Desk::new(&service.base, TOKEN);
    desk.delete("git/membership.yaml");
    desk.write("git/team.yaml", TEAM);
    desk.replace("git/account.yaml", "mode: Manage", "mode: Observe");
    let plan = desk.exits(0, &["plan"]).await;
    let steps: Vec<_> = plan.out.lines().filter(|line| line.starts_with("mode ")).collect();
    assert_eq!(
        steps,
        [
            "mode Invite would: + 1 invitation (1 mail, in 1 wave); seats 2 → 3 of 3; 1 held back",
            "mode Manage would: + 1 invitation (1 mail, in 1 wave), ~ 1 role change (1 mail); \
             seats 2 → 3 of 3",
            "mode Exclusive would: + 1 invitation (1 mail, in 1 wave), ~ 1 role change (1 mail), \
             - 1 removal (1 mail); seats 2 → 2 of 3",
        ]
    );
    let json = values(&desk.exits(0, &["plan", "--output", "json"]).await.out);
    let removals: Vec<_> = json["ladder"].as_array().into_iter().flatten().collect();
    let removals: Vec<_> = removals.iter().map(|step| step["removals"].clone()).collect();
    assert_eq!(removals, [0, 0, 1]);
    assert_eq!(desk.ledger(), "-");
    assert!(service.mails().await.iter().all(|mail| mail.template != "invitation"));

    desk.replace("git/account.yaml", "mode: Observe", "mode: Exclusive");
    let plan = desk.exits(3, &["plan"]).await;
    assert!(!plan.out.contains("would:"), "only where nothing is written: {}", plan.out);
    let end = steps.last().and_then(|line| line.strip_prefix("mode Exclusive would: "));
    assert_eq!(plan.out.lines().last(), end, "what it said is what it does");
    service.stop().await;
}
