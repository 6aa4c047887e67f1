//! Teams of an account that has many, and settings of the account: what is made and changed before
//! people are let in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::capability::Capability;
use crate::domain::identity::MemberKey;
use crate::domain::keys::{ETag, SubscriptionId, TeamId, TeamRef};
use crate::domain::observed::Observed;
use crate::domain::policy::Mode;
use crate::domain::teams::{DesiredTeam, ObservedTeam, TeamState, bindings};
use crate::plan::pools::PoolKey;
use crate::plan::{Input, Rule, pools};

/// One change of a team or of the account. None mails, takes a seat or ends access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TeamAction {
    /// Makes a team that carries the reference of its declaration.
    Create {
        /// The declaration.
        reference: TeamRef,
        /// Name for people.
        name: String,
        /// Subscription that it is linked to.
        subscription: Option<SubscriptionId>,
    },
    /// Changes name and subscription, both or neither (CT-12).
    Edit {
        /// The declaration.
        reference: TeamRef,
        /// The team.
        id: TeamId,
        /// Version, sent as `If-Match`.
        etag: ETag,
        /// Name that it has, and the new one.
        name: Option<(String, String)>,
        /// New subscription.
        subscription: Option<SubscriptionId>,
    },
    /// Whether everyone must sign in by more than a password (X13).
    SecureSignIn {
        /// Version of the account, sent as `If-Match`.
        etag: ETag,
        /// What is declared.
        required: bool,
    },
}

impl TeamAction {
    /// Word for metrics, logs and JSON output; never renamed.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Create { .. } => "CreateTeam",
            Self::Edit { .. } => "EditTeam",
            Self::SecureSignIn { .. } => "RequireSecureSignIn",
        }
    }

    /// The same at another version of the account.
    #[must_use]
    pub fn at(self, account: &ETag) -> Self {
        match self {
            Self::SecureSignIn { etag: _, required } => {
                Self::SecureSignIn { etag: account.clone(), required }
            }
            Self::Create { .. } | Self::Edit { .. } => self,
        }
    }

    /// What it is in a digest.
    #[must_use]
    pub fn line(&self) -> String {
        let id = match self {
            Self::Edit { id, .. } => id.as_str(),
            Self::Create { .. } | Self::SecureSignIn { .. } => "",
        };
        let reference = self.reference().map_or("", |reference| reference.as_str());
        format!("{reference} {id} {self}")
    }

    /// The declared team; `None`: the account.
    #[must_use]
    pub fn reference(&self) -> Option<&TeamRef> {
        match self {
            Self::Create { reference, .. } | Self::Edit { reference, .. } => Some(reference),
            Self::SecureSignIn { .. } => None,
        }
    }
}

impl fmt::Display for TeamAction {
    /// One line of a plan: `+ make team Core`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create { name, subscription: Some(id), .. } => {
                write!(f, "+ make team {name:?} under {id}")
            }
            Self::Create { name, subscription: None, .. } => write!(f, "+ make team {name:?}"),
            Self::Edit { name: Some((from, to)), subscription: None, .. } => {
                write!(f, "~ rename team {from:?} to {to:?}")
            }
            Self::Edit { name: Some((from, to)), subscription: Some(id), .. } => {
                write!(f, "~ rename team {from:?} to {to:?} and link it to {id}")
            }
            Self::Edit { id: team, name: None, subscription, .. } => {
                let to = subscription.as_ref().map_or("", |id| id.as_str());
                write!(f, "~ link team {team} to {to}")
            }
            Self::SecureSignIn { required: true, .. } => {
                f.write_str("~ require secure sign-in of everyone")
            }
            Self::SecureSignIn { required: false, .. } => {
                f.write_str("~ require secure sign-in of nobody")
            }
        }
    }
}

/// What is to be done with teams, what is held back, and what is known of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamPlan {
    /// What to do, in order, before anything with people.
    pub actions: Vec<TeamAction>,
    /// What a rule stopped.
    pub held: Vec<(TeamAction, Rule)>,
    /// Every declared team.
    pub teams: BTreeMap<TeamRef, TeamOutlook>,
}

