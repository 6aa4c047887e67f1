//! How people are spread over pages: a binary tree over the first bits of their hash.
//!
//! There is one page until it grows too large; a page that does is replaced by its two halves.
//! Page n covers the hashes whose first bits, after a leading 1, read n in binary: page 1 covers
//! all, pages 2 and 3 its halves. So the set of pages says by itself whether one is missing.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Bound;

use crate::domain::identity::PersonHash;

/// Most bytes of a page as it is stored, quotes escaped. An object of a cluster must stay under
/// 512 KiB with its metadata.
pub(super) const MAX_PAGE_BYTES: usize = 480 * 1024;

/// Levels of the tree, the root one of them: room for 32 768 pages of over 2 000 people each.
const MAX_DEPTH: u32 = 16;

/// Number of a page in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageNumber(u32);

impl PageNumber {
    /// The page that covers everyone.
    pub(super) const ROOT: Self = Self(1);

    /// A number that can be a page.
    #[must_use]
    pub fn new(number: u32) -> Option<Self> {
        (number >= 1 && number.ilog2() < MAX_DEPTH).then_some(Self(number))
    }

    /// The two pages that replace this one; `None` at the bottom of the tree.
    pub(super) fn halves(self) -> Option<(Self, Self)> {
        Some((Self::new(self.0 * 2)?, Self::new(self.0 * 2 + 1)?))
    }

    /// True if `other` covers a part of what this page covers.
    fn is_above(self, other: Self) -> bool {
        let levels = other.0.ilog2().saturating_sub(self.0.ilog2());
        levels > 0 && other.0 >> levels == self.0
    }

    /// True if the person belongs on this page.
    pub(super) fn covers(self, person: &PersonHash) -> bool {
        let (from, to) = self.range();
        let above = matches!(&to, Bound::Excluded(to) if *person >= *to);
        matches!(&from, Bound::Included(from) if *person >= *from) && !above
    }

    /// The hashes that belong on this page.
    pub(super) fn range(self) -> (Bound<PersonHash>, Bound<PersonHash>) {
        let depth = self.0.ilog2();
        let first = (self.0 - (1 << depth)) << (MAX_DEPTH - depth);
        let end = first + (1 << (MAX_DEPTH - depth));
        let hash = |bits: u32| PersonHash(format!("{bits:04x}"));
        let to = if end >> MAX_DEPTH == 0 { Bound::Excluded(hash(end)) } else { Bound::Unbounded };
        (Bound::Included(hash(first)), to)
    }
}

impl fmt::Display for PageNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

/// The pages that count, told from the pages that are stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// Pages that together cover everyone. One that is not stored is the other half of a page
    /// that was being replaced when a run was killed.
    pub leaves: BTreeSet<PageNumber>,
    /// Stored pages that deeper ones replace.
    pub replaced: BTreeSet<PageNumber>,
}

impl Layout {
    /// One page for everyone, not stored yet.
    pub fn fresh() -> Self {
        Self { leaves: BTreeSet::from([PageNumber::ROOT]), replaced: BTreeSet::new() }
    }

    /// Tells the layout from the stored pages.
    ///
    /// # Errors
    ///
    /// The number of a page that is missing.
    pub fn of(stored: &BTreeSet<PageNumber>) -> Result<Self, PageNumber> {
        let mut layout = Self::default();
        layout.place(PageNumber::ROOT, stored, false)?;
        Ok(layout)
    }

    /// Places the tree under `page`; `covered`: a page above it is stored.
    fn place(
        &mut self,
        page: PageNumber,
        stored: &BTreeSet<PageNumber>,
        covered: bool,
    ) -> Result<(), PageNumber> {
        let is_stored = stored.contains(&page);
        let split = stored.iter().any(|other| page.is_above(*other));
        match page.halves() {
            Some((low, high)) if split => {
                if is_stored {
                    self.replaced.insert(page);
                }
                let covered = covered || is_stored;
                self.place(low, stored, covered)?;
                self.place(high, stored, covered)
            }
            _ if is_stored || covered => {
                self.leaves.insert(page);
                Ok(())
            }
            _ => Err(page),
        }
    }

    /// Replaces a page by its halves; `None` at the bottom of the tree.
    pub fn split(&mut self, page: PageNumber) -> Option<(PageNumber, PageNumber)> {
        let (low, high) = page.halves()?;
        self.leaves.remove(&page);
        self.leaves.extend([low, high]);
        Some((low, high))
    }

    /// The page that a person belongs on.
    pub fn page_of(&self, person: &PersonHash) -> PageNumber {
        self.leaves.iter().copied().find(|page| page.covers(person)).unwrap_or(PageNumber::ROOT)
    }
}
