//! `docs/conditions.md`: every reason, where it may stand, what it means and what to do next.

use std::fmt::Write as _;

use crate::controller::events::Word;
use crate::controller::status::conditions::Truth;
use crate::controller::status::table::{Kind, Place, Stalls, places};
use crate::domain::reason::Reason;

const HEAD: &str = "\
# Conditions and events

Made by `seatkeeper conditions`; the program has no other words than these, and none is ever renamed.

Every Account, Team, Membership, ClientAccess and NotificationSubscription has these conditions:

| condition | says |
| --- | --- |
| `Accepted` | the declaration is valid, and what it names exists |
| `Synced` | the account matched at the last look |
| `Ready` | both: nothing is left for us to do. It repeats what is not `True` in the other two |
| `Stalled` | there, and `True`, only while a person must act; it repeats the reason |

An invitation that waits for its person is `Ready=True`, with state `Pending`. kstatus (Flux, `helm
--wait`) says Current where `Ready` is `True`, Failed where `Stalled` is there, else InProgress.

## Reasons

`Stalled` as well: yes, or no, or \"if final\", which is where trying again does not help. What to do is
behind the semicolon; the message of the condition says it with names and numbers.

| reason | condition | at | `Stalled` | meaning; what to do |
| --- | --- | --- | --- | --- |
";

const EVENTS: &str = "
## Events

An event says that something began or ended; where nothing is wrong there is none. Repeated looks make
none.

| type | reason | meaning; what to do |
| --- | --- | --- |
| Warning | as `Stalled` | a person must act; the conditions say what to do |
";

/// The page, in Markdown.
#[must_use]
pub fn page() -> String {
    let mut page = HEAD.to_owned();
    for reason in Reason::ALL {
        for place in places(*reason) {
            let Place { kinds, condition, truth, stalls } = place;
            let at: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            let stalls = match stalls {
                Stalls::Never => "no",
                Stalls::Maybe => "if final",
                Stalls::Always => "yes",
            };
            let (truth, at, says) = (truth.as_str(), at.join(", "), reason.says());
            let _ =
                writeln!(page, "| `{reason}` | `{condition}={truth}` | {at} | {stalls} | {says} |");
        }
    }
    page.push_str(EVENTS);
    for word in Word::ALL {
        let (type_, says) = (word.type_(), word.says());
        let _ = writeln!(page, "| {type_:?} | `{}` | {says} |", word.as_str());
    }
    page
}

/// Whether an object of a kind may carry a condition, as the page has it.
#[must_use]
pub fn is_on_page(kind: &str, condition: &str, status: &str, reason: &str) -> bool {
    let Some(reason) = Reason::of(reason) else {
        return false;
    };
    places(reason).iter().any(|place| {
        let here = place.kinds.iter().copied().map(Kind::as_str).any(|known| known == kind);
        here && match condition {
            "Ready" => {
                let own = place.condition == "Synced" || place.truth != Truth::True;
                own && status == place.truth.as_str()
            }
            "Stalled" => status == "True" && place.stalls != Stalls::Never,
            _ => condition == place.condition && status == place.truth.as_str(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::is_on_page;
    use crate::domain::reason::Reason;
    use crate::plan::domains::DomainStanding;

    fn check(words: &str) -> bool {
        let words: Vec<_> = words.split(' ').collect();
        is_on_page(words[0], words[1], words[2], words[3])
    }

    #[test]
    fn ready_and_stalled_repeat_what_the_page_has() {
        assert!(check("Membership Accepted True Accepted"));
        assert!(check("Membership Ready True Active"));
        assert!(!check("Membership Ready True Accepted"));
        assert!(check("Membership Synced Unknown NotAccepted"));
        assert!(check("Account Accepted False NotServed"));
        assert!(check("Account Ready False NotServed"));
        assert!(check("Account Stalled True NotServed"));
        assert!(check("Team Synced False TeamPending"));
        assert!(!check("Account Stalled True Settling"));
        assert!(!check("ClientAccess Synced True Active"));
        assert!(!check("Account Synced False NoSuchWord"));
    }

    #[test]
    fn a_domain_that_waits_for_a_person_has_a_reason() {
        assert_eq!(DomainStanding::Lapsed.reason(), Some(Reason::DomainLapsed));
        assert_eq!(DomainStanding::Taken.reason(), Some(Reason::DomainTaken));
        assert_eq!(DomainStanding::Pending.reason(), None);
    }
}
