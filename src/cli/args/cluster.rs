//! Arguments of the commands that act on objects of a cluster.

use std::str::FromStr;

use clap::Args;

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
