//! Many invitations at once with one role: each line succeeds or fails by itself (DO-06, PO-03).

use crate::profile::{Bulk, SecureSignInBy};
use crate::server::change::invitation_actions::Standing;
use crate::server::change::{Change, invitation, notice, secure_sign_in};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
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
    let standing = Standing::of_change(change, team.as_deref()).await?;
    let (mut items, mut seats_short) = (Vec::new(), false);
    for (index, email) in emails.iter().enumerate() {
        let request = NewInvitation {
            email: email.trim().to_owned(),
            role: role.clone(),
            team: team.clone(),
            name: None,
            require_secure_sign_in: *require_secure_sign_in,
            external_ref: None,
        };
        // A refusal comes before the line's invitation is written, so the other lines stand.
        let (invitation, problem) = match invitation::invite(change, &request).await {
            Ok(row) => (Some(standing.view(&row)), None),
            Err(error) if error.kind().status.is_client_error() => {
                seats_short |= notice::is_want_of_seat(&error);
                (None, Some(line(index, error)))
            }
            Err(failure) => return Err(failure),
        };
        items.push(BatchLine { email: email.clone(), invitation, problem });
    }
    if seats_short {
        notice::seats_short(change, at).await?;
    }
    let created = items.iter().filter(|item| item.invitation.is_some()).count();
    let count = |lines: usize| u32::try_from(lines).unwrap_or(u32::MAX);
    let refused = count(items.len() - created);
    Ok(InvitationBatchResult { items, created: count(created), refused })
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
