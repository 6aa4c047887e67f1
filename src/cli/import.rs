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
use crate::cli::session::{backend, own_profile};
use crate::cli::{Exit, Io};
use crate::domain::keys::AccountKey;
use crate::manifests::{Exported, Names, export};
use crate::profile::{self, Profile, Teams};

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
    let observed = api.observe(&account, &profile).await.map_err(backend)?;
    let object = args.name.clone().unwrap_or_else(|| object_name(&args.account));
    let names = Names {
        url: args.url.as_str().trim_end_matches('/'),
        ca_bundle: ca_bundle.as_deref(),
        name: &object,
        namespace: &args.namespace,
    };
    let exported = export(&names, &profile, &observed)?;
    match &args.output_dir {
        Some(folder) => write(folder, &exported)?,
        None => {
            let texts: Vec<_> = exported.files.iter().map(|(_, text)| text.as_str()).collect();
            write!(io.out, "{}", texts.join("---\n"))?;
        }
    }
    for note in &exported.notes {
        writeln!(io.err, "note: not declared: {note}")?;
    }
    let (people, noun) = (exported.people, if exported.people == 1 { "person" } else { "people" });
    writeln!(io.err, "{people} {noun} declared; the token goes into the Secret {object}-token")?;
    Ok(Exit::Done)
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
    let profile = match &args.profile {
        None => profile::built_in(name).ok_or_else(|| {
            anyhow!(
                "the account follows the profile {name}, which is not built in\n  hint: give its \
                 file with --profile"
            )
        })?,
        Some(path) => own_profile(path, name, "the account follows")?.map_err(|problems| {
            let problems: Vec<_> = problems.iter().map(ToString::to_string).collect();
            anyhow!("{}", problems.join("\n"))
        })?,
    };
    if profile.teams == Teams::Many {
        return Err(anyhow!("profile {name} has many teams in an account: not served yet"));
    }
    Ok(profile)
}

/// A name that Kubernetes takes, made of an id or short name. Source: RFC 1123, 2.1.
fn object_name(account: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = account.chars().map(plain).take(50).collect();
    name.trim_matches('-').to_owned()
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
