//! Who may act on members has the permission, and every permission is had by someone.

use crate::profile::ServicePermission;
use crate::profile::read::whole::Check;

impl Check<'_, '_> {
    /// Checks the permissions.
    pub(super) fn permissions(&mut self) {
        self.manage();
        self.had_by_someone();
        self.needed();
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
}
