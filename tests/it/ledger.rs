//! The ledger's stores: what is kept, what is refused, and that a fault loses nothing.
#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use seatkeeper::domain::desired::{DeletionPolicy, Desired};
use seatkeeper::domain::endings::Endings;
use seatkeeper::domain::identity::MemberKey;
use seatkeeper::domain::keys::ResendMark;
use seatkeeper::domain::ledger_view::{
    Baseline, HoldRecord, LedgerView, MailRecord, Ownership, Paid, PersonRecord, Seen,
};
use seatkeeper::domain::observed::Observed;
use seatkeeper::ledger::{
    Fault, FileStore, Ledger, LedgerError, LedgerStore, MemoryStore, Part, SealedPart, Step,
};
use seatkeeper::plan::{Approval, Learn, Plan};

use crate::world::{World, declare, people};

async fn load(store: impl LedgerStore + 'static) -> Result<Ledger, LedgerError> {
    Ledger::load(Box::new(store), &"acme".into()).await
}

async fn refusal(store: impl LedgerStore + 'static) -> LedgerError {
    load(store).await.unwrap_err()
}

fn record(first_seen: Timestamp) -> PersonRecord {
    PersonRecord {
        first_seen,
        declared_by: Some("Team web/core".into()),
        owned: true,
        seen: Seen::Trimmed,
        epoch: 3,
        opted_out: true,
        lost: true,
        renamed: true,
        parted: true,
        deletion_policy: DeletionPolicy::Retain,
        held: true,
        paid: Some(Paid::Lower),
        ownership: Ownership::Over,
        mails: MailRecord {
            attempts: 2,
            renewals: 1,
            given_up: true,
            automatic: vec![first_seen],
            decided: vec![first_seen],
            marks: vec![ResendMark(u64::MAX)],
            not_before: Some(first_seen),
        },
    }
}

/// Lets a ledger learn, through `apply`.
async fn learn(
    world: &World,
    store: impl LedgerStore + 'static,
    learn: Learn,
) -> Result<(u64, u64), LedgerError> {
    let mut ledger = load(store).await?;
    let (mut plan, observed) = world.plan(&Desired::default(), &mut ledger).await;
    plan = Plan { learn, ..plan };
    let report = world.apply(&mut ledger, &plan, &observed).await;
    match report {
        Ok(report) => Ok((report.writes.head, report.writes.pages)),
        Err(error) => match error {
            seatkeeper::apply::ApplyError::Conflict(error)
            | seatkeeper::apply::ApplyError::Ledger(error) => Err(error),
        },
    }
}

fn records(people: &[MemberKey], record: &PersonRecord) -> Learn {
    let records = people.iter().map(|person| (person.clone(), record.clone())).collect();
    Learn { records, ..Learn::default() }
}

async fn view(world: &World, store: impl LedgerStore + 'static, of: &[MemberKey]) -> LedgerView {
    let mut ledger = load(store).await.unwrap();
    ledger.view(of.iter(), &world.service.observed(), world.now())
}

/// A ledger in a folder with one page and an open send.
async fn folder() -> (World, tempfile::TempDir) {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let store = FileStore::to_write(folder.path());
    world.run_with(&declare(&people(3)), Box::new(store)).await.unwrap().unwrap();
    (world, folder)
}

/// Names and bytes of everything in a folder.
fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    let pair = |entry: fs::DirEntry| {
        (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
    };
    entries.map(pair).collect()
}

#[tokio::test]
async fn everything_that_is_learned_is_read_back() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let store = || FileStore::to_write(folder.path());
    let known = record(world.now());
    let everyone = people(3);
    let smaller = Some((2, world.now()));
    let held = HoldRecord { digest: "00112233445566aa".into(), allowed: 4, emptied_under: Some(3) };
    let news = Learn {
        baseline: Some(Baseline { people: 9, smaller, as_of: Some(41) }),
        hold: Some(Some(held.clone())),
        approval: Approval::Seen("00112233445566aa".into()),
        ..records(&everyone, &known)
    };
    assert_eq!(learn(&world, store(), news).await.unwrap(), (1, 1));
    let view = view(&world, store(), &everyone).await;
    assert_eq!(view.people.values().collect::<Vec<_>>(), [&known; 3]);
    assert_eq!(view.baseline, Some(Baseline { people: 9, smaller, as_of: Some(41) }));
    assert_eq!((view.hold, view.hold_number, view.out_of_sight), (Some(held), 0, 0));
    assert_eq!(view.approval_seen, Some(("00112233445566aa".into(), world.now())));
    assert_eq!(view.pinned_account, Some("acc_1".into()));
    assert!(view.installation.is_some());
}

