//! Erasure: what was answered goes, by a decision and by nothing else; lines, roots and what others
//! answered stay and can be checked.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::path::Path;
use std::time::Duration;

use archives::{ALL, Archive};
use common::{TestCentral, TestKiosk, answered, at, batch, first_counter, rate};
use hailong::central::decide::{Erasure, erase_in, erase_old_words};
use hailong::central::roots::make;
use hailong::central::store::ContactRef;
use hailong::domain::access::Unit;
use hailong::domain::check::CheckCode;
use hailong::domain::decision::{Decision, What};
use hailong::domain::form::Reader;
use hailong::domain::line::{By, How};
use hailong::domain::rating::{Key, Outcome};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::visit::Record;
use jiff::civil::date;
use rusqlite::Connection;

const WORDS: &str = "Nguyễn Văn Tèo ở thôn Đông";

/// A contact that is rated later by phone, in words; gives the code of the answer.
async fn written(central: &TestCentral, kiosk: &mut TestKiosk, level: &str) -> CheckCode {
    answered(central, kiosk, level, Some(WORDS)).await
}

async fn sent(kiosk: &TestKiosk) {
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

async fn tally(central: &TestCentral, key: Key) -> u64 {
    let (office, day) = ("phu-sa".parse().unwrap(), date(2026, 11, 24));
    let tallies = central.store().day(&office, day).await.unwrap().tallies;
    tallies.into_iter().find(|(one, _)| *one == key).map_or(0, |(_, n)| n)
}

/// Where in a folder's files some bytes stand.
fn found(folder: &Path, needle: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let holds = |bytes: Vec<u8>| bytes.windows(needle.len()).any(|window| window == needle);
    let files = files.filter(|file| file.is_file());
    let found = files.filter(|file| std::fs::read(file).is_ok_and(holds));
    found.map(|file| file.display().to_string()).collect()
}

async fn words(central: &TestCentral) -> usize {
    central.store().words(Reader::Office).await.unwrap().len()
}

async fn as_the_journals_give(central: &TestCentral) {
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, &rebuilt.unread[..]), (0, &[][..]), "{:?}", rebuilt.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_gone_from_the_disk_after_their_time_and_nothing_else_is() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    written(&central, &mut kiosk, "hai_long").await;
    sent(&kiosk).await;
    central.clock.set(at("2026-11-30 09:00"));
    written(&central, &mut kiosk, "hai_long").await;
    sent(&kiosk).await;
    assert_eq!(words(&central).await, 2);
    let rated = tally(&central, Key::Outcome(Outcome::Rated)).await;
    let store = central.store();
    erase_old_words(store, date(2027, 2, 22), 90).await.unwrap();
    assert_eq!(words(&central).await, 2, "not a day too early");
    erase_old_words(store, date(2027, 2, 23), 90).await.unwrap();
    assert_eq!(words(&central).await, 1);
    erase_old_words(store, date(2027, 2, 24), 90).await.unwrap();
    let decisions = store.matters().await.unwrap().decisions;
    assert_eq!(decisions.len(), 1, "a line when something was erased, and only then");
    as_the_journals_give(&central).await;
    assert_eq!(words(&central).await, 1, "nor does a rebuild bring them back");
    assert!(!found(central.folder.path(), WORDS.as_bytes()).is_empty(), "the search finds");
    erase_old_words(store, date(2027, 6, 1), 90).await.unwrap();
    assert_eq!(words(&central).await, 0);
    assert_eq!(tally(&central, Key::Outcome(Outcome::Rated)).await, rated);
    as_the_journals_give(&central).await;
    assert_eq!(found(central.folder.path(), WORDS.as_bytes()), [""; 0]);
}

