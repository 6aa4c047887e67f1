//! Objects of other namespaces that name an account.

use insta::assert_snapshot;

use super::{ACCOUNT, With, check, object, resolved};

/// The usual account with `allowedNamespaces`, and objects of namespace `shop`.
fn shared(allowed: &str, objects: &[String]) -> String {
    let account = ACCOUNT.replace("  mode: Manage\n", &format!("  mode: Manage\n  {allowed}\n"));
    format!("{account}{}", objects.concat())
}

fn in_shop(text: &str) -> String {
    text.replace("namespace: web}\nspec", "namespace: shop}\nspec")
}

/// Team `till` of namespace `shop` with ana, and a Membership of it with bo.
fn till() -> String {
    let there = "accountRef: {name: acme, namespace: web}";
    let team = object(
        "Team",
        "till",
        &format!("{there}, roster: [{{email: ana@example.com, role: biller}}]"),
    );
    let bo = "teamRef: {name: till}, email: bo@example.com, role: biller";
    in_shop(&(team + &object("Membership", "bo", bo)))
}

fn namespace(name: &str, labels: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n---\n"
    )
}

#[test]
fn the_account_says_which_namespaces_may_name_it() {
    let all = shared("allowedNamespaces: {from: All}", &[till()]);
    assert_snapshot!(check(&all), @"
    ana@example.com: biller by till line 0
    bo@example.com: biller by bo
    ");
    let by_name = "allowedNamespaces: {from: Selector, selector: {matchLabels: \
                   {kubernetes.io/metadata.name: shop}}}";
    assert_snapshot!(check(&shared(by_name, &[till()])), @"
    ana@example.com: biller by till line 0
    bo@example.com: biller by bo
    ");
    let by_label = "allowedNamespaces: {from: Selector, selector: {matchExpressions: \
                    [{key: tier, operator: In, values: [front]}]}}";
    let labelled = [namespace("shop", "tier: front"), till()];
    assert_snapshot!(check(&shared(by_label, &labelled)), @"
    ana@example.com: biller by till line 0
    bo@example.com: biller by bo
    ");
    let other = [namespace("shop", "tier: back"), till()];
    assert_snapshot!(check(&shared(by_label, &other)), @"
    Membership shop/bo: ParentNotAccepted
    Team shop/till: NotAllowedHere
    m.yaml:24:8: spec.accountRef: there is no Account `acme` in namespace `web` that allows namespace `shop`
      hint: correct it, or let the Account allow `shop` in spec.allowedNamespaces
    m.yaml:29:18: spec.teamRef.name: Team `till` belongs to no Account
      hint: correct the Team's accountRef
    ");
}

#[test]
fn who_is_declared_from_a_namespace_that_is_not_allowed_counts_for_nothing() {
    assert_snapshot!(check(&shared("suspend: false", &[till()])), @"
    Membership shop/bo: ParentNotAccepted
    Team shop/till: NotAllowedHere
    m.yaml:20:8: spec.accountRef: there is no Account `acme` in namespace `web` that allows namespace `shop`
      hint: correct it, or let the Account allow `shop` in spec.allowedNamespaces
    m.yaml:25:18: spec.teamRef.name: Team `till` belongs to no Account
      hint: correct the Team's accountRef
    ");
}

#[test]
fn a_namespace_that_is_not_allowed_any_more_keeps_whom_it_declared_before() {
    let text = shared("allowedNamespaces: {from: Same}", &[till()]);
    let before = With { oldest_first: &["till"], ..With::default() };
    assert_snapshot!(resolved(&text, &before).1, @"
    ana@example.com: frozen
    Membership shop/bo: ParentNotAccepted
    Team shop/till: NotAllowedHere
    m.yaml:20:8: spec.accountRef: there is no Account `acme` in namespace `web` that allows namespace `shop`
      hint: correct it, or let the Account allow `shop` in spec.allowedNamespaces
    m.yaml:25:18: spec.teamRef.name: Team `till` belongs to no Account
      hint: correct the Team's accountRef
    ");
}

#[test]
fn labels_that_are_not_known_match_nothing() {
    let all_but_back = "allowedNamespaces: {from: Selector, selector: {matchExpressions: \
                        [{key: tier, operator: NotIn, values: [back]}]}}";
    assert_snapshot!(check(&shared(all_but_back, &[till()])), @"
    Membership shop/bo: ParentNotAccepted
    Team shop/till: NotAllowedHere
    m.yaml:20:8: spec.accountRef: there is no Account `acme` in namespace `web` that allows namespace `shop`
      hint: correct it, or give the manifest of Namespace `shop` too, with its labels
    m.yaml:25:18: spec.teamRef.name: Team `till` belongs to no Account
      hint: correct the Team's accountRef
    ");
}

#[test]
fn a_selector_that_cannot_be_one_is_an_error() {
    let wrong = "allowedNamespaces: {from: Selector, selector: {matchExpressions: \
                 [{key: tier, operator: In}]}}";
    assert_snapshot!(check(&shared(wrong, &[])), @"
    account: InvalidSpec spec.allowedNamespaces.selector.matchExpressions: failed to parse value as expression: Expected values for In operator, got none; operators are In, NotIn (with values), Exists and DoesNotExist (without)
    m.yaml:14:50: spec.allowedNamespaces.selector.matchExpressions: failed to parse value as expression: Expected values for In operator, got none
      hint: operators are In, NotIn (with values), Exists and DoesNotExist (without)
    ");
}

#[test]
fn a_class_says_which_namespaces_may_have_accounts_of_it() {
    let class = "allowedNamespaces: {from: Selector, selector: {matchLabels: {tier: front}}}";
    let account = ACCOUNT
        .replace("spec: {profile: nitropack,", &format!("spec: {{profile: nitropack, {class},"));
    assert_snapshot!(check(&format!("{account}{}", namespace("web", "tier: back"))), @"
    account: NotAllowedHere spec.className: AccountClass `nitropack` does not allow namespace `web`; name a class that does, or have the class allow it in spec.allowedNamespaces
    m.yaml:10:3: spec.className: AccountClass `nitropack` does not allow namespace `web`
      hint: name a class that does, or have the class allow it in spec.allowedNamespaces
    ");
    assert_snapshot!(check(&format!("{account}{}", namespace("web", "tier: front"))), @"");
}

#[test]
fn nobody_elsewhere_declares_people_absent() {
    let absent = "accountRef: {name: acme, namespace: web}, email: ana@example.com, role: biller, \
                  state: Absent";
    let absent = in_shop(&object("Membership", "ana", absent));
    assert_snapshot!(check(&shared("allowedNamespaces: {from: All}", &[absent])), @"
    Membership shop/ana: NotAllowedHere
    m.yaml:20:88: spec.state: `Absent` counts only in the namespace of the Account
      hint: declare it in namespace `web`
    ");
}

#[test]
fn teams_of_one_name_in_two_namespaces_are_two() {
    let own = "accountRef: {name: acme}";
    let cyd = "teamRef: {name: till}, email: cyd@example.com, role: biller";
    let here = object("Team", "till", own) + &object("Membership", "cyd", cyd);
    let text = shared("allowedNamespaces: {from: All}", &[till(), here]);
    assert_snapshot!(check(&text), @"
    ana@example.com: biller by till line 0
    bo@example.com: biller by bo
    cyd@example.com: biller by cyd
    ");
}
