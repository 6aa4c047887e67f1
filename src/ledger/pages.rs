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
        Self::at_depth(self.0.ilog2(), person) == self
    }

    /// The page of this depth that the person belongs on.
    fn at_depth(depth: u32, person: &PersonHash) -> Self {
        let first = person.0.get(..4).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        Self((1 << depth) | (first.unwrap_or_default() >> (MAX_DEPTH - depth)))
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
        let candidates = (0..MAX_DEPTH).map(|depth| PageNumber::at_depth(depth, person));
        candidates.into_iter().find(|page| self.leaves.contains(page)).unwrap_or(PageNumber::ROOT)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{Layout, PageNumber};
    use crate::domain::identity::PersonHash;

    fn pages(numbers: &[u32]) -> BTreeSet<PageNumber> {
        numbers.iter().map(|number| PageNumber::new(*number).unwrap()).collect()
    }

    /// Leaves, then what they replace; or the page that is missing.
    fn layout(stored: &[u32]) -> String {
        match Layout::of(&pages(stored)) {
            Ok(Layout { leaves, replaced }) => {
                let list = |pages: BTreeSet<PageNumber>| {
                    pages.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                };
                format!("{} | {}", list(leaves), list(replaced))
            }
            Err(page) => format!("missing {page}"),
        }
    }

    #[test]
    fn a_set_of_pages_says_by_itself_what_it_is() {
        assert_eq!(layout(&[1]), "01 | ");
        assert_eq!(layout(&[2, 3]), "02 03 | ");
        assert_eq!(layout(&[2, 6, 7]), "02 06 07 | ");
        assert_eq!(layout(&[1, 2]), "02 03 | 01", "killed after the first half");
        assert_eq!(layout(&[1, 2, 3]), "02 03 | 01", "killed before the old one went");
        assert_eq!(layout(&[1, 6]), "02 06 07 | 01", "killed in a second split");
        assert_eq!(layout(&[2]), "missing 03");
        assert_eq!(layout(&[2, 7]), "missing 06");
        assert_eq!(layout(&[5, 3]), "missing 04");
    }

    #[test]
    fn every_hash_is_on_one_page_and_within_its_range() {
        let layout = Layout::of(&pages(&[2, 6, 14, 15])).unwrap();
        for first in 0..=0xffff_u32 {
            let person = PersonHash(format!("{first:04x}{:028x}", 7));
            let on: Vec<_> = layout.leaves.iter().filter(|page| page.covers(&person)).collect();
            assert_eq!(on, [&layout.page_of(&person)]);
            use std::ops::RangeBounds as _;
            assert!(layout.page_of(&person).range().contains(&person), "{first:04x}");
        }
    }

    #[test]
    fn the_tree_has_a_bottom() {
        assert_eq!(PageNumber::new(0), None);
        assert_eq!(PageNumber::new(1 << 16), None);
        assert_eq!(PageNumber::new((1 << 16) - 1).unwrap().halves(), None);
    }
}
