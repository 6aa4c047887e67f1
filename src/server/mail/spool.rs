//! The spool folder: one `.eml` a mail, written under a first name and then renamed, so that
//! wherever a process ends in between, the next one can tell whether the mail went out.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::server::mail::Letter;
use crate::server::mail::way::Failure;
use crate::server::store::outbox::MailRow;

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Spool(pub PathBuf);

impl Spool {
    /// Writes a mail under its first name.
    pub async fn offer(&self, letter: &Letter) -> Result<(), Failure> {
        let path = self.unfinished(&letter.id, letter.template);
        let bytes = letter.bytes.clone();
        aside(move || write_whole(&path, &bytes)).await.map_err(Failure::away)
    }

    /// Gives a mail its name: from then on it is out.
    pub async fn hand_over(&self, letter: &Letter) -> Result<(), Failure> {
        let from = self.unfinished(&letter.id, letter.template);
        let to = self.finished(&letter.id, letter.template);
        aside(move || fs::rename(from, to)).await.map_err(Failure::away)?;
        let folder = self.0.clone();
        // Whether the new name outlives a loss of power, only a folder that is stored can say.
        aside(move || File::open(folder)?.sync_all()).await.map_err(|_| Failure::Unknown)
    }

    /// Takes a mail back that is not wanted any more.
    pub async fn withdraw(&self, letter: &Letter) {
        let path = self.unfinished(&letter.id, letter.template);
        // Only litter if it stays: nothing reads a first name.
        let _ = aside(move || fs::remove_file(path)).await;
    }

    /// What became of an interrupted mail. Under its name it went out; under its first name it did
    /// not. With neither, it may have been taken away already: nobody knows.
    pub fn left_behind(&self, mail: &MailRow) -> &'static str {
        if self.finished(&mail.id, &mail.template).exists() {
            "sent"
        } else if self.unfinished(&mail.id, &mail.template).exists() {
            "queued"
        } else {
            "unknown"
        }
    }

    fn finished(&self, id: &str, template: &str) -> PathBuf {
        self.0.join(format!("{id}-{template}.eml"))
    }

    fn unfinished(&self, id: &str, template: &str) -> PathBuf {
        self.0.join(format!(".{id}-{template}.eml.tmp"))
    }
}

/// Does what waits for the disk where nothing else has to wait for it.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
