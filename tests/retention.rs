//! Five years later: what was answered is gone, what was counted stays, and whoever bends either is
//! told.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use archives::{ALL, Archive};
use common::{
    TestCentral, TestKiosk, answered, at, batch, by_phone, close, first_counter, left, rate,
};
use hailong::central::config::Config;
use hailong::central::decide::erase_old_answers;
use hailong::central::export::Asked;
use hailong::central::roots::make;
use hailong::central::service::Central;
use hailong::central::store::Store;
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Unit;
use hailong::domain::decision::{Decision, What};
use hailong::domain::ids::{Epoch, Hash};
use hailong::domain::line::{By, How};
use hailong::domain::rating::{Key, Outcome};
use hailong::domain::summary::{State, Summary};
use hailong::domain::system_random;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::visit::Record;
use jiff::civil::{Date, date};
use rusqlite::Connection;

/// The first day of the life below, and the day on which its answers have been kept for so long.
const FIRST: Date = date(2026, 11, 24);
const OVER: Date = date(2031, 11, 25);
const FIVE_YEARS: u16 = 1_826;

async fn sent(kiosk: &TestKiosk) {
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

/// Three days at two counters, each with its root: ratings, one changed; answers by phone, one of them
/// on the day after; a contact in review. What the second counter did on the first day arrives on the second.
async fn lived() -> (TestCentral, [TestKiosk; 2]) {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosks = [central.kiosk("q3").await, central.kiosk("q5").await];
    let [one, other] = &mut kiosks;
    let mut ticket: Option<String> = None;
    for day in 24..=26 {
        central.clock.set(at(&format!("2026-11-{day} 09:00")));
        make(&central.central).await.unwrap();
        for kiosk in [&mut *one, &mut *other] {
            let mut desk = kiosk.desk();
            for _ in 0..6 {
                rate(&mut desk, "rat_hai_long", &["niem_no"]);
            }
            let contact = rate(&mut desk, "hai_long", &[]);
            desk.keep(&Record::Change { contact, level: "khong_hai_long".into() }).unwrap();
        }
        answered(&central, one, "khong_hai_long", Some("Chờ lâu quá")).await;
        if let Some(ticket) = ticket.take() {
            by_phone(&central, one, &ticket, "hai_long", Some("Hôm sau mới rảnh")).await;
        }
        if day == 24 {
            ticket = Some(left(one));
            let future = Arc::new(DemoClock::standing(at("2040-01-01 09:00")));
            rate(&mut one.desk_at(future), "hai_long", &[]);
            answered(&central, other, "hai_long", None).await;
        } else {
            sent(other).await;
        }
        sent(one).await;
    }
    central.clock.set(at("2026-11-27 00:01"));
    make(&central.central).await.unwrap();
    (central, kiosks)
}

async fn counted(store: &dyn Store, day: Date) -> BTreeSet<(Key, u64)> {
    store.day(&"phu-sa".parse().unwrap(), day).await.unwrap().tallies.into_iter().collect()
}

async fn erase(central: &TestCentral, today: Date) -> usize {
    erase_old_answers(central.store(), today, FIVE_YEARS).await.unwrap();
    let decisions = central.store().matters().await.unwrap().decisions;
    decisions.iter().filter(|one| one.decision.what.word() == "answers_erased").count()
}

async fn as_the_journals_give(central: &TestCentral) {
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, &rebuilt.unread[..]), (0, &[][..]), "{:?}", rebuilt.rows);
}

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("central.db")).unwrap()
}

