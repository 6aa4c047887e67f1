//! Events: what a person should notice, when it begins. Notes name objects, never addresses.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::runtime::events::{Event, EventType};

use crate::api::Account;
use crate::controller::cache::Name;
use crate::controller::clients::call;
use crate::controller::context::Context;
use crate::controller::finalizers::Marked;
use crate::controller::orphans::ORPHANS;
use crate::controller::release::Verdict;
use crate::domain::reason::Reason;
use crate::plan::Stop;

/// Events of one reconcile for each kind; the conditions carry the rest.
const AT_MOST: usize = 20;

/// Reasons of events, beside those of `Stalled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// What was wrong is over.
    Recovered,
    /// An object goes, what it granted stays.
    DeletionRefused,
    /// An Account goes, its people stay.
    LetGo,
    /// An Account goes, what it gave was taken back.
    Revoked,
    /// An object goes, its account is not there any more.
    AccountGone,
    /// An object goes, nobody could take back what it gave.
    Released,
}

impl Word {
    /// Every word.
    pub const ALL: &'static [Self] = &[
        Self::Recovered,
        Self::DeletionRefused,
        Self::LetGo,
        Self::Revoked,
        Self::AccountGone,
        Self::Released,
    ];

    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "Recovered",
            Self::DeletionRefused => "DeletionRefused",
            Self::LetGo => "LetGo",
            Self::Revoked => "Revoked",
            Self::AccountGone => "AccountGone",
            Self::Released => "Released",
        }
    }

    /// Its type.
    pub fn type_(self) -> EventType {
        match self {
            Self::DeletionRefused | Self::Released => EventType::Warning,
            Self::Recovered | Self::LetGo | Self::Revoked | Self::AccountGone => EventType::Normal,
        }
    }

    /// What it means, and what to do next.
    pub fn says(self) -> &'static str {
        match self {
            Self::Recovered => "what was wrong is over",
            Self::DeletionRefused => {
                "the declaration goes, and what it granted stays, because it may not be taken away; \
                 the note says why, and who can"
            }
            Self::LetGo => "the Account goes; its people stay as they are, and are no longer ours",
            Self::Revoked => {
                "the Account goes, after what it gave was taken back (`onTeardown: Revoke`); nobody \
                 is ours any more"
            }
            Self::AccountGone => {
                "the object goes: the account service has no such account any more, and nothing is \
                 left to take back"
            }
            Self::Released => {
                "the object goes, and what it gave was not taken back; the note says why, and names \
                 the ConfigMap with what is left to do"
            }
        }
    }
}

/// What began or ended between two statuses of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    kind: EventType,
    /// For machines.
    reason: String,
    /// For people.
    note: String,
}

/// Tells what changed between two statuses: when a person is needed, and when nothing is wrong any more.
pub fn transition(kind: &str, old: &[Condition], new: &[Condition]) -> Option<Transition> {
    match (stalled(old), stalled(new)) {
        (before, Some(reason)) if before != Some(reason) => Some(Transition {
            kind: EventType::Warning,
            note: format!("this {kind} needs a person ({reason}); see its conditions"),
            reason: reason.to_owned(),
        }),
        _ if is_wrong(old) && !is_wrong(new) => Some(Transition {
            kind: EventType::Normal,
            note: format!("this {kind} is in order again"),
            reason: Word::Recovered.as_str().to_owned(),
        }),
        _ => None,
    }
}

fn find<'a>(conditions: &'a [Condition], type_: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == type_)
}

/// Why a person must act.
fn stalled(conditions: &[Condition]) -> Option<&str> {
    find(conditions, "Stalled").map(|condition| condition.reason.as_str())
}

/// True if a person must act, or something failed. What is on its way is not wrong.
fn is_wrong(conditions: &[Condition]) -> bool {
    let synced = find(conditions, "Synced").filter(|condition| condition.status == "False");
    let reason = synced.and_then(|condition| Reason::of(&condition.reason));
    stalled(conditions).is_some() || reason.is_some_and(is_failure)
}

/// True if something failed that is tried again.
fn is_failure(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::Unreachable
            | Reason::BackendRateLimited
            | Reason::BackendFailed
            | Reason::MalformedAnswer
            | Reason::ReadUntrusted
            | Reason::LedgerUnreadable
            | Reason::LedgerUnwritable
            | Reason::ClusterUnreachable
            | Reason::TimedOut
            | Reason::Panicked
    )
}

/// Publishes what began or ended at objects of one kind.
pub async fn publish_transitions<'a, K: Marked>(
    ctx: &Context,
    written: Vec<(&'a ObjectMeta, &'a [Condition], &'a [Condition])>,
) {
    let kind = K::kind(&());
    let news = written.into_iter().filter_map(|(object, old, new)| {
        transition(&kind, old, new).map(|transition| (object, transition))
    });
    let news: Vec<_> = news.take(AT_MOST).collect();
    for (object, Transition { kind, reason, note }) in news {
        publish::<K>(ctx, object, kind, reason, note).await;
    }
}

