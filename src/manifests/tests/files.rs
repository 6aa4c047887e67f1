//! Files that are in order and files that are not.

use insta::assert_snapshot;

use super::{ACCOUNT, membership, object, read, team};

#[test]
fn defaults_of_the_schema_are_filled_in() {
    let text = format!("{ACCOUNT}{}", team("core", "roster: [{email: ana@example.com}]"))
        .replace("  mode: Manage\n", "  mode: Manage\n  removals: {maxCount: 9}\n");
    assert_snapshot!(read(&text), @r#"
    AccountClassSpec { profile: Some("nitropack"), profile_config_map_ref: None, backend: Backend { account_api: AccountApi { url: "https://accounts.example.com", ca_bundle: None } }, allowed_namespaces: ClassNamespaces { from: All, selector: None }, limits: ClassLimits { requests_per_second: 50, invitations_per_hour: 50 } }
    AccountSpec { class_name: "nitropack", account_id: "acme", credentials_secret_ref: SecretKeyRef { name: "acme-token", key: "token" }, mode: Manage, allowed_namespaces: AccountNamespaces { from: Same, selector: None }, suspend: false, removals: Removals { max_count: 9, max_percent: 10, max_total: 50, window: "24h", settle: "30s" }, invitations: Invitations { expires_in: None, renew: Renew { attempts: 2, every: "7d" }, on_lost: Hold }, on_seat_shortage: Hold, grantable_roles: ["admin"], never_trim: [], auto_join: None, resync: "10m", on_teardown: Retain, release_after: "1h" }
    TeamSpec { account_ref: AccountRef { name: "acme", namespace: None }, display_name: None, team_id: None, subscription: None, require_secure_sign_in: None, default_role: None, deletion_policy: Revoke, roster: [RosterLine { email: "ana@example.com", formerly: [], first_name: None, last_name: None, reason: None, role: None, expires_at: None, priority: 0, invite_epoch: 0 }] }
    "#);
}

#[test]
fn unknown_fields_are_found_with_the_nearest_word() {
    let text = format!(
        "{}{}extra: 1\n",
        team("core", "rooster: [], roster: [{emial: ana@example.com, rank: 1}]"),
        membership("ana", "email: ana@example.com, role: admin").replace("namespace", "namspace"),
    );
    assert_snapshot!(read(&text), @"
    m.yaml:4:34: spec.rooster: unknown field `rooster`
      hint: did you mean `roster`?
    m.yaml:4:56: spec.roster[0].email: is missing
      hint: Address that the invitation goes to. Compared without case. Required.
    m.yaml:4:57: spec.roster[0].emial: unknown field `emial`
      hint: did you mean `email`?
    m.yaml:4:81: spec.roster[0].rank: unknown field `rank`
      hint: fields here: `email`, `expiresAt`, `firstName`, `formerly`, `inviteEpoch`, `lastName`, `priority`, `reason`, `role`
    m.yaml:8:23: metadata.namspace: unknown field `namspace`
      hint: did you mean `namespace`?
    m.yaml:11:1: has no apiVersion or no kind
      hint: start with `apiVersion: seatkeeper.dev/v1alpha1` and `kind`
    ");
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    let text = format!(
        "{}{}",
        team("core", "defaultRole: 7, roster: {email: a}, deletionPolicy: revoke"),
        membership("ana", "email: [a], role: , inviteEpoch: 1.5"),
    );
    assert_snapshot!(read(&text), @"
    m.yaml:4:34: spec.defaultRole: must be a text, not a number
      hint: Role of roster lines that give none: a word of the account's profile. Default: none, so every line has to give one.
    m.yaml:4:50: spec.roster: must be a list, not a mapping
      hint: The people, at most 2000; more people go into more Team objects. Default: nobody.
    m.yaml:4:70: spec.deletionPolicy: `revoke` is not a word that fits here
      hint: did you mean `Revoke`?
    m.yaml:9:31: spec.email: must be a text, not a list
      hint: Address that the invitation goes to. Compared without case. Required; may change only to another address of the same person: `formerly` then holds the old one.
    m.yaml:9:43: spec.role: has no value
      hint: What the person may do: a role of the account's profile. Required.
    m.yaml:9:51: spec.inviteEpoch: must be a whole number
      hint: Raise it to invite again someone who declined, left or was removed. May only rise. Default 0.
    ");
}

#[test]
fn limits_of_the_schema_hold_in_files_too() {
    let long = "x".repeat(300);
    let text = format!(
        "{}{}",
        object(
            "Account",
            "acme",
            &format!(
                "className: Nitro, accountId: '../acme', credentialsSecretRef: {{name: a, key: '{long}'}}, \
             mode: Manage, grantableRoles: [admin, '', admin], resync: 5, removals: {{maxPercent: 101, \
             maxCount: -1, maxTotal: 3000000000}}"
            )
        ),
        team("core", "roster: [{email: a}]"),
    );
    assert_snapshot!(read(&text).replace(&long, "LONG"), @r"
    m.yaml:4:8: spec.className: is not of the form ^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$
      hint: AccountClass of this account. Required; cannot change.
    m.yaml:4:26: spec.accountId: is not of the form ^[A-Za-z0-9][A-Za-z0-9_-]*$
      hint: Id or slug of the account at the account service. Required; cannot change.
    m.yaml:4:80: spec.credentialsSecretRef.key: is longer than 253 characters
      hint: Key in the Secret's data.
    m.yaml:4:428: spec.grantableRoles[1]: must not be empty
      hint: Protected roles of the profile that Teams and Memberships of this account may give. Default: none.
    m.yaml:4:432: spec.grantableRoles[2]: is there twice
      hint: Protected roles of the profile that Teams and Memberships of this account may give. Default: none.
    m.yaml:4:440: spec.resync: must be a text, not a number
      hint: How often the account service is compared with what is declared when nothing changed here: a whole number with `s`, `m`, `h` or `d`. Default `10m`, at least `5s`.
    m.yaml:4:462: spec.removals.maxPercent: is 101; at most 100 is allowed
      hint: So many are allowed too, in percent of the people in the account. Default 10.
    m.yaml:4:479: spec.removals.maxCount: is -1; at least 0 is needed
      hint: So many are always allowed within `window`. Default 3.
    m.yaml:4:493: spec.removals.maxTotal: is 3000000000; at most 100000 is allowed
      hint: Upper bound of what `maxPercent` allows, in people. Default 50.
    m.yaml:9:44: spec.roster[0].email: is shorter than 3 characters
      hint: Address that the invitation goes to. Compared without case. Required.
    ");
}

#[test]
fn rules_of_the_schema_hold_in_files_too() {
    let text = ACCOUNT
        .replace("https://accounts", "http://accounts")
        .replace("  mode: Manage\n", "  mode: Manage\n  resync: 4s\n  removals: {window: 0h}\n");
    assert_snapshot!(read(&text), @"
    m.yaml:4:51: spec.backend.accountApi.url: must be https, or http to localhost, 127.0.0.1 or [::1]
      hint: Address of the service: https, or http to this machine (`localhost`, `127.0.0.1`, `[::1]`). Without user, query or fragment. Required.
    m.yaml:14:3: spec.resync: must be at least 5s
      hint: How often the account service is compared with what is declared when nothing changed here: a whole number with `s`, `m`, `h` or `d`. Default `10m`, at least `5s`.
    m.yaml:15:14: spec.removals.window: must be longer than zero
      hint: Time over which they are counted: a whole number with `s`, `m`, `h` or `d`, not zero. Default `24h`.
    ");
}

#[test]
fn kinds_that_are_not_ours_are_refused_and_what_stands_beside_is_left_out() {
    let text = "\
apiVersion: v1
kind: Secret
metadata: {name: acme-token}
stringData: {token: s3cret}
---
apiVersion: apps/v1
kind: Deployment
---
apiVersion: seatkeeper.dev/v1alpha1
kind: Memberships
---
apiVersion: seatkeeper.dev/v1
kind: Team
---
kind: Team
---
apiVersion: seatkeeper.dev/v1alpha1
kind: AccountLedger
---
- 1
---
";
    assert_snapshot!(read(text), @"
    note: m.yaml:1: Secret left out: not ours to read
    m.yaml:7:1: kind: unknown kind `Deployment`
      hint: kinds that are read: `AccountClass`, `Account`, `Team`, `Membership`, `ClientAccess`, `NotificationSubscription`
    m.yaml:10:1: kind: unknown kind `Memberships`
      hint: did you mean `Membership`?
    m.yaml:12:1: apiVersion: unknown apiVersion `seatkeeper.dev/v1` of Team
      hint: use `seatkeeper.dev/v1alpha1`
    m.yaml:15:1: has no apiVersion or no kind
      hint: start with `apiVersion: seatkeeper.dev/v1alpha1` and `kind`
    m.yaml:18:1: kind: AccountLedger is written by the operator only
      hint: take it out: it is not for people to declare
    m.yaml:20:1: is not an object
      hint: start with `apiVersion` and `kind`
    ");
}

#[test]
fn an_object_that_is_there_twice_is_refused() {
    let ana = membership("ana", "email: ana@example.com, role: admin");
    let other = ana.replace("namespace: web", "namespace: shop");
    assert_snapshot!(read(&format!("{ana}{other}{ana}")), @r#"
    MembershipSpec { team_ref: Some(NameRef { name: "core" }), account_ref: None, email: "ana@example.com", formerly: [], first_name: None, last_name: None, reason: None, role: "admin", state: Present, expires_at: None, priority: 0, invite_epoch: 0, deletion_policy: Revoke }
    MembershipSpec { team_ref: Some(NameRef { name: "core" }), account_ref: None, email: "ana@example.com", formerly: [], first_name: None, last_name: None, reason: None, role: "admin", state: Present, expires_at: None, priority: 0, invite_epoch: 0, deletion_policy: Revoke }
    m.yaml:13:12: metadata.name: Membership `ana` is declared twice; first at m.yaml:1
      hint: keep one of the two
    "#);
}

#[test]
fn an_object_without_a_name_or_with_a_bad_one_is_refused() {
    let ana = membership("ana", "email: ana@example.com, role: admin");
    let text = format!(
        "{}{}{}",
        ana.replace("name: ana, ", "generateName: ana, "),
        ana.replace("name: ana, ", "name: Ana_1, labels: {a: 1}, "),
        ana.replace("metadata: {name: ana, namespace: web}\n", ""),
    );
    assert_snapshot!(read(&text), @"
    m.yaml:3:1: metadata.name: is missing
      hint: give the object a name; a generated name would be another object every time
    m.yaml:8:12: metadata.name: `Ana_1` cannot be a name
      hint: use lower-case letters, digits and `-`, at most 253 characters
    m.yaml:8:34: metadata.labels.a: must be a text
      hint: write texts; put numbers and words such as `true` in quotes
    m.yaml:11:1: metadata.name: is missing
      hint: give the object a name; a generated name would be another object every time
    ");
}

#[test]
fn lists_are_unrolled_and_keep_their_lines() {
    let text = "\
apiVersion: v1
kind: List
items:
- apiVersion: seatkeeper.dev/v1alpha1
  kind: Membership
  metadata: {name: ana, uid: 1234, deletionTimestamp: 2026-01-01T00:00:00Z}
  spec: {teamRef: {name: core}, email: ana@example.com, role: admin}
  status: {state: Active}
- apiVersion: seatkeeper.dev/v1alpha1
  kind: Membership
  metadata: {name: bo}
  spec: {teamRef: {name: core}, email: bo@example.com, roles: admin}
";
    assert_snapshot!(read(text), @r#"
    MembershipSpec { team_ref: Some(NameRef { name: "core" }), account_ref: None, email: "ana@example.com", formerly: [], first_name: None, last_name: None, reason: None, role: "admin", state: Present, expires_at: None, priority: 0, invite_epoch: 0, deletion_policy: Revoke }
    m.yaml:12:3: items[1].spec.role: is missing
      hint: What the person may do: a role of the account's profile. Required.
    m.yaml:12:56: items[1].spec.roles: unknown field `roles`
      hint: did you mean `role`?
    "#);
}
