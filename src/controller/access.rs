//! Whether the operator may do all that it has to, asked of the cluster before anything is done.
//!
//! A right that is missing would show late and look like something else: a watch that never starts, a
//! status that is never written. The list is the one that the chart makes its roles of.

use std::fmt;
use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use crate::controller::clients::call;
use crate::controller::error::{ClusterError, ControllerError};
use crate::yaml;

/// What the operator may do, and why.
const LIST: &str = include_str!("../../charts/seatkeeper/files/access.yaml");

/// Questions at one time.
const AT_ONE_TIME: usize = 8;
/// How often a right that is missing is asked for: a role counts a moment after it was made.
const TRIES: u32 = 5;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Where a right is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Scope {
    /// Of kinds that are in no namespace.
    Cluster,
    /// Of Namespaces themselves.
    Namespaces,
    /// In all namespaces, or in the only one that is looked at.
    Watched,
    /// In the namespace of the operator itself.
    Home,
    /// In the namespace of the Lease.
    Lease,
}

/// Where an operator is, and what it looks at.
#[derive(Clone, Copy, Debug)]
pub struct Places<'a> {
    /// The namespace of the operator itself.
    pub home: &'a str,
    /// The namespace of its Lease.
    pub lease: &'a str,
    /// The only namespace that it looks at; `None`: all.
    pub only: Option<&'a str>,
}

/// One entry of the list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    scope: Scope,
    group: String,
    resource: String,
    #[serde(default)]
    names: Vec<String>,
    verbs: Vec<String>,
    why: String,
}

/// One thing that the operator has to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Right {
    verb: String,
    group: String,
    /// With its subresource, as `teams/status`.
    resource: String,
    /// The only object; `None`: any.
    name: Option<String>,
    /// `None`: everywhere.
    namespace: Option<String>,
    why: String,
}

impl fmt::Display for Right {
    /// As `patch teams.seatkeeper.dev/status in every namespace: to write the status`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, part) = self.kind();
        write!(f, "{} {kind}", self.verb)?;
        if !self.group.is_empty() {
            write!(f, ".{}", self.group)?;
        }
        if let Some(part) = part {
            write!(f, "/{part}")?;
        }
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in namespace {namespace}")?,
            None => write!(f, " in the whole cluster")?,
        }
        write!(f, ": {}", self.why)
    }
}

impl Right {
    /// The resource and its subresource.
    fn kind(&self) -> (&str, Option<&str>) {
        match self.resource.split_once('/') {
            Some((kind, part)) => (kind, Some(part)),
            None => (&self.resource, None),
        }
    }

    /// The question whether we have it.
    fn question(&self) -> SelfSubjectAccessReview {
        let (kind, part) = self.kind();
        let attributes = ResourceAttributes {
            verb: Some(self.verb.clone()),
            group: Some(self.group.clone()),
            resource: Some(kind.to_owned()),
            subresource: part.map(str::to_owned),
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            ..ResourceAttributes::default()
        };
        let spec = SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        };
        SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() }
    }
}

/// Everything that an operator has to be allowed.
fn rights(places: Places<'_>) -> Result<Vec<Right>, ControllerError> {
    let (documents, mut problems) = yaml::read("access.yaml", LIST);
    let rules: Vec<Rule> = match documents.first().map(yaml::Document::decode) {
        Some(Ok(rules)) if problems.is_empty() => rules,
        Some(Err(problem)) => {
            problems.push(problem);
            return Err(ControllerError::AccessList(problems));
        }
        Some(Ok(_)) | None => return Err(ControllerError::AccessList(problems)),
    };
    Ok(rules.into_iter().flat_map(|rule| rule.rights(places)).collect())
}

impl Rule {
    fn rights(self, places: Places<'_>) -> Vec<Right> {
        let Places { home, lease, only } = places;
        let namespace = match self.scope {
            Scope::Cluster | Scope::Namespaces => None,
            Scope::Watched => only,
            Scope::Home => Some(home),
            Scope::Lease => Some(lease),
        };
        let names: Vec<Option<String>> = match (self.scope, only) {
            (Scope::Namespaces, Some(only)) => vec![Some(only.to_owned())],
            _ if self.names.is_empty() => vec![None],
            _ => self.names.iter().cloned().map(Some).collect(),
        };
        let right = |verb: &String, name: &Option<String>| Right {
            verb: verb.clone(),
            group: self.group.clone(),
            resource: self.resource.clone(),
            name: name.clone(),
            namespace: namespace.map(str::to_owned),
            why: self.why.clone(),
        };
        self.verbs.iter().flat_map(|verb| names.iter().map(move |name| right(verb, name))).collect()
    }
}

/// Asks whether the operator may do all that it has to. Waits for a cluster that does not answer.
///
/// # Errors
///
/// [`ControllerError::Access`]: it may not; the error lists what is missing.
pub async fn check(
    client: &Client,
    places: Places<'_>,
    stop: &CancellationToken,
) -> Result<(), ControllerError> {
    let mut missing = rights(places)?;
    let mut tries = 0;
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            asked = refused(client, &missing) => asked,
        };
        match asked {
            Ok(still) if still.is_empty() => return Ok(()),
            Ok(still) => {
                missing = still;
                tries += 1;
            }
            Err(error) => tracing::warn!(error = %error, "cannot ask for our rights; trying again"),
        }
        if tries == TRIES {
            let lines = missing.iter().map(|right| format!("\n  {right}"));
            return Err(ControllerError::Access { missing: lines.collect() });
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Those of the rights that we do not have, in their order.
async fn refused(client: &Client, rights: &[Right]) -> Result<Vec<Right>, ClusterError> {
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let questions: Vec<_> = rights
        .iter()
        .map(|right| {
            let (reviews, right) = (reviews.clone(), right.clone());
            async move {
                let (params, question) = (PostParams::default(), right.question());
                let review = call("ask for our rights", reviews.create(&params, &question)).await?;
                let allowed = review.status.is_some_and(|status| status.allowed);
                Ok((!allowed).then_some(right))
            }
        })
        .collect();
    let answers = futures::stream::iter(questions);
    let refused: Vec<_> = answers.buffered(AT_ONE_TIME).try_collect().await?;
    Ok(refused.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::{Places, rights};

    fn said(only: Option<&str>) -> Vec<String> {
        let rights = rights(Places { home: "home", lease: "leases", only }).unwrap();
        rights.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_operator_of_all_namespaces_needs_its_rights_in_all() {
        let said = said(None);
        assert!(said.iter().all(|right| !right.contains("home")
            || right.ends_with(" happened")
            || right.contains(" in namespace home: ")));
        assert!(
            said.contains(
                &"patch teams.seatkeeper.dev/status in the whole cluster: to write the status"
                    .to_owned()
            )
        );
        assert!(said.iter().any(|right| right.starts_with("list namespaces in the whole cluster")));
    }

    #[test]
    fn an_operator_of_one_namespace_needs_its_rights_there() {
        let said = said(Some("web"));
        assert!(said.iter().any(|right| right.starts_with("get secrets in namespace web: ")));
        assert!(
            said.iter().any(|right| right.starts_with("list namespaces web in the whole cluster"))
        );
        assert!(said.iter().any(|right| {
            right.starts_with("update leases.coordination.k8s.io in namespace leases: ")
        }));
    }

    #[test]
    fn no_right_lets_us_read_more_of_secrets_than_one_by_its_name() {
        let of_secrets: Vec<_> =
            said(None).into_iter().filter(|right| right.contains(" secrets ")).collect();
        assert_eq!(
            of_secrets,
            ["get secrets in the whole cluster: to read the token that an Account names"]
        );
    }
}
