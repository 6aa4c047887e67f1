//! The world of the contract at the real service, over a loopback port; and what only the two
//! together can show.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use seatkeeper::backend::Backend;
use seatkeeper::backend::account_api::AccountApi;
use seatkeeper::backend::transport::{InProcess, Reqwest, Transport};
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::keys::AccountKey;
use seatkeeper::domain::observed::SeatLimit;
use seatkeeper::profile::built_in;
use secrecy::SecretString;

use crate::contract::World;
use crate::service::{TOKEN, TestService, text};

/// The world.
pub struct AtService {
    service: TestService,
    api: AccountApi,
    account: AccountKey,
}

impl AtService {
    /// The account as every case finds it.
    pub async fn new() -> Self {
        let service = TestService::start().await;
        let account = service.get("/v1/accounts/acme").await.body;
        let (api, account) = (over_socket(&service), AccountKey(text(&account["id"])));
        Self { service, api, account }
    }
}

fn api(transport: impl Transport + 'static) -> AccountApi {
    AccountApi::new(Arc::new(transport), &SecretString::from(TOKEN)).unwrap()
}

fn over_socket(service: &TestService) -> AccountApi {
    api(Reqwest::new(&service.base.parse().unwrap(), None).unwrap())
}

#[async_trait]
impl World for AtService {
    fn backend(&self) -> &dyn Backend {
        &self.api
    }

    fn account(&self) -> AccountKey {
        self.account.clone()
    }

    async fn accept(&self, person: &MemberKey) {
        let link = self.service.link_to(person.person.as_str()).await;
        self.service.browser().accept_by_sign_up(&link).await;
    }

    async fn decline(&self, person: &MemberKey) {
        let mut browser = self.service.browser();
        let page = browser.open(&self.service.link_to(person.person.as_str()).await).await;
        let action = format!("{}/decline", page.path);
        let page = browser.submit(&page, &action, &[]).await;
        assert!(page.status.is_success(), "{}", page.html);
    }

    async fn shrink_to_one_seat(&self) {
        self.service.subscribe("business").await;
        self.service.cancel("growth").await;
    }

    async fn invitation_mails(&self, person: &MemberKey) -> usize {
        let mails = self.service.mails().await;
        let sent =
            mails.iter().filter(|mail| ["invitation", "resend"].contains(&mail.template.as_str()));
        sent.filter(|mail| mail.to == person.person.as_str()).count()
    }
}

#[tokio::test]
async fn in_this_process_and_over_a_socket_the_service_says_the_same() {
    let service = TestService::start().await;
    service.join("ana@example.com", "developer").await;
    let (acme, nitropack) = (AccountKey::from("acme"), built_in("nitropack").unwrap());
    let socket = over_socket(&service).observe(&acme, &nitropack).await.unwrap();
    let in_process = api(InProcess(service.running().router()));
    assert_eq!(in_process.observe(&acme, &nitropack).await.unwrap(), socket);
    assert_eq!(socket.members.len(), 2);
    service.stop().await;
}

/// Reads of the account API in the service's own log.
fn reads(service: &TestService) -> usize {
    let requests = service.requests();
    assert!(requests.iter().all(|request| request["method"] == "GET"), "a read that writes");
    requests.len()
}

#[tokio::test]
async fn a_look_at_10_000_member_rows_costs_the_service_12_reads_and_14_with_its_rules() {
    const ROWS: usize = 10_000;
    let mut seed = format!(
        "accounts:\n  - name: Acme\n    slug: acme\n    profile: nitropack\n    \
         owner: {{email: owner@example.com}}\n    subscriptions: [custom]\n    \
         tokens: [{{token: {TOKEN}, scopes: [read]}}]\n    members:\n"
    );
    for n in 1..ROWS {
        writeln!(seed, "      - {{email: p{n}@example.com, role: developer}}").unwrap();
    }
    let service = TestService::start_with(&seed).await;
    let (acme, nitropack) = (AccountKey::from("acme"), built_in("nitropack").unwrap());
    let api = over_socket(&service);

    let observed = api.observe(&acme, &nitropack).await.unwrap();
    assert_eq!(reads(&service), 12);
    assert_eq!(observed.members.len(), ROWS);
    let evidence = &observed.evidence;
    assert_eq!((evidence.member_rows, evidence.member_total), (ROWS as u64, ROWS as u64));
    assert_eq!(evidence.duplicates, 0);
    assert_eq!(observed.account.seats.limit, SeatLimit::Unlimited);

    api.guarantees(&acme).await.unwrap();
    assert_eq!(reads(&service), 14);
    service.stop().await;
}
