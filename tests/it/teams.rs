//! An organisation of the catalogue product for tests: three teams under two subscriptions.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helpers")]

use jiff::SignedDuration;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::service::{Answer, TOKEN, TestService, VENDOR_TOKEN, text};

/// Token of the company admin.
pub const CARA: &str = "personal-token-of-cara";
/// Token of the team admin of Design.
pub const TOM: &str = "personal-token-of-tom";
/// Token of a member of Design.
pub const MIA: &str = "personal-token-of-mia";
/// Token of a member of Print.
pub const PIA: &str = "personal-token-of-pia";

/// Cara leads the company; Tom, Ted and Mia are in Design, Pia in Print, nobody in Sales. Design and
/// Print share Starter (5 seats), Sales has Growth.
pub const SEED: &str = r#"
vendorTokens:
  - token: vendor-token-for-tests
users:
  - {email: una@example.com, name: Una, password: correct horse battery}
accounts:
  - name: Acme
    slug: acme
    profile: catalogue
    owner: {email: cara@example.com, name: Cara, password: correct horse battery}
    subscriptions: [starter, growth]
    teams:
      - name: Design
        externalRef: design
        subscription: starter
        members:
          - {email: tom@example.com, name: Tom, role: team-admin, password: correct horse battery}
          - {email: ted@example.com, name: Ted, role: team-admin}
          - {email: mia@example.com, name: Mia, role: member, password: correct horse battery}
      - name: Print
        subscription: starter
        members:
          - {email: pia@example.com, name: Pia, role: member, password: correct horse battery}
      - {name: Sales, subscription: growth}
    tokens:
      - {token: acme-token-of-all-scopes, scopes: [read, invite, change, remove, billing, manage]}
      - {token: personal-token-of-cara, scopes: [read, invite, change, remove, billing, manage], email: cara@example.com}
      - {token: personal-token-of-tom, scopes: [read, invite, change, remove, billing, manage], email: tom@example.com}
      - {token: personal-token-of-mia, scopes: [read, invite, change, remove, billing, manage], email: mia@example.com}
      - {token: personal-token-of-pia, scopes: [read, invite, change, remove, billing, manage], email: pia@example.com}
"#;

pub const TEAMS: &str = "/v1/accounts/acme/teams";
pub const MEMBERS: &str = "/v1/accounts/acme/members";
pub const INVITATIONS: &str = "/v1/accounts/acme/invitations";
pub const SUBSCRIPTIONS: &str = "/v1/accounts/acme/subscriptions";

/// The organisation at a running service.
pub struct Org {
    pub service: TestService,
}

impl Org {
    pub async fn start() -> Self {
        Self { service: TestService::start_with(SEED).await }
    }

    /// The team of this name, as the account's token sees it.
    pub async fn team(&self, name: &str) -> Value {
        let teams = self.service.list(TEAMS).await;
        teams.into_iter().find(|team| team["name"] == name).expect("a team")
    }

    pub async fn id(&self, team: &str) -> String {
        text(&self.team(team).await["id"])
    }

    /// The place of a person in a team.
    pub async fn place(&self, team: &str, email: &str) -> Value {
        let rows = self.service.list(&format!("{MEMBERS}?team={}", self.id(team).await)).await;
        rows.into_iter().find(|row| row["email"] == email).expect("a member of the team")
    }

    /// People of a team as `tom:team-admin`, in the order in which they came.
    pub async fn people(&self, team: &str) -> String {
        let rows = self.service.list(&format!("{MEMBERS}?team={}", self.id(team).await)).await;
        let name = |row: &Value| text(&row["email"]).split_once('@').unwrap().0.to_owned();
        let people = rows.iter().map(|row| format!("{}:{}", name(row), text(&row["role"])));
        people.collect::<Vec<_>>().join(" ")
    }

    pub async fn post(&self, token: &str, path: &str, body: &Value) -> Answer {
        let key = format!("{token}-{path}-{}", self.service.requests().len());
        self.service.call(Method::POST, path).token(token).key(&key).json(body).send().await
    }

