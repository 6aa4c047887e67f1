//! Where mails of the account service go, from its arguments.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use secrecy::SecretString;
use url::Url;

use crate::cli::args::MailArgs;
use crate::server::{MailSettings, SmtpLogin, SmtpSecurity, SmtpSettings};

/// How long each answer of the mail server may take; the last one, five times as long. Source:
/// RFC 5321, 4.5.3.2.
const ANSWER_WITHIN: Duration = Duration::from_mins(2);

/// Port for mails of one's own users. Source: RFC 6409, 3.1.
const SUBMISSION: u16 = 587;

/// The same with TLS from the start. Source: RFC 8314, 7.3.
const SUBMISSIONS: u16 = 465;

/// What `--smtp` takes.
const FORMS: &str = "--smtp takes smtp://HOST[:PORT] (STARTTLS), smtps://HOST[:PORT] (TLS from the \
                     start) or, on this machine, smtp://localhost:PORT?tls=none";

/// The settings that the arguments say; without `--smtp`, the folder `spool`.
///
/// # Errors
///
/// When an argument cannot be taken or its file not be read. The URL is never repeated: it might
/// hold a password.
pub fn settings(args: &MailArgs, spool: PathBuf) -> Result<MailSettings> {
    let (Some(url), Some(from)) = (&args.smtp, &args.mail_from) else {
        return Ok(MailSettings::Spool(spool));
    };
    let (host, port, security) = server(url)?;
    Ok(MailSettings::Smtp(SmtpSettings {
        host,
        port,
        security,
        login: login(args)?,
        ca: args.smtp_ca.as_deref().map(ca).transpose()?,
        from: from.clone(),
        return_path: args.mail_return_path.clone(),
        answer_within: ANSWER_WITHIN,
    }))
}

/// Host, port and privacy of a mail server.
fn server(text: &str) -> Result<(String, u16, SmtpSecurity)> {
    let Ok(url) = Url::parse(text) else { bail!(FORMS) };
    if !url.username().is_empty() || url.password().is_some() {
        bail!("--smtp takes no user and password: give --smtp-user and --smtp-password-file");
    }
    let (security, port) = match (url.scheme(), url.query()) {
        ("smtp", None) => (SmtpSecurity::Starttls, SUBMISSION),
        ("smtp", Some("tls=none")) => (SmtpSecurity::Plain, SUBMISSION),
        ("smtps", None) => (SmtpSecurity::Implicit, SUBMISSIONS),
        _ => bail!(FORMS),
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    if host.is_empty() || !matches!(url.path(), "" | "/") || url.fragment().is_some() {
        bail!(FORMS);
    }
    Ok((host, url.port().unwrap_or(port), security))
}

fn login(args: &MailArgs) -> Result<Option<SmtpLogin>> {
    let (Some(user), Some(path)) = (&args.smtp_user, &args.smtp_password_file) else {
        return Ok(None);
    };
    let text = fs::read_to_string(path)
        .with_context(|| format!("could not read --smtp-password-file {}", path.display()))?;
    let password = text.trim_end_matches(['\r', '\n']);
    if password.is_empty() || password.contains(char::is_control) {
        bail!("--smtp-password-file {} must hold the password alone, on one line", path.display());
    }
    Ok(Some(SmtpLogin { user: user.clone(), password: SecretString::from(password) }))
}

fn ca(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("could not read --smtp-ca {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::server;
    use crate::server::SmtpSecurity;

    #[test]
    fn a_mail_server_is_named_by_a_url() {
        for (text, expected) in [
            ("smtp://mail.example.com", ("mail.example.com", 587, SmtpSecurity::Starttls)),
            ("smtp://mail.example.com:25/", ("mail.example.com", 25, SmtpSecurity::Starttls)),
            ("smtps://mail.example.com", ("mail.example.com", 465, SmtpSecurity::Implicit)),
            ("smtp://[::1]:2525?tls=none", ("::1", 2525, SmtpSecurity::Plain)),
        ] {
            let (host, port, security) = server(text).unwrap();
            assert_eq!((host.as_str(), port, security), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_mail_server_is_refused_and_not_repeated() {
        for text in [
            "mail.example.com",
            "http://mail.example.com",
            "smtp://",
            "smtp://mail.example.com?tls=maybe",
            "smtps://mail.example.com?tls=none",
            "smtp://mail.example.com/inbox",
            "smtp://me:canary@mail.example.com",
        ] {
            let error = server(text).unwrap_err().to_string();
            assert!(error.contains("--smtp") && !error.contains("canary"), "{text}: {error}");
        }
    }
}
