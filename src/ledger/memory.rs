//! A store in memory, for tests: versions as everywhere, and faults where a test wants them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::ledger::error::LedgerError;
use crate::ledger::store::{LedgerStore, Part, SealedPart, Version};

/// A store in memory. Clones share what is stored, as processes share a place.
#[derive(Clone, Default)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
    hook: Option<Hook>,
}

/// Asked before each step; says what goes wrong.
pub type Hook = Arc<dyn Fn(Step) -> Fault + Send + Sync>;

#[derive(Default)]
struct Inner {
    parts: BTreeMap<Part, (SealedPart, u64)>,
    next_version: u64,
    written: Vec<Part>,
}

/// A step of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Everything is read.
    Load,
    /// A part is written.
    Write(Part),
    /// A part is deleted.
    Delete(Part),
}

/// What goes wrong with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// Another run was there first.
    Conflict,
    /// The place is full.
    Full,
    /// The caller is killed before the step: it never returns.
    CrashBefore,
    /// The caller is killed after the step: it never returns.
    CrashAfter,
}

impl MemoryStore {
    /// The same place, with faults.
    #[must_use]
    pub fn with_faults(&self, hook: Hook) -> Self {
        Self { inner: Arc::clone(&self.inner), hook: Some(hook) }
    }

    /// Parts in the order in which they were written.
    #[must_use]
    pub fn written(&self) -> Vec<Part> {
        self.lock().written.clone()
    }

    /// What is stored.
    #[must_use]
    pub fn parts(&self) -> Vec<SealedPart> {
        self.lock().parts.values().map(|(sealed, _)| sealed.clone()).collect()
    }

    /// Puts a part there, as someone else would.
    pub fn put(&self, sealed: SealedPart) {
        self.lock().store(sealed);
    }

    /// Takes a part away, as someone else would.
    pub fn take(&self, part: Part) {
        self.lock().parts.remove(&part);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does a step, or what goes wrong with it.
    async fn step<T>(
        &self,
        step: Step,
        part: Part,
        run: impl FnOnce(&mut Inner) -> Option<T>,
    ) -> Result<T, LedgerError> {
        let fault = self.hook.as_ref().map_or(Fault::None, |hook| hook(step));
        let place = self.place(part);
        let answer = match fault {
            Fault::None | Fault::CrashAfter => run(&mut self.lock()),
            Fault::Conflict | Fault::CrashBefore => None,
            Fault::Full => {
                let source = std::io::Error::from(std::io::ErrorKind::StorageFull).into();
                return Err(LedgerError::Write { place, source });
            }
        };
        if matches!(fault, Fault::CrashBefore | Fault::CrashAfter) {
            std::future::pending::<()>().await;
        }
        answer.ok_or(LedgerError::Conflict { place })
    }
}

impl Inner {
    fn store(&mut self, sealed: SealedPart) -> Version {
        self.next_version += 1;
        self.written.push(sealed.part);
        self.parts.insert(sealed.part, (sealed, self.next_version));
        Version(self.next_version.to_string())
    }

    fn is_at(&self, part: Part, expected: Option<&Version>) -> bool {
        self.parts.get(&part).map(|(_, at)| Version(at.to_string())).as_ref() == expected
    }
}

#[async_trait]
impl LedgerStore for MemoryStore {
    async fn load(&self) -> Result<Vec<(SealedPart, Version)>, LedgerError> {
        self.step(Step::Load, Part::Head, |inner| {
            let parts = inner.parts.values();
            Some(parts.map(|(sealed, at)| (sealed.clone(), Version(at.to_string()))).collect())
        })
        .await
    }

    async fn write(
        &self,
        sealed: &SealedPart,
        expected: Option<&Version>,
    ) -> Result<Version, LedgerError> {
        self.step(Step::Write(sealed.part), sealed.part, |inner| {
            inner.is_at(sealed.part, expected).then(|| inner.store(sealed.clone()))
        })
        .await
    }

    async fn delete(&self, part: Part, expected: &Version) -> Result<(), LedgerError> {
        self.step(Step::Delete(part), part, |inner| {
            inner.is_at(part, Some(expected)).then(|| {
                inner.parts.remove(&part);
            })
        })
        .await
    }

    fn place(&self, part: Part) -> String {
        format!("memory:{part}")
    }
}
