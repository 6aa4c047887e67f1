//! What is done about recipients of categories of mail (NP-10). Whom a role makes a recipient always
//! stays one (NP-11). Whom somebody chose stays, unless we did, or a declaration says who is chosen
//! (X17).
//!
//! Nobody loses access by any of this, so that the removal brake does not count it.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::identity::EmailAddress;
use crate::domain::keys::{CategoryName, MemberId, RoleName};
use crate::domain::policy::Mode;
use crate::domain::recipients::{DesiredCategory, ExactRecord, ObservedCategory};
use crate::plan::action::Action;
use crate::plan::names::Names;
use crate::plan::notification::{
    CategoryOutlook, HeldRecipient, RecipientAction, RecipientChange, RecipientOutlook,
    RecipientPlan, RecipientState,
};
use crate::plan::{Input, Plan, Rule, Stop};

/// Plans the recipients of one account, as its members are after the people of `main`.
///
/// n people declared, set by us or members, in c categories. Time O(c n log n).
pub(super) fn plan(input: &Input<'_>, names: &Names, main: &Plan) -> RecipientPlan {
    let (Some(rows), false) =
        (&input.observed.categories, matches!(main.stop, Some(Stop::ReadUntrusted(_))))
    else {
        return RecipientPlan::default();
    };
    let mut draft = Draft::new(input, names, main);
    let set = input.ledger.recipients.values().flatten();
    let categories: BTreeSet<_> = input.desired.recipients.categories.keys().chain(set).collect();
    for category in categories {
        draft.category(category, rows.get(category));
    }
    draft.finish(main)
}

/// A member as it is after the people's actions.
struct Member<'a> {
    id: &'a MemberId,
    /// The role; `None`: one that we do not know.
    role: Option<&'a RoleName>,
    /// This plan changes it: what the service says of the old one does not count.
    role_changes: bool,
}

/// Whom we made a recipient of what, under the address by which the person is a member.
fn ours(input: &Input<'_>, names: &Names) -> BTreeMap<EmailAddress, BTreeSet<CategoryName>> {
    let mut ours: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (person, set) in &input.ledger.recipients {
        ours.entry(names.known(person).clone()).or_default().extend(set.iter().cloned());
    }
    ours
}

/// A plan for recipients in the making.
struct Draft<'a> {
    input: &'a Input<'a>,
    members: BTreeMap<&'a EmailAddress, Member<'a>>,
    /// Whom a Team or Membership declares.
    people: BTreeSet<&'a EmailAddress>,
    /// Who has an invitation that waits.
    invited: BTreeSet<&'a EmailAddress>,
    /// Whom we made a recipient of what, and are about to.
    ours: BTreeMap<EmailAddress, BTreeSet<CategoryName>>,
    wanted: Vec<(RecipientAction, Option<Rule>)>,
    plan: RecipientPlan,
}

impl<'a> Draft<'a> {
    fn new(input: &'a Input<'a>, names: &Names, main: &'a Plan) -> Self {
        let (mut leave, mut change) = (BTreeSet::new(), BTreeMap::new());
        for action in &main.actions {
            match action {
                Action::Remove { person, .. } => drop(leave.insert(person)),
                Action::ChangeRole { person, to, .. } => drop(change.insert(person, to)),
                Action::RevokeInvitation { .. }
                | Action::Trim { .. }
                | Action::CancelOwnerChange { .. }
                | Action::ChangeOwner { .. }
                | Action::ChangeInvitedRole { .. }
                | Action::Reinstate { .. }
                | Action::Resend { .. }
                | Action::Add { .. }
                | Action::Approve { .. }
                | Action::Invite { .. } => {}
            }
        }
        // Who is in several teams is a recipient by the first row.
        let mut members = BTreeMap::new();
        for (key, row) in input.observed.members.iter().filter(|(key, _)| !leave.contains(key)) {
            let new = change.get(key).copied();
            let role = new.or_else(|| row.role.known());
            let member = Member { id: &row.id, role, role_changes: new.is_some() };
            members.entry(&key.person).or_insert(member);
        }
        let people = input.desired.people.keys().chain(&input.desired.frozen);
        let invited = input.observed.invitations.iter().filter(|(_, row)| row.state.waits());
        Self {
            input,
            members,
            people: people.map(|key| &key.person).collect(),
            invited: invited.map(|(key, _)| &key.person).collect(),
            ours: ours(input, names),
            wanted: Vec::new(),
            plan: RecipientPlan::default(),
        }
    }

