//! An object with the place it was read from.

use std::fmt;
use std::sync::Arc;

use kube::ResourceExt as _;
use kube::core::NamespaceResourceScope;

use crate::api;
use crate::domain::desired::OriginKind;
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::yaml::Document;
use crate::yaml::Problem;

/// Namespace of objects in files that name none.
pub const DEFAULT_NAMESPACE: &str = "default";

/// An object as it was declared.
#[derive(Debug, PartialEq)]
pub struct Declared<T> {
    /// The object.
    pub object: Arc<T>,
    /// Where it stands, if it comes from a file.
    pub source: Option<Source>,
}

// Derived, it would ask for `T: Clone`.
impl<T> Clone for Declared<T> {
    fn clone(&self) -> Self {
        Self { object: Arc::clone(&self.object), source: self.source.clone() }
    }
}

impl<T> From<Arc<T>> for Declared<T> {
    fn from(object: Arc<T>) -> Self {
        Self { object, source: None }
    }
}

/// Place of an object in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The document.
    pub document: Arc<Document>,
    /// Where in the document: empty, or an item of a `List`.
    pub pointer: String,
}

/// Kind, namespace and name of an object that declares people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectKey {
    /// Kind.
    pub kind: OriginKind,
    /// Namespace; for files without one, `default`.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl fmt::Display for ObjectKey {
    /// `Team web/core`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind.as_str(), self.namespace, self.name)
    }
}

/// The key of a Team.
pub fn team_key(team: &api::Team) -> ObjectKey {
    key(OriginKind::Team, team)
}

/// The key of a Membership.
pub fn membership_key(membership: &api::Membership) -> ObjectKey {
    key(OriginKind::Membership, membership)
}

/// The key of the Team that a Membership names; `None`: it names the account.
pub fn team_of(membership: &api::Membership) -> Option<ObjectKey> {
    let team = membership.spec.team_ref.as_ref()?;
    let (kind, namespace) = (OriginKind::Team, namespace(membership));
    Some(ObjectKey { kind, namespace, name: team.name.clone() })
}

/// The key of a ClientAccess.
pub fn client_access_key(access: &api::ClientAccess) -> ObjectKey {
    key(OriginKind::ClientAccess, access)
}

/// The key of a NotificationSubscription.
pub fn subscription_key(subscription: &api::NotificationSubscription) -> ObjectKey {
    key(OriginKind::NotificationSubscription, subscription)
}

/// The key of an object of a kind.
fn key(
    kind: OriginKind,
    object: &impl kube::Resource<Scope = NamespaceResourceScope>,
) -> ObjectKey {
    ObjectKey { kind, namespace: namespace(object), name: object.name_any() }
}

/// Namespace of an object; for files without one, `default`.
pub fn namespace(object: &impl kube::Resource) -> String {
    object.meta().namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned())
}

impl<T: kube::Resource<DynamicType = ()>> Declared<T> {
    /// A problem at `pointer` of this object: with file and line, or with the object's name where
    /// there is no file.
    #[must_use]
    pub fn problem_at(&self, pointer: &str, message: String, hint: String) -> Problem {
        let name = format!(
            "{} {}/{}",
            T::kind(&()),
            namespace(&*self.object),
            kube::ResourceExt::name_any(&*self.object)
        );
        let rejection = Rejection::new(Reason::NotFound, pointer, message, hint);
        self.problem(name, &rejection)
    }
}

impl<T> Declared<T> {
    /// A rejection as a problem of the file, or of the object where there is no file.
    pub(super) fn problem(&self, object: impl fmt::Display, rejection: &Rejection) -> Problem {
        let Rejection { reason: _, pointer, message, hint } = rejection;
        match &self.source {
            Some(source) => {
                source.document.problem(&format!("{}{pointer}", source.pointer), message, hint)
            }
            None => Problem {
                file: object.to_string(),
                position: None,
                field: field(pointer),
                message: message.clone(),
                hint: hint.clone(),
            },
        }
    }
}

/// The way people write a JSON pointer into one of our kinds: none has a field that is a number, so
/// numbers are items of lists.
pub fn field(pointer: &str) -> String {
    let mut field = String::new();
    for step in pointer.split('/').skip(1) {
        if step.bytes().all(|byte| byte.is_ascii_digit()) {
            field += &format!("[{step}]");
        } else {
            if !field.is_empty() {
                field.push('.');
            }
            field += step;
        }
    }
    field
}

/// Most characters of a person's text in a message: a condition and a status have limits, and an
/// escaped character takes up to ten.
const MAX_QUOTED: usize = 64;

/// Text of a person for a message: in backticks, control characters escaped, long ones cut.
pub fn quote(text: &str) -> String {
    let start: String = text.chars().take(MAX_QUOTED).collect();
    let cut = if start.len() < text.len() { "…" } else { "" };
    format!("`{}{cut}`", start.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::field;
    use super::quote;

    #[test]
    fn quoted_text_is_short_and_cannot_steer_a_terminal() {
        assert_eq!(quote("a\u{1b}[31m\n"), r"`a\u{1b}[31m\n`");
        assert_eq!(quote("josé"), "`josé`");
        assert_eq!(quote(&"\u{1b}".repeat(254)).chars().count(), 64 * 6 + 3);
    }

    #[test]
    fn pointers_read_like_fields() {
        assert_eq!(field("/spec/roster/3/email"), "spec.roster[3].email");
        assert_eq!(field("/spec"), "spec");
        assert_eq!(field(""), "");
    }
}
