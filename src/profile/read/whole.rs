//! The profile as a whole: what each knob allows by itself and all together make impossible.

use std::collections::BTreeMap;

use crate::domain::keys::RoleName;
use crate::domain::observed::SeatLimit;
use crate::profile::read::node::{Node, Problems};
use crate::profile::{
    Cancellation, Counted, LimitFrom, OwnershipChange, Pool, Profile, Reach, Role, Scope,
    ServicePermission, TeamSubscription, Teams, reaches,
};

/// One check of the whole.
struct Check<'doc, 'run> {
    root: &'run Node<'doc>,
    profile: &'run Profile,
    problems: &'run mut Problems,
}

/// Checks the profile as a whole.
pub fn check(root: &Node<'_>, profile: &Profile, problems: &mut Problems) {
    let mut check = Check { root, profile, problems };
    check.roles();
    check.opening_role();
    for role in &profile.roles {
        check.holders(role);
        check.giving(role);
        check.scope(role);
    }
    check.manage();
    check.permissions();
    check.plans();
    check.seats();
    check.teams();
    check.recipients();
    check.automatic_roles();
}

impl Check<'_, '_> {
    /// Notes a problem at a path of keys; at the nearest one that is there.
    fn add(&mut self, path: &[&str], message: impl Into<String>, hint: &str) {
        self.problems.push(self.root.problem_below(path, message, hint));
    }

    /// There are roles, and none has the name of an addressee.
    fn roles(&mut self) {
        if self.profile.roles.is_empty() {
            self.add(
                &["roles"],
                "there is no role",
                "declare at least the one that opens accounts",
            );
        }
        if self.profile.role(&RoleName::from("person")).is_some() {
            let hint = "`notify` means someone else by that word: choose another";
            self.add(&["roles", "person"], "a role cannot be called `person`", hint);
        }
    }

    /// Exactly the highest role opens accounts: else an account would begin without anyone who
    /// may do everything.
    fn opening_role(&mut self) {
        for (rank, role) in self.profile.roles.iter().enumerate() {
            let path = ["roles", role.name.as_str(), "becomesBy"];
            if role.opens_account && rank > 0 {
                let hint = "let the first role of the file open accounts, and no other";
                self.add(&path, "only the highest role can open accounts", hint);
            } else if !role.opens_account && rank == 0 {
                let hint = "add `becomesBy: {openingAccount: true}`";
                self.add(&path, "the highest role must be that of who opens an account", hint);
            } else if role.opens_account && role.min_holders == 0 {
                let hint = "add `holders: {min: 1}`";
                let message = "who opens an account could leave it with no owner";
                self.add(&["roles", role.name.as_str(), "holders"], message, hint);
            }
        }
    }

    /// The bounds of holders can be met, from the opening of an account on.
    fn holders(&mut self, role: &Role) {
        let path = ["roles", role.name.as_str(), "holders"];
        let first = u32::from(role.opens_account);
        if role.max_holders.is_some_and(|max| max < role.min_holders) {
            self.add(&path, "the most holders are fewer than the least", "raise `max`");
        } else if role.min_holders > first {
            let (least, name) = (role.min_holders, &role.name);
            let message = format!(
                "an account is opened with {first} `{name}`, so a minimum of {least} is never met"
            );
            self.add(&path, message, "lower `min`");
        }
        let path = ["roles", role.name.as_str(), "becomesBy"];
        if role.ownership_change == Some(OwnershipChange::Add) && role.max_holders == Some(1) {
            let hint = "raise `holders.max`, or use `ownershipChange: move`";
            self.add(&path, "`add` never finds room: there is one holder at most", hint);
        }
        if let Some(OwnershipChange::Move { former_becomes }) = &role.ownership_change
            && *former_becomes == role.name
        {
            self.add(&path, "the former holder would keep the role", "name another role");
        }
    }

    /// Someone can be given the role, and taken away again.
    fn giving(&mut self, role: &Role) {
        let path = ["roles", role.name.as_str()];
        let joins = self.profile.auto_join.as_ref().is_some_and(|join| join.role == role.name);
        let by_itself = role.opens_account || role.ownership_change.is_some() || joins;
        if role.invitable && role.immutable {
            let hint = "add `invitable: false`, or remove `immutable`";
            self.add(&path, "an immutable role cannot be given by invitation", hint);
        }
        if !role.invitable && !by_itself {
            let hint = "make it invitable, or say in `becomesBy` how one comes to hold it";
            self.add(&path, "nobody can be given this role", hint);
        }
        if role.invitable && !self.reached(&self.profile.manage.invite, role) {
            let hint = "add a role to `manage.invite` that reaches it, or `invitable: false`";
            self.add(&path, "nobody may invite with this role", hint);
        }
        let guarded = role.min_holders > 0 || !role.removable;
        if !guarded && !self.reached(&self.profile.manage.remove, role) {
            let hint = "add a role to `manage.remove` that reaches it, or `removable: false`";
            self.add(&path, "nobody may remove who holds this role", hint);
        }
    }

