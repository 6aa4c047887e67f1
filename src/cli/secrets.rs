//! Secrets for files: a directory as Kubernetes mounts it, or the environment.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use secrecy::SecretString;

use crate::api::Account;
use crate::manifests::Declared;
use crate::yaml::Problem;

/// Reads the token of an account from `DIR/NAME/KEY`, else from the environment.
///
/// # Errors
///
/// A problem that names the account's file, line and field when there is none.
pub fn read(
    directory: Option<&Path>,
    account: &Declared<Account>,
) -> Result<SecretString, Problem> {
    let reference = &account.object.spec.credentials_secret_ref;
    let (name, key) = (&reference.name, &reference.key);
    let (found, place) = match directory {
        Some(directory) => {
            let path = directory.join(name).join(key);
            let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
                ErrorKind::NotFound => "no such file".to_owned(),
                kind => kind.to_string(),
            });
            (text, path.display().to_string())
        }
        None => {
            let variable = variable(name, key);
            #[expect(clippy::disallowed_methods, reason = "the name is only known from the files")]
            let text = std::env::var(&variable).map_err(|_| "not set".to_owned());
            (text, format!("the environment variable {variable}"))
        }
    };
    let pointer = "/spec/credentialsSecretRef";
    match found {
        Ok(text) if is_token(text.trim()) => Ok(text.trim().to_owned().into()),
        Ok(text) if !text.trim().is_empty() => Err(account.problem_at(
            pointer,
            format!("the Secret {name} holds at {key} what cannot be a token ({place})"),
            "put the token alone there, without white space in it".to_owned(),
        )),
        Ok(_) => Err(account.problem_at(
            pointer,
            format!("the Secret {name} has an empty value at {key} ({place})"),
            "put the token there".to_owned(),
        )),
        Err(cause) => Err(account.problem_at(
            pointer,
            format!("the Secret {name} with the key {key} is missing: {place}: {cause}"),
            "put the token there, or name its directory with --secrets DIR (DIR/NAME/KEY)"
                .to_owned(),
        )),
    }
}

/// True if a header can carry it.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `SEATKEEPER_SECRET_ACME_TOKEN_TOKEN` for the key `token` of the Secret `acme-token`.
fn variable(name: &str, key: &str) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("SEATKEEPER_SECRET_{name}_{key}").chars().map(upper).collect()
}