// rule: OP-07
#[tokio::test]
async fn people_whom_nobody_declares_are_known_as_gone_and_as_ended_once_the_feed_names_them() {
    let world = World::new();
    let store = MemoryStore::default();
    let was_there = |paid| PersonRecord { paid, ..record(world.now()) };
    let everyone = people(4);
    learn(&world, store.clone(), records(&everyone[..3], &was_there(None))).await.unwrap();
    learn(&world, store.clone(), records(&everyone[3..], &was_there(Some(Paid::End))))
        .await
        .unwrap();
    let mut ledger = load(store).await.unwrap();
    let mut observed = world.service.observed();
    let gone = |ledger: &mut Ledger, observed: &Observed| {
        let view = ledger.view(everyone[..1].iter(), observed, world.now());
        assert_eq!(view.ended_by_us, 0, "the last run was not cut off");
        view.gone.into_values().collect::<Vec<_>>()
    };
    assert_eq!(gone(&mut ledger, &observed), [false, false]);
    let people = everyone[..2].iter().cloned().collect();
    observed.evidence.endings = Some(Endings { people, ..Endings::default() });
    let mut said = gone(&mut ledger, &observed);
    said.sort_unstable();
    assert_eq!(said, [false, true]);
}

#[tokio::test]
async fn an_approval_that_is_used_raises_the_number_of_the_hold_and_stays_seen() {
    let world = World::new();
    let store = MemoryStore::default();
    for approval in [Approval::Seen("aa".into()), Approval::Used("aa".into())] {
        learn(&world, store.clone(), Learn { approval, ..Learn::default() }).await.unwrap();
        world.wait(jiff::SignedDuration::from_mins(1));
    }
    let view = view(&world, store, &[]).await;
    assert_eq!(view.hold_number, 1);
    assert_eq!(view.approval_seen.unwrap().1, "2026-03-01T12:00:00Z".parse().unwrap());
}

#[tokio::test]
async fn a_run_that_only_learns_of_people_writes_their_page_and_no_head() {
    let world = World::new();
    let store = MemoryStore::default();
    let seen = |seen| PersonRecord { seen, ..record(world.now()) };
    let first = records(&people(3), &seen(Seen::Member));
    assert_eq!(learn(&world, store.clone(), first.clone()).await.unwrap(), (1, 1), "the first");
    let second = records(&people(3), &seen(Seen::Trimmed));
    assert_eq!(learn(&world, store.clone(), second.clone()).await.unwrap(), (0, 1));
    assert_eq!(learn(&world, store.clone(), second).await.unwrap(), (0, 0), "known already");
}

#[tokio::test]
async fn who_is_neither_declared_nor_at_the_service_is_forgotten() {
    let world = World::new();
    let store = MemoryStore::default();
    let mails = MailRecord::default();
    let known = PersonRecord { opted_out: false, lost: false, mails, ..record(world.now()) };
    learn(&world, store.clone(), records(&people(3), &known)).await.unwrap();
    let tidy = Learn { forget_absent: true, ..Learn::default() };
    assert_eq!(learn(&world, store.clone(), tidy.clone()).await.unwrap(), (0, 1));
    assert!(view(&world, store.clone(), &people(3)).await.people.is_empty());
    assert_eq!(learn(&world, store, tidy).await.unwrap(), (0, 0));
}

