//! Arguments of the commands that act on objects of a cluster.

use std::str::FromStr;

use clap::{ArgGroup, Args};

/// Which cluster, and where in it.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// Context of the kubeconfig. Default: the current one.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Namespace of the objects. Default: that of the context.
    #[arg(short, long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
}

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// The Account, by name.
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// Digest of what is held, as it is shown without this option. Another one is refused. The
    /// approval is good for one hour and one use.
    #[arg(long, value_name = "DIGEST")]
    pub digest: Option<String>,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Arguments of `resend`.
#[derive(Debug, Args)]
pub struct ResendArgs {
    /// membership/NAME: one person's invitation; team/NAME: those of everyone in its roster who has
    /// not accepted; clientaccess/NAME: the request to a client.
    #[arg(value_name = "KIND/NAME", required = true)]
    pub objects: Vec<Sent>,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// An object by which something is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Its kind.
    pub kind: SentKind,
    /// Its name.
    pub name: String,
}

/// Kinds by which something is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentKind {
    /// A Membership.
    Membership,
    /// A Team.
    Team,
    /// A ClientAccess.
    ClientAccess,
}

impl FromStr for Sent {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WAY_OUT: &str = "give it as membership/NAME, team/NAME or clientaccess/NAME";
        let (kind, name) = text.split_once('/').ok_or(WAY_OUT)?;
        let kind = match kind {
            "membership" | "memberships" | "mbr" => SentKind::Membership,
            "team" | "teams" => SentKind::Team,
            "clientaccess" | "clientaccesses" | "cla" => SentKind::ClientAccess,
            _ => return Err(WAY_OUT),
        };
        if name.is_empty() { Err(WAY_OUT) } else { Ok(Self { kind, name: name.to_owned() }) }
    }
}

/// Arguments of `release`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["objects", "all"])))]
pub struct ReleaseArgs {
    /// account/NAME, team/NAME, membership/NAME, clientaccess/NAME, notificationsubscription/NAME or
    /// accountledger/NAME.
    #[arg(value_name = "KIND/NAME")]
    pub objects: Vec<Released>,
    /// Everything that carries our finalizers, ledgers too, in all namespaces; with -n in that one.
    #[arg(long)]
    pub all: bool,
    /// Show what would be released, and change nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Deployment of the operator, which is scaled to nought before: a running operator puts its
    /// finalizers back.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = place)]
    pub stop_operator: Option<(String, String)>,
    /// The cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// Reads where a Deployment is.
fn place(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        _ => Err("give it as NAMESPACE/NAME"),
    }
}

/// An object that is to lose our finalizers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// Its kind.
    pub kind: ReleasedKind,
    /// Its name.
    pub name: String,
}

/// Kinds that carry our finalizers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReleasedKind {
    /// A NotificationSubscription.
    NotificationSubscription,
    /// A ClientAccess.
    ClientAccess,
    /// A Membership.
    Membership,
    /// A Team.
    Team,
    /// An Account.
    Account,
    /// A part of a ledger.
    AccountLedger,
}

impl ReleasedKind {
    /// All of them, accounts after what names them.
    pub const ALL: [Self; 6] = [
        Self::NotificationSubscription,
        Self::ClientAccess,
        Self::Membership,
        Self::Team,
        Self::Account,
        Self::AccountLedger,
    ];
}

impl FromStr for Released {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WAY_OUT: &str = "give it as account/NAME, team/NAME, membership/NAME, clientaccess/NAME, \
                               notificationsubscription/NAME or accountledger/NAME";
        let (kind, name) = text.split_once('/').ok_or(WAY_OUT)?;
        let kind = match kind {
            "account" | "accounts" | "acct" => ReleasedKind::Account,
            "team" | "teams" => ReleasedKind::Team,
            "membership" | "memberships" | "mbr" => ReleasedKind::Membership,
            "clientaccess" | "clientaccesses" | "cla" => ReleasedKind::ClientAccess,
            "notificationsubscription" | "notificationsubscriptions" | "nsub" => {
                ReleasedKind::NotificationSubscription
            }
            "accountledger" | "accountledgers" => ReleasedKind::AccountLedger,
            _ => return Err(WAY_OUT),
        };
        if name.is_empty() { Err(WAY_OUT) } else { Ok(Self { kind, name: name.to_owned() }) }
    }
}
