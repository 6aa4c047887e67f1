//! Where in the files a change is declared, for the audit record.

use kube::ResourceExt as _;

use crate::apply::{Declarers, Version};
use crate::domain::desired::{Origin, OriginKind};
use crate::domain::identity::EmailAddress;
use crate::manifests::{self, Declarations, Declared};

impl Declarers for Declarations {
    fn account(&self) -> (String, String) {
        let account = &*self.account.object;
        (manifests::namespace(account), account.name_any())
    }

    fn version(&self, of: Option<&Origin>) -> Version {
        let line = match of {
            None => Some(line(&self.account, None)),
            Some(origin) => match origin.kind {
                OriginKind::Team => find(&self.teams, origin),
                OriginKind::Membership => find(&self.memberships, origin),
                OriginKind::ClientAccess => find(&self.client_accesses, origin),
                OriginKind::NotificationSubscription => find(&self.subscriptions, origin),
            },
        };
        Version { line, ..Version::default() }
    }

    fn leaving(&self, _person: &EmailAddress) -> Option<Origin> {
        None // What is not in the files is not known by them.
    }
}

/// Place of the object that an origin names.
fn find<T>(objects: &[Declared<T>], origin: &Origin) -> Option<String>
where
    T: kube::Resource<DynamicType = ()>,
{
    let mut objects = objects.iter();
    let found = objects.find(|declared| {
        declared.object.name_any() == origin.name
            && manifests::namespace(&*declared.object) == origin.namespace
    });
    found.map(|declared| line(declared, origin.position))
}

/// File and line of an object, or of a line of its roster.
fn line<T: kube::Resource<DynamicType = ()>>(
    declared: &Declared<T>,
    position: Option<usize>,
) -> String {
    let pointer = position.map_or_else(String::new, |position| format!("/spec/roster/{position}"));
    let place = declared.problem_at(&pointer, String::new(), String::new());
    match place.position {
        Some(position) => format!("{}:{}", place.file, position.line),
        None => place.file,
    }
}
