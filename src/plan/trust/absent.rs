//! Who is absent from a read that is smaller than the last trusted one.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::domain::identity::{MemberKey, PersonHash};
use crate::domain::keys::HoldDigest;
use crate::plan::brake::{budget, hex, place};
use crate::plan::trust::{is_accounted_for, is_gone, is_there, missing};
use crate::plan::{Distrust, Hold, HoldCause, Input};

/// Who was there at the last trusted read and is not any more, but for those whose end we know.
pub(super) struct Absent<'a> {
    /// People that are declared, or that the look or the feed names.
    known: BTreeSet<&'a MemberKey>,
    /// People that only the ledger knows.
    hidden: BTreeSet<&'a PersonHash>,
    /// People that were never ours: all that is known of them is how many.
    others: u64,
}

impl<'a> Absent<'a> {
    pub fn of(input: &Input<'a>) -> Self {
        let Input { observed, ledger, .. } = *input;
        let known = ledger.people.iter().filter(|(person, record)| {
            is_gone(observed, person, record) && !is_accounted_for(observed, person, record)
        });
        let known: BTreeSet<_> = known.map(|(person, _)| person).collect();
        let hidden: BTreeSet<_> = ledger.gone.keys().collect();
        let others = missing(input).saturating_sub((known.len() + hidden.len()) as u64);
        Self { known, hidden, others }
    }

    /// True if the feed shows how each of them went, and this read has whatever the feed says is there.
    pub fn is_explained(&self, input: &Input<'_>) -> bool {
        let Input { observed, ledger, .. } = *input;
        let Some(endings) = &observed.evidence.endings else { return false };
        let ours = |person: &MemberKey| {
            let record = ledger.people.get(person);
            record.is_some_and(|record| is_accounted_for(observed, person, record))
        };
        let ended = endings.people.iter();
        let ended = ended.filter(|person| !is_there(observed, person) && !ours(person)).count();
        let of_others = ended.saturating_sub(self.known.len() + self.hidden.len()) as u64;
        let members = observed.members.iter().map(|(person, row)| (person, row.id.as_str()));
        let invited = observed.invitations.iter().map(|(person, row)| (person, row.id.as_str()));
        let made = members.chain(invited).filter(|(_, id)| endings.made.contains(*id));
        let (made_for, mut made): (BTreeSet<_>, BTreeSet<_>) = made.unzip();
        made.extend(observed.evidence.beside.iter().map(|row| row.id.as_str()));
        // Whoever came in between is in the count too.
        let came = made_for.into_iter().filter(|person| !ledger.people.contains_key(*person));
        endings.made.iter().all(|id| made.contains(id.as_str()))
            && self.known.iter().all(|person| endings.people.contains(*person))
            && ledger.gone.values().all(|ended| *ended)
            && self.others.saturating_add(came.count() as u64) <= of_others
    }

    /// The digest by which a person says that just these are gone.
    pub fn digest(&self, input: &Input<'_>, distrust: &Distrust, number: u64) -> HoldDigest {
        let known = self.known.iter().map(|person| place(person));
        let hidden = self.hidden.iter().map(|hash| hash.0.clone());
        let lines: Vec<String> = known.chain(hidden).collect();
        let before = match distrust {
            Distrust::Older { known, .. } => format!("position {known}"),
            _ => input.ledger.baseline.map_or(0, |baseline| baseline.people).to_string(),
        };
        let (account, others) = (&input.observed.account.key, self.others);
        let text = format!("{account}\nabsent\n{number}\n{before}\n{others}\n{}", lines.join("\n"));
        hex(&Sha256::digest(text))
    }

    /// What waits for a person. People are named as far as a declaration names them.
    pub fn hold(&self, input: &Input<'_>, digest: HoldDigest) -> Hold {
        let declared = |person: &&&MemberKey| input.desired.people.contains_key(**person);
        let named = self.known.iter().filter(declared);
        let people = (self.known.len() + self.hidden.len()) as u64;
        let (allowed, spent) = budget(input);
        Hold {
            digest,
            additions: 0,
            removals: 0,
            changes: 0,
            allowed,
            spent,
            why: HoldCause::ReadUntrusted { absent: people.saturating_add(self.others) },
            absent: named.map(|person| (*person).clone()).collect(),
        }
    }
}