/// What is known of one declared team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TeamOutlook {
    /// Its id, if it is at the service.
    pub id: Option<TeamId>,
    /// Its state there.
    pub state: Option<TeamState>,
    /// Subscription there.
    pub subscription: Option<SubscriptionId>,
    /// The rule that holds the next step back.
    pub rule: Option<Rule>,
}

impl TeamPlan {
    /// The key of a person, with the id of a declared team that is at the service.
    #[must_use]
    pub fn key(&self, key: &MemberKey) -> MemberKey {
        key.clone().bound(|reference| self.teams.get(reference)?.id.clone())
    }

    /// Where a person has a place, for a line of text: ` in web/core`; empty in the account as a
    /// whole.
    #[must_use]
    pub fn place(&self, key: &MemberKey) -> String {
        let known = key.team_id().and_then(|id| {
            let mut teams = self.teams.iter();
            teams.find(|(_, team)| team.id.as_ref() == Some(id)).map(|(reference, _)| reference)
        });
        match (known, &key.team) {
            (Some(reference), _) => format!(" in {reference}"),
            (None, Some(team)) => format!(" in {}", team.as_str()),
            (None, None) => String::new(),
        }
    }

    pub(super) fn hold(&mut self, action: TeamAction, rule: Rule) {
        let team = action.reference().and_then(|reference| self.teams.get_mut(reference));
        if let Some(team) = team {
            team.rule = Some(rule);
        }
        self.held.push((action, rule));
    }

    /// True if a team is linked to this subscription by this plan.
    fn links_to(&self, to: &SubscriptionId) -> bool {
        let links = |action: &TeamAction| matches!(action, TeamAction::Edit { subscription: Some(id), .. } if id == to);
        self.actions.iter().any(links)
    }

    /// Pools whose people are others once this plan has run: nobody is let in before. A team that had
    /// no subscription was in none.
    pub(super) fn changing(&self, observed: &Observed) -> BTreeSet<PoolKey> {
        let mut changing = BTreeSet::new();
        for action in &self.actions {
            if let TeamAction::Edit { id, subscription: Some(to), .. } = action {
                changing.insert(Some(to.clone()));
                changing.insert(observed.teams.get(id).and_then(|team| team.subscription.clone()));
            }
        }
        changing
    }

    fn enter(&mut self, input: &Input<'_>, action: TeamAction) {
        let needed = match &action {
            TeamAction::Create { .. } => Mode::Invite,
            TeamAction::Edit { .. } | TeamAction::SecureSignIn { .. } => Mode::Manage,
        };
        if input.policy.mode == Mode::Observe {
            self.hold(action, Rule::Observing);
        } else if input.policy.mode < needed {
            self.hold(action, Rule::InviteOnly);
        } else if input.observed.account.disabled {
            self.hold(action, Rule::ServiceDisabled);
        } else {
            self.actions.push(action);
        }
    }
}

/// Plans the teams of an account. Time O(n log n) in teams.
pub(super) fn plan(input: &Input<'_>) -> TeamPlan {
    let Input { desired, observed, profile, .. } = *input;
    let mut plan = stopped(input);
    for (reference, wanted) in desired.teams.iter().filter(|(_, wanted)| !wanted.passive) {
        let id = plan.teams.get(reference).and_then(|team| team.id.clone());
        let row = id.and_then(|id| Some((observed.teams.get(&id)?, id)));
        match row {
            Some((row, id)) => edit(&mut plan, input, (reference, wanted), (&id, row)),
            None => create(&mut plan, input, reference, wanted),
        }
    }
    let required = desired.secure_sign_in.filter(|_| !profile.secure_sign_in.is_empty());
    if let Some(required) = required.filter(|wanted| *wanted != observed.account.secure_sign_in) {
        let etag = observed.account.etag.clone();
        plan.enter(input, TeamAction::SecureSignIn { etag, required });
    }
    plan
}

/// What is known of the teams, where nothing is written.
pub(super) fn stopped(input: &Input<'_>) -> TeamPlan {
    let Input { desired, observed, ledger, .. } = *input;
    let bound = bindings(&desired.teams, &observed.teams, &ledger.teams);
    let outlook = |reference: &TeamRef| {
        let id = bound.get(reference).cloned();
        let row = id.as_ref().and_then(|id| observed.teams.get(id));
        let state = row.map(|row| row.state);
        let subscription = row.and_then(|row| row.subscription.clone());
        TeamOutlook { id, state, subscription, rule: None }
    };
    let teams = desired.teams.keys().map(|reference| (reference.clone(), outlook(reference)));
    TeamPlan { teams: teams.collect(), ..TeamPlan::default() }
}

