//! One JSON line for every request, for counting calls from outside.
//!
//! No token, no address, no query: the path of a page that carries a link shows its route instead.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use serde::Serialize;

use crate::server::error::ServerError;

/// The file.
pub(crate) struct RequestLog(Mutex<File>);

/// One request.
#[derive(Debug, Serialize)]
pub(crate) struct Line<'a> {
    /// When it was answered.
    pub at: Timestamp,
    /// Method.
    pub method: &'a str,
    /// The route that matched, as `/v1/accounts/{account}`; empty if none did.
    pub route: &'a str,
    /// The path, unless the route has a secret in it.
    pub path: &'a str,
    /// Status of the answer.
    pub status: u16,
    /// Id of the request, as in its answer.
    pub request_id: &'a str,
}

impl RequestLog {
    /// Opens the file for appending.
    pub fn open(path: &Path) -> Result<Self, ServerError> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        file.map(|file| Self(Mutex::new(file)))
            .map_err(|source| ServerError::Output { path: path.to_owned(), source })
    }

    /// Writes one line, whole.
    pub fn write(&self, line: &Line<'_>) {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(&text) {
            tracing::warn!(%error, "could not write to the request log");
        }
    }
}
