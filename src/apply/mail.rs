//! One mail of a plan, with the key that it goes under: an invitation, a question to an owner, or a
//! request to a client.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::apply::Job;
use crate::backend::{BackendError, Executed};
use crate::domain::clients::ClientSend;
use crate::domain::keys::{InvitationId, RequestKey, RoleName};
use crate::domain::ledger_view::{Cause, OpenSend};
use crate::domain::particulars::Particulars;
use crate::ledger::{Ledger, NewSend};
use crate::plan::action::Action;
use crate::plan::client_access::ClientAction;

/// One mail.
#[derive(Clone, Debug)]
pub(super) struct Mail {
    /// Place of the action in its list of the plan.
    pub index: usize,
    /// An earlier call under this key may have taken effect.
    pub repeats: bool,
    /// What is sent to whom.
    pub to: To,
}

/// What is sent, and what is stored of it.
#[derive(Clone, Debug)]
pub(super) enum To {
    /// To a person; the action has the role of the first call.
    Person(Action, NewSend),
    /// To a client.
    Client(ClientAction, ClientSend),
}

impl Mail {
    /// Prepares a mail to a person: under the key of the open send, if there is one for this cause.
    /// `None`: the service may have forgotten that key.
    pub fn to_person(
        job: &Job<'_>,
        ledger: &Ledger,
        index: usize,
        action: &Action,
        now: Timestamp,
    ) -> Option<Self> {
        let person = action.person();
        let (cause, key) = action.invitation_mail()?;
        let open = ledger.open_send_of(person);
        // A person who asks again for someone in doubt has decided: that is a new cause.
        let asked_again = |sent: Cause| {
            key.is_none() && (cause.epoch, cause.attempt) > (sent.epoch, sent.attempt)
        };
        if let Some(open) = open.filter(|open| now < open.not_after || !asked_again(open.cause)) {
            if now >= open.not_after {
                return None;
            }
            let action = as_before(action, &open)?;
            let OpenSend { key, role, cause, resend, for_owner, not_after } = open;
            let person = person.clone();
            let record = NewSend { person, key, role, cause, resend, for_owner, not_after };
            return Some(Self { index, repeats: true, to: To::Person(action, record) });
        }
        let (role, resend) = target(action)?;
        let record = NewSend {
            person: person.clone(),
            key: key.cloned().unwrap_or_else(new_key),
            role: role.clone(),
            cause,
            resend,
            for_owner: matches!(action, Action::ChangeOwner { .. }),
            not_after: not_after(job, now),
        };
        Some(Self { index, repeats: false, to: To::Person(action.clone(), record) })
    }

    /// Prepares a mail to a client, if the action is one.
    pub fn to_client(
        job: &Job<'_>,
        index: usize,
        action: &ClientAction,
        now: Timestamp,
    ) -> Option<Self> {
        if let Some(send) = action.again() {
            let to = To::Client(action.clone(), send.clone());
            return Some(Self { index, repeats: true, to });
        }
        let (role, reference, resend_of, after) = match action {
            ClientAction::Withdraw { .. } => return None,
            ClientAction::Resend { request, .. } => {
                ("".into(), String::new(), Some(request.id.clone()), None)
            }
            ClientAction::Request { role, reference, after, .. } => {
                (role.clone(), reference.clone(), None, after.clone())
            }
        };
        let (key, cause, at, not_after) = (new_key(), action.cause()?, now, not_after(job, now));
        let send = ClientSend { key, role, reference, cause, resend_of, after, at, not_after };
        Some(Self { index, repeats: false, to: To::Client(action.clone(), send) })
    }

    /// True if it goes to a client.
    pub fn is_to_client(&self) -> bool {
        matches!(self.to, To::Client(..))
    }

    /// When the service may have forgotten its key.
    pub fn not_after(&self) -> Timestamp {
        match &self.to {
            To::Person(_, record) => record.not_after,
            To::Client(_, send) => send.not_after,
        }
    }

