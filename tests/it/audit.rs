//! The audit record by command line: one line for each call that changes something, with file and line.

use crate::cli_run::{Desk, service_now};
use crate::service::TOKEN;

const SEED: &str = r"
accounts:
  - name: Acme
    slug: acme
    profile: nitropack
    owner: {email: owner@example.com, name: Olga, password: correct horse battery}
    subscriptions: [business, growth]
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
";

// rule: OP-10
#[tokio::test]
async fn each_change_by_command_line_has_one_record_that_names_file_and_line() {
    let service = service_now(SEED).await;
    let desk = Desk::new(&service.base, TOKEN);
    let said = desk.exits(0, &["apply", "--log", "seatkeeper::audit=info"]).await;
    let audit: Vec<_> =
        said.err.lines().filter(|line| line.contains("seatkeeper::audit")).collect();
    let requests = service.requests();
    let writes = requests.iter().filter(|request| request["method"] != "GET").count();
    assert_eq!(audit.len(), writes, "{audit:#?}");
    for (action, place) in [("Claim for Account", "git/account.yaml:"), ("Invite for", ".yaml:")] {
        let found = audit.iter().any(|line| line.contains(action) && line.contains(place));
        assert!(found, "{action} {place}: {audit:#?}");
    }
    assert!(!said.err.contains("@example.com") && !said.err.contains(TOKEN), "{}", said.err);

    let said = desk.exits(0, &["apply", "--log", "seatkeeper::audit=info"]).await;
    assert!(!said.err.contains("seatkeeper::audit"), "{}", said.err);
    service.stop().await;
}
