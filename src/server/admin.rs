//! What an operator of the service does on its database directly, whether or not it runs.

use std::sync::Arc;

use jiff::SignedDuration;
use secrecy::SecretString;
use serde_json::json;

use crate::domain::identity::EmailAddress;
use crate::domain::keys::RoleName;
use crate::server::change::{Change, account, member, seats, token};
use crate::server::error::{ApiError, ServerError};
use crate::server::mail::Template;
use crate::server::pages::sentence;
use crate::server::permission::{Actor, Scope};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::{tokens, users};
use crate::server::{Service, Settings, run};
use crate::wire::{MemberState, NewAccount, NewToken, TokenKind};

/// Longest reason of a recovery, in characters.
const MAX_REASON: usize = 500;

/// The database under an operator's hand.
#[derive(Debug)]
pub struct Admin {
    service: Arc<Service>,
}

/// A token that was made; its secret is shown this once.
#[derive(Debug)]
pub struct Issued {
    /// The account, if it is the token of one.
    pub account: Option<String>,
    /// The token.
    pub token: String,
    /// What its bearer sends.
    pub secret: SecretString,
}

/// Whose token it is.
#[derive(Clone, Debug)]
pub enum TokenOf {
    /// The vendor's, for every account.
    Vendor,
    /// That of an account.
    Account(String),
    /// That of a member of an account, by address.
    Member {
        /// Id or slug of the account.
        account: String,
        /// Address of the member.
        email: String,
    },
}

/// What gives an account an owner again.
#[derive(Clone, Debug)]
pub struct Recovery {
    /// Id or slug of the account.
    pub account: String,
    /// Address of the member who becomes the owner.
    pub email: String,
    /// Address of the owner who is lost, if there is one: that membership ends.
    pub in_place_of: Option<String>,
    /// Why; kept in the audit log.
    pub reason: String,
}

impl Admin {
    /// Opens the database. Nothing listens, and no mail is sent by this process.
    ///
    /// # Errors
    ///
    /// [`ServerError`]: what could not be opened.
    pub async fn open(settings: Settings) -> Result<Self, ServerError> {
        Ok(Self { service: run::assemble(settings, "http://localhost").await? })
    }

    /// Opens an account with its owner and makes its first token, of all scopes.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`] with the way out.
    pub async fn create_account(&self, request: &NewAccount) -> Result<Issued, ServerError> {
        self.open_account(request).await.map_err(refused)
    }

    async fn open_account(&self, request: &NewAccount) -> Result<Issued, ApiError> {
        let tx = self.service.store.begin().await?;
        let mut change = account::open(&self.service, tx, Actor::Service, request, None).await?;
        let (id, days) = (change.account.id.clone(), i64::from(crate::wire::TOKEN_DAYS));
        let expires_in = SignedDuration::from_hours(24 * days);
        let made = token::put(&mut change, "first", None, &Scope::ALL.into(), expires_in).await?;
        change.commit().await?;
        Ok(Issued { account: Some(id), token: made.row.id, secret: made.secret.into() })
    }

    /// Makes a token.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`] with the way out.
    pub async fn create_token(
        &self,
        of: &TokenOf,
        name: &str,
        scopes: &[String],
        expires_in_days: u16,
    ) -> Result<Issued, ServerError> {
        let request = NewToken {
            kind: TokenKind::Account,
            name: name.to_owned(),
            scopes: scopes.to_vec(),
            expires_in_days,
        };
        let made = match of {
            TokenOf::Vendor => self.vendor_token(&request).await,
            TokenOf::Account(account) => self.account_token(account, &request).await,
            TokenOf::Member { account, email } => {
                self.personal_token(account, email, &request).await
            }
        };
        made.map_err(refused)
    }

    async fn vendor_token(&self, request: &NewToken) -> Result<Issued, ApiError> {
        let now = self.service.now();
        let expires_in = token::lifetime(request)?;
        let id = self.service.ids.next("tok", now);
        let made = token::vendor(id, &request.name, now, expires_in)?;
        let mut tx = self.service.store.begin().await?;
        tokens::put(&mut tx, &made.row).await?;
        tx.commit().await?;
        Ok(Issued { account: None, token: made.row.id, secret: made.secret.into() })
    }

    async fn account_token(&self, account: &str, request: &NewToken) -> Result<Issued, ApiError> {
        let mut change = Change::begin(&self.service, account, Actor::Service).await?;
        let made = token::make(&mut change, request).await?;
        let id = change.account.id.clone();
        change.commit().await?;
        Ok(Issued { account: Some(id), token: made.row.id, secret: made.secret.into() })
    }

