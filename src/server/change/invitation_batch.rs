//! Many invitations at once with one role: each line succeeds or fails by itself (DO-06, PO-03).

use std::collections::BTreeSet;

use crate::domain::identity::EmailAddress;
use crate::profile::{Bulk, SecureSignInBy};
use crate::server::change::invitation::new_row;
use crate::server::change::invitation_actions::Standing;
use crate::server::change::{Change, invitation, invite_limit, notice, room, secure_sign_in};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::store::people;
use crate::wire::{
    BatchLine, BatchProblem, InvitationBatch, InvitationBatchResult, MAX_BATCH, NewInvitation,
};

/// Invites everybody on the lines, in their order. What is wrong with all of them is refused as a
/// whole.
pub(crate) async fn invite(
    change: &mut Change,
    request: &InvitationBatch,
) -> Result<InvitationBatchResult, ApiError> {
    let InvitationBatch { emails, role, team, require_secure_sign_in } = request;
    if change.profile.invitations.bulk == Bulk::None {
        return Err(ApiError::NotOffered("bulk invitations"));
    }
    if !(1..=MAX_BATCH).contains(&emails.len()) {
        return Err(ApiError::field("/emails", "has 1 to 500 lines"));
    }
    let at = At::of(team.as_deref());
    change.must(Right::Invite, at)?;
    change.must_be_open(at).await?;
    let known = invitation::known_role(&change.profile, role, team.as_deref(), "/team")?;
    invitation::must_be_invitable(change, at, &known)?;
    if *require_secure_sign_in && change.account.secure_sign_in_since.is_none() {
        // The first line that is invited sets it.
        secure_sign_in::must_be_settable(change, SecureSignInBy::Invitation)?;
    }
    let mut lines = Lines::begin(change, request).await?;
    for email in emails {
        lines.next(change, email).await?;
    }
    lines.end(change, at).await
}

/// The lines of a batch while they are gone through. Those that surely succeed are gathered, and
/// written together: a hundred are few statements.
struct Lines {
    /// What each line asks for, but for the address.
    request: NewInvitation,
    standing: Standing,
    /// People of whom more is to be known than that they are new: they are in the account or
    /// invited, got a mail not long ago, or are on an earlier line.
    familiar: BTreeSet<String>,
    /// For how many more lines there is surely room and a mail.
    sure: u32,
    /// Mails left to the account in this hour.
    mails: u32,
    gathered: Vec<(String, EmailAddress)>,
    items: Vec<BatchLine>,
    seats_short: bool,
}

impl Lines {
    async fn begin(change: &mut Change, batch: &InvitationBatch) -> Result<Self, ApiError> {
        let InvitationBatch { emails, role, team, require_secure_sign_in } = batch;
        let at = At::of(team.as_deref());
        let room = room::room_for_new(change, at).await?;
        let mails = invite_limit::left(change).await?;
        let parsed: Vec<_> = emails.iter().filter_map(|email| parse(email)).collect();
        let addresses: Vec<_> = parsed.iter().map(EmailAddress::as_str).collect();
        Ok(Self {
            request: NewInvitation {
                email: String::new(),
                role: role.clone(),
                team: team.clone(),
                name: None,
                message: None,
                expires_in_seconds: None,
                require_secure_sign_in: *require_secure_sign_in,
                external_ref: None,
            },
            standing: Standing::of_change(change, team.as_deref()).await?,
            familiar: familiar(change, team.as_deref(), &addresses).await?,
            sure: room.min(mails),
            mails,
            gathered: vec![],
            items: vec![],
            seats_short: false,
        })
    }

    async fn next(&mut self, change: &mut Change, email: &str) -> Result<(), ApiError> {
        let sure = self.sure > 0;
        self.sure = self.sure.saturating_sub(1);
        // The first invitation that asks for it makes secure sign-in required.
        let alone =
            self.request.require_secure_sign_in && change.account.secure_sign_in_since.is_none();
        let address = parse(email);
        let is_new = address
            .as_ref()
            .is_some_and(|address| self.familiar.insert(address.as_str().to_owned()));
        match address {
            Some(address) if sure && !alone && is_new => {
                self.gathered.push((email.to_owned(), address));
                Ok(())
            }
            _ => {
                self.write_gathered(change).await?;
                self.invite_one(change, email).await
            }
        }
    }

    async fn write_gathered(&mut self, change: &mut Change) -> Result<(), ApiError> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let gathered = std::mem::take(&mut self.gathered);
        let rows = gathered.iter().map(|(_, address)| new_row(change, &self.request, address));
        let mut rows = rows.collect::<Result<Vec<_>, _>>()?;
        invitation::create(change, &mut rows).await?;
        for row in &rows {
            self.mails = self.mails.saturating_sub(row.send_count);
        }
        invite_limit::note_left(change, self.mails);
        self.items.extend(gathered.into_iter().zip(&rows).map(|((email, _), row)| BatchLine {
            email,
            invitation: Some(self.standing.view(row)),
            problem: None,
        }));
        Ok(())
    }

    async fn invite_one(&mut self, change: &mut Change, email: &str) -> Result<(), ApiError> {
        let request = NewInvitation { email: email.trim().to_owned(), ..self.request.clone() };
        // A refusal comes before the line's invitation is written, so the other lines stand.
        let (invitation, problem) = match invitation::invite(change, &request).await {
            Ok(row) => {
                self.mails = self.mails.saturating_sub(row.send_count);
                (Some(self.standing.view(&row)), None)
            }
            Err(error) if error.kind().status.is_client_error() => {
                self.seats_short |= notice::is_want_of_seat(&error);
                (None, Some(line(self.items.len(), error)))
            }
            Err(failure) => return Err(failure),
        };
        self.items.push(BatchLine { email: email.to_owned(), invitation, problem });
        Ok(())
    }

    async fn end(
        mut self,
        change: &mut Change,
        at: At<'_>,
    ) -> Result<InvitationBatchResult, ApiError> {
        self.write_gathered(change).await?;
        if self.seats_short {
            notice::seats_short(change, at).await?;
        }
        let items = self.items;
        let created = items.iter().filter(|item| item.invitation.is_some()).count();
        let count = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
        let refused = count(items.len() - created);
        Ok(InvitationBatchResult { items, created: count(created), refused })
    }
}

fn parse(email: &str) -> Option<EmailAddress> {
    EmailAddress::parse(email.trim()).ok()
}

async fn familiar(
    change: &mut Change,
    team_id: Option<&str>,
    addresses: &[&str],
) -> Result<BTreeSet<String>, ApiError> {
    if addresses.is_empty() {
        return Ok(BTreeSet::new());
    }
    let (account_id, mails) = (change.account.id.clone(), invite_limit::counted(change));
    let known = people::known(change.conn(), (&account_id, team_id), addresses, mails).await?;
    Ok(known.into_iter().collect())
}

/// What is wrong with one line.
fn line(index: usize, error: ApiError) -> BatchProblem {
    let problem = error.problem(String::new());
    let of_field = problem.errors.first().map(|field| field.detail.clone());
    BatchProblem {
        code: problem.code,
        detail: of_field.or(problem.detail).unwrap_or(problem.title),
        pointer: format!("/emails/{index}"),
        retryable: problem.retryable,
        existing: problem.existing,
    }
}