    /// The call.
    pub async fn send(&self, job: &Job<'_>) -> Result<Executed, BackendError> {
        match &self.to {
            To::Person(action, record) => {
                job.backend.execute(job.account, action, &record.key).await
            }
            To::Client(action, send) => {
                job.backend.execute_client(job.account, action, &send.key).await
            }
        }
    }

    /// Gives it a place in the wave that is opened as the `turn`th from now.
    pub fn place(&self, ledger: &mut Ledger, turn: u64, now: Timestamp) {
        match &self.to {
            To::Person(_, record) => ledger.place(record, turn, now),
            To::Client(action, send) => ledger.place_client(action.client(), send, turn),
        }
    }

    /// Its outcome is known.
    pub fn close(&self, ledger: &mut Ledger) {
        match &self.to {
            To::Person(_, record) => ledger.close_send(&record.person),
            To::Client(action, _) => ledger.close_client_send(action.client()),
        }
    }

    /// Nothing was sent: who was to get it is as they were before.
    pub fn unplace(&self, ledger: &mut Ledger) {
        match &self.to {
            To::Person(_, record) => ledger.unplace(&record.person),
            To::Client(action, _) => ledger.unplace_client(action.client()),
        }
    }

    /// The service takes no mail to this address for a while.
    pub fn wait(&self, ledger: &mut Ledger, now: Timestamp, wait: Duration) {
        match &self.to {
            To::Person(_, record) => ledger.wait_for(&record.person, now, wait),
            To::Client(action, _) => ledger.wait_for_client(action.client(), now, wait),
        }
    }
}

fn new_key() -> RequestKey {
    RequestKey(Uuid::new_v4().to_string())
}

fn not_after(job: &Job<'_>, now: Timestamp) -> Timestamp {
    let retention = SignedDuration::try_from(job.context.retention).unwrap_or(SignedDuration::MAX);
    now.saturating_add(retention).unwrap_or(Timestamp::MAX)
}

/// Role of a send, and the invitation that it sends again with its mails so far.
type Target<'a> = (&'a RoleName, Option<(InvitationId, u32)>);

fn target(action: &Action) -> Option<Target<'_>> {
    match action {
        Action::Invite { role, .. } | Action::ChangeOwner { role, .. } => Some((role, None)),
        Action::Resend { role, invitation, .. } => {
            Some((role, Some((invitation.id.clone(), invitation.sent))))
        }
        Action::RevokeInvitation { .. }
        | Action::Trim { .. }
        | Action::Remove { .. }
        | Action::ChangeRole { .. }
        | Action::CancelOwnerChange { .. }
        | Action::ChangeInvitedRole { .. }
        | Action::Reinstate { .. }
        | Action::Add { .. }
        | Action::Approve { .. } => None,
    }
}

/// The same call as the open one; `None` where the plan asks for another.
fn as_before(action: &Action, open: &OpenSend) -> Option<Action> {
    let OpenSend { key, role, cause, resend, for_owner, not_after: _ } = open.clone();
    let (person, key) = (action.person().clone(), Some(key));
    match (resend, action) {
        (None, Action::ChangeOwner { member, .. }) if for_owner => {
            let member = member.clone();
            Some(Action::ChangeOwner { person, member, role, cause, key })
        }
        (_, Action::ChangeOwner { .. }) => None,
        _ if for_owner => None,
        // Under a key that was used the service answers another body with a refusal: then the mail
        // went out with the words of that time.
        (None, _) => {
            let particulars = particulars(action);
            Some(Action::Invite { person, role, particulars, cause, key })
        }
        (Some((before, _)), Action::Resend { invitation, .. }) if before == invitation.id => {
            let invitation = invitation.clone();
            Some(Action::Resend { person, invitation, role, cause, key })
        }
        (Some(_), _) => None,
    }
}

/// What the invitation of an action says besides address and role.
fn particulars(action: &Action) -> Particulars {
    match action {
        Action::Invite { particulars, .. } | Action::Add { particulars, .. } => particulars.clone(),
        _ => Particulars::default(),
    }
}