// rule: OP-02
#[tokio::test]
async fn mails_are_remembered_for_as_long_as_a_cap_counts_them() {
    let world = World::new();
    let store = MemoryStore::default();
    let known = PersonRecord { opted_out: false, lost: false, ..record(world.now()) };
    learn(&world, store.clone(), records(&people(1), &known)).await.unwrap();
    let tidy = Learn { forget_absent: true, ..Learn::default() };
    assert_eq!(learn(&world, store.clone(), tidy.clone()).await.unwrap(), (0, 1));
    let left = view(&world, store.clone(), &people(1)).await.people.remove(&people(1)[0]).unwrap();
    let PersonRecord { owned, seen, epoch, held, paid, mails, .. } = left;
    assert_eq!((owned, seen, epoch, held, paid), (false, Seen::Never, 3, false, None));
    let known = known.mails;
    assert_eq!(mails, MailRecord { renewals: 0, given_up: false, ..known });
    world.wait(jiff::SignedDuration::from_hours(24 * 90 - 1));
    assert_eq!(learn(&world, store.clone(), tidy.clone()).await.unwrap(), (0, 0));
    world.wait(jiff::SignedDuration::from_hours(1));
    assert_eq!(learn(&world, store.clone(), tidy).await.unwrap(), (0, 1));
    assert!(view(&world, store, &people(1)).await.people.is_empty());
}

// rule: OP-02
#[tokio::test]
async fn who_said_no_is_remembered_even_when_the_declaration_goes() {
    let world = World::new();
    let store = MemoryStore::default();
    let said_no = PersonRecord { opted_out: true, lost: false, ..record(world.now()) };
    let vanished = PersonRecord { opted_out: false, lost: true, ..record(world.now()) };
    let everyone = people(2);
    let mut both = records(&everyone[..1], &said_no);
    both.records.extend(records(&everyone[1..], &vanished).records);
    learn(&world, store.clone(), both).await.unwrap();
    let tidy = Learn { forget_absent: true, ..Learn::default() };
    assert_eq!(learn(&world, store.clone(), tidy).await.unwrap(), (0, 0));
    assert_eq!(view(&world, store, &everyone).await.people.len(), 2);
}

#[tokio::test]
async fn twenty_thousand_people_fill_pages_under_512_kib() {
    let world = World::new();
    let store = MemoryStore::default();
    let everyone = people(20_000);
    let known = record(world.now());
    let (_, pages) = learn(&world, store.clone(), records(&everyone, &known)).await.unwrap();
    let stored = store.parts();
    let of_pages = stored.iter().filter(|sealed| sealed.part != Part::Head);
    assert_eq!(of_pages.clone().count() as u64, pages);
    assert!(pages >= 8, "{pages} pages");
    for sealed in of_pages {
        let as_object = serde_json::to_string(&sealed.content).unwrap();
        assert!(as_object.len() < 500 * 1024, "{} has {} bytes", sealed.part, as_object.len());
    }
    assert_eq!(view(&world, store.clone(), &everyone).await.people.len(), 20_000);
    // One more person changes one page, and a split later on only that page.
    let one_more = records(&people(20_001)[20_000..], &known);
    let (head, pages) = learn(&world, store.clone(), one_more).await.unwrap();
    assert_eq!((head, pages), (0, 1));
}

#[tokio::test]
async fn a_split_that_is_killed_at_any_write_loses_nobody() {
    let world = World::new();
    let known = record(world.now());
    let (few, many) = (people(1_000), people(4_500));
    for kill_at in 1..=7_u64 {
        let store = MemoryStore::default();
        learn(&world, store.clone(), records(&few, &known)).await.unwrap();
        let step = Arc::new(std::sync::atomic::AtomicU64::new(0));
        let count = move |what: Step| match what {
            Step::Load => Fault::None,
            Step::Write(_) | Step::Delete(_) => {
                let n = step.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
                if n == kill_at { Fault::Full } else { Fault::None }
            }
        };
        let _ = learn(&world, store.with_faults(Arc::new(count)), records(&many, &known)).await;
        let seen = view(&world, store.clone(), &many).await.people;
        assert!(few.iter().all(|person| seen.contains_key(person)), "lost at write {kill_at}");
        learn(&world, store.clone(), records(&many, &known)).await.unwrap();
        assert_eq!(view(&world, store.clone(), &many).await.people.len(), 4_500);
        // What the kill left of the page that was replaced goes with the next change.
        let changed = PersonRecord { epoch: 4, ..known.clone() };
        learn(&world, store.clone(), records(&many[..1], &changed)).await.unwrap();
        let numbers: BTreeSet<String> = store.parts().iter().map(|s| s.part.to_string()).collect();
        assert!(!numbers.contains("page-01"), "{numbers:?}");
    }
}

