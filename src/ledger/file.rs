//! `file:PATH`: a folder with one file a part, for the command line.
//!
//! `PATH/head.json`, `PATH/page-01.json`, …, and `PATH/lock`. A file is replaced whole: written
//! beside under another name, flushed to the disk, then renamed, then the folder is flushed. The
//! lock is held from the first read for as long as the store lives; where the folder is not there
//! yet, from the first write. Reading creates nothing.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};

use crate::failpoint;
use crate::ledger::error::LedgerError;
use crate::ledger::store::{LedgerStore, Part, SealedPart, StoredPart, Version, hex};

/// Failpoint: the new file is on the disk, the old one is still in its place.
pub(super) const WRITTEN_BESIDE: &str = "ledger.written-beside";
/// Failpoint: the new file is in its place.
pub(super) const RENAMED: &str = "ledger.renamed";

/// A folder that keeps a ledger.
#[derive(Debug)]
pub struct FileStore {
    folder: PathBuf,
    access: Access,
}

#[derive(Debug)]
enum Access {
    Read,
    /// The lock, once it is taken.
    Write(Mutex<Option<File>>),
}

impl FileStore {
    /// A store that `plan` and `status` read: takes no lock and creates nothing.
    #[must_use]
    pub fn to_read(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), access: Access::Read }
    }

    /// A store that `apply` reads and writes: one at a time.
    #[must_use]
    pub fn to_write(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), access: Access::Write(Mutex::new(None)) }
    }

    fn path(&self, part: Part) -> PathBuf {
        self.folder.join(format!("{part}.json"))
    }

    fn folder_name(&self) -> String {
        self.folder.display().to_string()
    }

    /// Takes the lock, unless we have it or only read.
    fn lock(&self) -> Result<(), LedgerError> {
        let Access::Write(lock) = &self.access else { return Ok(()) };
        let mut lock = lock.lock().unwrap_or_else(PoisonError::into_inner);
        if lock.is_some() {
            return Ok(());
        }
        let path = self.folder.join("lock");
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let file = file.map_err(|source| write_error(&path, source))?;
        match file.try_lock() {
            Ok(()) => *lock = Some(file),
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::InUse { place: self.folder_name() });
            }
            Err(TryLockError::Error(source)) => return Err(write_error(&path, source)),
        }
        Ok(())
    }

    fn read_part(&self, part: Part) -> Result<Option<(SealedPart, Version)>, LedgerError> {
        let path = self.path(part);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(read_error(&path, error)),
        };
        let damaged = |what| LedgerError::Damaged { place: self.place(part), what };
        let stored: StoredPart = serde_json::from_slice(&bytes)
            .map_err(|_| damaged("it was cut, or is not the file of a ledger"))?;
        let sealed = stored.into_sealed(part);
        let sealed = sealed.ok_or(damaged("it holds another part than its name says"))?;
        Ok(Some((sealed, version(&bytes))))
    }

    /// Names of the parts in the folder; none if it is not there.
    fn list(&self) -> Result<Vec<Part>, LedgerError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(read_error(&self.folder, error)),
        };
        let mut parts = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| read_error(&self.folder, error))?;
            let name = entry.file_name();
            let part = name.to_str().and_then(|name| Part::parse(name.strip_suffix(".json")?));
            parts.extend(part);
        }
        parts.sort();
        Ok(parts)
    }

    /// Makes the folder and takes the lock.
    fn prepare(&self, part: Part) -> Result<(), LedgerError> {
        if matches!(self.access, Access::Read) {
            return Err(LedgerError::ReadOnly { place: self.place(part) });
        }
        fs::create_dir_all(&self.folder).map_err(|error| write_error(&self.folder, error))?;
        self.lock()
    }

    /// Refuses if the file is not as we read it.
    fn check(&self, part: Part, expected: Option<&Version>) -> Result<(), LedgerError> {
        let path = self.path(part);
        let found = match fs::read(&path) {
            Ok(bytes) => Some(version(&bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(read_error(&path, error)),
        };
        if found.as_ref() == expected {
            return Ok(());
        }
        Err(LedgerError::Conflict { place: self.place(part) })
    }

    fn flush_folder(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

#[async_trait]
impl LedgerStore for FileStore {
    async fn load(&self) -> Result<Vec<(SealedPart, Version)>, LedgerError> {
        if self.folder.exists() {
            self.lock()?;
        }
        let parts = self.list()?;
        parts.into_iter().filter_map(|part| self.read_part(part).transpose()).collect()
    }

    async fn write(
        &self,
        sealed: &SealedPart,
        expected: Option<&Version>,
    ) -> Result<Version, LedgerError> {
        self.prepare(sealed.part)?;
        self.check(sealed.part, expected)?;
        let path = self.path(sealed.part);
        let failed = |error: io::Error| write_error(&path, error);
        let stored = StoredPart::from(sealed.clone());
        let mut bytes = serde_json::to_vec(&stored).map_err(|error| failed(error.into()))?;
        bytes.push(b'\n');
        replace(&path, &bytes).map_err(failed)?;
        self.flush_folder().map_err(failed)?;
        Ok(version(&bytes))
    }

    async fn delete(&self, part: Part, expected: &Version) -> Result<(), LedgerError> {
        self.prepare(part)?;
        self.check(part, Some(expected))?;
        let path = self.path(part);
        fs::remove_file(&path).map_err(|error| write_error(&path, error))?;
        self.flush_folder().map_err(|error| write_error(&path, error))
    }

    fn place(&self, part: Part) -> String {
        self.path(part).display().to_string()
    }
}

/// Replaces a file whole, or leaves it as it is.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("json.new");
    let written = File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let renamed = written.and_then(|()| {
        failpoint::hit(WRITTEN_BESIDE);
        fs::rename(&beside, path)?;
        failpoint::hit(RENAMED);
        Ok(())
    });
    if renamed.is_err() {
        let _ = fs::remove_file(&beside);
    }
    renamed
}

fn version(bytes: &[u8]) -> Version {
    Version(hex(&Sha256::digest(bytes)))
}

fn read_error(path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Read { place: path.display().to_string(), source: source.into() }
}

fn write_error(path: &Path, source: io::Error) -> LedgerError {
    LedgerError::Write { place: path.display().to_string(), source: source.into() }
}