    /// A transition of a row, under the etag that it has now.
    pub async fn act(&self, token: &str, path: &str, etag: &Value) -> Answer {
        let key = format!("{token}-{path}-{}", self.service.requests().len());
        let call = self.service.call(Method::POST, path).token(token).key(&key);
        call.if_match(&text(etag)).send().await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.service.call(Method::GET, path).token(token).send().await
    }

    pub async fn invite(&self, token: &str, team: &str, email: &str, role: &str) -> Answer {
        let team = self.id(team).await;
        let body = json!({ "email": email, "role": role, "team": team });
        self.post(token, INVITATIONS, &body).await
    }

    pub async fn add(&self, token: &str, team: &str, email: &str, role: &str) -> Answer {
        let team = self.id(team).await;
        self.post(token, MEMBERS, &json!({ "email": email, "role": role, "team": team })).await
    }

    pub async fn suggest(&self, token: &str, team: &str, email: &str) -> Answer {
        let path = format!("{TEAMS}/{}/suggestions", self.id(team).await);
        self.post(token, &path, &json!({ "email": email, "role": "member" })).await
    }

    pub async fn give_role(&self, token: &str, team: &str, email: &str, role: &str) -> Answer {
        let row = self.place(team, email).await;
        let path = format!("{MEMBERS}/{}", text(&row["id"]));
        let call = self.service.call(Method::PATCH, &path).token(token);
        call.if_match(&text(&row["etag"])).json(&json!({ "role": role })).send().await
    }

    pub async fn remove(&self, token: &str, team: &str, email: &str) -> Answer {
        let row = self.place(team, email).await;
        let path = format!("{MEMBERS}/{}", text(&row["id"]));
        let call = self.service.call(Method::DELETE, &path).token(token);
        call.if_match(&text(&row["etag"])).send().await
    }

    pub async fn edit(&self, token: &str, team: &str, body: &Value) -> Answer {
        let row = self.team(team).await;
        let path = format!("{TEAMS}/{}", text(&row["id"]));
        let call = self.service.call(Method::PATCH, &path).token(token);
        call.if_match(&text(&row["etag"])).json(body).send().await
    }

    /// The first subscription to this plan.
    pub async fn subscription(&self, plan: &str) -> Value {
        let rows = self.service.list(SUBSCRIPTIONS).await;
        rows.into_iter().find(|row| row["plan"] == plan).expect("a subscription")
    }

    /// Cancels the subscription to this plan and lets its period end.
    pub async fn expire(&self, plan: &str) {
        self.expire_within(plan, SignedDuration::from_hours(31 * 24)).await;
    }

    /// As [`Org::expire`], where this much time is enough.
    pub async fn expire_within(&self, plan: &str, time: SignedDuration) {
        let row = self.subscription(plan).await;
        let path = format!("{SUBSCRIPTIONS}/{}/cancel", text(&row["id"]));
        self.act(TOKEN, &path, &row["etag"]).await.expect(StatusCode::OK);
        self.service.pass(time).await;
        assert_eq!(self.subscription(plan).await["state"], "ended");
    }

    pub async fn renew(&self, plan: &str) {
        let row = self.subscription(plan).await;
        let path = format!("{SUBSCRIPTIONS}/{}/renew", text(&row["id"]));
        self.act(VENDOR_TOKEN, &path, &row["etag"]).await.expect(StatusCode::OK);
    }

    /// Seats of the pool of this plan as `used of limit`.
    pub async fn pool(&self, plan: &str) -> String {
        let seats = self.service.seats().await;
        let pools = seats["pools"].as_array().expect("pools");
        let pool = pools.iter().find(|pool| pool["plan"] == plan).expect("a pool");
        format!("{} of {}", pool["used"], pool["limit"])
    }

    /// Mails of one kind to one address.
    pub async fn mails(&self, template: &str, to: &str) -> Vec<crate::service::Mail> {
        let mut mails = self.service.mails().await;
        mails.retain(|mail| mail.template == template && mail.to == to);
        mails
    }

    pub async fn stop(self) {
        self.service.stop().await;
    }
}