    /// Places everyone whom a category is about.
    fn category(&mut self, category: &CategoryName, row: Option<&ObservedCategory>) {
        let desired = &self.input.desired.recipients;
        let nobody = DesiredCategory::default();
        let declared = desired.categories.get(category).unwrap_or(&nobody);
        let Some(row) = row else { return self.missing(category, declared) };
        self.plan.categories.insert(category.clone(), self.implied(category, row));
        for person in declared.recipients.keys() {
            self.declared(category, row, person);
        }
        let set = self.ours.iter().filter(|(_, set)| set.contains(category));
        let gone = set.filter(|(person, _)| !declared.recipients.contains_key(*person));
        let gone: Vec<_> = gone.map(|(person, _)| person.clone()).collect();
        for person in &gone {
            self.undeclared(category, row, person);
        }
        if declared.exact.is_some() && !desired.keeps(category) {
            self.exact(category, row, declared);
        }
    }

    /// The service does not have the category: nothing is concluded.
    fn missing(&mut self, category: &CategoryName, declared: &DesiredCategory) {
        let outlook =
            RecipientOutlook { state: RecipientState::Planned, rule: Some(Rule::NoSuchCategory) };
        let recipients = declared.recipients.keys().map(|person| (person.clone(), outlook));
        let outlook = CategoryOutlook { recipients: recipients.collect(), ..Default::default() };
        self.plan.categories.insert(category.clone(), outlook);
    }

    /// Members that receive the category by role.
    fn implied(&self, category: &CategoryName, row: &ObservedCategory) -> CategoryOutlook {
        let desired = &self.input.desired.recipients.categories;
        let is_named = |person: &EmailAddress| {
            self.people.contains(person)
                || desired.values().any(|category| category.recipients.contains_key(person))
        };
        let by_role = self.members.iter().filter(|(_, m)| self.is_implied(category, row, m));
        let implied = by_role.map(|(person, member)| {
            (member.id.clone(), is_named(person).then(|| (*person).clone()))
        });
        CategoryOutlook { implied: implied.collect(), ..CategoryOutlook::default() }
    }

    /// True if the role receives the category by itself. The service says so of those whose access
    /// is on; who is trimmed has the role no less.
    fn is_implied(
        &self,
        category: &CategoryName,
        row: &ObservedCategory,
        member: &Member<'_>,
    ) -> bool {
        let said = row.recipients.get(member.id).is_some_and(|by| by.implied);
        let role = member.role.and_then(|role| self.input.profile.role(role));
        let ours = role.is_some_and(|role| role.receives.contains(category.as_str()));
        ours || (said && !member.role_changes)
    }

    /// Places a declared recipient.
    fn declared(&mut self, category: &CategoryName, row: &ObservedCategory, person: &EmailAddress) {
        let Some(member) = self.members.get(person) else {
            let known = self.people.contains(person) || self.invited.contains(person);
            let state = if known { RecipientState::Waiting } else { RecipientState::NotMember };
            self.disown(category, person);
            return self.place(category, person, state, None);
        };
        let chosen = row.recipients.get(member.id).is_some_and(|by| by.chosen);
        let open = member.role.map(|role| row.open_to.contains(role));
        let state = match open {
            _ if self.is_implied(category, row, member) => RecipientState::Implied,
            _ if chosen => RecipientState::Receives,
            Some(false) => RecipientState::NotOpen,
            Some(true) | None => RecipientState::Planned,
        };
        if state == RecipientState::Planned {
            let rule = open.is_none().then_some(Rule::NotUnderstood);
            let member = member.id.clone();
            self.want(category, RecipientChange::Add, person, member, rule);
        }
        self.place(category, person, state, None);
    }

    /// Places somebody whom we made a recipient and whom nobody declares any more.
    fn undeclared(
        &mut self,
        category: &CategoryName,
        row: &ObservedCategory,
        person: &EmailAddress,
    ) {
        let Some(member) = self.members.get(person) else {
            return self.disown(category, person);
        };
        // Whom the role makes a recipient cannot be taken away now: later, when the role changes.
        if self.input.desired.recipients.keeps(category) || self.is_implied(category, row, member) {
            return;
        }
        if self.input.policy.mode == Mode::Invite {
            return self.disown(category, person);
        }
        let chosen = row.recipients.get(member.id).is_some_and(|by| by.chosen);
        // The service does not show who is chosen in a role that is not open.
        let hidden = member.role.is_none_or(|role| !row.open_to.contains(role));
        if !chosen && !hidden {
            return self.disown(category, person);
        }
        let member = member.id.clone();
        self.want(category, RecipientChange::Remove, person, member, None);
        self.place(category, person, RecipientState::Removing, None);
    }

