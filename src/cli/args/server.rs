//! Arguments of `server` and of what it does on its database.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

/// Arguments of `server`.
#[derive(Debug, Args)]
pub struct ServerArgs {
    /// What to do on the database instead of running the service.
    #[command(subcommand)]
    pub command: Option<ServerCommand>,
    /// Address to listen on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: std::net::SocketAddr,
    /// Certificate chain in PEM: the service speaks https. Read again when the file changes.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate in PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Most open connections; one network address has at most a quarter of them. The limit on open
    /// files of the process must leave 100 more.
    #[arg(long, value_name = "N", default_value = "800")]
    pub max_connections: NonZeroU32,
    /// Network of your own proxies, as 10.0.0.0/8: what they say in X-Forwarded-For is believed;
    /// repeatable.
    #[arg(long, value_name = "CIDR")]
    pub trusted_proxy: Vec<ipnet::IpNet>,
    /// Requests in a minute with one token, or from one network address without a valid token. A
    /// sixth of them may come at once.
    #[arg(long, value_name = "N|unlimited", default_value = "6000")]
    pub requests_per_minute: PerMinute,
    /// Tries to sign in or up in a minute from one network address, and with one e-mail address.
    #[arg(long, value_name = "N|unlimited", default_value = "20")]
    pub sign_ins_per_minute: PerMinute,
    /// Address by which people reach the service; links in mails are built from it and from
    /// nothing else. Default: the address that it listens on.
    #[arg(long, value_name = "URL")]
    pub public_url: Option<url::Url>,
    /// Directory of the database, the secret key and the spool of mails; made if it is missing.
    #[arg(long, value_name = "DIR", default_value = "seatkeeper-data", global = true)]
    pub data_dir: PathBuf,
    /// PostgreSQL database instead of a file in the data directory:
    /// `postgres://user:password@host/name`. A URL with a password belongs in the variable or in a
    /// file, not on the command line.
    #[arg(
        long,
        value_name = "URL",
        env = "SEATKEEPER_DATABASE_URL",
        hide_env_values = true,
        global = true
    )]
    pub database_url: Option<String>,
    /// File that holds the URL of the PostgreSQL database.
    #[arg(long, value_name = "FILE", conflicts_with = "database_url", global = true)]
    pub database_url_file: Option<PathBuf>,
    /// Where mails go.
    #[command(flatten)]
    pub mail: MailArgs,
    /// Accounts, people and tokens to begin with.
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Profile file of your own, beside the built-in ones or in place of one; repeatable.
    #[arg(long, value_name = "FILE", global = true)]
    pub profile: Vec<PathBuf>,
    /// Who confirms a paid plan that an account picks.
    #[arg(long, value_enum, default_value_t = ConfirmPlansArg::Vendor)]
    pub confirm_plans: ConfirmPlansArg,
    /// DNS server that is asked for the records that prove domains. Default: those of the system.
    #[arg(long, value_name = "ADDRESS")]
    pub dns_server: Option<std::net::SocketAddr>,
    /// Invitations that one account may mail in an hour, resent ones among them.
    #[arg(long, value_name = "N", default_value = "2000")]
    pub invitations_per_hour: NonZeroU32,
    /// Invitations that one address may get in a day, whoever sends them.
    #[arg(long, value_name = "N", default_value = "10")]
    pub invitations_per_address: NonZeroU32,
    /// Days for which the audit log is kept; 0: for ever.
    #[arg(long, value_name = "DAYS", default_value_t = 400)]
    pub audit_retention: u16,
    /// One JSON line for each request is added to this file.
    #[arg(long, value_name = "FILE")]
    pub request_log: Option<PathBuf>,
    /// Writes the address that it listens on to this file once it answers.
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
}

/// How often in a minute; `None` is without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PerMinute(pub Option<NonZeroU32>);

impl FromStr for PerMinute {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "unlimited" => Ok(Self(None)),
            number => number
                .parse()
                .map(|number| Self(Some(number)))
                .map_err(|_| "give a number from 1 on, or `unlimited`"),
        }
    }
}