    /// True if some role reaches `target` by `verb`.
    fn reached(&self, verb: &BTreeMap<RoleName, Reach>, target: &Role) -> bool {
        verb.keys().any(|actor| reaches(self.profile, verb, actor, &target.name))
    }

    /// Roles of one team need teams.
    fn scope(&mut self, role: &Role) {
        if role.scope == Scope::Team && self.profile.teams == Teams::One {
            let hint = "write `scope: account`, or `teams: Many`";
            let path = ["roles", role.name.as_str(), "scope"];
            self.add(&path, "an account of one team has no roles of a team", hint);
        }
    }

    /// A role acts on members exactly if it has the permission to.
    fn manage(&mut self) {
        let manage = &self.profile.manage;
        let verbs = [
            ("invite", &manage.invite, ServicePermission::MembersInvite),
            ("change", &manage.change, ServicePermission::MembersChange),
            ("remove", &manage.remove, ServicePermission::MembersRemove),
        ];
        for (verb, reach, permission) in verbs {
            for role in &self.profile.roles {
                let (name, listed) = (role.name.as_str(), reach.contains_key(&role.name));
                match (listed, role.permissions.contains(permission.as_str())) {
                    (true, false) => {
                        let message = format!("`{name}` lacks the permission `{permission}`");
                        self.add(&["manage", verb, name], message, "give it, or remove the line");
                    }
                    (false, true) => {
                        let message = format!("has `{permission}` but reaches nobody");
                        let hint =
                            format!("add it to `manage.{verb}`, or take the permission away");
                        self.add(&["roles", name, "permissions"], message, &hint);
                    }
                    (true, true) | (false, false) => (),
                }
            }
        }
    }

    /// Every permission of the product is had by someone.
    fn permissions(&mut self) {
        for name in self.profile.permissions.keys() {
            if !self.profile.roles.iter().any(|role| role.permissions.contains(name)) {
                let hint = "give it to a role, or remove it";
                self.add(&["permissions", name], "no role has this permission", hint);
            }
        }
    }

    /// There are plans, in the order of their tiers.
    fn plans(&mut self) {
        if self.profile.plans.is_empty() {
            let hint = "declare at least `none: {seats: unlimited, paid: false}`";
            self.add(&["plans"], "there is no plan", hint);
        }
        for pair in self.profile.plans.windows(2) {
            let [lower, higher] = pair else { continue };
            let fewer = match (lower.seats, higher.seats) {
                (_, SeatLimit::Unlimited) => false,
                (SeatLimit::Unlimited, SeatLimit::Seats(_)) => true,
                (SeatLimit::Seats(lower), SeatLimit::Seats(higher)) => higher < lower,
            };
            if fewer {
                let message = format!("has fewer seats than the lower tier `{}`", lower.name);
                let hint = "put the plans in the order of their tiers, lowest first";
                self.add(&["plans", higher.name.as_str(), "seats"], message, hint);
            }
        }
        let needed = matches!(self.profile.seats.limit, LimitFrom::HighestTier | LimitFrom::Plan);
        match self.profile.without_subscription() {
            None if needed && !self.profile.plans.is_empty() => {
                let hint = "add `none: {seats: …, paid: false}`";
                let message = "nothing says what an account without a subscription may have";
                self.add(&["plans"], message, hint);
            }
            Some(none) if none.paid => {
                let hint = "add `paid: false`";
                self.add(&["plans", "none"], "what nobody has picked cannot be paid", hint);
            }
            Some(_) | None => (),
        }
    }

