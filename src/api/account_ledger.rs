//! `AccountLedger`: the operator's own record. Not for people to write.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::account::ACCOUNT_ID;

/// The operator's record of one account: what it sent and whom it owns.
///
/// Not in the category `seatkeeper`: `kubectl get seatkeeper` lists what people declare.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "seatkeeper.dev",
    version = "v1alpha1",
    kind = "AccountLedger",
    doc = "The operator's record of one account: what it sent and whom it owns. Written by the \
           operator only; a change by hand makes the record count as lost.",
    namespaced,
    derive = "PartialEq",
    shortname = "acctledger",
    printcolumn(
        name = "Account",
        type_ = "string",
        json_path = ".spec.accountId",
        description = "Id of the account at the account service"
    ),
    printcolumn(
        name = "Part",
        type_ = "string",
        json_path = ".spec.part",
        description = "Head, or a page of people"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Time since the object was made"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct AccountLedgerSpec {
    /// Id of the account at the account service. Cannot change.
    #[schemars(length(min = 1, max = 128), regex(pattern = ACCOUNT_ID))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("accountId cannot change"))]
    pub account_id: String,

    /// Part of the record: `head`, or a page of people as `page-00`. Cannot change.
    #[schemars(length(min = 4, max = 10), regex(pattern = r"^(head|page-[0-9]{2,5})$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("part cannot change"))]
    pub part: String,

    /// Checksum of `content`, in hex.
    #[schemars(length(min = 16, max = 128), regex(pattern = r"^[0-9a-f]+$"))]
    pub checksum: String,

    /// The record as JSON text. People are salted hashes in it.
    #[schemars(length(min = 2, max = 524_288))]
    pub content: String,
}