/// Where mails of `server` go: to a folder, unless `--smtp` says otherwise.
#[derive(Debug, Args)]
#[command(next_help_heading = "Mail")]
pub struct MailArgs {
    /// Mail server: smtp://HOST[:PORT] (port 587, STARTTLS) or smtps://HOST[:PORT] (port 465, TLS
    /// from the start); on this machine also smtp://localhost:PORT?tls=none. Default: mails are
    /// written to the folder `spool` in the data directory.
    #[arg(long, value_name = "URL", env = "SEATKEEPER_SMTP", requires = "mail_from")]
    pub smtp: Option<String>,
    /// User at the mail server.
    #[arg(
        long,
        value_name = "NAME",
        env = "SEATKEEPER_SMTP_USER",
        requires = "smtp",
        requires = "smtp_password_file"
    )]
    pub smtp_user: Option<String>,
    /// File with the password of that user.
    #[arg(
        long,
        value_name = "FILE",
        env = "SEATKEEPER_SMTP_PASSWORD_FILE",
        requires = "smtp_user"
    )]
    pub smtp_password_file: Option<PathBuf>,
    /// File with certificates in PEM that are trusted besides those of the system.
    #[arg(long, value_name = "FILE", env = "SEATKEEPER_SMTP_CA", requires = "smtp")]
    pub smtp_ca: Option<PathBuf>,
    /// Sender of all mails: seats@example.com, or "Seats <seats@example.com>".
    #[arg(
        long,
        value_name = "MAILBOX",
        env = "SEATKEEPER_MAIL_FROM",
        requires = "smtp",
        value_parser = mailbox
    )]
    pub mail_from: Option<lettre::message::Mailbox>,
    /// Mailbox that undeliverable mails come back to, each to an address of its own in it
    /// (bounce+ID-SIGNATURE@example.com). Default: they come back to the sender.
    #[arg(long, value_name = "ADDRESS", env = "SEATKEEPER_MAIL_RETURN_PATH", requires = "smtp")]
    pub mail_return_path: Option<lettre::Address>,
}

/// What an operator of the service does on its database, beside a running service.
#[derive(Debug, Subcommand)]
pub enum ServerCommand {
    /// Open an account and print its first token.
    CreateAccount(CreateAccountArgs),
    /// Make a token and print it.
    CreateToken(CreateTokenArgs),
    /// Give an account an owner again.
    RecoverOwner(RecoverOwnerArgs),
    /// Copy a SQLite database into a new file; the service may run.
    Backup {
        /// The new file.
        #[arg(long, value_name = "FILE")]
        to: PathBuf,
    },
    /// Put a backup in place of the SQLite database; the service must not run. Mails that were not
    /// sent when the backup was made are not sent at all, nor are those that fell due since.
    Restore {
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
    },
    /// After pg_restore: do what fell due since the backup was made and mark all mails that were not
    /// sent, so that none is sent twice.
    AfterRestore,
}

/// Arguments of `server create-account`.
#[derive(Debug, Args)]
pub struct CreateAccountArgs {
    /// Name for people.
    #[arg(long, value_name = "TEXT")]
    pub name: String,
    /// Short name: a-z, 0-9 and -.
    #[arg(long, value_name = "SLUG")]
    pub slug: String,
    /// Its profile; named otherwise, for `--profile` is a file.
    #[arg(long, value_name = "NAME")]
    pub product: String,
    /// Address of the owner.
    #[arg(long, value_name = "EMAIL")]
    pub owner: String,
}

/// Arguments of `server create-token`.
#[derive(Debug, Args)]
pub struct CreateTokenArgs {
    /// Account that it is bound to, by slug or id.
    #[arg(long, value_name = "ACCOUNT", required_unless_present = "vendor")]
    pub account: Option<String>,
    /// Member of the account whose personal token it is; one who has signed up.
    #[arg(long, value_name = "EMAIL", requires = "account")]
    pub email: Option<String>,
    /// The vendor's: for the whole service.
    #[arg(long, conflicts_with_all = ["account", "scope"])]
    pub vendor: bool,
    /// What it may do: read, invite, change, remove, billing, manage; repeatable.
    #[arg(long, value_name = "SCOPE", required_unless_present = "vendor")]
    pub scope: Vec<String>,
    /// Name for people.
    #[arg(long, value_name = "TEXT", default_value = "operator")]
    pub name: String,
    /// Days until it ends, 1 to 366.
    #[arg(long, value_name = "DAYS", default_value_t = 90)]
    pub expires_in_days: u16,
}

/// Arguments of `server recover-owner`.
#[derive(Debug, Args)]
pub struct RecoverOwnerArgs {
    /// The account, by slug or id.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: String,
    /// Active member who becomes the owner.
    #[arg(long, value_name = "EMAIL")]
    pub email: String,
    /// The owner who is lost; that membership ends.
    #[arg(long, value_name = "EMAIL")]
    pub in_place_of: Option<String>,
    /// Why; kept in the audit log.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Who confirms a paid plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ConfirmPlansArg {
    /// The vendor, with a vendor token.
    Vendor,
    /// Nobody: for demos.
    Auto,
}

/// Reads a sender.
fn mailbox(text: &str) -> Result<lettre::message::Mailbox, &'static str> {
    text.parse().map_err(|_| "give it as seats@example.com, or as \"Seats <seats@example.com>\"")
}
