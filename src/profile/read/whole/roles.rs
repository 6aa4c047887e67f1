//! Every role can be given and taken away, and every account has an owner.

use std::collections::BTreeMap;

use crate::domain::keys::RoleName;
use crate::profile::read::whole::Check;
use crate::profile::{OwnershipChange, Reach, Role, Scope, Teams, reaches};

impl Check<'_, '_> {
    /// Checks the roles.
    pub(super) fn roles(&mut self) {
        self.role_names();
        for (rank, role) in self.profile.roles.iter().enumerate() {
            self.opening(rank, role);
            self.holders(role);
            self.ownership_change(role);
            self.giving(role);
            self.taking(role);
            self.scope(role);
        }
    }

    /// There are roles, and none has the name of an addressee.
    fn role_names(&mut self) {
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

    /// Exactly the highest role opens accounts: else an account would begin without anyone who may
    /// do everything, or could end without.
    fn opening(&mut self, rank: usize, role: &Role) {
        let name = role.name.as_str();
        let path = ["roles", name, "becomesBy"];
        if role.opens_account && rank > 0 {
            let hint = "let the first role of the file open accounts, and no other";
            self.add(&path, "only the highest role can open accounts", hint);
        } else if !role.opens_account && rank == 0 {
            let hint = "add `becomesBy: {openingAccount: true}`";
            self.add(&path, "the highest role must be that of who opens an account", hint);
        } else if role.opens_account && role.min_holders == 0 {
            let hint = "add `holders: {min: 1}`";
            let message = "the last one could leave the account without an owner";
            self.add(&["roles", name, "holders"], message, hint);
        }
        if role.opens_account && !role.protected {
            let hint = "add `protected: true`";
            let message = "declarations could make owners without being allowed to";
            self.add(&["roles", name, "protected"], message, hint);
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
    }

    /// The two-step change leads to another state.
    fn ownership_change(&mut self, role: &Role) {
        let path = ["roles", role.name.as_str(), "becomesBy"];
        match &role.ownership_change {
            Some(OwnershipChange::Add) if role.max_holders == Some(1) => {
                let hint = "raise `holders.max`, or use `ownershipChange: move`";
                self.add(&path, "`add` never finds room: there is one holder at most", hint);
            }
            Some(OwnershipChange::Move { former_becomes }) if *former_becomes == role.name => {
                self.add(&path, "the former holder would keep the role", "name another role");
            }
            Some(_) | None => (),
        }
    }

    /// Someone can be given the role.
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
    }

    /// Who holds the role can be removed, where nothing else is said.
    fn taking(&mut self, role: &Role) {
        let kept = role.opens_account || role.min_holders > 0 || !role.removable;
        if !kept && !self.reached(&self.profile.manage.remove, role) {
            let hint = "add a role to `manage.remove` that reaches it, or `removable: false`";
            self.add(&["roles", role.name.as_str()], "nobody may remove who holds this role", hint);
        }
    }

    /// True if some role reaches `target` by `verb`.
    fn reached(&self, verb: &BTreeMap<RoleName, Reach>, target: &Role) -> bool {
        verb.keys().any(|actor| reaches(self.profile, verb, actor, &target.name))
    }

    /// Roles of one team need teams, and who opens an account has it whole.
    fn scope(&mut self, role: &Role) {
        let path = ["roles", role.name.as_str(), "scope"];
        if role.scope == Scope::Account {
            return;
        }
        if self.profile.teams == Teams::One {
            let hint = "write `scope: account`, or `teams: Many`";
            self.add(&path, "an account of one team has no roles of a team", hint);
        } else if role.opens_account {
            let hint = "write `scope: account`";
            self.add(&path, "who opens an account needs a role in the whole of it", hint);
        }
    }
}