/// Says that a deleted object goes although what it gave stays, or is gone by itself (OP-08).
pub async fn publish_going<K: Marked>(ctx: &Context, object: &ObjectMeta, verdict: Verdict) {
    let (word, note) = match verdict {
        Verdict::GoesRefused(rule) => {
            let note = format!("the declaration goes, the access stays: {}", rule.message());
            (Word::DeletionRefused, note)
        }
        Verdict::GoesToOther => {
            let note = format!("the declaration goes, the access stays: {}", Stop::ClaimedByOther);
            (Word::DeletionRefused, note)
        }
        Verdict::GoesWithAccount => {
            let note =
                "the account service has no such account any more: nothing is left to take back";
            (Word::AccountGone, note.to_owned())
        }
        Verdict::Released(why) => (Word::Released, released(ctx, why)),
        Verdict::Goes | Verdict::Stays(_) => return,
    };
    say::<K>(ctx, object, word, note).await;
}

fn released(ctx: &Context, why: &str) -> String {
    let home = &ctx.home;
    format!("goes without what it gave being taken back ({why}): see ConfigMap {home}/{ORPHANS}")
}

/// Says that what an account gave has been taken back, and the account goes.
pub async fn publish_revoked(ctx: &Context, account: &ObjectMeta) {
    let note =
        "the Account is deleted: what it gave has been taken back, and nobody is ours any more";
    say::<Account>(ctx, account, Word::Revoked, note.to_owned()).await;
}

/// Says that an account is let go.
pub async fn publish_let_go(ctx: &Context, account: &ObjectMeta) {
    let note = "the Account is deleted: its people stay as they are, and are no longer ours";
    say::<Account>(ctx, account, Word::LetGo, note.to_owned()).await;
}

/// Publishes one event of ours.
async fn say<K: Marked>(ctx: &Context, object: &ObjectMeta, word: Word, note: String) {
    publish::<K>(ctx, object, word.type_(), word.as_str().to_owned(), note).await;
}

/// Publishes one event; one that is lost is lost.
async fn publish<K: Marked>(
    ctx: &Context,
    object: &ObjectMeta,
    type_: EventType,
    reason: String,
    note: String,
) {
    let Name { namespace, name } = Name::of(object);
    let about = ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        namespace: Some(namespace),
        name: Some(name),
        uid: object.uid.clone(),
        ..ObjectReference::default()
    };
    let action = "Reconcile".to_owned();
    let event = Event { type_, reason, note: Some(note), action, secondary: None };
    if let Err(error) = call("write an event", ctx.recorder.publish(&event, &about)).await {
        // In a namespace that is being deleted nothing can be made any more.
        tracing::debug!(code = error.code(), "an event was lost");
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    use kube::runtime::events::EventType;

    use super::transition;

    fn conditions(text: &str) -> Vec<Condition> {
        let condition = |word: &str| {
            let (type_, rest) = word.split_once('=').unwrap();
            let (status, reason) = rest.split_once(':').unwrap();
            Condition {
                type_: type_.into(),
                status: status.into(),
                reason: reason.into(),
                message: "for ana@example.com".into(),
                observed_generation: None,
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            }
        };
        text.split_whitespace().map(condition).collect()
    }

    fn check(old: &str, new: &str) -> String {
        match transition("Membership", &conditions(old), &conditions(new)) {
            Some(transition) => {
                assert!(!transition.note.contains('@'), "{transition:?}");
                let kind = if transition.kind == EventType::Normal { "Normal" } else { "Warning" };
                format!("{kind} {}", transition.reason)
            }
            None => "none".to_owned(),
        }
    }

    #[test]
    fn events_come_with_transitions_only() {
        let held = "Synced=False:RemovalHeld Stalled=True:RemovalHeld";
        assert_eq!(check("", held), "Warning RemovalHeld");
        assert_eq!(check(held, held), "none");
        assert_eq!(check(held, "Synced=False:OptedOut Stalled=True:OptedOut"), "Warning OptedOut");
        assert_eq!(check(held, "Synced=True:Synced"), "Normal Recovered");
        assert_eq!(check("Synced=False:Unreachable", "Synced=True:Synced"), "Normal Recovered");
        assert_eq!(check(held, "Synced=False:Removing"), "Normal Recovered");
        assert_eq!(check("Synced=False:Planned", "Synced=True:Synced"), "none");
        assert_eq!(check("Synced=False:Settling", "Synced=True:Synced"), "none");
        assert_eq!(check("", "Synced=False:Unreachable"), "none");
        assert_eq!(check("", "Synced=True:Pending"), "none");
        assert_eq!(check("Synced=True:Pending", "Synced=True:Active"), "none");
    }
}
