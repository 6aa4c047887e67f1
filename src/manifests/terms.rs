//! How far we may go with an account: the Account's spec and its class against the profile.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::ResourceExt as _;

use crate::api;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{HoldDigest, RoleName};
use crate::domain::policy::{
    InvitationPolicy, Mode, OnLost, OnSeatShortage, Policy, RemovalPolicy,
};
use crate::manifests::accounts::Declarations;
use crate::manifests::attach;
use crate::manifests::duration;
use crate::manifests::people::address;
use crate::manifests::profiles;
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::source::{namespace, quote};
use crate::profile::OnShrink;
use crate::profile::Pool;
use crate::profile::Profile;
use crate::profile::Teams;
use crate::yaml::nearest;

/// Annotation of an Account by which a person lets a held set run: its value is the digest.
pub const APPROVE_ANNOTATION: &str = "seatkeeper.dev/approve";

/// Annotation of an object that is being deleted, or of its Account, by which a person lets it go at
/// once, whatever it waits for: any value.
pub const RELEASE_ANNOTATION: &str = "seatkeeper.dev/release";

/// Annotation of a Membership, or of a Team for its roster, by which a person has invitations sent
/// again: any new value.
pub const RESEND_ANNOTATION: &str = "seatkeeper.dev/resend";

/// The policy of an account and how often it is looked at.
///
/// `wrong`: what else is wrong with the account.
///
/// # Errors
///
/// Everything that is wrong with the account, its class or its profile.
pub fn terms(
    declarations: &Declarations,
    profile: Option<&Profile>,
    mut wrong: Vec<Rejection>,
) -> Result<(Policy, Duration), Vec<Rejection>> {
    wrong.extend(references(declarations, profile));
    let spec = &declarations.account.object.spec;
    if let Some(profile) = profile {
        wrong.extend(against_profile(spec, profile));
    }
    let removals = checked(removals(&spec.removals), &mut wrong);
    let invitations = checked(invitations(&spec.invitations, profile), &mut wrong);
    let resync = checked(duration_at("/spec/resync", &spec.resync), &mut wrong);
    checked(duration_at("/spec/releaseAfter", &spec.release_after), &mut wrong);
    let never_trim = never_trim(spec, &mut wrong);
    match (removals, invitations, resync, &declarations.class) {
        (Some(removals), Some(invitations), Some(resync), Some(class)) if wrong.is_empty() => {
            let policy = Policy {
                mode: mode(spec.mode),
                suspend: spec.suspend,
                removals,
                invitations,
                on_seat_shortage: on_seat_shortage(spec.on_seat_shortage),
                never_trim,
                grantable_roles: grantable_roles(spec),
                invitations_per_hour: u32::try_from(class.object.spec.limits.invitations_per_hour)
                    .ok(),
                approval: approval(&declarations.account.object),
                missing: BTreeSet::new(),
            };
            Ok((policy, resync))
        }
        _ => Err(wrong),
    }
}

/// Protected roles that declarations of this account may give.
pub fn grantable_roles(spec: &api::AccountSpec) -> BTreeSet<RoleName> {
    spec.grantable_roles.iter().map(|role| RoleName(role.clone())).collect()
}

/// People that are never trimmed.
fn never_trim(spec: &api::AccountSpec, wrong: &mut Vec<Rejection>) -> BTreeSet<EmailAddress> {
    let addresses = spec.never_trim.iter().enumerate();
    addresses
        .filter_map(|(position, text)| {
            checked(address(text, format!("/spec/neverTrim/{position}")), wrong)
        })
        .collect()
}

/// The value, or one more rejection.
fn checked<T>(result: Result<T, Rejection>, wrong: &mut Vec<Rejection>) -> Option<T> {
    result.map_err(|rejection| wrong.push(rejection)).ok()
}

/// What the account names: its class, the class's profile, an account that is nobody else's.
fn references(declarations: &Declarations, profile: Option<&Profile>) -> Vec<Rejection> {
    let mut wrong = Vec::new();
    let class_name = &declarations.account.object.spec.class_name;
    if let Some(rival) = &declarations.rival {
        let message = format!("{rival} keeps this account already");
        let hint = "delete one of the two; Teams and Memberships can name the other";
        wrong.push(Rejection::new(Reason::Conflict, "/spec/accountId", message, hint));
    }
    match (&declarations.class, profile) {
        (None, _) => {
            let message = format!("there is no AccountClass {}", quote(class_name));
            let hint = "make that AccountClass, or name one that there is";
            wrong.push(Rejection::new(Reason::NotFound, "/spec/className", message, hint));
        }
        (Some(class), None) => {
            wrong.push(profiles::missing(declarations, &class.object));
        }
        (Some(_), Some(_)) => (),
    }
    if !declarations.class_takes {
        let space = namespace(&*declarations.account.object);
        let message =
            format!("AccountClass {} does not allow namespace `{space}`", quote(class_name));
        let hint = "name a class that does, or have the class allow it in spec.allowedNamespaces";
        wrong.push(Rejection::new(Reason::NotAllowedHere, "/spec/className", message, hint));
    }
    let allowed = &declarations.account.object.spec.allowed_namespaces;
    wrong.extend(attach::check(allowed.selector.as_ref()).err());
    wrong
}

