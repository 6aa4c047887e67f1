//! `seatkeeper import`: manifests for an account that has people already.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use secrecy::SecretString;

use crate::backend::Backend as _;
use crate::backend::account_api::AccountApi;
use crate::backend::transport::Reqwest;
use crate::cli::args::ImportArgs;
use crate::cli::rehearsal::{checked, rehearse};
use crate::cli::session::{backend, own_profile};
use crate::cli::words::{many, number};
use crate::cli::{Exit, Io};
use crate::domain::keys::AccountKey;
use crate::domain::observed::Observed;
use crate::manifests::{Counts, Exported, Names, export, object_name};
use crate::profile::{self, Profile};

/// Reads the account and writes manifests that ask for nothing but what is there. Writes nothing
/// to the service.
///
/// # Errors
///
/// When the token, the service, the profile or the output stands in the way.
pub async fn import(args: &ImportArgs, io: &mut Io<'_>) -> Result<Exit> {
    let ca_bundle = args.ca_bundle.as_deref().map(read).transpose()?;
    let transport = Reqwest::new(&args.url, ca_bundle.as_deref().map(str::as_bytes))
        .with_context(|| format!("--url {}", args.url))?;
    let api = AccountApi::new(Arc::new(transport), &token(args)?)?.with_deadline(args.timeout);
    let account = AccountKey(args.account.clone());
    let name = api.profile_name(&account).await.map_err(backend)?;
    let profile = rules(args, &name)?;
    let observed = whole(&api, &account, &profile).await?;
    let object = args.name.clone().unwrap_or_else(|| object_name(&args.account));
    let names = Names {
        url: args.url.as_str().trim_end_matches('/'),
        ca_bundle: ca_bundle.as_deref(),
        name: &object,
        namespace: &args.namespace,
    };
    let exported = export(&names, &profile, &observed)?;
    // Before anything is written: who is missing in a bad read would be missing in git.
    let plan = rehearse(&exported, &profile, &observed, (io.now)())?;
    match &args.output_dir {
        Some(folder) => write(folder, &exported)?,
        None => {
            let texts: Vec<_> = exported.files.iter().map(|(_, text)| text.as_str()).collect();
            write!(io.out, "{}", texts.join("---\n"))?;
        }
    }
    for note in &exported.left_out {
        writeln!(io.err, "note: not declared: {note}")?;
    }
    if observed.account.claim.is_some() {
        writeln!(io.err, "note: another installation manages the account: see `seatkeeper claim`")?;
    }
    write!(io.err, "{}", checked(&plan, &profile))?;
    let declared = declared(exported.counts);
    writeln!(io.err, "{declared} declared; the token goes into the Secret {object}-token")?;
    Ok(Exit::Done)
}

/// Reads all that can be declared of an account. What the product does not have is not asked for.
async fn whole(api: &AccountApi, account: &AccountKey, profile: &Profile) -> Result<Observed> {
    let mut observed = api.observe(account, profile).await.map_err(backend)?;
    let account = &observed.account.key;
    if profile.roles.iter().any(|role| role.ownership_change.is_some()) {
        let changes = api.ownership_changes(account).await.map_err(backend);
        observed.ownership_changes = Some(changes.context("the changes of owner")?);
    }
    if profile.client_access.is_some() && observed.account.agency {
        let clients = api.client_accesses(account).await.map_err(backend);
        observed.client_accesses = Some(clients.context("the clients")?);
    }
    if profile.auto_join.is_some() {
        let domains = api.domains(account).await.map_err(backend);
        observed.joining.domains = Some(domains.context("the domains")?);
    }
    if !profile.categories.is_empty() {
        let categories = api.categories(account).await.map_err(backend);
        observed.categories = Some(categories.context("the categories of mail")?);
    }
    Ok(observed)
}

/// How much is declared, in words.
fn declared(counts: Counts) -> String {
    let Counts { people, teams, clients, recipients } = counts;
    let mut parts = vec![number(people, "person", "people")];
    let more = [(teams, "team"), (clients, "client"), (recipients, "recipient")];
    parts.extend(more.into_iter().filter(|(n, _)| *n > 0).map(|(n, noun)| many(n, noun)));
    parts.join(", ")
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("could not read {}", path.display()))
}

fn token(args: &ImportArgs) -> Result<SecretString> {
    match (&args.token_file, &args.token) {
        (Some(path), _) => Ok(read(path)?.into()),
        (None, Some(token)) => Ok(token.clone().into()),
        (None, None) => {
            Err(anyhow!("no token\n  hint: give --token-file FILE, or set SEATKEEPER_TOKEN"))
        }
    }
}

/// The profile that the service follows in this account.
fn rules(args: &ImportArgs, name: &str) -> Result<Arc<Profile>> {
    match &args.profile {
        None => profile::built_in(name).ok_or_else(|| {
            anyhow!(
                "the account follows the profile {name}, which is not built in\n  hint: give its \
                 file with --profile"
            )
        }),
        Some(path) => own_profile(path, Some(name), "the account follows")?.map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow!("{}", problems.join("\n"))
        }),
    }
}

/// Writes new files; one that is there already stays as it is.
fn write(folder: &Path, exported: &Exported) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let paths = exported.files.iter().map(|(name, _)| folder.join(name));
    if let Some(there) = paths.into_iter().find(|path| path.exists()) {
        return Err(anyhow!(
            "{} is there already; nothing was written\n  hint: name another directory",
            there.display()
        ));
    }
    for (name, text) in &exported.files {
        let path = folder.join(name);
        let file = fs::File::create_new(&path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    Ok(())
}
