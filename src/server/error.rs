//! What goes wrong at the service, and the one table that turns it into an answer.

use std::path::PathBuf;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use thiserror::Error;

use crate::server::change::invite_limit::InviteLimit;
use crate::server::dns::DnsError;
use crate::server::limits::Allowance;
use crate::server::mail::MailSettingsError;
use crate::server::routes::limit::{self, INVITE_MAIL};
use crate::wire::{Existing, FieldProblem, Problem};
use crate::yaml;

/// Why the service did not start.
#[derive(Debug, Error)]
pub enum ServerError {
    /// The database could not be opened or brought up to date.
    #[error("could not open the database {database}")]
    Database {
        /// The file or the server, without a password.
        database: String,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The file with the key under which links are made.
    #[error("could not read or make the secret key file {path}")]
    SecretKey {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key file is there but too short to be one.
    #[error("the secret key file {path} does not hold 64 hex digits")]
    SecretKeyShape {
        /// The file.
        path: PathBuf,
    },
    /// The spool folder or the request log.
    #[error("could not make {path}")]
    Output {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The address to listen on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of TLS could not be read.
    #[error("could not read the TLS file {path}")]
    TlsFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of TLS does not hold what it should.
    #[error("the TLS file {path} holds no {lacks} in PEM")]
    TlsShape {
        /// The file.
        path: PathBuf,
        /// What it lacks.
        lacks: &'static str,
    },
    /// Certificate and key are not of one pair.
    #[error("the certificate of {cert} and the key of {key} cannot be used together")]
    TlsPair {
        /// File of the certificate.
        cert: PathBuf,
        /// File of the key.
        key: PathBuf,
        /// Why.
        #[source]
        source: rustls::Error,
    },
    /// What is wrong with the seed file, all at once.
    #[error("the seed file has {} problem(s)", .0.len())]
    Seed(Vec<yaml::Problem>),
    /// The seed could not be stored.
    #[error("could not store the seed data")]
    SeedStore(#[source] ApiError),
    /// Background work failed.
    #[error("the service could not do what was due")]
    Work(#[source] ApiError),
    /// An operator asked for what cannot be.
    #[error("{0}")]
    Refused(String),
    /// Backups are those of a SQLite file.
    #[error(
        "the database is no SQLite file: use pg_dump and pg_restore, then `server after-restore`"
    )]
    NotSqlite,
    /// The file is open elsewhere.
    #[error("{path} is in use: stop the service first")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// What an earlier restore kept would be written over.
    #[error("{path} is the database from before an earlier restore: move it away first")]
    KeptBefore {
        /// The file.
        path: PathBuf,
    },
    /// A template of the pages or mails does not compile.
    #[error("a template of the service is broken")]
    Template(#[from] minijinja::Error),
    /// Mails could not be sent like this.
    #[error("the settings of mail do not fit")]
    Mail(#[from] MailSettingsError),
    /// The public address is not usable in links.
    #[error("the public URL must be http or https, without query and fragment")]
    PublicUrl,
}

/// Why a request was not carried out.
#[derive(Debug, Error)]
pub enum ApiError {
    /// The request cannot be understood.
    #[error("the request has fields that cannot be taken")]
    Invalid(Vec<FieldProblem>),
    /// The body is not JSON.
    #[error("the body is not JSON that can be read")]
    NotJson,
    /// The body has another media type.
    #[error("the body is not application/json")]
    MediaType,
    /// The body is over the limit.
    #[error("the body is larger than 1 MiB")]
    TooLarge,
    /// No credential, or one that is unknown or over.
    #[error("no valid credential came with the request")]
    Unauthenticated,
    /// The credential does not reach so far.
    #[error("the credential lacks the scope {0}")]
    ScopeMissing(&'static str),
    /// The person's role does not reach so far.
    #[error("the role does not allow this")]
    Forbidden,
    /// A role beyond what the caller may give or take.
    #[error("the role is beyond what the caller may give or take")]
    BeyondManage,
    /// A form that did not come from a page of this service.
    #[error("the form is not from a page that this browser was shown")]
    ForgedForm,
    /// A link that was forged, used up or replaced.
    #[error("the link does not work, or not any more")]
    DeadLink,
    /// Not there, or not for this credential.
    #[error("there is no such thing here")]
    NotFound,
    /// The path is there, the method is not.
    #[error("the method is not offered here")]
    Method,
    /// `If-Match` is missing.
    #[error("If-Match is required")]
    PreconditionRequired,
    /// The row has changed.
    #[error("the row has changed")]
    Stale,
    /// The key is missing on a call that mails.
    #[error("Idempotency-Key is required")]
    KeyRequired,
    /// The key came before with another request.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// The answer held a secret, which is shown once.
    #[error("the answer held a secret and cannot be given again")]
    SecretNotRepeatable,
    /// One pending invitation for one person.
    #[error("the person is invited already")]
    AlreadyPending {
        /// Path of the invitation that waits.
        href: String,
    },
    /// The person is in.
    #[error("the person is a member already")]
    AlreadyMember {
        /// Path of the member.
        href: String,
    },
    /// No seat is free.
    #[error("all {limit} seats of the plan {plan} are taken")]
    SeatLimit {
        /// Seats of the plan.
        limit: u32,
        /// The plan.
        plan: String,
    },
    /// Seats go to trimmed members first.
    #[error("trimmed members wait for seats")]
    MembersWait,
    /// The last paid subscription is over (NP-15).
    #[error("the account is disabled")]
    Disabled,
    /// The team's subscription is over (CT-13).
    #[error("the team is inactive")]
    TeamInactive,
    /// The team has no subscription yet (CT-03).
    #[error("the team is not set up yet")]
    TeamPending,
    /// Another installation manages the account.
    #[error("another installation has claimed the account")]
    ClaimedByOther,
    /// The profile does not let this role be given that way.
    #[error("the role cannot be given by an invitation")]
    NotInvitable,
    /// The role changes only by an ownership change.
    #[error("the role cannot be changed or removed here")]
    RoleFixed,
    /// Too few or too many would hold the role.
    #[error("the role must keep its number of holders")]
    Holders,
    /// The invitation is in another state.
    #[error("the invitation is {state}")]
    InvitationState {
        /// Its state.
        state: &'static str,
    },
    /// The member is in another state.
    #[error("the member is {state}")]
    MemberState {
        /// Its state.
        state: &'static str,
    },
    /// The profile leaves people over the limit alone.
    #[error("this product does not trim members")]
    TrimNotOffered,
    /// The short name is in use.
    #[error("the slug is taken")]
    SlugTaken,
    /// The subscription is over or ending.
    #[error("the subscription is {state}")]
    SubscriptionState {
        /// Its state.
        state: &'static str,
    },
    /// This product has no such thing.
    #[error("this product has no {0}")]
    NotOffered(&'static str),
    /// A change of owner is under way.
    #[error("a change of owner is under way")]
    OwnershipOpen,
    /// Owner or candidate is not what they were when it was asked for.
    #[error("owner or candidate is not what they were when this was asked for")]
    OwnershipMoot,
    /// The row is in another state.
    #[error("the {what} is {state}")]
    RowState {
        /// Kind of row.
        what: &'static str,
        /// Its state.
        state: &'static str,
    },
    /// Only agencies ask clients for access (NC-01).
    #[error("the account is not an agency")]
    NotAgency,
    /// The client was asked already.
    #[error("the client was asked already")]
    AlreadyRequested {
        /// Path of the request.
        href: String,
    },
    /// The person was suggested for the team already.
    #[error("the person was suggested already")]
    AlreadySuggested {
        /// Path of the team's suggestions, or of the one that waits.
        href: String,
    },
    /// Some of several edits cannot be made, so none was (CT-12).
    #[error("some of the edits cannot be made, so none was")]
    EditsRefused(Vec<FieldProblem>),
    /// Another account has verified the domain.
    #[error("the domain belongs to another account")]
    DomainTaken,
    /// The TXT record of a challenge is not there.
    #[error("the challenge was not found in the DNS")]
    ChallengeMissing,
    /// The DNS did not answer.
    #[error("the DNS did not answer")]
    DnsFailed(#[from] DnsError),
    /// The plan has no more of it (CT-14).
    #[error("the meter {meter} is full")]
    MeterFull {
        /// Name of the meter.
        meter: String,
    },
    /// The role always receives this category (NP-11).
    #[error("the role always receives this category")]
    RecipientImplied,
    /// The category is not open to the role.
    #[error("the category is not open to this role")]
    RecipientNotOpen,
    /// The account asks for more than a password (X13).
    #[error("the account requires secure sign-in")]
    SecureSignInRequired,
    /// An existing user was to be added by an unknown address (X9).
    #[error("there is no such user in this account")]
    UnknownUser,
    /// The external reference is in use.
    #[error("the external reference is taken")]
    ReferenceTaken,
    /// The website is there.
    #[error("the website is there already")]
    WebsiteTaken,
    /// The feed does not reach back so far.
    #[error("the feed does not reach back so far")]
    FeedTooOld,
    /// Too many of them for now.
    #[error("too many requests")]
    RateLimited {
        /// Seconds to wait.
        seconds: u64,
        /// The limit, where it is one of invitation mails.
        mails: Option<(InviteLimit, Allowance)>,
    },
    /// The request took longer than the service waits.
    #[error("the request took too long")]
    Deadline,
    /// The database did not do what was asked.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
    /// A row holds what this program cannot read.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(&'static str),
    /// A value could not be written as JSON.
    #[error("a value could not be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A page or a mail could not be made.
    #[error("a template could not be rendered")]
    Template(#[from] minijinja::Error),
    /// Anything that panicked.
    #[error("the request was given up inside the service")]
    Panicked,
}

/// Code, status and whether the same request can succeed later: the closed table.
pub(crate) struct Kind {
    /// Word for programs; never renamed.
    pub code: &'static str,
    /// Status.
    pub status: StatusCode,
    /// Whether to try again.
    pub retryable: bool,
}

const fn kind(code: &'static str, status: StatusCode) -> Kind {
    Kind { code, status, retryable: false }
}

const fn later(code: &'static str, status: StatusCode) -> Kind {
    Kind { code, status, retryable: true }
}

/// The closed table can be asked for one row and for all of them.
macro_rules! closed_table {
    (impl ApiError { match self { $($problem:pat => $kind:expr,)+ } }) => {
        impl ApiError {
            /// The row of the table.
            pub(crate) fn kind(&self) -> Kind {
                use StatusCode as S;
                match self { $($problem => $kind,)+ }
            }

            /// The whole table.
            pub(crate) fn table() -> Vec<Kind> {
                use StatusCode as S;
                vec![$($kind),+]
            }
        }
    };
}

closed_table! {
    impl ApiError {
        match self {
            Self::Invalid(_) => kind("invalid-request", S::BAD_REQUEST),
            Self::NotJson => kind("not-json", S::BAD_REQUEST),
            Self::MediaType => kind("unsupported-media-type", S::UNSUPPORTED_MEDIA_TYPE),
            Self::TooLarge => kind("body-too-large", S::PAYLOAD_TOO_LARGE),
            Self::Unauthenticated => kind("unauthenticated", S::UNAUTHORIZED),
            Self::ScopeMissing(_) => kind("scope-missing", S::FORBIDDEN),
            Self::Forbidden => kind("forbidden", S::FORBIDDEN),
            Self::BeyondManage => kind("beyond-manage", S::FORBIDDEN),
            Self::ForgedForm => kind("forged-form", S::FORBIDDEN),
            Self::DeadLink => kind("dead-link", S::NOT_FOUND),
            Self::NotFound => kind("not-found", S::NOT_FOUND),
            Self::Method => kind("method-not-allowed", S::METHOD_NOT_ALLOWED),
            Self::PreconditionRequired => kind("if-match-required", S::PRECONDITION_REQUIRED),
            Self::Stale => kind("stale", S::PRECONDITION_FAILED),
            Self::KeyRequired => kind("idempotency-key-required", S::BAD_REQUEST),
            Self::SecretNotRepeatable => kind("secret-not-repeatable", S::CONFLICT),
            Self::KeyReused => kind("idempotency-key-reused", S::UNPROCESSABLE_ENTITY),
            Self::AlreadyPending { .. } => kind("invitation-already-pending", S::CONFLICT),
            Self::AlreadyMember { .. } => kind("already-member", S::CONFLICT),
            Self::SeatLimit { .. } => kind("seat-limit-reached", S::CONFLICT),
            Self::MembersWait => kind("trimmed-members-wait", S::CONFLICT),
            Self::Disabled => kind("service-disabled", S::CONFLICT),
            Self::TeamInactive => kind("team-inactive", S::CONFLICT),
            Self::TeamPending => kind("team-pending", S::CONFLICT),
            Self::ClaimedByOther => kind("claimed-by-other", S::CONFLICT),
            Self::NotInvitable => kind("role-not-invitable", S::CONFLICT),
            Self::RoleFixed => kind("role-fixed", S::CONFLICT),
            Self::Holders => kind("role-holders", S::CONFLICT),
            Self::InvitationState { .. } => kind("invitation-state", S::CONFLICT),
            Self::MemberState { .. } => kind("member-state", S::CONFLICT),
            Self::TrimNotOffered => kind("trim-not-offered", S::CONFLICT),
            Self::SlugTaken => kind("slug-taken", S::CONFLICT),
            Self::SubscriptionState { .. } => kind("subscription-state", S::CONFLICT),
            Self::NotOffered(_) => kind("not-offered", S::CONFLICT),
            Self::OwnershipOpen => kind("ownership-change-open", S::CONFLICT),
            Self::OwnershipMoot => kind("ownership-change-moot", S::CONFLICT),
            Self::RowState { .. } => kind("row-state", S::CONFLICT),
            Self::NotAgency => kind("not-an-agency", S::CONFLICT),
            Self::AlreadyRequested { .. } => kind("client-access-already-open", S::CONFLICT),
            Self::AlreadySuggested { .. } => kind("suggestion-already-open", S::CONFLICT),
            Self::EditsRefused(_) => kind("edits-refused", S::CONFLICT),
            Self::DomainTaken => kind("domain-taken", S::CONFLICT),
            Self::ChallengeMissing => kind("challenge-missing", S::CONFLICT),
            Self::DnsFailed(_) => later("dns-failed", S::SERVICE_UNAVAILABLE),
            Self::MeterFull { .. } => kind("meter-full", S::CONFLICT),
            Self::RecipientImplied => kind("recipient-implied", S::CONFLICT),
            Self::RecipientNotOpen => kind("recipient-not-open", S::CONFLICT),
            Self::SecureSignInRequired => kind("secure-sign-in-required", S::FORBIDDEN),
            Self::UnknownUser => kind("unknown-user", S::CONFLICT),
            Self::ReferenceTaken => kind("external-ref-taken", S::CONFLICT),
            Self::WebsiteTaken => kind("website-taken", S::CONFLICT),
            Self::FeedTooOld => kind("feed-too-old", S::GONE),
            Self::RateLimited { .. } => later("rate-limited", S::TOO_MANY_REQUESTS),
            Self::Deadline => later("deadline", S::SERVICE_UNAVAILABLE),
            Self::Database(_) => later("unavailable", S::SERVICE_UNAVAILABLE),
            Self::Corrupt(_) | Self::Json(_) | Self::Template(_) | Self::Panicked => {
                kind("internal", S::INTERNAL_SERVER_ERROR)
            },
        }
    }
}

impl ApiError {
    /// One sentence, the same for every problem of this kind.
    pub(crate) fn title(&self) -> String {
        match self {
            Self::SeatLimit { .. } => "all seats of the plan are taken".to_owned(),
            Self::InvitationState { .. } => "the invitation is in another state".to_owned(),
            Self::MemberState { .. } => "the member is in another state".to_owned(),
            Self::SubscriptionState { .. } => "the subscription is in another state".to_owned(),
            Self::ScopeMissing(_) => "the credential lacks a scope".to_owned(),
            Self::Corrupt(_) | Self::Json(_) | Self::Template(_) | Self::Panicked => {
                "the service failed".to_owned()
            }
            Self::NotOffered(_) => "this product has no such thing".to_owned(),
            Self::RowState { .. } => "the row is in another state".to_owned(),
            Self::MeterFull { .. } => "the meter is full".to_owned(),
            Self::Database(_) => "the service cannot reach its data".to_owned(),
            other => other.to_string(),
        }
    }

    /// What went wrong this time, and the way out; never anything of the inside.
    #[expect(clippy::too_many_lines, reason = "a closed table, one row a problem")]
    pub(crate) fn detail(&self) -> Option<String> {
        Some(match self {
            Self::SeatLimit { .. } => format!(
                "{self}: remove a member, revoke a pending invitation or upgrade the plan"
            ),
            Self::MembersWait => {
                "members trimmed for want of a seat come back first: upgrade the plan or remove them"
                    .to_owned()
            }
            Self::AlreadyPending { .. } => {
                "resend or change the invitation that waits instead".to_owned()
            }
            Self::AlreadyMember { .. } => "change the member's role instead".to_owned(),
            Self::Disabled => "pick a plan; reads, billing, removals and revocations work".to_owned(),
            Self::TeamInactive => {
                "renew its subscription; reads, removals and revocations work".to_owned()
            }
            Self::TeamPending => "link a subscription to the team".to_owned(),
            Self::Stale => "read the row again and send its etag as If-Match".to_owned(),
            Self::PreconditionRequired => "send the row's etag as If-Match".to_owned(),
            Self::KeyRequired => "send a random Idempotency-Key; keep it for repeats".to_owned(),
            Self::SecretNotRepeatable => {
                "it was carried out; take away what was made and make it anew".to_owned()
            }
            Self::KeyReused => "use a new key for a new request".to_owned(),
            Self::Unauthenticated => "send Authorization: Bearer with a valid token".to_owned(),
            Self::ScopeMissing(scope) => format!("the scope `{scope}` is needed"),
            Self::InvitationState { .. }
            | Self::MemberState { .. }
            | Self::SubscriptionState { .. } => self.to_string(),
            Self::RateLimited { seconds, .. } => format!("wait {seconds} s, then try again"),
            Self::Holders => "hand the role to someone else by an ownership change".to_owned(),
            Self::ForgedForm => "go back, load the page again and send the form once more".to_owned(),
            Self::OwnershipOpen => "cancel it or wait for it".to_owned(),
            Self::OwnershipMoot => {
                "both must be active members, one an owner and one not yet: ask for it anew".to_owned()
            }
            Self::NotOffered(_) | Self::RowState { .. } => self.to_string(),
            Self::NotAgency => "ask the vendor to make it one".to_owned(),
            Self::AlreadyRequested { .. } => "resend the request that waits instead".to_owned(),
            Self::AlreadySuggested { .. } => "approve or reject the one that waits".to_owned(),
            Self::EditsRefused(_) => "mend what `errors` names, or leave it out".to_owned(),
            Self::ChallengeMissing => "publish the TXT record that the domain shows, and verify again".to_owned(),
            Self::DnsFailed(_) => "the domain stays as it is; try again".to_owned(),
            Self::MeterFull { .. } => "use less or upgrade the plan".to_owned(),
            Self::RecipientImplied => "change the role of the member first".to_owned(),
            Self::SecureSignInRequired => {
                "the account asks for more than a password: sign in with a second factor, Google or \
                 GitHub, or ask an owner of the account"
                    .to_owned()
            }
            Self::UnknownUser => "invite the address instead".to_owned(),
            Self::FeedTooOld => "list everything again and go on from its `as_of`".to_owned(),
            Self::DeadLink => "ask for a new one".to_owned(),
            Self::Invalid(_)
            | Self::NotJson
            | Self::MediaType
            | Self::TooLarge
            | Self::Forbidden
            | Self::BeyondManage
            | Self::NotFound
            | Self::Method
            | Self::ClaimedByOther
            | Self::NotInvitable
            | Self::RoleFixed
            | Self::TrimNotOffered
            | Self::SlugTaken
            | Self::DomainTaken
            | Self::RecipientNotOpen
            | Self::ReferenceTaken
            | Self::WebsiteTaken
            | Self::Deadline
            | Self::Database(_)
            | Self::Corrupt(_)
            | Self::Json(_)
            | Self::Template(_)
            | Self::Panicked => return None,
        })
    }

    /// One field that cannot be taken.
    pub(crate) fn field(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldProblem { pointer: pointer.into(), detail: detail.into() }])
    }

    /// The body of the answer.
    pub(crate) fn problem(self, request_id: String) -> Problem {
        let Kind { code, status, retryable } = self.kind();
        let (title, detail) = (self.title(), self.detail());
        let mut errors = Vec::new();
        let (mut existing, mut limit) = (None, None);
        match self {
            Self::RateLimited { mails: Some((of, _)), .. } => limit = Some(of.word().to_owned()),
            Self::Invalid(fields) | Self::EditsRefused(fields) => errors = fields,
            Self::AlreadyPending { href }
            | Self::AlreadyMember { href }
            | Self::AlreadyRequested { href }
            | Self::AlreadySuggested { href } => {
                existing = Some(Existing { href });
            }
            _ => (),
        }
        Problem {
            type_: format!("/problems/{code}"),
            title,
            status: status.as_u16(),
            detail,
            code: code.to_owned(),
            errors,
            retryable,
            request_id,
            existing,
            limit,
        }
    }
}

/// The error of an answer, until the outermost layer has given it its request id.
#[derive(Clone)]
pub(crate) struct Failure(pub std::sync::Arc<std::sync::Mutex<Option<ApiError>>>);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.kind().status.into_response();
        if let Self::RateLimited { mails: Some((_, mails)), .. } = &self {
            limit::tell(response.headers_mut(), INVITE_MAIL, *mails);
        }
        let failure = Failure(std::sync::Arc::new(std::sync::Mutex::new(Some(self))));
        response.extensions_mut().insert(failure);
        response
    }
}