#[tokio::test]
async fn reading_creates_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("ledger");
    load(FileStore::to_read(&place)).await.unwrap();
    load(FileStore::to_write(&place)).await.unwrap();
    assert!(!place.exists());
    let (_, folder) = self::folder().await;
    let before = contents(folder.path());
    load(FileStore::to_read(folder.path())).await.unwrap();
    assert_eq!(contents(folder.path()), before);
}

#[tokio::test]
async fn the_second_of_two_runs_at_once_is_refused() {
    let (_, folder) = folder().await;
    let first = load(FileStore::to_write(folder.path())).await.unwrap();
    let second = refusal(FileStore::to_write(folder.path())).await;
    assert!(second.to_string().ends_with("is in use by another run"), "{second}");
    load(FileStore::to_read(folder.path())).await.unwrap();
    drop(first);
    load(FileStore::to_write(folder.path())).await.unwrap();
    // Where there is no ledger yet, the first to write wins.
    let world = World::new();
    let fresh = tempfile::tempdir().unwrap();
    let place = fresh.path().join("ledger");
    let mut one = load(FileStore::to_write(&place)).await.unwrap();
    let mut two = load(FileStore::to_write(&place)).await.unwrap();
    let desired = declare(&people(2));
    let (plan_one, observed) = world.plan(&desired, &mut one).await;
    let (plan_two, _) = world.plan(&desired, &mut two).await;
    world.apply(&mut one, &plan_one, &observed).await.unwrap();
    let error = world.apply(&mut two, &plan_two, &observed).await.unwrap_err();
    assert!(matches!(error.ledger(), LedgerError::InUse { .. }), "{error:?}");
    drop(one);
    let error = world.apply(&mut two, &plan_two, &observed).await.unwrap_err();
    assert!(matches!(error.ledger(), LedgerError::Conflict { .. }), "{error:?}");
    assert_eq!(world.service.all_mails(), 2);
}

#[tokio::test]
async fn a_file_cut_anywhere_is_refused_by_name() {
    let (_, folder) = folder().await;
    for name in ["head.json", "page-01.json"] {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        for cut in [0, 1, whole.len() / 2, whole.len() - 3] {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = refusal(FileStore::to_read(folder.path())).await;
            assert!(matches!(error, LedgerError::Damaged { .. }), "{error:?}");
            assert!(error.to_string().contains(name), "{error}");
            assert!(error.hint().contains("backup"), "{}", error.hint());
        }
        fs::write(&path, &whole).unwrap();
    }
    load(FileStore::to_read(folder.path())).await.unwrap();
}