fn number(folder: &Path, sql: &str) -> i64 {
    database(folder).query_row(sql, [], |row| row.get(0)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_gone_after_five_years_and_what_was_counted_stays() {
    let (central, kiosks) = lived().await;
    let folder = central.folder.path();
    let store = central.store();
    let before = [counted(store, FIRST).await, counted(store, date(2026, 11, 25)).await];
    assert!(before[0].contains(&(Key::Outcome(Outcome::Rated), 17)), "{:?}", before[0]);
    let levels = "SELECT count(*) FROM contact WHERE level IS NOT NULL AND day = '2026-11-24'";
    assert_eq!(number(folder, levels), 14);
    let sealed: Vec<u8> = database(folder)
        .query_row(
            "SELECT bodies FROM segment s JOIN branch b ON b.id = s.branch
             WHERE b.kiosk = 'ps-q3' AND s.bodies <> x'' ORDER BY s.id LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let nonce = &sealed[11..35];
    let found = |needle: &[u8]| {
        let bytes = std::fs::read(folder.join("central.db")).unwrap();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    let summary = async || -> Summary {
        common::of_day(
            store,
            &central.central.config.offices[0],
            &central.central.config.forms,
            FIRST,
            at("2031-11-25 00:05"),
        )
        .await
        .unwrap()
    };
    // One that was never heard of keeps the day open.
    let _silent = central.kiosk("q6").await;
    let said = summary().await;
    assert_eq!((said.state, said.n), (State::Final, 17));
    database(folder)
        .execute(
            "UPDATE kiosk SET enrolled = '2026-11-23T08:00:00.000+07:00' WHERE id = 'ps-q6'",
            [],
        )
        .unwrap();
    assert_eq!(summary().await.state, State::Provisional);

    assert_eq!(erase(&central, OVER.yesterday().unwrap()).await, 0, "not a day too early");
    assert_eq!(erase(&central, OVER).await, 1);
    assert!(!found(nonce), "what was sealed is gone from the disk");
    assert_eq!(number(folder, levels), 0);
    assert_eq!(counted(store, FIRST).await, before[0]);
    assert_eq!((summary().await.n, summary().await.levels), (said.n, said.levels));
    assert_eq!(summary().await.state, State::Final);
    assert_eq!(erase(&central, OVER).await, 1, "a line when something is erased, and only then");
    as_the_journals_give(&central).await;
    assert_eq!(counted(store, FIRST).await, before[0], "nor does a rebuild lose it");

    let by_phone = "SELECT count(*) FROM contact WHERE phone_level IS NOT NULL
                    AND day = '2026-11-24'";
    assert_eq!(number(folder, by_phone), 1, "it was given on the day after");

    // The next days; nothing of any body is left.
    assert_eq!(erase(&central, date(2031, 11, 26)).await, 2);
    assert_eq!(erase(&central, date(2031, 12, 25)).await, 3);
    assert_eq!(number(folder, by_phone), 0);
    let left = number(folder, "SELECT count(*) FROM segment WHERE bodies <> x''");
    assert_eq!((left, number(folder, "SELECT count(*) FROM words")), (0, 0));
    assert_eq!(number(folder, "SELECT count(*) FROM phone WHERE level <> ''"), 0);
    let after = [counted(store, FIRST).await, counted(store, date(2026, 11, 25)).await];
    assert_eq!(after, before);
    as_the_journals_give(&central).await;
    drop(kiosks);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_too_late_is_seen_and_moves_nothing() {
    let (central, mut kiosks) = lived().await;
    // It was on a shelf.
    let late = central.kiosk("q4").await;
    kiosks[0] = late;
    let past = Arc::new(DemoClock::standing(at("2026-11-24 10:00")));
    rate(&mut kiosks[0].desk_at(past), "hai_long", &["niem_no"]);
    erase(&central, OVER).await;
    let before = counted(central.store(), FIRST).await;
    // The service forgets nothing of it by starting again.
    let (folder, clock) = central.stop().await;
    let central = TestCentral::start_in(folder, clock).await;
    kiosks[0].service = central.service();
    sent(&kiosks[0]).await;
    assert_eq!(counted(central.store(), FIRST).await, before);
    let findings = central.store().findings().await.unwrap();
    let late = findings.iter().filter(|finding| finding.kiosk == "ps-q4");
    let late: Vec<&str> = late.map(|finding| finding.kind.as_str()).collect();
    assert_eq!(late, ["clock"], "it is in review, where a person sees it");
    let dated = What::Dated {
        kiosk: "ps-q4".parse().unwrap(),
        epoch: findings.iter().find(|one| one.kiosk == "ps-q4").unwrap().epoch.parse().unwrap(),
        first: 1,
        last: 9,
        day: FIRST,
    };
    let (person, reason) = ("Lê Thị Hoa".to_owned(), "đã hỏi quầy".to_owned());
    let refused =
        central.central.decide(Decision { what: dated, person, reason }, Unit::PROVINCE).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("these days are closed"), "{refused}");
    // What is decided of other days judges all contacts anew, but for those of closed ones.
    let attributed = What::Attributed {
        office: "phu-sa".parse().unwrap(),
        counter: "q3".parse().unwrap(),
        from: at("2026-11-26 08:00"),
        until: at("2026-11-26 12:00"),
        official: None,
    };
    let (person, reason) = ("Lê Thị Hoa".to_owned(), "đi họp".to_owned());
    central
        .central
        .decide(Decision { what: attributed, person, reason }, Unit::PROVINCE)
        .await
        .unwrap();
    assert_eq!(central.store().findings().await.unwrap(), findings);
    as_the_journals_give(&central).await;
    assert_eq!(counted(central.store(), FIRST).await, before);
}

#[test]
fn what_was_carried_over_or_erased_without_a_word_is_told() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (folder, clock) = runtime.block_on(async {
        let (central, _kiosks) = lived().await;
        central.clock.set(at("2031-11-25 00:05"));
        erase(&central, OVER).await;
        central.clock.set(at("2031-11-26 00:05"));
        make(&central.central).await.unwrap();
        central.stop().await
    });
    let whole = Archive::of(folder.path(), ALL);
    let report = whole.check(None);
    assert_eq!(report.problems, [""; 0]);
    let note = report.notes.iter().find(|note| note.contains("answers were erased"));
    assert!(note.is_some(), "{:?}", report.notes);

    let mut bent = Archive::of(folder.path(), ALL);
    let place = bent.places("tallies")[0];
    bent.records[place]["tallies"]["contacts/rated"] = 99.into();
    let told = bent.check(None).problems;
    assert!(told.iter().any(|told| told.contains("is not what was kept")), "{told:?}");
    bent.records.remove(place);
    let told = bent.check(None).problems;
    assert!(told.iter().any(|told| told.contains("is not what was kept")), "{told:?}");

    // In the database: more was counted then; an answer that nobody decided about goes.
    let db = database(folder.path());
    for (change, back, tells) in [
        (
            "UPDATE carried SET n = n + 1 WHERE key = 'contacts/rated'",
            "UPDATE carried SET n = n - 1 WHERE key = 'contacts/rated'",
            "are not those that line",
        ),
        (
            "CREATE TABLE kept AS SELECT id, bodies FROM segment WHERE bodies <> x'';
             UPDATE segment SET bodies = x'', erased = (SELECT group_concat(n || ':1,' || n || ':2')
                 FROM (WITH RECURSIVE c(n) AS (SELECT first UNION ALL SELECT n + 1 FROM c
                                                WHERE n < last) SELECT n FROM c))
             WHERE id = (SELECT max(k.id) FROM kept k JOIN segment s ON s.id = k.id
                         JOIN branch b ON b.id = s.branch WHERE b.kiosk = 'ps-q3')",
            "UPDATE segment SET erased = '', bodies = (SELECT bodies FROM kept
                                                       WHERE kept.id = segment.id)
             WHERE id IN (SELECT id FROM kept) AND bodies = x'';
             DROP TABLE kept",
            "nobody decided it",
        ),
    ] {
        db.execute_batch(change).unwrap();
        let rebuilt = runtime.block_on(async {
            let central = TestCentral::start_in(copy_of(folder.path()), Arc::clone(&clock)).await;
            central.central.rebuild().await.unwrap().unwrap()
        });
        let told = rebuilt.unread.iter().any(|told| told.contains(tells));
        assert!(told, "{tells}: {:?}", rebuilt.unread);
        let problems = Archive::of(folder.path(), ALL).check(None).problems;
        assert!(!problems.is_empty(), "{tells}");
        db.execute_batch(back).unwrap();
    }
    drop(db);
    assert_eq!(Archive::of(folder.path(), ALL).check(None).problems, [""; 0], "all is back");
}

#[test]
fn a_summary_that_was_made_after_an_erasure_is_checked_like_any_other() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = runtime.block_on(async {
        let (central, _kiosks) = lived().await;
        // The root of the day after the erasure begins with this line.
        central.store().exported(Hash::NONE, "lan".to_owned()).await.unwrap();
        let (folder, clock) = central.stop().await;
        // Not served, so that nothing falls due by itself.
        let config = Config { data: folder.path().to_owned(), ..common::sample_config() };
        let central = Central::open(config, Arc::clone(&clock) as _).await.unwrap();
        clock.set(at("2031-11-25 00:05"));
        erase_old_answers(central.store.as_ref(), OVER, FIVE_YEARS).await.unwrap();
        let more = "INSERT INTO tally VALUES ('phu-sa', '2026-11-28', 'contacts/opened', 7)";
        database(folder.path()).execute(more, []).unwrap();
        clock.set(at("2031-11-26 00:05"));
        make(&central).await.unwrap();
        central.store.close().await.unwrap();
        folder
    });
    let problems = Archive::of(folder.path(), ALL).check(None).problems;
    assert_eq!(problems, ["2026-11-28: the summary of phu-sa is not what follows from the lines"]);
}

/// What is on each day: contacts by their rows, and tallies of contacts.
fn by_day(folder: &Path) -> Vec<String> {
    let db = database(folder);
    let mut rows = db
        .prepare(
            "SELECT coalesce(day, '-') || ' ' || count(*) FROM contact GROUP BY day
             UNION SELECT day || ' ' || key || ' ' || n FROM tally
             WHERE n <> 0 AND key LIKE 'contacts%'",
        )
        .unwrap();
    rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_of_a_contact_of_a_closed_day_moves_nothing_and_its_answer_is_gone() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for _ in 0..5 {
        rate(&mut desk, "rat_hai_long", &[]);
    }
    sent(&kiosk).await;
    // Two contacts whose end, and one whose beginning, stay on the disk.
    let (by, counter) = (By::Touch, first_counter(&desk));
    let open = Record::Open { by, counter, level: Some("hai_long".to_owned()) };
    let [one, other] = [desk.keep(&open).unwrap().seq, desk.keep(&open).unwrap().seq];
    sent(&kiosk).await;
    desk.keep(&Record::Change { contact: one, level: "khong_hai_long".into() }).unwrap();
    // An answer that no form has is in quarantine, as ever.
    desk.keep(&Record::Change { contact: other, level: "khong_co".into() }).unwrap();
    for contact in [one, other] {
        close(&mut desk, contact, How::Sent, &["cho_lau"]);
    }
    drop(desk);
    let (folder, _) = central.stop().await;
    let clock = Arc::new(DemoClock::standing(at("2031-11-24 09:00")));
    let central = TestCentral::start_in(folder, clock).await;
    kiosk.service = central.service();
    erase(&central, OVER).await;
    let before = by_day(central.folder.path());
    let told = ["2026-11-24 7", "2026-11-24 contacts/opened 7", "2026-11-24 contacts/rated 7"];
    assert_eq!(before, told);
    sent(&kiosk).await;
    assert_eq!(by_day(central.folder.path()), before);
    let left = "SELECT count(*) FROM segment WHERE bodies <> x''";
    assert_eq!(number(central.folder.path(), left), 0);
    as_the_journals_give(&central).await;

    // And a start by a dead clock, which throws doubt on all of the run before.
    let dead = Arc::new(DemoClock::standing(at("2026-11-24 07:30")));
    drop(kiosk.desk_at(dead));
    sent(&kiosk).await;
    assert_eq!(by_day(central.folder.path()), before);
    let findings = central.store().findings().await.unwrap();
    let reasons: Vec<&str> = findings.iter().map(|finding| finding.reason.as_str()).collect();
    assert_eq!(reasons, ["unknown_level"]);
    as_the_journals_give(&central).await;
    central.clock.set(at("2031-11-25 00:05"));
    make(&central.central).await.unwrap();
    let (folder, _) = central.stop().await;
    let checked = tokio::task::spawn_blocking(move || Archive::of(folder.path(), ALL).check(None));
    assert_eq!(checked.await.unwrap().problems, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_contacts_that_never_arrived_leave_nothing() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate(&mut desk, "rat_hai_long", &[]);
    sent(&kiosk).await;
    let open = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
    let ticket = desk.keep(&open).unwrap().ticket.unwrap();
    let (by, counter) = (By::Touch, first_counter(&desk));
    let open = Record::Open { by, counter, level: Some("hai_long".to_owned()) };
    let contact = desk.keep(&open).unwrap().seq;
    let changed = desk.keep(&Record::Change { contact, level: "khong_hai_long".into() }).unwrap();
    drop(desk);
    // Of these only a phone's answer, and the line that changed a level, come.
    by_phone(&central, &kiosk, ticket.rsplit_once('/').unwrap().1, "hai_long", None).await;
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let http = Http::new(&central.service()).unwrap();
    http.post(&batch(&kiosk, &journal, changed.seq..=changed.seq)).await.unwrap();
    as_the_journals_give(&central).await;
    erase(&central, date(2031, 12, 24)).await;
    let left = "SELECT count(*) FROM segment WHERE bodies <> x''";
    assert_eq!(number(central.folder.path(), left), 0);
    assert_eq!(number(central.folder.path(), "SELECT count(*) FROM phone WHERE level <> ''"), 0);
    as_the_journals_give(&central).await;
}

#[test]
fn an_archive_that_ends_before_an_erasure_says_which_later_decision_it_was() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = runtime.block_on(async {
        let (central, mut kiosks) = lived().await;
        // What is admitted later is not of that time either.
        central.clock.set(at("2026-11-28 09:00"));
        let _later = central.kiosk("q4").await;
        kiosks[0].identity.draw_next(&mut system_random()).unwrap();
        let office = central.central.config.offices[0].office.code.clone();
        let (id, counter) = ("ps-q3".parse().unwrap(), "q3".parse().unwrap());
        let code = central.central.offer(id, office, counter).await.unwrap();
        enrol(&central.service(), &code, &mut kiosks[0].identity).await.unwrap();
        central.clock.set(at("2031-11-26 09:00"));
        erase(&central, date(2031, 11, 26)).await;
        central.stop().await.0
    });
    let until = Asked { to: Some(date(2026, 11, 26)), ..ALL };
    let mut archive = Archive::of(folder.path(), until);
    assert_eq!(archive.places("kiosk").len(), 2);
    let report = archive.check(None);
    assert_eq!(report.problems, [""; 0]);
    let note = report.notes.iter().find(|note| note.contains("came after the end"));
    assert!(note.is_some(), "{:?}", report.notes);
    let later = archive.places("later")[0];
    archive.records[later]["signature"] = "A".repeat(86).into();
    let told = archive.check(None).problems;
    assert!(told[0].contains("not signed by the central service"), "{told:?}");
    assert!(told.iter().any(|told| told.contains("nobody decided it")), "{told:?}");
}

#[test]
fn whoever_owns_the_service_erases_no_answer_before_its_time_unseen() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = runtime.block_on(async {
        let (central, _kiosks) = lived().await;
        let (person, reason) = ("hailong".to_owned(), "kept for 1826 days".to_owned());
        // A rating of yesterday, put on a day whose answers are over soon.
        let what = What::Dated {
            kiosk: "ps-q3".parse().unwrap(),
            epoch: Epoch(7),
            first: 1,
            last: 9,
            day: date(2026, 1, 5),
        };
        let dated = Decision { what, person: person.clone(), reason: reason.clone() };
        let refused =
            central.central.decide(dated.clone(), Unit::PROVINCE).await.unwrap_err().to_string();
        assert!(refused.contains("a day of the last 180 days"), "{refused}");
        central.store().decide(dated).await.unwrap();
        central.store().erase_answers(date(2026, 11, 26), person, reason).await.unwrap();
        central.stop().await.0
    });
    let problems = Archive::of(folder.path(), ALL).check(None).problems;
    assert_eq!(
        problems,
        [
            "on 2026-11-27 contacts were dated to 2026-01-05, which is too long before",
            "on 2026-11-27 answers of days up to 2026-11-26 were erased, which had to be kept"
        ]
    );
}

