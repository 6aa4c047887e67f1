//! Who may act on members has the permission, and every permission is had by someone.

use crate::profile::read::whole::Check;
use crate::profile::{PermissionKind, Role, ServicePermission, Unit, WhenFull, reaches};

impl Check<'_, '_> {
    /// Checks the permissions.
    pub(super) fn permissions(&mut self) {
        self.manage();
        self.had_by_someone();
        self.needed();
        self.metered();
        self.tokens();
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
    fn had_by_someone(&mut self) {
        for name in self.profile.permissions.keys() {
            if !self.profile.roles.iter().any(|role| role.permissions.contains(name)) {
                let hint = "give it to a role, or remove it";
                self.add(&["permissions", name], "no role has this permission", hint);
            }
        }
    }

    /// What some products have needs someone who may manage it.
    fn needed(&mut self) {
        let profile = self.profile;
        let needs = [
            (!profile.categories.is_empty(), "categories", ServicePermission::RecipientsManage),
            (profile.auto_join.is_some(), "autoJoin", ServicePermission::DomainsManage),
            (profile.client_access.is_some(), "clientAccess", ServicePermission::ClientsUse),
        ];
        for (there, key, permission) in needs {
            let had = profile.roles.iter().any(|r| r.permissions.contains(permission.as_str()));
            if there && !had {
                let message = format!("needs someone with `{permission}`");
                self.add(&[key], message, "give the permission to a role");
            }
        }
    }

    /// What finds a meter full makes something that the meter counts.
    fn metered(&mut self) {
        for (name, rule) in &self.profile.permissions {
            let Some(meter) = self.profile.meter_of(name) else { continue };
            let path = ["permissions", name, "meter"];
            if meter.unit == Unit::People {
                self.add(&path, "people are limited by `seats`", "remove the line");
            } else if meter.when_full == WhenFull::Overage {
                let hint = "remove the line, or let the meter refuse: `whenFull: refuse`";
                self.add(&path, format!("`{}` is never full", meter.name), hint);
            } else if rule.kind != PermissionKind::Write {
                let hint = "write `kind: write`, or remove `meter`";
                self.add(&path, "what makes nothing finds no meter full", hint);
            }
        }
    }

    /// A token of the account acts as the highest role: who makes one may do as much.
    fn tokens(&mut self) {
        let makes = |role: &&Role| {
            role.permissions.contains(ServicePermission::TokensManage.as_str())
                && !self.acts_as_the_highest(role)
        };
        let roles: Vec<&Role> = self.profile.roles.iter().filter(makes).collect();
        for role in roles {
            let path = ["roles", role.name.as_str(), "permissions"];
            let message = "could do more by a token of the account than by itself";
            let hint = "take `tokens.manage` away, or give it all that the highest role may do";
            self.add(&path, message, hint);
        }
    }

    /// True if a role may do at the service what the highest may, to the same people.
    fn acts_as_the_highest(&self, role: &Role) -> bool {
        let Some(highest) = self.profile.roles.first() else { return true };
        let manage = &self.profile.manage;
        let may = ServicePermission::ALL
            .iter()
            .map(|permission| permission.as_str())
            .all(|name| role.permissions.contains(name) || !highest.permissions.contains(name));
        let far = [&manage.invite, &manage.change, &manage.remove].into_iter().all(|verb| {
            self.profile.roles.iter().all(|target| {
                reaches(self.profile, verb, &role.name, &target.name)
                    || !reaches(self.profile, verb, &highest.name, &target.name)
            })
        });
        may && far
    }
}
