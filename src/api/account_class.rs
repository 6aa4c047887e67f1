//! `AccountClass`: which account service, and which rules its accounts follow.

use std::num::NonZeroU32;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::attach::ClassNamespaces;
use super::reference::{OBJECT_NAME, ProfileConfigMapRef};

/// Letters that a URL may have here: no user, query, fragment, escape or space, so that every
/// reader finds the same host in it.
const SERVICE_URL: &str = r"^https?://[A-Za-z0-9._:\[\]-]+(/[A-Za-z0-9._~/-]*)?$";

/// Host is this machine, for plain http.
const HTTPS_OR_LOOPBACK: &str = "isURL(self) && (url(self).getScheme() == 'https' || \
    url(self).getHostname() in ['localhost', '127.0.0.1', '::1'])";

/// Which account service, and which rules its accounts follow.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "seatkeeper.dev",
    version = "v1alpha1",
    kind = "AccountClass",
    doc = "Which account service holds the accounts of this class, and which rules they follow. \
           Made by the administrator of the cluster; an Account names it by `spec.className`.",
    derive = "PartialEq",
    shortname = "acctclass",
    category = "seatkeeper",
    printcolumn(
        name = "Profile",
        type_ = "string",
        json_path = ".spec.profile",
        description = "Rules that the accounts follow"
    ),
    printcolumn(
        name = "URL",
        type_ = "string",
        json_path = ".spec.backend.accountApi.url",
        description = "Address of the account service"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was made"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.profile) != has(self.profileConfigMapRef)")
    .message("needs exactly one of profile and profileConfigMapRef"))]
pub struct AccountClassSpec {
    /// Name of a built-in profile: the roles, plans and seat rules of one product, for example
    /// `nitropack`. Either this or `profileConfigMapRef`.
    #[schemars(length(min = 1, max = 63), regex(pattern = OBJECT_NAME))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,

    /// A ConfigMap with a profile of your own, in the form that `seatkeeper profile check` checks.
    /// Either this or `profile`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_config_map_ref: Option<ProfileConfigMapRef>,

    /// The account service. Exactly one kind of service is given. Required.
    pub backend: Backend,

    /// Namespaces whose Accounts may be of this class. Default: every one.
    #[serde(default)]
    pub allowed_namespaces: ClassNamespaces,

    /// Bounds on what we ask of the account service.
    #[serde(default)]
    pub limits: ClassLimits,
}

/// The account service, by kind. Exactly one member is given.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Backend {
    /// A service that speaks the open account API.
    pub account_api: AccountApi,
}

/// A service that speaks the open account API.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountApi {
    /// Address of the service: https, or http to this machine (`localhost`, `127.0.0.1`, `[::1]`).
    /// Without user, query or fragment. Required.
    #[schemars(length(min = 8, max = 2048), regex(pattern = SERVICE_URL))]
    #[x_kube(validation = Rule::new(HTTPS_OR_LOOPBACK)
        .message("must be https, or http to localhost, 127.0.0.1 or [::1]"))]
    pub url: String,

    /// Certificates (PEM) of the authorities that may sign the service's certificate. Default:
    /// those that the system trusts.
    #[schemars(length(min = 1, max = 65536))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self.contains('-----BEGIN CERTIFICATE-----')")
        .message("must be certificates in PEM form"))]
    pub ca_bundle: Option<String>,
}

/// Bounds on what we ask of the account service.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClassLimits {
    /// Requests a second that all accounts of the class may make together; accounts take turns. The
    /// long poll that waits for changes does not count. With too few for its accounts a look of one
    /// is given up after five minutes, and its Account says `TimedOut`. Default 50.
    #[schemars(range(min = 1, max = 100_000))]
    #[serde(default = "ClassLimits::default_requests_per_second")]
    pub requests_per_second: i32,

    /// Invitation mails an hour that one account may cause by itself. What is over waits. Default
    /// 50; a very large number means no limit.
    #[schemars(range(min = 1, max = 1_000_000))]
    #[serde(default = "ClassLimits::default_invitations_per_hour")]
    pub invitations_per_hour: i32,
}

impl ClassLimits {
    /// The schema's default.
    const fn default_requests_per_second() -> i32 {
        50
    }

    /// The schema's default.
    const fn default_invitations_per_hour() -> i32 {
        50
    }

    /// Requests a second, at least one: a cluster checks that, a file may come without.
    #[must_use]
    pub fn per_second(&self) -> NonZeroU32 {
        let asked = u32::try_from(self.requests_per_second).ok();
        asked.and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN)
    }
}

impl Default for ClassLimits {
    fn default() -> Self {
        Self {
            requests_per_second: Self::default_requests_per_second(),
            invitations_per_hour: Self::default_invitations_per_hour(),
        }
    }
}