#[test]
fn a_clock_of_the_service_that_runs_ahead_is_noted_by_who_verifies() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = runtime.block_on(async {
        let (central, mut kiosks) = lived().await;
        central.clock.set(at("2031-11-26 09:00"));
        erase(&central, date(2031, 11, 26)).await;
        central.clock.set(at("2031-11-28 00:05"));
        make(&central.central).await.unwrap();
        // Nobody is to see it: the clock is right again.
        let (folder, _) = central.stop().await;
        let clock = Arc::new(DemoClock::standing(at("2026-11-28 09:00")));
        let central = TestCentral::start_in(folder, clock).await;
        kiosks[0].service = central.service();
        rate(&mut kiosks[0].desk(), "hai_long", &[]);
        sent(&kiosks[0]).await;
        central.clock.set(at("2026-11-29 00:05"));
        make(&central.central).await.unwrap();
        central.stop().await.0
    });
    let archive = Archive::of(folder.path(), ALL);
    let report = archive.check(None);
    let noted = |what: &str| report.notes.iter().any(|note| note.contains(what));
    assert!(noted("no kiosk's clock had told this day"), "{report:?}");
    assert!(noted("clock was put back"), "{report:?}");
}

fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copied = tempfile::TempDir::new().unwrap();
    common::copy(folder, copied.path());
    copied
}
