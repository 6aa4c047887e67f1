//! Requests to an agency's clients that are withdrawn, one by one, before anything is mailed.

use uuid::Uuid;

use crate::apply::outcome::Outcome;
use crate::apply::progress::Progress;
use crate::apply::{ACTED, ACTING, Job};
use crate::domain::keys::RequestKey;
use crate::failpoint::hit;
use crate::ledger::Ledger;
use crate::plan::client_access::ClientAction;

/// What became of each action, in the order of the plan.
pub type ClientOutcomes = Vec<(ClientAction, Outcome)>;

/// Withdraws requests.
pub(super) async fn withdraw(ledger: &mut Ledger, job: &Job<'_>, progress: &mut Progress<'_>) {
    for (index, action) in job.plan.clients.actions.iter().enumerate() {
        let ClientAction::Withdraw { client, cause, .. } = action else { continue };
        if progress.is_stopped() {
            return;
        }
        let key = RequestKey(Uuid::new_v4().to_string());
        hit(ACTING);
        let outcome = Outcome::of(job.backend.execute_client(job.account, action, &key).await);
        hit(ACTED);
        if outcome.is_done() {
            ledger.withdrew(client, *cause, (job.context.now)());
        }
        progress.client_done(index, outcome);
    }
}
