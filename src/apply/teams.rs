//! Teams and settings of the account, before its people: made and changed one by one. None of it
//! mails an invitation; a doubtful answer is settled by the next look, since a team carries the
//! reference of its declaration and an edit its version.

use uuid::Uuid;

use crate::apply::outcome::{NotRun, Outcome};
use crate::apply::progress::Progress;
use crate::apply::{ACTED, ACTING, Job};
use crate::domain::keys::RequestKey;
use crate::failpoint::hit;
use crate::plan::teams::TeamAction;

/// What became of each action, in the order of the plan.
pub type TeamOutcomes = Vec<(TeamAction, Outcome)>;

/// Runs the plan's actions on teams and on the account.
pub(super) async fn run(job: &Job<'_>, progress: &mut Progress<'_>) {
    for action in &job.plan.teams.actions {
        // Our claim has changed the account since the look.
        let action = action.clone().at(&progress.after.account.etag);
        if progress.is_stopped() {
            progress.team_done(action, Outcome::NotRun(NotRun::Stopped));
            continue;
        }
        let key = RequestKey(Uuid::new_v4().to_string());
        hit(ACTING);
        let answer = job.backend.execute_team(job.account, &action, &key).await;
        hit(ACTED);
        progress.team_done(action, Outcome::of(answer));
    }
}