#[tokio::test]
async fn a_file_that_was_edited_or_lost_is_refused() {
    let (_, folder) = folder().await;
    for (name, from, to) in [
        ("head.json", r#"\"sends\":["#, r#"\"sends\" :["#),
        ("head.json", r#""accountId":"acc_1""#, r#""accountId":"acc_2""#),
        ("page-01.json", r#"\"owned\":true"#, r#"\"owned\":false"#),
        ("page-01.json", r#""part":"page-01""#, r#""part":"page-02""#),
    ] {
        let path = folder.path().join(name);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = refusal(FileStore::to_read(folder.path())).await;
        assert!(matches!(error, LedgerError::Damaged { .. }), "{error:?}");
        fs::write(&path, text).unwrap();
    }
    for name in ["head.json", "page-01.json"] {
        let path = folder.path().join(name);
        let whole = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let error = refusal(FileStore::to_read(folder.path())).await;
        assert!(error.to_string().contains("missing"), "{error}");
        fs::write(&path, &whole).unwrap();
    }
    load(FileStore::to_read(folder.path())).await.unwrap();
}

#[tokio::test]
async fn a_page_of_another_ledger_and_a_newer_format_are_refused() {
    let world = World::new();
    let (one, two) = (MemoryStore::default(), MemoryStore::default());
    for store in [&one, &two] {
        learn(&world, store.clone(), records(&people(2), &record(world.now()))).await.unwrap();
    }
    let page = |store: &MemoryStore| {
        store.parts().into_iter().find(|sealed| sealed.part != Part::Head).unwrap()
    };
    let ours = page(&one);
    one.put(page(&two));
    let error = refusal(one.clone()).await;
    assert!(error.to_string().contains("another ledger"), "{error}");
    let content = ours.content.replace(r#""formatVersion":1"#, r#""formatVersion":2"#);
    one.put(SealedPart::seal(ours.part, &ours.account, content));
    let error = refusal(one).await;
    assert!(matches!(error, LedgerError::Newer { found: 2, .. }), "{error:?}");
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_sends_nothing() {
    let (world, folder) = folder().await;
    world.service.accept_all();
    let before = contents(folder.path());
    let mails = world.service.all_mails();
    for name in ["head.json.new", "page-01.json.new"] {
        symlink("/dev/full", folder.path().join(name)).unwrap();
        let store = FileStore::to_write(folder.path());
        let run = world.run_with(&declare(&people(5)), Box::new(store)).await.unwrap();
        let error = run.unwrap_err();
        let LedgerError::Write { place, source } = error.ledger() else {
            unreachable!("{error:?}")
        };
        assert!(name.starts_with(Path::new(place).file_name().unwrap().to_str().unwrap()));
        assert!(source.to_string().contains("No space left"), "{source}");
        assert_eq!(world.service.all_mails(), mails);
        let now = contents(folder.path());
        let kept = |name: &str| now.get(name) == before.get(name);
        assert!(kept("page-01.json") && (kept("head.json") || name == "page-01.json.new"));
        load(FileStore::to_read(folder.path())).await.unwrap();
    }
    let store = FileStore::to_write(folder.path());
    world.run_with(&declare(&people(5)), Box::new(store)).await.unwrap().unwrap();
    assert_eq!(world.service.all_mails(), mails + 2);
}

#[tokio::test]
async fn a_place_that_cannot_be_a_folder_is_an_error_that_names_it() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let error = refusal(FileStore::to_write(&file)).await;
    assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
    let below = file.join("ledger");
    let store = FileStore::to_write(&below);
    let run = world.run_with(&declare(&people(1)), Box::new(store)).await.unwrap();
    assert!(run.unwrap_err().ledger().to_string().contains(below.to_str().unwrap()));
    assert!(world.service.calls().is_empty());
    assert_eq!(fs::read(&file).unwrap(), b"x");
}

#[tokio::test]
async fn what_a_killed_write_left_beside_is_no_part_of_the_ledger() {
    let (world, folder) = folder().await;
    fs::write(folder.path().join("head.json.new"), "{").unwrap();
    fs::write(folder.path().join("page-02.json.new"), "{").unwrap();
    let store = FileStore::to_write(folder.path());
    world.run_with(&declare(&people(4)), Box::new(store)).await.unwrap().unwrap();
    assert_eq!(world.service.all_mails(), 4);
}

#[tokio::test]
async fn people_are_kept_as_salted_hashes() {
    let (_, one) = folder().await;
    let (_, two) = folder().await;
    let texts = |folder: &Path| {
        let all = contents(folder).into_values().map(|bytes| String::from_utf8(bytes).unwrap());
        all.collect::<String>()
    };
    assert!(!texts(one.path()).contains("example.com"));
    let person = |folder: &Path| {
        let page = fs::read_to_string(folder.join("page-01.json")).unwrap();
        page.split(r#"\"people\":{\""#).nth(1).unwrap()[..32].to_owned()
    };
    assert_ne!(person(one.path()), person(two.path()), "each ledger has its own salt");
}