    async fn personal_token(
        &self,
        account: &str,
        email: &str,
        request: &NewToken,
    ) -> Result<Issued, ApiError> {
        let mut change = Change::begin(&self.service, account, Actor::Service).await?;
        let (scopes, expires_in) =
            (token::known_scopes(&request.scopes)?, token::lifetime(request)?);
        let row = any_place(&mut change, &address(email)?).await?;
        let user = users::by_address(change.conn(), &row.address).await?;
        if !user.is_some_and(|user| user.is_verified()) {
            let detail = "has not signed up: a personal token works only once its person has \
                          verified the address; sign up at /signup first";
            return Err(ApiError::field("/email", detail));
        }
        let address = Some(row.address);
        let made = token::put(&mut change, &request.name, address, &scopes, expires_in).await?;
        let id = change.account.id.clone();
        change.commit().await?;
        Ok(Issued { account: Some(id), token: made.row.id, secret: made.secret.into() })
    }

    /// Gives an account an owner again. Gives the id of that member.
    ///
    /// # Errors
    ///
    /// [`ServerError::Refused`] with the way out.
    pub async fn recover_owner(&self, recovery: &Recovery) -> Result<String, ServerError> {
        self.give_owner(recovery).await.map_err(refused)
    }

    async fn give_owner(&self, recovery: &Recovery) -> Result<String, ApiError> {
        let Recovery { account, email, in_place_of, reason } = recovery;
        if reason.trim().is_empty() || reason.chars().count() > MAX_REASON {
            return Err(ApiError::field("/reason", "has 1 to 500 characters"));
        }
        let mut change = Change::begin(&self.service, account, Actor::Service).await?;
        let role = change.profile.opening_role().map(|role| role.name.clone());
        let role = role.ok_or(ApiError::Corrupt("profile.roles"))?;
        let lost = lost_owner(&mut change, &role, in_place_of.as_deref()).await?;
        let row = any_place(&mut change, &address(email)?).await?;
        if let Some(lost) = &lost {
            if lost.address == row.address {
                return Err(ApiError::field("/email", "is the owner who is lost"));
            }
            member::end(&mut change, lost.clone()).await?;
        }
        let row = member::make_holder(&mut change, row, &role).await?;
        seats::settle(&mut change).await?;
        let before = lost.as_ref().map(|lost| json!({ "owner": lost.id }));
        let after = json!({ "owner": row.id, "role": row.role, "reason": reason });
        change.record("account.owner_recovered", &row.id, before, Some(after)).await?;
        for told in lost.iter().chain([&row]) {
            let words = json!({ "person": row.address, "role": row.role });
            change.mail(Template::OwnershipDone, &row.id, &told.address, words).await?;
        }
        change.commit().await?;
        Ok(row.id)
    }
}

/// The owner whom the recovery replaces. An account that has one needs to be told which is lost.
async fn lost_owner(
    change: &mut Change,
    role: &RoleName,
    named: Option<&str>,
) -> Result<Option<MemberRow>, ApiError> {
    let account_id = change.account.id.clone();
    let holders = members::people_with_role(change.conn(), &account_id, role.as_str()).await?;
    let Some(named) = named else {
        if holders.is_empty() {
            return Ok(None);
        }
        let detail = "is missing: the account has an owner; name the one who is lost, or change \
                      the owner on the usual way";
        return Err(ApiError::field("/in-place-of", detail));
    };
    let named = address(named)?;
    let lost = holders.into_iter().find(|row| row.address == named);
    lost.map(Some).ok_or_else(|| ApiError::field("/in-place-of", "is not an owner of the account"))
}

/// A place of an active member, that in the account itself before those in its teams.
async fn any_place(change: &mut Change, address: &str) -> Result<MemberRow, ApiError> {
    let account_id = change.account.id.clone();
    let mut rows = members::of_person(change.conn(), &account_id, address).await?;
    rows.retain(|row| row.state == MemberState::Active);
    rows.sort_by_key(|row| row.team_id.is_some());
    rows.into_iter().next().ok_or_else(|| {
        ApiError::field("/email", "is not an active member of the account; invite the person first")
    })
}

fn address(text: &str) -> Result<String, ApiError> {
    let address = EmailAddress::parse(text);
    let address = address.map_err(|error| ApiError::field("/email", error.to_string()))?;
    Ok(address.as_str().to_owned())
}

/// What was refused is said in one sentence; what failed keeps its causes.
fn refused(error: ApiError) -> ServerError {
    if error.kind().status.is_client_error() {
        ServerError::Refused(sentence(&error))
    } else {
        ServerError::Work(error)
    }
}