    /// Pool, limit and what counts go together.
    fn seats(&mut self) {
        let seats = &self.profile.seats;
        let fits = match seats.pool {
            Pool::None => seats.limit == LimitFrom::Unlimited,
            Pool::Subscription => seats.limit == LimitFrom::Subscription,
            Pool::Account => matches!(seats.limit, LimitFrom::HighestTier | LimitFrom::Plan),
        };
        if !fits {
            let hint = "`none` goes with `unlimited`, `subscription` with `subscription`, \
                        `account` with `highestTier` or `plan`";
            self.add(&["seats", "limit"], "does not go with this `pool`", hint);
        }
        let (counts, unlimited) = (&seats.counts, seats.pool == Pool::None);
        if counts.is_empty() != unlimited {
            let (message, hint) = if unlimited {
                ("nothing is counted where there are no seats", "write `counts: []`")
            } else {
                ("nothing takes a seat, so the limit never holds", "say what takes a seat")
            };
            self.add(&["seats", "counts"], message, hint);
        }
        if counts.contains(&Counted::ClientAccess) && self.profile.client_access.is_none() {
            let hint = "remove it, or add `clientAccess`";
            self.add(&["seats", "counts"], "there is no client access to count", hint);
        }
        if counts.contains(&Counted::Owner) && counts.contains(&Counted::OwnerInTeam) {
            let hint = "keep one of the two";
            self.add(&["seats", "counts"], "`owner` counts those of `ownerInTeam` too", hint);
        }
    }

    /// What needs many teams has them.
    fn teams(&mut self) {
        let many = self.profile.teams == Teams::Many;
        match self.profile.team {
            Some(_) if !many => self.add(&["team"], "an account has one team", "remove it"),
            None if many => self.add(&["teams"], "the rules of teams are missing", "add `team:`"),
            Some(_) | None => (),
        }
        let own = self.profile.team.is_some_and(|t| t.subscription == TeamSubscription::ExactlyOne);
        if (self.profile.seats.pool == Pool::Subscription) != own {
            let hint = "`seats.pool: subscription` goes with `team.subscription: exactlyOne`";
            self.add(&["seats", "pool"], "does not go with the subscriptions of teams", hint);
        }
        if self.profile.cancellation == Cancellation::AtPeriodEndThenTeamsInactive && !own {
            let hint = "use another word, or `team.subscription: exactlyOne`";
            self.add(&["cancellation", "then"], "teams have no subscription of their own", hint);
        }
        if !many && self.profile.seats.counts.contains(&Counted::OwnerInTeam) {
            let hint = "write `owner`, or leave it out";
            self.add(&["seats", "counts"], "`ownerInTeam` needs many teams", hint);
        }
    }

    /// Every category has someone who can receive it, those who must among them.
    fn recipients(&mut self) {
        for category in &self.profile.categories {
            let path = ["categories", category.name.as_str(), "openTo"];
            if category.open_to.is_empty() {
                let hint = "list roles, or leave `openTo` out";
                self.add(&path, "nobody can receive this category", hint);
            }
            for role in &self.profile.roles {
                let receives = role.receives.contains(&category.name);
                if receives
                    && !category.open_to.is_empty()
                    && !category.open_to.contains(&role.name)
                {
                    let message = format!("`{}` receives it but is not listed", role.name);
                    self.add(&path, message, "add the role to `openTo`");
                }
            }
        }
        for addressees in self.profile.notify.values() {
            if addressees.is_empty() {
                let hint = "list `person` or roles, or remove the line";
                self.add(&["notify"], "nobody is told", hint);
            }
        }
        let manages = ServicePermission::RecipientsManage.as_str();
        let anyone = self.profile.roles.iter().any(|role| role.permissions.contains(manages));
        if !self.profile.categories.is_empty() && !anyone {
            let message = format!("no role has `{manages}`, so nobody can choose recipients");
            self.add(&["categories"], message, "give it to a role");
        }
    }

    /// What is given without a decision is never a role with a guard.
    fn automatic_roles(&mut self) {
        if let Some(join) = &self.profile.auto_join
            && let Some(role) = self.profile.role(&join.role)
            && (role.protected || role.min_holders > 0)
        {
            let hint = "choose a role that is neither protected nor an owner's";
            self.add(&["autoJoin", "role"], "is too high to be given by a domain alone", hint);
        }
        if let Some(access) = &self.profile.client_access {
            if access.roles.is_empty() {
                self.add(&["clientAccess", "roles"], "no role can be asked for", "list roles");
            }
            for name in &access.roles {
                if self.profile.role(name).is_some_and(|role| !role.invitable) {
                    let message = format!("`{name}` cannot be given by invitation");
                    self.add(&["clientAccess", "roles"], message, "remove it");
                }
            }
        }
    }
}
