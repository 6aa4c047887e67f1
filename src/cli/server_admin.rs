//! `seatkeeper server create-account` and its like: one thing on the database of the service. A
//! secret goes to stdout alone, everything else is talk.

use anyhow::Result;
use secrecy::ExposeSecret as _;

use crate::cli::args::{CreateAccountArgs, CreateTokenArgs, RecoverOwnerArgs, ServerCommand};
use crate::cli::{Exit, Io};
use crate::server::{Admin, Issued, Recovery, Settings, TokenOf, after_restore, backup, restore};
use crate::wire::NewAccount;

/// Does it.
pub(super) async fn run(
    command: &ServerCommand,
    settings: Settings,
    io: &mut Io<'_>,
) -> Result<Exit> {
    match command {
        ServerCommand::CreateAccount(args) => create_account(args, settings, io).await?,
        ServerCommand::CreateToken(args) => create_token(args, settings, io).await?,
        ServerCommand::RecoverOwner(args) => recover_owner(args, settings, io).await?,
        ServerCommand::Backup { to } => {
            backup(&settings.database, to).await?;
            writeln!(io.err, "the database is copied to {}", to.display())?;
        }
        ServerCommand::Restore { from } => {
            let done = restore(settings, from).await?;
            if let Some(before) = &done.before {
                writeln!(io.err, "the database from before is {}", before.display())?;
            }
            said_unknown(done.unknown_mails, io)?;
        }
        ServerCommand::AfterRestore => {
            said_unknown(after_restore(settings).await?, io)?;
        }
    }
    Ok(Exit::Done)
}

fn said_unknown(mails: u64, io: &mut Io<'_>) -> Result<()> {
    writeln!(io.err, "{mails} mails may have been sent since the backup: they are not sent again")?;
    Ok(())
}

async fn create_account(
    args: &CreateAccountArgs,
    settings: Settings,
    io: &mut Io<'_>,
) -> Result<()> {
    let CreateAccountArgs { name, slug, product, owner } = args;
    let request = NewAccount {
        name: name.clone(),
        slug: slug.clone(),
        profile: product.clone(),
        owner_email: owner.clone(),
    };
    let issued = Admin::open(settings).await?.create_account(&request).await?;
    show(&issued, io)
}

async fn create_token(args: &CreateTokenArgs, settings: Settings, io: &mut Io<'_>) -> Result<()> {
    let CreateTokenArgs { account, email, vendor: _, scope, name, expires_in_days } = args;
    let of = match (account.clone(), email.clone()) {
        (Some(account), Some(email)) => TokenOf::Member { account, email },
        (Some(account), None) => TokenOf::Account(account),
        (None, _) => TokenOf::Vendor,
    };
    let admin = Admin::open(settings).await?;
    let issued = admin.create_token(&of, name, scope, *expires_in_days).await?;
    show(&issued, io)
}

async fn recover_owner(args: &RecoverOwnerArgs, settings: Settings, io: &mut Io<'_>) -> Result<()> {
    let RecoverOwnerArgs { account, email, in_place_of, reason } = args;
    let recovery = Recovery {
        account: account.clone(),
        email: email.clone(),
        in_place_of: in_place_of.clone(),
        reason: reason.clone(),
    };
    let member = Admin::open(settings).await?.recover_owner(&recovery).await?;
    writeln!(io.err, "{email} ({member}) is the owner now; the reason is in the audit log")?;
    Ok(())
}

fn show(issued: &Issued, io: &mut Io<'_>) -> Result<()> {
    if let Some(account) = &issued.account {
        writeln!(io.err, "account {account}")?;
    }
    writeln!(io.err, "token {}; its secret is shown this once", issued.token)?;
    writeln!(io.out, "{}", issued.secret.expose_secret())?;
    Ok(())
}
