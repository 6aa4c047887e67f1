//! Mistakes in permissions.

use super::check;

#[test]
fn permission_and_reach_go_together() {
    check(
        &[("members.invite, ", "")],
        &[
            "p.yaml:13:26: manage.invite.developer: `developer` lacks the permission `members.invite`",
            "  hint: give it, or remove the line",
        ],
    );
    check(
        &[("change: {owner: lower, developer: lower}", "change: {owner: lower}")],
        &[
            "p.yaml:10:15: roles.developer.permissions: has `members.change` but reaches nobody",
            "  hint: add it to `manage.change`, or take the permission away",
        ],
    );
    check(
        &[
            ("kind: write}", "kind: write}\n  orphan.use: {kind: read}"),
            (
                "permissions: all",
                "permissions: [members.read, members.change, members.remove, members.invite, recipients.manage]",
            ),
        ],
        &[
            r#"p.yaml:7:3: permissions["orphan.use"]: no role has this permission"#,
            "  hint: give it to a role, or remove it",
        ],
    );
    check(
        &[("members.read: {menu: Team}", "members.read: {}")],
        &[
            r#"p.yaml:7:3: permissions["members.read"]: `members.read` is a permission of every service"#,
            "  hint: list it here only to give it a `menu`",
        ],
    );
    check(
        &[(
            "permissions: all",
            "permissions: [members.read, members.change, members.remove, members.invite]",
        )],
        &[
            "p.yaml:22:1: categories: needs someone with `recipients.manage`",
            "  hint: give the permission to a role",
        ],
    );
}

#[test]
fn a_permission_of_the_product_says_what_it_is_for() {
    check(
        &[("{menu: Home, kind: write}", "{menu: Home}")],
        &[r#"p.yaml:6:3: permissions["product.use"].kind: is missing"#, "  hint: add `kind:`"],
    );
    check(
        &[("kind: write", "kind: wirte")],
        &[
            r#"p.yaml:6:29: permissions["product.use"].kind: unknown word `wirte`"#,
            "  hint: did you mean `write`?",
        ],
    );
    check(
        &[("{menu: Team}", "{menu: Team, kind: read}")],
        &[
            r#"p.yaml:7:3: permissions["members.read"]: `members.read` is a permission of every service"#,
            "  hint: list it here only to give it a `menu`",
        ],
    );
}

#[test]
fn a_menu_entry_leads_to_a_page() {
    check(&[("menu: Home", "menu: Home, href: 'https://app.example.com/x'")], &[]);
    for href in ["javascript:alert(1)", "/home", "mailto:a@example.com", "http://"] {
        check(
            &[("menu: Home", &format!("menu: Home, href: '{href}'"))],
            &[
                r#"p.yaml:6:29: permissions["product.use"].href: must be the address of a page"#,
                "  hint: write where the product shows it, as `https://app.example.com/home`",
            ],
        );
    }
    check(
        &[("menu: Home", "href: 'https://app.example.com/x'")],
        &[
            r#"p.yaml:6:17: permissions["product.use"].href: leads from no menu entry"#,
            "  hint: add `menu:`, or remove it",
        ],
    );
}

#[test]
fn a_permission_can_need_room_in_a_meter() {
    let metered = ("kind: write", "kind: write, meter: items");
    let meters = |unit: &str, full: &str| {
        format!("notes: none\nmeters: {{items: {{title: Items, unit: {unit}, whenFull: {full}}}}}")
    };
    check(&[metered, ("notes: none", &meters("count", "refuse"))], &[]);
    check(
        &[metered, ("notes: none", &meters("count", "refuse").replace("{items", "{item"))],
        &[
            r#"p.yaml:6:42: permissions["product.use"].meter: there is no meter `items`"#,
            "  hint: did you mean `item`?",
        ],
    );
    check(
        &[metered, ("notes: none", &meters("people", "refuse"))],
        &[
            r#"p.yaml:6:42: permissions["product.use"].meter: people are limited by `seats`"#,
            "  hint: remove the line",
        ],
    );
    check(
        &[metered, ("notes: none", &meters("count", "overage"))],
        &[
            r#"p.yaml:6:42: permissions["product.use"].meter: `items` is never full"#,
            "  hint: remove the line, or let the meter refuse: `whenFull: refuse`",
        ],
    );
    check(
        &[("kind: write", "kind: read, meter: items"), ("notes: none", &meters("count", "refuse"))],
        &[
            r#"p.yaml:6:41: permissions["product.use"].meter: what makes nothing finds no meter full"#,
            "  hint: write `kind: write`, or remove `meter`",
        ],
    );
}

#[test]
fn nobody_does_more_by_a_token_of_the_account_than_by_itself() {
    check(
        &[("members.remove]}", "members.remove, tokens.manage]}")],
        &[
            "p.yaml:10:15: roles.developer.permissions: could do more by a token of the account than by itself",
            "  hint: take `tokens.manage` away, or give it all that the highest role may do",
        ],
    );
    let as_owner = ("[product.use, members.invite, members.change, members.remove]", "all");
    check(
        &[as_owner],
        &[
            "p.yaml:10:15: roles.developer.permissions: could do more by a token of the account than by itself",
            "  hint: take `tokens.manage` away, or give it all that the highest role may do",
        ],
    );
    check(
        &[
            as_owner,
            ("invite: {owner: lower, developer: lower}", "invite: {owner: lower, developer: own}"),
            ("change: {owner: lower, developer: lower}", "change: {owner: lower, developer: own}"),
            ("remove: {owner: lower, developer: lower}", "remove: {owner: lower, developer: own}"),
        ],
        &[],
    );
}
