//! `seatkeeper server`: an account service of one's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use jiff::SignedDuration;

use crate::cli::args::{ConfirmPlansArg, ServerArgs};
use crate::cli::{Exit, Io, mail, server_admin, signals};
use crate::profile;
use crate::server::{
    ConfirmPlans, Database, Dns, InviteLimits, Limits, MailSettings, Seed, ServerError, Settings,
    TlsFiles, start,
};

/// Runs the service until it is told to stop, or does one thing on its database.
///
/// # Errors
///
/// When it cannot start; problems of the seed file are printed one by one.
pub async fn server(args: &ServerArgs, io: &mut Io<'_>) -> Result<Exit> {
    let data = &args.data_dir;
    fs::create_dir_all(data).with_context(|| format!("could not make {}", data.display()))?;
    let settings = settings(args, io)?;
    if let Some(command) = &args.command {
        return server_admin::run(command, settings, io).await;
    }
    serve(args, settings, io).await
}

fn settings(args: &ServerArgs, io: &Io<'_>) -> Result<Settings> {
    let data = &args.data_dir;
    Ok(Settings {
        listen: args.listen,
        tls: tls(args),
        max_connections: args.max_connections,
        trusted_proxies: args.trusted_proxy.clone(),
        limits: Limits {
            requests_per_minute: args.requests_per_minute.0,
            sign_ins_per_minute: args.sign_ins_per_minute.0,
        },
        database: database(args, data)?,
        public_url: args.public_url.clone(),
        secret_key_file: data.join("secret.key"),
        mail: mail::settings(&args.mail, data.join("spool"))?,
        profiles: profiles(args)?,
        seed: args.seed.as_deref().map(seed).transpose()?,
        request_log: args.request_log.clone(),
        confirm_plans: match args.confirm_plans {
            ConfirmPlansArg::Vendor => ConfirmPlans::Vendor,
            ConfirmPlansArg::Auto => ConfirmPlans::Auto,
        },
        dns: Arc::new(args.dns_server.map_or_else(Dns::of_the_system, Dns::at)),
        invite_limits: InviteLimits {
            per_account_hour: args.invitations_per_hour,
            per_address_day: args.invitations_per_address,
        },
        audit_retention: (args.audit_retention > 0)
            .then(|| SignedDuration::from_hours(24 * i64::from(args.audit_retention))),
        now: Arc::clone(&io.now),
    })
}

async fn serve(args: &ServerArgs, settings: Settings, io: &mut Io<'_>) -> Result<Exit> {
    let mails = match &settings.mail {
        MailSettings::Spool(folder) => format!("written to {}", folder.display()),
        MailSettings::Smtp(smtp) => format!("sent by {} port {}", smtp.host, smtp.port),
    };
    let running = match start(settings).await {
        Ok(running) => running,
        Err(ServerError::Seed(problems)) => {
            for problem in &problems {
                writeln!(io.err, "{problem}")?;
            }
            anyhow::bail!("the seed file has problems; nothing was started");
        }
        Err(error) => return Err(error.into()),
    };
    let scheme = if args.tls_cert.is_some() { "https" } else { "http" };
    let origin = format!("{scheme}://{}", running.address());
    writeln!(io.err, "the account service answers at {origin}")?;
    writeln!(io.err, "mails are {mails}")?;
    if let Some(path) = &args.address_file {
        fs::write(path, format!("{origin}\n"))
            .with_context(|| format!("could not write {}", path.display()))?;
    }
    signals::stop().await.context("could not wait for a signal")?;
    writeln!(io.err, "stopping")?;
    running.stop().await;
    Ok(Exit::Done)
}

fn tls(args: &ServerArgs) -> Option<TlsFiles> {
    let (cert, key) = (args.tls_cert.clone()?, args.tls_key.clone()?);
    Some(TlsFiles { cert, key })
}

/// The file in the data folder, unless a server is named.
fn database(args: &ServerArgs, data: &Path) -> Result<Database> {
    match (&args.database_url, &args.database_url_file) {
        (Some(url), _) => Ok(Database::Postgres(url.clone().into())),
        (None, Some(path)) => {
            let url = fs::read_to_string(path)
                .with_context(|| format!("could not read {}", path.display()))?;
            Ok(Database::Postgres(url.trim().to_owned().into()))
        }
        (None, None) => Ok(Database::Sqlite(data.join("seatkeeper.db"))),
    }
}

fn seed(path: &Path) -> Result<Seed> {
    let text = fs::read_to_string(path)
        .with_context(|| format!("could not read the seed file {}", path.display()))?;
    Ok(Seed { file: path.to_owned(), text })
}

/// The built-in profiles, and files of one's own in place of them.
fn profiles(args: &ServerArgs) -> Result<BTreeMap<String, Arc<profile::Profile>>> {
    let mut profiles = BTreeMap::new();
    for name in profile::built_in_names() {
        profiles.extend(profile::built_in(name).map(|profile| ((*name).to_owned(), profile)));
    }
    for path in &args.profile {
        let file = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("could not read {file}"))?;
        let own = profile::read(&file, &text).map_err(|problems| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("the profile has problems\n{}", lines.join("\n"))
        })?;
        profiles.insert(own.name.clone(), Arc::new(own));
    }
    Ok(profiles)
}