/// What the profile has to allow.
fn against_profile(spec: &api::AccountSpec, profile: &Profile) -> Vec<Rejection> {
    let mut wrong = Vec::new();
    if profile.teams == Teams::Many
        && (profile.seats.pool == Pool::Account || profile.seats.on_shrink != OnShrink::Keep)
    {
        let message = format!(
            "profile `{}` has many teams in an account that share its seats or are trimmed: not \
             served yet",
            profile.name
        );
        let hint = "use a profile whose seats belong to subscriptions and are kept at a shrink";
        wrong.push(Rejection::new(Reason::NotServed, "/spec/className", message, hint));
    }
    if spec.on_seat_shortage == api::OnSeatShortage::Trim
        && profile.seats.on_shrink == OnShrink::Keep
    {
        let message = format!("profile `{}` does not trim people over the limit", profile.name);
        let hint = "set `Hold`, or leave the field out";
        wrong.push(Rejection::new(Reason::ProfileCannot, "/spec/onSeatShortage", message, hint));
    }
    for (position, role) in spec.grantable_roles.iter().enumerate() {
        if profile.role(&RoleName(role.clone())).is_none() {
            let pointer = format!("/spec/grantableRoles/{position}");
            wrong.push(unknown_role(profile, role, pointer));
        }
    }
    wrong
}

/// A word that is no role of the profile.
pub fn unknown_role(profile: &Profile, role: &str, pointer: String) -> Rejection {
    let message = format!("{} is not a role of profile `{}`", quote(role), profile.name);
    let known = || profile.roles.iter().map(|role| role.name.as_str());
    let hint = match nearest(role, known()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("its roles are {}", list(known())),
    };
    Rejection::new(Reason::UnknownRole, pointer, message, hint)
}

/// Words as a list for people: `a`, `b`.
pub fn list<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The brake's limits.
fn removals(spec: &api::Removals) -> Result<RemovalPolicy, Rejection> {
    let api::Removals { max_count, max_percent, max_total, window, settle } = spec;
    Ok(RemovalPolicy {
        max_count: count_at("/spec/removals/maxCount", *max_count)?,
        max_percent: count_at("/spec/removals/maxPercent", *max_percent)?,
        max_total: count_at("/spec/removals/maxTotal", *max_total)?,
        window: duration_at("/spec/removals/window", window)?,
        settle: duration_at("/spec/removals/settle", settle)?,
    })
}

/// What becomes of invitations that nobody takes.
fn invitations(
    spec: &api::Invitations,
    profile: Option<&Profile>,
) -> Result<InvitationPolicy, Rejection> {
    let api::Invitations { expires_in, renew: api::Renew { attempts, every }, on_lost } = spec;
    Ok(InvitationPolicy {
        expires_in: expires_in.as_deref().map(|text| expires_in_at(text, profile)).transpose()?,
        renewals: count_at("/spec/invitations/renew/attempts", *attempts)?,
        every: duration_at("/spec/invitations/renew/every", every)?,
        on_lost: match on_lost {
            api::OnLost::Hold => OnLost::Hold,
            api::OnLost::InviteAgain => OnLost::InviteAgain,
        },
    })
}

/// A lifetime of invitations; it may only shorten that of the profile.
fn expires_in_at(text: &str, profile: Option<&Profile>) -> Result<Duration, Rejection> {
    let pointer = "/spec/invitations/expiresIn";
    let asked = duration_at(pointer, text)?;
    let Some(profile) = profile.filter(|profile| profile.invitations.lifetime < asked) else {
        return Ok(asked);
    };
    let most = duration::text(profile.invitations.lifetime);
    let message = format!(
        "{} is longer than an invitation of profile `{}` lasts: `{most}`",
        quote(text),
        profile.name
    );
    let hint = format!("set `{most}` or less, or leave the field out");
    Err(Rejection::new(Reason::ProfileCannot, pointer, message, hint))
}

/// A number that is not negative.
fn count_at(pointer: &str, value: i32) -> Result<u32, Rejection> {
    u32::try_from(value).map_err(|_| {
        Rejection::new(Reason::InvalidSpec, pointer, "must not be negative", "give 0 or more")
    })
}

/// A duration.
pub fn duration_at(pointer: &str, text: &str) -> Result<Duration, Rejection> {
    duration::parse(text).ok_or_else(|| {
        let message = format!("{} is not a duration", quote(text));
        let hint = "write a whole number with `s`, `m`, `h` or `d`, as `10m`";
        Rejection::new(Reason::InvalidSpec, pointer, message, hint)
    })
}

/// The approval that a person put on the account.
fn approval(account: &api::Account) -> Option<HoldDigest> {
    let digest = account.annotations().get(APPROVE_ANNOTATION)?.trim();
    (!digest.is_empty()).then(|| HoldDigest(digest.to_owned()))
}

/// The mode as a word of the problem.
fn mode(mode: api::Mode) -> Mode {
    match mode {
        api::Mode::Observe => Mode::Observe,
        api::Mode::Invite => Mode::Invite,
        api::Mode::Manage => Mode::Manage,
        api::Mode::Exclusive => Mode::Exclusive,
    }
}

/// The choice as a word of the problem.
fn on_seat_shortage(choice: api::OnSeatShortage) -> OnSeatShortage {
    match choice {
        api::OnSeatShortage::Hold => OnSeatShortage::Hold,
        api::OnSeatShortage::Trim => OnSeatShortage::Trim,
    }
}