/// Teams at the service for the ledger, if they are other than it has; `None`: leave it.
pub(super) fn learn(input: &Input<'_>, plan: &TeamPlan) -> Option<BTreeMap<TeamRef, TeamId>> {
    let Input { desired, ledger, policy, .. } = *input;
    // One that is gone stays known: it is not made anew without a word.
    let known = ledger.teams.iter().filter(|(reference, _)| desired.teams.contains_key(*reference));
    let mut teams: BTreeMap<_, _> = known.map(|(r, id)| (r.clone(), id.clone())).collect();
    let there = plan.teams.iter().filter_map(|(r, team)| Some((r.clone(), team.id.clone()?)));
    teams.extend(there);
    (policy.mode > Mode::Observe && teams != ledger.teams).then_some(teams)
}

/// Makes a team that is not there. One that was named by its id is not made anew, and no second
/// team of a name.
fn create(plan: &mut TeamPlan, input: &Input<'_>, reference: &TeamRef, wanted: &DesiredTeam) {
    let DesiredTeam { id, name, subscription, passive: _ } = wanted;
    let action = TeamAction::Create {
        reference: reference.clone(),
        name: name.clone(),
        subscription: subscription.clone(),
    };
    let taken: BTreeSet<&TeamId> =
        plan.teams.values().filter_map(|team| team.id.as_ref()).collect();
    let mut others = input.observed.teams.iter().filter(|(id, _)| !taken.contains(*id));
    let name_taken = others.any(|(_, row)| row.name == *name);
    if let Some(id) = id {
        let there = input.observed.teams.contains_key(id);
        plan.hold(action, if there { Rule::TeamTaken } else { Rule::TeamNotFound });
    } else if input.ledger.teams.contains_key(reference) {
        plan.hold(action, Rule::TeamLost);
    } else if input.policy.missing.contains(&Capability::ExternalReference) {
        plan.hold(action, Rule::NoReference);
    } else if name_taken {
        plan.hold(action, Rule::TeamNameTaken);
    } else if !runs(input, subscription.as_ref()) {
        plan.hold(action, Rule::SubscriptionNotFound);
    } else {
        plan.enter(input, action);
    }
}

/// Changes name and subscription of a team that is there.
fn edit(
    plan: &mut TeamPlan,
    input: &Input<'_>,
    (reference, wanted): (&TeamRef, &DesiredTeam),
    (id, row): (&TeamId, &ObservedTeam),
) {
    let Input { observed, profile, .. } = *input;
    let name = (row.name != wanted.name).then(|| (row.name.clone(), wanted.name.clone()));
    let linked = wanted.subscription.is_none() || wanted.subscription == row.subscription;
    let subscription = if linked { None } else { wanted.subscription.clone() };
    if name.is_none() && subscription.is_none() {
        return;
    }
    let renames = name.is_some();
    let action = TeamAction::Edit {
        reference: reference.clone(),
        id: id.clone(),
        etag: row.etag.clone(),
        name,
        subscription: subscription.clone(),
    };
    if row.state == TeamState::Unknown {
        plan.hold(action, Rule::NotUnderstood);
    } else if !runs(input, subscription.as_ref()) {
        plan.hold(action, Rule::SubscriptionNotFound);
    } else if subscription.as_ref().is_some_and(|to| plan.links_to(to)) {
        // Its people are counted there once the other team is.
        plan.hold(action, Rule::TeamChanging);
    } else if subscription.is_some_and(|to| !pools::fits(observed, profile, id, &to)) {
        plan.hold(action, Rule::SeatLimit);
    } else if renames && linked && row.state == TeamState::Inactive {
        plan.hold(action, Rule::TeamInactive);
    } else {
        plan.enter(input, action);
    }
}

/// True if the account has the subscription, and it is not over.
fn runs(input: &Input<'_>, subscription: Option<&SubscriptionId>) -> bool {
    let held = &input.observed.account.subscriptions;
    subscription.is_none_or(|id| held.iter().any(|held| held.id == *id))
}