/// A contact that is rated and written about at the kiosk; gives its code.
fn typed(kiosk: &mut TestKiosk, reason: &str) -> CheckCode {
    let mut desk = kiosk.desk();
    let (by, counter) = (By::Touch, first_counter(&desk));
    let open = Record::Open { by, counter, level: Some("khong_hai_long".to_owned()) };
    let contact = desk.keep(&open).unwrap().seq;
    let (reasons, words) = (vec![reason.to_owned()], WORDS.to_owned().into());
    desk.keep(&Record::Write { contact, reasons, words }).unwrap().code.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn words_of_a_kiosk_are_read_by_whom_they_are_for_and_go_like_those_of_phones() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let report = typed(&mut kiosk, "phan_anh");
    let comments = [typed(&mut kiosk, "gop_y"), typed(&mut kiosk, "gop_y")];
    sent(&kiosk).await;
    let store = central.store();
    let reports = store.words(Reader::Authority).await.unwrap();
    assert_eq!((reports.len(), reports[0].text.as_str()), (1, WORDS));
    assert_eq!(reports[0].day, "2026-11-24");
    assert_eq!(reports[0].counter, Some("q3".parse().unwrap()));
    assert_eq!(reports[0].official, Some("cb07".parse().unwrap()));
    assert_eq!(words(&central).await, 2);
    as_the_journals_give(&central).await;
    assert_eq!(words(&central).await, 2);

    // On request: the words alone, and all of it.
    let rated = tally(&central, Key::Outcome(Outcome::Rated)).await;
    erase(&central, comments[0], true).await;
    assert_eq!(words(&central).await, 1);
    assert_eq!(tally(&central, Key::Outcome(Outcome::Rated)).await, rated);
    erase(&central, comments[1], false).await;
    assert_eq!(words(&central).await, 0);
    assert_eq!(tally(&central, Key::Outcome(Outcome::Rated)).await, rated - 1);
    erase(&central, report, true).await;
    assert_eq!(store.words(Reader::Authority).await.unwrap().len(), 0);
    as_the_journals_give(&central).await;
    assert_eq!(words(&central).await, 0);

    // And when their time is over.
    typed(&mut kiosk, "gop_y");
    sent(&kiosk).await;
    erase_old_words(store, date(2027, 2, 22), 90).await.unwrap();
    assert_eq!(words(&central).await, 1, "not a day too early");
    assert!(!found(central.folder.path(), WORDS.as_bytes()).is_empty(), "the search finds");
    erase_old_words(store, date(2027, 2, 23), 90).await.unwrap();
    assert_eq!(words(&central).await, 0);
    as_the_journals_give(&central).await;
    assert_eq!(words(&central).await, 0, "nor does a rebuild bring them back");
    assert_eq!(found(central.folder.path(), WORDS.as_bytes()), [""; 0]);

    // Both verifiers' other half: an archive of it is right.
    central.clock.set(at("2026-11-25 00:05"));
    make(&central.central).await.unwrap();
    let (folder, _) = central.stop().await;
    let checked = tokio::task::spawn_blocking(move || Archive::of(folder.path(), ALL).check(None));
    assert_eq!(checked.await.unwrap().problems, [""; 0]);
}

fn asked(code: CheckCode, words_only: bool) -> Erasure {
    let (person, reason) = ("Lê Thị Hoa".to_owned(), "yêu cầu của người dân".to_owned());
    Erasure { code: code.to_string(), words_only, person, reason }
}

async fn erase(central: &TestCentral, code: CheckCode, words_only: bool) {
    let Erasure { person, reason, .. } = asked(code, words_only);
    // Without the code, nobody erases what they are not to read.
    let of = central.store().contact_of(code).await.unwrap().unwrap();
    let ContactRef { kiosk, epoch, contact } = of;
    let what = What::Erased { kiosk, epoch, contact, words_only };
    let named = Decision { what, person: person.clone(), reason: reason.clone() };
    let refused = central.central.decide(named, Unit::PROVINCE).await.unwrap_err();
    assert!(refused.to_string().contains("by its check code"), "{refused}");
    let guessed = CheckCode { bits: code.bits ^ 1, ..code };
    assert!(central.central.erase(asked(guessed, words_only), &Unit::PROVINCE).await.is_err());
    let (epoch, seq) =
        central.central.erase(asked(code, words_only), &Unit::PROVINCE).await.unwrap();
    let back = Decision { what: What::Withdrawn { epoch, seq }, person, reason };
    let back = central.central.decide(back, Unit::PROVINCE).await.unwrap_err();
    assert!(back.to_string().contains("cannot be taken back"), "{back}");
    as_the_journals_give(central).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_answer_is_erased_by_its_check_code_and_those_of_others_still_count() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let phone = written(&central, &mut kiosk, "khong_hai_long").await;
    let early = written(&central, &mut kiosk, "hai_long").await;
    let mut desk = kiosk.desk();
    for _ in 0..6 {
        rate(&mut desk, "rat_hai_long", &["niem_no"]);
    }
    let (by, counter) = (By::Touch, first_counter(&desk));
    let open = Record::Open { by, counter, level: Some("hai_long".to_owned()) };
    let contact = desk.keep(&open).unwrap().seq;
    let reasons = vec!["niem_no".to_owned()];
    let touch =
        desk.keep(&Record::Close { contact, how: How::Sent, reasons }).unwrap().code.unwrap();
    let rated = async || tally(&central, Key::Outcome(Outcome::Rated)).await;
    let waiting = async || tally(&central, Key::Waiting).await;
    // While its contact's lines have not arrived, it waits.
    assert_eq!((rated().await, waiting().await), (0, 2));
    erase(&central, early, false).await;
    assert_eq!((waiting().await, words(&central).await), (1, 1));
    sent(&kiosk).await;
    assert_eq!((rated().await, waiting().await), (8, 0));
    erase(&central, phone, true).await;
    assert_eq!((rated().await, words(&central).await), (8, 0), "the level stays");
    erase(&central, phone, false).await;
    assert_eq!(rated().await, 7);
    erase(&central, touch, false).await;
    erase(&central, touch, false).await;
    assert_eq!(rated().await, 6);

    // The kiosk sends all of it once more with something new: nothing comes back.
    rate(&mut desk, "hai_long", &[]);
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let last = journal.last().unwrap();
    let http = Http::new(&central.service()).unwrap();
    let span = journal.epoch_of(last).unwrap().unwrap();
    http.post(&batch(&kiosk, &journal, span.start..=last)).await.unwrap();
    as_the_journals_give(&central).await;
    assert_eq!(rated().await, 7);
    let db = Connection::open(central.folder.path().join("central.db")).unwrap();
    let mut segments = db
        .prepare(
            "SELECT erased FROM segment WHERE first <= ?1 AND last >= ?1 AND branch IN
                  (SELECT id FROM branch WHERE kiosk <> 'central' AND epoch = ?2)",
        )
        .unwrap();
    let here = (contact as i64, span.epoch.to_string());
    let erased = segments.query_map(here, |row| row.get::<_, String>(0)).unwrap();
    let erased: Vec<String> = erased.map(Result::unwrap).collect();
    assert_eq!(erased.len(), 2, "stored twice");
    let gone = [format!("{contact}:1"), format!("{}:2", contact + 1)].join(",");
    assert_eq!(erased, [gone.clone(), gone]);
    assert_eq!(central.store().findings().await.unwrap(), [], "what is erased is nobody's fault");
}

