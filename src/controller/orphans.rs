//! The record of what was let go without what it gave being taken back: one ConfigMap in the
//! operator's namespace. It names objects and accounts, never people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::PostParams;
use kube::core::ObjectMeta;
use serde::Serialize;

use crate::controller::cache::Name;
use crate::controller::clients::call;
use crate::controller::context::{Context, MANAGER};
use crate::controller::error::ClusterError;
use crate::controller::round::Round;
use crate::yaml;

/// Name of the ConfigMap.
pub const ORPHANS: &str = "seatkeeper-orphans";

/// Objects that are recorded: about 300 KiB. The oldest make room.
const AT_MOST: usize = 500;

/// Tries against others who write the record.
const TRIES: u32 = 5;

/// What a person can do about a declaration.
const OF_DECLARATION: &str = "If the Account is still there, what this object gave is taken back as \
                              soon as the account service can be reached again. If not, compare the \
                              people of the account at its service with what you want, and end there \
                              what should end. Then this entry can be deleted.";

/// What a person can do about an Account.
const OF_ACCOUNT: &str = "Nobody keeps this account any more: whoever has access keeps it. Compare its \
                          people at the account service with what you want, and end there what should \
                          end. Then this entry can be deleted.";

/// One object that was let go.
pub struct Orphan {
    kind: String,
    account: String,
    kept_by: String,
    name: Name,
    uid: String,
    reason: &'static str,
}

/// An entry as it is stored. The time first, so that entries can be sorted by their text.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    released_at: String,
    account_id: &'a str,
    account: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    uid: &'a str,
    reason: &'a str,
    next: &'a str,
}

impl Orphan {
    /// An object of an account, let go for a reason.
    pub fn of(round: &Round, kind: &str, object: &ObjectMeta, reason: &'static str) -> Self {
        let account = &round.fetched.account;
        let Name { namespace, name } = Name::of(&account.metadata);
        Self {
            kind: kind.to_owned(),
            account: account.spec.account_id.clone(),
            kept_by: format!("{namespace}/{name}"),
            name: Name::of(object),
            uid: object.uid.clone().unwrap_or_default(),
            reason,
        }
    }

    fn entry(&self, now: Timestamp) -> String {
        let of_account = format!("{}/{}", self.name.namespace, self.name.name) == self.kept_by;
        let is_account = self.kind == "Account" && of_account;
        let entry = Entry {
            released_at: now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            account_id: &self.account,
            account: &self.kept_by,
            kind: &self.kind,
            namespace: &self.name.namespace,
            name: &self.name.name,
            uid: &self.uid,
            reason: self.reason,
            next: if is_account { OF_ACCOUNT } else { OF_DECLARATION },
        };
        yaml::write(&entry).unwrap_or_default()
    }
}

/// Records what is about to be let go. What is recorded already stays as it is.
///
/// # Errors
///
/// The cluster does not answer, or others write the record all the time.
pub async fn record(ctx: &Context, orphans: Vec<Orphan>) -> Result<(), ClusterError> {
    if orphans.is_empty() {
        return Ok(());
    }
    let maps: Api<ConfigMap> = Api::namespaced(ctx.clients.writer.clone(), &ctx.home);
    let mut left = TRIES;
    loop {
        let found = call("read the record of orphans", maps.get_opt(ORPHANS)).await?;
        let known = found.as_ref().and_then(|map| map.data.clone()).unwrap_or_default();
        let data = with(known.clone(), &orphans, (ctx.now)());
        if data == known {
            return Ok(());
        }
        let params =
            PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let written = match found {
            Some(map) => {
                let map = ConfigMap { data: Some(data), ..map };
                call("write the record of orphans", maps.replace(ORPHANS, &params, &map)).await
            }
            None => {
                let name = Some(ORPHANS.to_owned());
                let metadata = ObjectMeta { name, ..ObjectMeta::default() };
                let map = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
                call("make the record of orphans", maps.create(&params, &map)).await
            }
        };
        left -= 1;
        match written {
            Ok(_) => break,
            Err(error) if error.code() == Some(409) && left > 0 => {}
            Err(error) => return Err(error),
        }
    }
    for orphan in &orphans {
        let Orphan { kind, account, name, reason, .. } = orphan;
        tracing::warn!(
            object.kind = kind,
            object.namespace = name.namespace,
            object.name = name.name,
            account,
            reason,
            "{kind} {}/{} goes without what it gave being taken back",
            name.namespace,
            name.name,
        );
    }
    Ok(())
}

/// The record with more in it.
fn with(
    mut data: BTreeMap<String, String>,
    orphans: &[Orphan],
    now: Timestamp,
) -> BTreeMap<String, String> {
    for orphan in orphans {
        data.entry(orphan.uid.clone()).or_insert_with(|| orphan.entry(now));
    }
    while data.len() > AT_MOST {
        let oldest = data.iter().min_by_key(|(_, entry)| entry.as_str());
        let Some(oldest) = oldest.map(|(uid, _)| uid.clone()) else { break };
        data.remove(&oldest);
    }
    data
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::{AT_MOST, Orphan, with};
    use crate::controller::cache::Name;

    fn orphan(uid: &str) -> Orphan {
        Orphan {
            kind: "Membership".to_owned(),
            account: "acc_1".to_owned(),
            kept_by: "web/acme".to_owned(),
            name: Name::new("web", "cyd-core"),
            uid: uid.to_owned(),
            reason: "SecretNotFound",
        }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn an_entry_says_what_why_when_and_what_to_do() {
        let data = with(BTreeMap::new(), &[orphan("u-1")], at(0));
        let entry = &data["u-1"];
        for said in ["releasedAt: ", "accountId: acc_1", "kind: Membership", "name: cyd-core"] {
            assert!(entry.contains(said), "{said} in {entry}");
        }
        assert!(entry.starts_with("releasedAt: ") && entry.contains("reason: SecretNotFound"));
        assert_eq!(with(data.clone(), &[orphan("u-1")], at(60)), data, "recorded once");
    }

    #[test]
    fn the_record_is_bounded_and_the_oldest_make_room() {
        let seconds = 0..i64::try_from(AT_MOST).unwrap() + 20;
        let data = seconds.fold(BTreeMap::new(), |data, second| {
            with(data, &[orphan(&format!("u-{second:04}"))], at(second))
        });
        assert_eq!(data.len(), AT_MOST);
        assert!(!data.contains_key("u-0019") && data.contains_key("u-0020"));
        assert!(data.values().map(String::len).sum::<usize>() < 512 * 1024);
    }
}