    /// Takes away whoever is chosen and not declared.
    fn exact(
        &mut self,
        category: &CategoryName,
        row: &ObservedCategory,
        declared: &DesiredCategory,
    ) {
        let others: Vec<_> = self
            .members
            .iter()
            .filter(|(person, _)| {
                let ours = self.ours.get(**person).is_some_and(|set| set.contains(category));
                !declared.recipients.contains_key(**person) && !ours
            })
            .filter(|(_, member)| row.recipients.get(member.id).is_some_and(|by| by.chosen))
            .filter(|(_, member)| !self.is_implied(category, row, member))
            .map(|(person, member)| ((*person).clone(), member.id.clone()))
            .collect();
        for (person, member) in others {
            self.want(category, RecipientChange::Remove, &person, member, None);
            self.place(category, &person, RecipientState::Undeclared, None);
        }
    }

    fn place(
        &mut self,
        category: &CategoryName,
        person: &EmailAddress,
        state: RecipientState,
        rule: Option<Rule>,
    ) {
        let outlook = self.plan.categories.entry(category.clone()).or_default();
        outlook.recipients.insert(person.clone(), RecipientOutlook { state, rule });
    }

    fn want(
        &mut self,
        category: &CategoryName,
        change: RecipientChange,
        person: &EmailAddress,
        member: MemberId,
        rule: Option<Rule>,
    ) {
        let (category, person) = (category.clone(), person.clone());
        self.wanted.push((RecipientAction { category, change, person, member }, rule));
    }

    /// The person is none of our recipients any more.
    fn disown(&mut self, category: &CategoryName, person: &EmailAddress) {
        if let Some(set) = self.ours.get_mut(person) {
            set.remove(category);
        }
    }

    /// Lets mode and service speak, and says what the ledger has to learn.
    fn finish(mut self, main: &Plan) -> RecipientPlan {
        if main.stop.is_some() {
            return self.plan;
        }
        self.wanted.sort();
        for (action, rule) in std::mem::take(&mut self.wanted) {
            match rule.or_else(|| self.obstacle(&action)) {
                Some(rule) => self.hold_back(action, rule),
                None => {
                    if !action.takes_away() {
                        let set = self.ours.entry(action.person.clone()).or_default();
                        set.insert(action.category.clone());
                    }
                    self.plan.actions.push(action);
                }
            }
        }
        if self.input.policy.mode > Mode::Observe {
            self.learn();
        }
        self.plan
    }

    /// The rule that holds an action back.
    fn obstacle(&self, action: &RecipientAction) -> Option<Rule> {
        let Input { policy, observed, .. } = *self.input;
        match policy.mode {
            Mode::Observe => Some(Rule::Observing),
            Mode::Invite if action.takes_away() => Some(Rule::InviteOnly),
            _ if observed.account.disabled && !action.takes_away() => Some(Rule::ServiceDisabled),
            Mode::Invite | Mode::Manage | Mode::Exclusive => None,
        }
    }

    fn hold_back(&mut self, action: RecipientAction, rule: Rule) {
        let outlook = self.plan.categories.get_mut(&action.category);
        let outlook = outlook.and_then(|outlook| outlook.recipients.get_mut(&action.person));
        if let Some(outlook) = outlook {
            outlook.rule = Some(rule);
        }
        self.plan.held.push(HeldRecipient { action, rule });
    }

    fn learn(&mut self) {
        let Input { desired, ledger, observed, now, .. } = *self.input;
        let nothing = BTreeSet::new();
        let mut records = std::mem::take(&mut self.ours);
        records.retain(|person, set| set != ledger.recipients.get(person).unwrap_or(&nothing));
        self.plan.learn.records = records;
        let categories = &desired.recipients.categories;
        let declared = categories.values().flat_map(|category| category.recipients.keys());
        let members = observed.members.keys().map(|key| &key.person);
        self.plan.learn.seen = Some(declared.chain(members).cloned().collect());
        // The one that counted may be among those that are not valid.
        let kept = ledger.exact.iter().filter(|(category, _)| desired.recipients.keeps(category));
        let mut exact: BTreeMap<_, _> =
            kept.map(|(category, record)| (category.clone(), record.clone())).collect();
        exact.extend(categories.iter().filter_map(|(category, declared)| {
            let declared_by = declared.exact.as_ref()?.object();
            let known = ledger.exact.get(category);
            let known = known.filter(|record| record.declared_by == declared_by);
            let first_seen = known.map_or(now, |record| record.first_seen);
            Some((category.clone(), ExactRecord { declared_by, first_seen }))
        }));
        self.plan.learn.exact = (exact != ledger.exact).then_some(exact);
    }
}