#[test]
fn an_archive_after_erasure_is_right_only_if_a_decision_says_so() {
    let service = archives::lived();
    let whole = Archive::of(service.path(), ALL);
    // So many that the figures of their day, which are shown in fives, were others before.
    for line in [6, 8, 10] {
        erase_in(service.path(), asked(whole.code_of("ps-q3", line), false)).unwrap();
    }
    let after = Archive::of(service.path(), ALL);
    let report = after.check(None);
    assert_eq!(report.problems, [""; 0]);
    let note = report.notes.iter().find(|note| note.contains("answers were erased"));
    assert!(note.is_some(), "{:?}", report.notes);
    let erased = after.records.iter().flat_map(|record| record["bodies"].as_array());
    let erased = erased.flatten().filter(|body| body["not_opened"] == "erased").count();
    assert_eq!(erased, 6, "three levels and their reasons");

    // Whoever owns the database erases without a word.
    let db = Connection::open(service.path().join("central.db")).unwrap();
    let (id, seq): (i64, i64) = db
        .query_row(
            "SELECT s.id, s.first FROM segment s JOIN branch b ON b.id = s.branch
             WHERE b.kiosk <> 'central' AND s.erased = '' AND s.last - s.first > 3
             ORDER BY s.id DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let gone: Vec<String> =
        (seq..seq + 30).flat_map(|n| [format!("{n}:1"), format!("{n}:2")]).collect();
    db.execute("UPDATE segment SET bodies = x'', erased = ? WHERE id = ?", (gone.join(","), id))
        .unwrap();
    drop(db);
    let report = Archive::of(service.path(), ALL).check(None);
    let told = report.problems.iter().filter(|told| told.contains("nobody decided it")).count();
    assert!(told > 3, "{:?}", report.problems);
}

#[tokio::test(flavor = "multi_thread")]
async fn roots_and_the_service_s_own_loop_go_on_after_an_erasure() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let code = written(&central, &mut kiosk, "hai_long").await;
    sent(&kiosk).await;
    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    erase(&central, code, false).await;
    // Ninety days later the loop looks by itself; nothing of it is left to be erased.
    written(&central, &mut kiosk, "hai_long").await;
    sent(&kiosk).await;
    central.clock.set(at("2027-03-01 00:05"));
    let all_gone = async {
        while words(&central).await > 0 {
            let later = hailong::domain::time::At::new(hailong::clock::Clock::now(&*central.clock));
            central.clock.set(later.plus_minutes(1));
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all_gone).await.unwrap();
    make(&central.central).await.unwrap();
    assert!(central.store().roots(10).await.unwrap().len() >= 2);
}
