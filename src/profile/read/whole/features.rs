//! What only some products have goes together with the rest.

use crate::domain::keys::RoleName;
use crate::profile::read::whole::Check;
use crate::profile::{
    Cancellation, Category, Pool, Role, Scope, TeamSubscription, Teams, Topic, Word as _,
};

impl Check<'_, '_> {
    /// Checks teams, categories, notices, domains, clients and meters.
    pub(super) fn features(&mut self) {
        self.teams();
        for category in &self.profile.categories {
            self.recipients(category);
        }
        for (notice, addressees) in &self.profile.notify {
            if addressees.is_empty() {
                let hint = "list `person` or roles, or remove the line";
                self.add(&["notify", notice.word()], "nobody is told", hint);
            }
        }
        self.auto_join();
        self.client_access();
        self.meters();
    }

    /// What needs many teams has them.
    fn teams(&mut self) {
        let many = self.profile.teams == Teams::Many;
        match self.profile.team {
            Some(_) if !many => {
                self.add(&["team"], "an account has one team only", "remove it, or `teams: Many`");
            }
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
    }

    /// A category has someone who can receive it, those who must among them.
    fn recipients(&mut self, category: &Category) {
        let path = ["categories", category.name.as_str(), "openTo"];
        if category.open_to.is_empty() {
            let hint = "list roles, or leave `openTo` out";
            self.add(&path, "nobody can receive this category", hint);
            return;
        }
        let must = |role: &&Role| role.receives.contains(&category.name);
        for role in self.profile.roles.iter().filter(must) {
            if !category.open_to.contains(&role.name) {
                let message = format!("`{}` always receives it but is not listed", role.name);
                self.add(&path, message, "add the role, or take `receives` away from it");
            }
        }
    }

    /// A domain alone gives no role that a person should decide on.
    fn auto_join(&mut self) {
        let Some(join) = &self.profile.auto_join else { return };
        let path = ["autoJoin", "role"];
        let role = self.profile.role(&join.role);
        if role.is_some_and(|role| role.protected || role.min_holders > 0) {
            let hint = "choose a role that is not protected";
            self.add(&path, "is too high to be given by a domain alone", hint);
        }
        if role.is_some_and(|role| role.scope == Scope::Team) {
            let hint = "choose a role of the account";
            self.add(&path, "a domain does not say which team", hint);
        }
    }

    /// An agency asks for roles that an invitation could give.
    fn client_access(&mut self) {
        let Some(access) = &self.profile.client_access else { return };
        let path = ["clientAccess", "roles"];
        if access.roles.is_empty() {
            self.add(&path, "no role can be asked for", "list roles");
        }
        let invitable = |name: &&RoleName| self.profile.role(name).is_some_and(|r| r.invitable);
        for name in access.roles.iter().filter(|name| !invitable(name)) {
            let message = format!("`{name}` cannot be given by invitation");
            self.problems.push(self.root.problem_below(&path, message, "remove it"));
        }
    }

    /// A warning that the file asks for has someone to go to.
    fn meters(&mut self) {
        let told = self.profile.categories.iter().any(|category| category.about == Topic::Usage);
        let asked = |name: &str| {
            self.root.get("meters").and_then(|m| m.get(name)).and_then(|m| m.get("warnAt"))
        };
        let meters = self.profile.meters.iter().filter(|m| !m.warn_at_percent.is_empty() && !told);
        for warn_at in meters.filter_map(|meter| asked(&meter.name)) {
            let hint = "add a category with `about: usage`, or remove `warnAt`";
            let message = "no category is about usage, so nobody is warned";
            self.problems.push(warn_at.problem(message, hint));
        }
    }
}
