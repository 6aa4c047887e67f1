//! Tokens, passwords and links in nothing that is printed, logged or kept.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::cli_run::{Desk, Said, serve};
use crate::service::{Browser, Mail, mails_in};

const TOKEN: &str = "canary-7f3a91c2-of-the-account";
const VENDOR: &str = "canary-b81d40e6-of-the-vendor";
const REFUSED: &str = "canary-02c4de55-that-is-refused";
const PASSWORD: &str = "canary-e19f correct horse";

fn seed() -> String {
    format!(
        "vendorTokens:\n  - token: {VENDOR}\naccounts:\n  - name: Acme\n    slug: acme\n    \
         profile: nitropack\n    owner: {{email: owner@example.com, password: {PASSWORD}}}\n    \
         subscriptions: [growth]\n    tokens:\n      - {{token: {TOKEN}, scopes: [read, invite, \
         change, remove, billing, manage]}}\n"
    )
}

/// Runs at trace level.
async fn traced(desk: &Desk, code: i32, arguments: &[&str]) -> [(String, String); 2] {
    let Said { out, err, .. } =
        desk.exits(code, &[arguments, ["--log", "trace"].as_slice()].concat()).await;
    assert!(err.contains("TRACE"), "{arguments:?}: no log at trace level\n{err}");
    [(format!("stdout of {arguments:?}"), out), (format!("stderr of {arguments:?}"), err)]
}

/// Every file of a folder.
fn files(folder: &Path) -> impl Iterator<Item = (String, String)> {
    fs::read_dir(folder).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        (path.display().to_string(), String::from_utf8_lossy(&bytes).into_owned())
    })
}

/// The mails, once there are three.
async fn three_mails(spool: &Path) -> Vec<Mail> {
    for _ in 0..400 {
        let mails = mails_in(spool);
        if mails.len() == 3 {
            return mails;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("three mails did not go out");
}

// rule: OP-10
#[tokio::test]
async fn tokens_passwords_and_links_are_in_no_output_log_ledger_or_mail() {
    let home = Desk::empty();
    home.write("seed.yaml", &seed());
    let mut process = serve(&home, &["--log", "trace"]).await;
    let desk = Desk::new(&process.url, TOKEN);
    let mut texts = Vec::new();
    texts.extend(traced(&desk, 3, &["plan"]).await);
    texts.extend(traced(&desk, 0, &["apply"]).await);
    texts.extend(traced(&desk, 0, &["status"]).await);
    texts.extend(traced(&desk, 0, &["plan", "-o", "json", "--log-format", "json"]).await);
    desk.write("secrets/acme-token/token", REFUSED);
    texts.extend(traced(&desk, 1, &["apply"]).await);
    desk.write("secrets/acme-token/token", &format!("{REFUSED} in two words"));
    let said = desk.exits(1, &["apply"]).await;
    texts.push(("a token that is none".to_owned(), said.out + &said.err));

    let mails = three_mails(&home.path("data/spool")).await;
    let links: Vec<String> = mails.iter().map(|mail| mail.link.clone().unwrap()).collect();
    Browser::new(&process.url).accept_by_sign_up(&links[0]).await;
    let page = Browser::new(&process.url).sign_in("owner@example.com", PASSWORD).await;
    assert!(page.status.is_success());
    process.kill().await;

    texts.extend(files(&desk.path("ledger")));
    texts.extend(mails.into_iter().map(|mail| (mail.file, mail.raw)));
    texts.push(("server.log".to_owned(), home.read("server.log")));
    texts.push(("requests.jsonl".to_owned(), home.read("requests.jsonl")));
    assert!(home.read("server.log").contains(" DEBUG ") && texts.len() > 17, "{}", texts.len());
    for (place, text) in &texts {
        for secret in [TOKEN, VENDOR, REFUSED, PASSWORD, "canary"] {
            assert!(!text.contains(secret), "{secret} in {place}");
        }
        for link in links.iter().filter(|_| !place.ends_with(".eml")) {
            let (_, secret) = link.rsplit_once('/').unwrap();
            assert!(!text.contains(secret), "the link of an invitation in {place}");
        }
    }
}
