//! Whoever has a reason to bend the evidence, and the hands to do it: each is found out. The table in
//! `docs/threats.md` names these tests, those of other files, and what nothing here shows.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::path::Path;

use archives::verified;
use common::{TestCentral, TestKiosk, at, first_counter, rate};
use hailong::central::roots::make;
use hailong::central::store::{Answered, Checked, PhoneForm};
use hailong::central::verify::Report;
use hailong::domain::access::Unit;
use hailong::domain::batch::{body_part, read_body_part};
use hailong::domain::decision::{Decision, What};
use hailong::domain::ids::{Epoch, Hash, KioskId};
use hailong::domain::line::{By, How};
use hailong::domain::root::verifying_key;
use hailong::domain::seal::Kind;
use hailong::domain::system_random;
use hailong::domain::ticket::Claims;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use hailong::kiosk::visit::Record;
use hailong::kiosk::witness::{Seen, Witness, WitnessError};
use rusqlite::Connection;
use tempfile::TempDir;

/// Sends all of a kiosk's journal.
async fn send(kiosk: &TestKiosk) {
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

/// A start of the kiosk with so many ratings, all of them sent.
async fn rated(kiosk: &mut TestKiosk, visitors: usize) {
    let mut desk = kiosk.desk();
    for n in 0..visitors {
        rate(&mut desk, if n == 0 { "khong_hai_long" } else { "rat_hai_long" }, &[]);
    }
    drop(desk);
    send(kiosk).await;
}

fn database(folder: &Path) -> Connection {
    Connection::open(folder.join("central.db")).unwrap()
}

async fn counted(central: &TestCentral) -> usize {
    central.store().rated_contacts().await.unwrap().len()
}

async fn findings(central: &TestCentral) -> Vec<(String, u64, String)> {
    let findings = central.store().findings().await.unwrap();
    findings.into_iter().map(|found| (found.kind, found.seq, found.reason)).collect()
}

/// The kiosk looks for roots as it does every hour, and notes what it saw.
async fn looks(central: &TestCentral, kiosk: &mut TestKiosk) -> Result<Vec<Seen>, WitnessError> {
    let enrolled = kiosk.identity.enrolled.as_ref().unwrap();
    let mut witness = Witness::open(&kiosk.path(), verifying_key(&enrolled.root_key));
    let seen = witness.look(&Network::to(&central.service())).await?;
    let mut desk = kiosk.desk();
    seen.iter().for_each(|one| desk.note_root(*one).unwrap());
    Ok(seen)
}

#[track_caller]
fn says(report: &Report, words: &str) {
    let said = report.problems.iter().any(|problem| problem.contains(words));
    assert!(said, "{words:?} is not said: {:#?}", report.problems);
}

/// A service that somebody stopped, and started after he had changed its folder.
async fn after(
    central: TestCentral,
    kiosk: &mut TestKiosk,
    change: impl FnOnce(&Path),
) -> TestCentral {
    let (folder, clock) = central.stop().await;
    change(folder.path());
    let central = TestCentral::start_in(folder, clock).await;
    kiosk.service = central.service();
    central
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_at_the_service_and_hidden_by_a_rebuild_comes_again_from_the_kiosk() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut all = 0;
    for _ in 0..4 {
        rated(&mut kiosk, 3).await;
        all += 3;
    }
    let of = "branch IN (SELECT id FROM branch WHERE kiosk = 'ps-q3')";
    for (which, left) in [
        (format!("id = (SELECT max(id) FROM segment WHERE {of})"), all - 3),
        (
            format!("id = (SELECT id FROM segment WHERE {of} ORDER BY id LIMIT 1 OFFSET 1)"),
            all + 1 - 3,
        ),
        (of.to_owned(), 0),
    ] {
        database(central.folder.path())
            .execute(&format!("DELETE FROM segment WHERE {which}"), [])
            .unwrap();
        let hidden = central.central.rebuild().await.unwrap().unwrap();
        assert_eq!((hidden.differ > 0, &hidden.unread[..]), (true, &[][..]), "{which}");
        assert_eq!(counted(&central).await, left, "{which}");
        rated(&mut kiosk, 1).await;
        all += 1;
        assert_eq!((counted(&central).await, findings(&central).await), (all, vec![]), "{which}");
    }
    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    assert_eq!(verified(central.folder.path(), None).await.problems, [""; 0]);
}

/// Three days with a kiosk that notes the roots of the first two; `between` the second and the third.
async fn three_days(
    central: TestCentral,
    kiosk: &mut TestKiosk,
    between: impl AsyncFnOnce(TestCentral, &mut TestKiosk) -> TestCentral,
) -> TestCentral {
    let day = async |central: &TestCentral, kiosk: &mut TestKiosk, day: u64| {
        central.clock.set(at(&format!("2026-11-{day} 09:00")));
        make(&central.central).await.unwrap();
        rated(kiosk, 3).await;
        let seen = looks(central, kiosk).await.unwrap();
        let expected = (day > 24).then(|| (day - 24, false));
        assert_eq!(numbers(&seen), Vec::from_iter(expected));
        send(kiosk).await;
    };
    day(&central, kiosk, 24).await;
    day(&central, kiosk, 25).await;
    let central = between(central, kiosk).await;
    day(&central, kiosk, 26).await;
    central
}

fn numbers(seen: &[Seen]) -> Vec<(u64, bool)> {
    seen.iter().map(|one| (one.number, one.refused)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_taken_away_together_with_its_root_is_missed_by_whoever_saw_it() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let central = three_days(central, &mut kiosk, async |central, _| central).await;
    let all = counted(&central).await;
    let folder = central.folder.path();
    // The root alone.
    let cut = TempDir::new().unwrap();
    common::copy(folder, cut.path());
    database(cut.path()).execute("DELETE FROM root WHERE number = 2", []).unwrap();
    says(&verified(cut.path(), None).await, "saw a root of number 2, which is not here");
    // All that came since the root before.
    database(folder)
        .execute_batch(
            "DELETE FROM root WHERE number = 2;
             DELETE FROM segment WHERE id > (SELECT last FROM root WHERE number = 1)",
        )
        .unwrap();
    central.central.rebuild().await.unwrap().unwrap();
    assert_eq!(counted(&central).await, 3);
    let why = looks(&central, &mut kiosk).await.unwrap_err().to_string();
    assert!(why.contains("number 2, is no longer there"), "{why}");
    // It comes again, with what the kiosk noted of the root that is gone.
    rated(&mut kiosk, 1).await;
    assert_eq!(counted(&central).await, all + 1);
    says(&verified(folder, None).await, "saw a root of number 2, which is not here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_yesterday_put_back_contradicts_its_kiosks() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let yesterday = TempDir::new().unwrap();
    let central = three_days(central, &mut kiosk, async |central, kiosk| {
        after(central, kiosk, |folder| common::copy(folder, yesterday.path())).await
    })
    .await;
    let all = counted(&central).await;
    central.clock.set(at("2026-11-26 17:00"));
    let central = after(central, &mut kiosk, |folder| {
        for file in ["central.db", "central.db-wal", "central.db-shm"] {
            let (old, new) = (yesterday.path().join(file), folder.join(file));
            let _ = std::fs::remove_file(&new);
            assert!(!old.exists() || std::fs::copy(old, new).is_ok());
        }
    })
    .await;
    assert_eq!(counted(&central).await, 6);
    // It makes the root of yesterday once more, and another.
    make(&central.central).await.unwrap();
    assert_eq!(numbers(&looks(&central, &mut kiosk).await.unwrap()), [(2, true)]);
    rated(&mut kiosk, 1).await;
    assert_eq!(counted(&central).await, all + 1, "what came since comes again");
    let report = verified(central.folder.path(), None).await;
    says(&report, "saw another root of 2026-11-25 than the one here");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_copied_to_a_second_machine_is_named_and_what_both_send_is_counted() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    rated(&mut kiosk, 3).await;
    let mut second = kiosk.copied();
    tokio::join!(rated(&mut kiosk, 2), rated(&mut second, 4));
    assert_eq!(counted(&central).await, 9);
    let named = findings(&central).await;
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!(named[0].0, "fork");
    tokio::join!(rated(&mut kiosk, 1), rated(&mut second, 1));
    assert_eq!(counted(&central).await, 11);
    assert!(findings(&central).await.iter().all(|found| found.0 == "fork"));
    says(&verified(central.folder.path(), None).await, "a disk was restored or copied");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_edited_on_the_kiosk_before_it_was_sent_breaks_its_chain() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for _ in 0..4 {
        rate(&mut desk, "khong_hai_long", &[]);
    }
    drop(desk);
    let journal = Connection::open(kiosk.path().join("journal.db")).unwrap();
    // Somebody else's rating.
    let changed = journal
        .execute(
            "UPDATE line SET bytes = CAST(replace(CAST(bytes AS TEXT), 'cb07', 'cb05') AS BLOB)
             WHERE seq = (SELECT min(seq) FROM line
                          WHERE CAST(bytes AS TEXT) LIKE '%\"event\":\"contact\"%')",
            [],
        )
        .unwrap();
    assert_eq!(changed, 1);
    drop(journal);
    send(&kiosk).await;
    let named = findings(&central).await;
    assert_eq!(named.len(), 1, "{named:?}");
    assert_eq!((named[0].0.as_str(), named[0].2.as_str()), ("break", "prev"));
    says(&verified(central.folder.path(), None).await, "does not follow line");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_lines_taken_out_of_an_unsent_journal_are_missed_by_who_took_their_check_code() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let code = |desk: &mut Desk| {
        let (by, counter) = (By::Touch, first_counter(desk));
        let open = Record::Open { by, counter, level: Some("khong_hai_long".to_owned()) };
        let contact = desk.keep(&open).unwrap().seq;
        desk.keep(&Record::Close { contact, how: How::Sent, reasons: Vec::new() }).unwrap().code
    };
    let [kept, taken] = [code(&mut desk).unwrap(), code(&mut desk).unwrap()];
    drop(desk);
    let journal = Connection::open(kiosk.path().join("journal.db")).unwrap();
    let last = "(SELECT max(seq) - 2 FROM line)";
    for table in ["body", "line"] {
        journal.execute(&format!("DELETE FROM {table} WHERE seq > {last}"), []).unwrap();
    }
    drop(journal);
    send(&kiosk).await;
    // Nothing else shows it: the chain is whole up to its end.
    assert_eq!(findings(&central).await, []);
    assert_eq!(verified(central.folder.path(), None).await.problems, [""; 0]);
    assert_eq!(central.store().check(kept).await.unwrap(), Checked::Received);
    assert_eq!(central.store().check(taken).await.unwrap(), Checked::NotHere);
    // One out of the middle: when it sends the kiosk finds its journal broken, begins another at the
    // next tap or start, which is a finding, and sends what is left of the old one.
    let mut desk = kiosk.desk();
    let first = code(&mut desk).unwrap();
    let second = code(&mut desk).unwrap();
    drop(desk);
    let journal = Connection::open(kiosk.path().join("journal.db")).unwrap();
    journal.execute("DELETE FROM line WHERE seq = (SELECT max(seq) - 2 FROM line)", []).unwrap();
    drop(journal);
    let mut sending = kiosk.send();
    sending.standing.wait_for(|standing| standing.trouble.is_some()).await.unwrap();
    drop(sending);
    drop(kiosk.desk());
    let _sending = kiosk.send();
    // What is left of the old one and the beginning of the other come in batches of their own.
    let lost = async || findings(&central).await.iter().any(|(kind, ..)| kind == "lost");
    let arrived = async {
        while central.store().check(second).await.unwrap() == Checked::NotHere || !lost().await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), arrived).await.unwrap();
    assert_eq!(central.store().check(first).await.unwrap(), Checked::NotHere);
}

/// A morning with two kiosks, an answer by phone with words, and a decision.
async fn morning(central: &TestCentral) -> [TestKiosk; 2] {
    let mut kiosks = [central.kiosk("q3").await, central.kiosk("q5").await];
    let mut desk = kiosks[0].desk();
    let open = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
    let ticket = desk.keep(&open).unwrap().ticket.unwrap();
    drop(desk);
    for kiosk in &mut kiosks {
        rated(kiosk, 4).await;
    }
    let kiosk = kiosks[0].sender().kiosk;
    let listed = central.store().kiosk(&kiosk).await.unwrap().unwrap();
    let key = central.central.ticket_key(&listed.ticket_key);
    let claims = Claims::read(ticket.rsplit_once('/').unwrap().1, |_| key).unwrap();
    let words = Some("Chờ hai giờ mới đến lượt.".to_owned());
    let (level, reasons) = ("khong_hai_long".to_owned(), vec![]);
    let answer = PhoneForm { claims, kiosk: kiosk.clone(), level, reasons, words, source: None };
    assert!(matches!(central.store().answer(answer).await.unwrap(), Answered::Kept(_)));
    let what = What::Confirmed { kiosk, key: Hash::of(listed.key.as_bytes()) };
    let (person, reason) = ("Lê Thị Hoa".to_owned(), "đã xem tại quầy".to_owned());
    central.central.decide(Decision { what, person, reason }, Unit::PROVINCE).await.unwrap();
    kiosks
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_put_into_changed_in_or_taken_out_of_the_database_alone_is_told_and_set_right() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let _kiosks = morning(&central).await;
    let right = central.store().canonical_digest().await.unwrap();
    let forged = "'2026-11-24T09:00:00.000+07:00', 'suspended', 'ps-q5',
        '{\"what\":\"suspended\",\"kiosk\":\"ps-q5\",\"person\":\"P\",\"reason\":\"R\"}', 0";
    for (what, change) in [
        (
            "contact",
            "INSERT INTO contact (branch, seq, day, counter, official, form, opened_by, level_seq, level)
             SELECT branch, seq + 1000, day, counter, official, form, opened_by, level_seq, level
             FROM contact WHERE level = 'rat_hai_long'",
        ),
        ("tally", "INSERT INTO tally VALUES ('phu-sa', '2026-11-24', 'beside/higher', 9)"),
        ("decision", &format!("INSERT INTO decision VALUES (900, '00000000000000aa', {forged})")),
        ("decision", "UPDATE decision SET withdrawn = 1"),
        ("decision", "UPDATE decision SET decision = replace(decision, 'Hoa', 'Mai')"),
        ("decision", "DELETE FROM decision"),
        ("words", "UPDATE words SET text = 'Rất tốt.'"),
        ("words", "UPDATE words SET reader = 'authority'"),
        ("words", "DELETE FROM words"),
        ("ticket", "DELETE FROM phone"),
        ("gap", "INSERT INTO gap VALUES (4711, 'ps-q3', '2026-11-24', '2026-11-24')"),
        ("retired", "UPDATE kiosk SET retired = '2026-11-20' WHERE id = 'ps-q5'"),
    ] {
        database(central.folder.path()).execute_batch(change).unwrap();
        let rebuilt = central.central.rebuild().await.unwrap().unwrap();
        let told = rebuilt.rows.iter().any(|row| row[1..].starts_with(&format!("[\"{what}\"")));
        assert!(told, "{change}: {:?}", rebuilt.rows);
        let words = rebuilt.rows.iter().any(|row| row.contains("tốt") || row.contains("Chờ"));
        assert!(!words, "what was written is nobody's to read here: {:?}", rebuilt.rows);
        assert_eq!(rebuilt.after, right, "{change}");
        let again = central.central.rebuild().await.unwrap().unwrap();
        assert_eq!((again.differ, again.before), (0, right), "{change}: {:?}", again.rows);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_batch_of_made_up_bytes_is_named_by_rebuild_and_verify() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let _kiosks = morning(&central).await;
    // Good ratings of one counter, said to be of another.
    database(central.folder.path())
        .execute(
            "INSERT INTO segment (branch, first, last, header, signature, lines, bodies, received)
             SELECT (SELECT id FROM branch WHERE kiosk = 'ps-q3'), s.first, s.last,
                    CAST(replace(CAST(s.header AS TEXT), 'ps-q5', 'ps-q3') AS BLOB), s.signature,
                    CAST(replace(CAST(s.lines AS TEXT), 'ps-q5', 'ps-q3') AS BLOB), s.bodies, s.received
             FROM segment s JOIN branch b ON b.id = s.branch WHERE b.kiosk = 'ps-q5'",
            [],
        )
        .unwrap();
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    let [unread] = &rebuilt.unread[..] else { panic!("{:?}", rebuilt.unread) };
    assert!(unread.contains("ps-q3") && unread.contains("signature"), "{unread}");
    says(&verified(central.folder.path(), None).await, "not signed by its key");
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_answers_swapped_between_lines_in_the_database_open_nowhere() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let _kiosks = morning(&central).await;
    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    let db = database(central.folder.path());
    let (id, bodies): (i64, Vec<u8>) = db
        .query_row(
            "SELECT s.id, s.bodies FROM segment s JOIN branch b ON b.id = s.branch
             WHERE b.kiosk = 'ps-q5' ORDER BY length(s.bodies) DESC LIMIT 1",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let (mut bodies, _) = read_body_part(&bodies).unwrap();
    let levels: Vec<usize> =
        (0..bodies.len()).filter(|at| bodies[*at].kind == Kind::Level).collect();
    let (bad, good) = (levels[0], levels[1]);
    (bodies[bad].seq, bodies[good].seq) = (bodies[good].seq, bodies[bad].seq);
    db.execute("UPDATE segment SET bodies = ? WHERE id = ?", (body_part(&bodies), id)).unwrap();
    drop(db);
    says(&verified(central.folder.path(), None).await, "is not what its root says");
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    let told = rebuilt.rows.iter().filter(|row| row.contains("body_not_opened")).count();
    assert_eq!(told, 2, "{:?}", rebuilt.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phantom_kiosk_written_into_the_database_is_counted_and_found_by_the_auditor() {
    let (central, other, mut kiosk) = common::twins().await;
    let mut real = central.kiosk("q5").await;
    rated(&mut real, 3).await;
    // Enrolled with the same keys elsewhere, so that this service's own series knows nothing of it.
    let office = other.central.config.offices[0].office.code.clone();
    let phantom: KioskId = "ps-q7".parse().unwrap();
    let code = other.central.offer(phantom, office, "q7".parse().unwrap()).await.unwrap();
    kiosk.folder = TempDir::new().unwrap();
    kiosk.identity = Identity::load_or_create(&kiosk.path(), &mut system_random()).unwrap();
    hailong::kiosk::enrolment::enrol(&other.service(), &code, &mut kiosk.identity).await.unwrap();
    kiosk.service = central.service();
    let db = database(central.folder.path());
    let from = other.folder.path().join("central.db");
    db.execute("ATTACH ? AS other", [from.to_str().unwrap()]).unwrap();
    db.execute_batch(
        "INSERT INTO kiosk (number, id, office, counter, key, ticket_key, enrolled)
         SELECT 99, id, office, counter, key, ticket_key, enrolled
         FROM other.kiosk WHERE id = 'ps-q7'; DETACH other",
    )
    .unwrap();
    rated(&mut kiosk, 5).await;
    assert_eq!(counted(&central).await, 8);
    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    let report = verified(central.folder.path(), None).await;
    says(&report, "ps-q7: no line of the central service says that its key was admitted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_that_was_forged_or_changed_in_any_bit_opens_no_form() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosks = [central.kiosk("q3").await, central.kiosk("q5").await];
    let mut desk = kiosks[0].desk();
    let open = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
    let kept = desk.keep(&open).unwrap();
    let (address, seq) = (kept.ticket.unwrap(), kept.seq);
    let (base, ticket) = address.rsplit_once('/').unwrap();
    let http = client().unwrap();
    let status = async |ticket: String| {
        http.get(format!("{base}/{ticket}")).send().await.unwrap().status().as_u16()
    };
    assert_eq!(status(ticket.to_owned()).await, 200);
    let raw = data_encoding::BASE32_NOPAD.decode(ticket.as_bytes()).unwrap();
    for bit in 0..raw.len() * 8 {
        let mut bent = raw.clone();
        bent[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(status(data_encoding::BASE32_NOPAD.encode(&bent)).await, 404, "bit {bit}");
    }
    // Whoever has one kiosk's ticket key makes none for another's contacts.
    let number = |kiosk: &TestKiosk| kiosk.identity.enrolled.as_ref().unwrap().number;
    let epoch: Epoch =
        JournalReader::open(&kiosks[0].path()).unwrap().epoch_of(seq).unwrap().unwrap().epoch;
    let now = at("2026-11-24 08:00");
    let claims = Claims::new(number(&kiosks[0]), seq, epoch, now).unwrap();
    for key in [*kiosks[1].identity.ticket_key, [0; 32]] {
        assert_eq!(status(claims.ticket(&key)).await, 404);
    }
    let nobody = Claims::new(4_711, seq, epoch, now).unwrap();
    assert_eq!(status(nobody.ticket(&kiosks[0].identity.ticket_key)).await, 404);

    // Whoever has the right one makes none that is valid for longer, or for a line of another kind.
    kiosks[0].sent(seq).await;
    let made = async |seq, at| {
        let claims = Claims::new(number(&kiosks[0]), seq, epoch, at).unwrap();
        status(claims.ticket(&kiosks[0].identity.ticket_key)).await
    };
    assert_eq!(made(seq, now).await, 200);
    assert_eq!(made(seq, now.plus_minutes(60)).await, 404);
    assert_eq!(made(1, now).await, 404);
}

#[test]
fn every_test_that_the_table_of_threats_names_is_there() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(project.join("docs/threats.md")).unwrap();
    let named: Vec<(&str, &str)> =
        page.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect();
    assert!(named.len() > 40, "{}", named.len());
    for (file, name) in named {
        let file = if file.starts_with("src/") { file.to_owned() } else { format!("tests/{file}") };
        let Ok(text) = std::fs::read_to_string(project.join(format!("{file}.rs"))) else {
            panic!("there is no {file}.rs");
        };
        let is_there = name == "name" || text.contains(&format!("fn {name}("));
        assert!(is_there, "{file}.rs has no test {name}");
    }
}
