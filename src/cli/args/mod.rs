//! Arguments and their help texts.

mod cluster;
mod operator;
mod server;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::SignedDuration;

pub use cluster::{
    ApproveArgs, ClusterArgs, ReleaseArgs, Released, ReleasedKind, ResendArgs, Sent, SentKind,
};
pub use operator::OperatorArgs;
pub use server::{
    ConfirmPlansArg, CreateAccountArgs, CreateTokenArgs, MailArgs, PerMinute, RecoverOwnerArgs,
    ServerArgs, ServerCommand,
};

/// Keeps who is on an account equal to what is declared in git.
#[derive(Debug, Parser)]
#[command(
    name = "seatkeeper",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 error, 2 wrong usage, 3 `plan` found changes, 4 something \
                  waits for a person."
)]
pub struct Cli {
    /// Log lines on stderr: a level, or a filter as in RUST_LOG.
    #[arg(
        long,
        global = true,
        env = "SEATKEEPER_LOG",
        default_value = "warn",
        value_name = "LEVEL"
    )]
    pub log: String,
    /// Form of the log lines.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Any value: no colour in log lines.
    #[arg(long, hide = true, env = "NO_COLOR", value_name = "ANY")]
    pub no_color: Option<String>,
    /// Kill a debug build at a named point, to show that nothing is lost.
    #[arg(long, hide = true, env = "SEATKEEPER_FAILPOINT", value_name = "NAME[:N]")]
    pub failpoint: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show what `apply` would do. Writes nothing anywhere, the ledger included.
    Plan(PlanArgs),
    /// Make the account match the files.
    Apply(ApplyArgs),
    /// Show the account and everyone that is declared, as they are now.
    Status(PlanArgs),
    /// Say who manages the account of the files, or take it over with --take.
    Claim(ClaimArgs),
    /// Let what waits for a person in a cluster run, once, by its digest; without one, show it.
    Approve(ApproveArgs),
    /// Have invitations or requests that a cluster declares sent again.
    Resend(ResendArgs),
    /// Take our finalizers off objects of a cluster, to delete them without the operator or to uninstall
    /// it. Nobody loses access by it, and deleting what is released takes back nothing.
    Release(ReleaseArgs),
    /// Write manifests for an account that has people already: its people, teams, clients and
    /// recipients of mail, as they are. They ask for nothing but what is there, which is checked
    /// before; comments say who is not declared and why. Writes nothing to the account.
    Import(ImportArgs),
    /// Run the Kubernetes operator.
    Operator(OperatorArgs),
    /// Run an account service of your own.
    Server(Box<ServerArgs>),
    /// Print the custom resource definitions, or write them to a directory.
    Crds(CrdsArgs),
    /// Print the contract of the account API (OpenAPI 3.1), or write it to a file.
    Openapi(PageArgs),
    /// Print every condition and event of the operator, with what to do, or write it to a file.
    Conditions(PageArgs),
    /// Work with profiles: a product's rules as data.
    #[command(subcommand)]
    Profile(ProfileCommand),
    /// Print the version.
    Version,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON document; fields are only ever added.
    Json,
}

/// Files, ledger and secrets of one account.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// File or directory with manifests (`-` for stdin); repeatable.
    #[arg(short, long = "filename", value_name = "FILE|DIR", required = true)]
    pub filename: Vec<PathBuf>,
    /// Account to work on, as NAMESPACE/NAME; needed where the files hold several.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    pub account: Option<String>,
    /// Where the ledger is: `file:PATH`; `kube:NAMESPACE/NAME` in the current cluster; or `account`:
    /// kept by the account service, for runners that keep nothing (at most 1 MiB, about 4 000 people;
    /// needs a token of the scope manage).
    #[arg(
        long,
        value_name = "LEDGER",
        default_value = "file:.seatkeeper",
        env = "SEATKEEPER_LEDGER"
    )]
    pub ledger: String,
    /// Directory with Secrets as Kubernetes mounts them: DIR/NAME/KEY. Without it the token is
    /// read from the environment variable SEATKEEPER_SECRET_NAME_KEY (upper case, `_` for the rest).
    #[arg(long, value_name = "DIR")]
    pub secrets: Option<PathBuf>,
    /// Profile file of your own, in place of the built-in one of the same name.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Time for each call to the account service, as `500ms`, `30s` or `2m`.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    pub timeout: Duration,
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// Reads a time that a call may take.
fn timeout(text: &str) -> Result<Duration, String> {
    let (least, most) = (Duration::from_millis(1), Duration::from_mins(10));
    let time: SignedDuration = text.parse().map_err(|_| "give a time as 500ms, 30s or 2m")?;
    match Duration::try_from(time) {
        Ok(time) if (least..=most).contains(&time) => Ok(time),
        _ => Err("give a time from 1ms to 10m".to_owned()),
    }
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Files, ledger and secrets.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Digest of a held set, as `plan` and `status` print it: lets exactly that set run, once.
    #[arg(long, value_name = "DIGEST")]
    pub approve: Option<String>,
    /// Declared person whose invitation is sent again, or anew where it is gone; repeatable. As a new
    /// value of the annotation seatkeeper.dev/resend, it passes the limits on one person's mails
    /// three times in 90 days, and ends what waits for a person, but for who said no.
    #[arg(long, value_name = "EMAIL")]
    pub resend: Vec<String>,
}

/// Arguments of `claim`.
#[derive(Debug, Args)]
pub struct ClaimArgs {
    /// Files, ledger and secrets.
    #[command(flatten)]
    pub plan: PlanArgs,
    /// Put our claim in place of another installation's, which then stops. Shows before what it means,
    /// and asks.
    #[arg(long)]
    pub take: bool,
    /// Do not ask.
    #[arg(long, requires = "take")]
    pub yes: bool,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// Address of the account service.
    #[arg(long, value_name = "URL")]
    pub url: url::Url,
    /// Account there, by id or short name.
    #[arg(long, value_name = "ACCOUNT")]
    pub account: String,
    /// File with a token that may read the account. Default: the variable SEATKEEPER_TOKEN.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The token itself belongs in the variable, not on the command line.
    #[arg(
        long,
        value_name = "TOKEN",
        env = "SEATKEEPER_TOKEN",
        hide_env_values = true,
        hide = true
    )]
    pub token: Option<String>,
    /// File with certificates in PEM that are trusted besides those of the system; goes into the
    /// AccountClass.
    #[arg(long, value_name = "FILE")]
    pub ca_bundle: Option<PathBuf>,
    /// Name of the objects. Default: made of the account's.
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Namespace of the objects.
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// Profile file of your own, where the account follows one that is not built in.
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
    /// Directory for the files; those that are there stay as they are. Default: all of them on
    /// stdout.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
    /// Time for each call to the account service, as `500ms`, `30s` or `2m`.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    pub timeout: Duration,
}

/// Arguments of `crds`.
#[derive(Debug, Args)]
pub struct CrdsArgs {
    /// Write one file for each kind into this directory instead of printing.
    #[arg(long, value_name = "DIR")]
    pub output_dir: Option<PathBuf>,
}

/// Arguments of `openapi` and `conditions`.
#[derive(Debug, Args)]
pub struct PageArgs {
    /// Write it into this file instead of printing.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Work with profiles.
#[derive(Debug, Subcommand)]
pub enum ProfileCommand {
    /// Check a profile and print what it says in short.
    Check {
        /// A file, or the name of a built-in profile.
        #[arg(value_name = "FILE|NAME")]
        profile: String,
    },
}
