//! An archive against whoever has a reason to bend it: each change is found and named.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use archives::{ALL, Archive, lived, replace};
use common::{TestCentral, TestKiosk, at, rate};
use ed25519_dalek::SigningKey;
use hailong::central::export::{Asked, ExportError, of_folder};
use hailong::central::keys::Keys;
use hailong::central::roots::make;
use hailong::central::verify::{Report, of_file};
use hailong::domain::batch::{Parts, pack};
use hailong::domain::ids::Hash;
use hailong::domain::line::{Event, Line};
use hailong::domain::receipt::{Receipt, sign_receipt};
use hailong::domain::root::{Root, Statement};
use hailong::domain::seal::OpeningKey;
use hailong::domain::series::{Before, Series};
use hailong::domain::system_random;
use hailong::kiosk::journal_reader::JournalReader;
use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Something that was found says this.
#[track_caller]
fn says(report: &Report, words: &str) {
    let said = report.problems.iter().any(|problem| problem.contains(words));
    assert!(said, "{words:?} is not said: {:#?}", report.problems);
}

#[test]
fn an_honest_archive_is_right_and_its_figures_are_made_again_from_it() {
    let service = lived();
    let archive = Archive::of(service.path(), ALL);
    let report = archive.check(None);
    assert_eq!(report.problems, [""; 0]);
    assert!(report.lines > 60 && report.roots == 2 && report.summaries == 2, "{report:?}");
    assert!(report.notes.iter().any(|note| note.contains("origin not proved")), "{report:?}");
    for anchor in archive.anchors() {
        let report = archive.check(Some(anchor));
        assert_eq!(report.problems, [""; 0]);
        assert!(report.notes.iter().any(|note| note.starts_with("anchored")), "{report:?}");
    }
    // That it was exported is a line of the next one.
    let again = Archive::of(service.path(), ALL);
    let own = again.batches("central").into_iter().map(|at| again.records[at].to_string());
    assert_eq!(own.filter(|batch| batch.contains("exported")).count(), 1);
    assert_eq!(again.check(None).problems, [""; 0]);
    // Without bodies, and a part, less is checked, and it says so.
    for asked in [Asked { opened: false, ..ALL }, Asked { from: day(25), ..ALL }] {
        let part = Archive::of(service.path(), asked);
        let report = part.check(None);
        assert_eq!((&report.problems[..], report.summaries), (&[][..], 0));
        assert!(report.notes.iter().any(|note| note.contains("figures were not checked")));
        assert_eq!(part.places("root").len(), 2, "a part begins with the root before it");
    }
    let first = Archive::of(service.path(), Asked { to: day(24), ..ALL });
    assert_eq!((first.check(None).problems.len(), first.places("root").len()), (0, 1));
    let file = first.folder.path().join("none");
    let none = of_folder(service.path(), Asked { to: day(20), ..ALL }, &file);
    assert!(matches!(none, Err(ExportError::NoRoot(_))), "{none:?}");
    assert!(!file.exists());
}

#[test]
fn roots_made_while_kiosks_send_name_what_follows_from_the_lines_under_them() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let service = runtime.block_on(async {
        let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
        let mut kiosks = [central.kiosk("q3").await, central.kiosk("q5").await];
        let mut desks = kiosks.each_mut().map(TestKiosk::desk);
        let mut sending = kiosks.each_ref().map(TestKiosk::send);
        for night in 25..28 {
            let midnight = at(&format!("2026-11-{night} 00:00"));
            let lines = async {
                for turn in 0..20 {
                    if turn == 10 {
                        central.clock.set(midnight);
                    }
                    for (desk, sending) in desks.iter_mut().zip(&mut sending) {
                        rate(desk, "rat_hai_long", &[]);
                        sending.more.notify_one();
                    }
                    // While this line is on its way and is placed.
                    make(&central.central).await.unwrap();
                }
            };
            tokio::time::timeout(Duration::from_secs(60), lines).await.unwrap();
            for (kiosk, sending) in kiosks.iter().zip(&mut sending) {
                let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
                sending.drained(last).await;
            }
        }
        central.clock.set(at("2026-11-29 00:00"));
        make(&central.central).await.unwrap();
        drop(sending);
        central.stop().await.0
    });
    let report = Archive::of(service.path(), ALL).check(None);
    assert_eq!(report.problems, [""; 0]);
    assert!(report.roots >= 3 && report.summaries >= 3, "{report:?}");
    assert!(report.lines > 100, "{report:?}");
}

fn day(day: i8) -> Option<jiff::civil::Date> {
    Some(jiff::civil::Date::constant(2026, 11, day))
}

#[test]
fn a_line_changed_added_or_taken_away_is_named_by_its_number() {
    let service = lived();
    let bent = || Archive::of(service.path(), ALL);
    // A letter within a line.
    let mut one = bent();
    let at = one.batches("ps-q3")[0];
    let number = serde_json::from_str::<Value>(one.records[at]["lines"][3].as_str().unwrap())
        .unwrap()["seq"]
        .clone();
    replace(&mut one.records[at]["lines"][3], "\"mono_ms\":", "\"mono_ms\":1");
    let report = one.check(None);
    says(&report, &format!("line {number} was changed"));
    says(&report, "ps-q3");
    // The last line of a batch, its first, one from the middle.
    for place in [usize::MAX, 0, 2] {
        let mut one = bent();
        let at = one.batches("ps-q5")[0];
        let lines = one.records[at]["lines"].as_array_mut().unwrap();
        lines.remove(place.min(lines.len() - 1));
        says(&one.check(None), "not as signed");
    }
    // A line put in.
    let mut one = bent();
    let lines = one.records[at]["lines"].as_array_mut().unwrap();
    lines.insert(2, lines[2].clone());
    says(&one.check(None), "not as signed");
    // Two lines the other way round.
    let mut one = bent();
    one.records[at]["lines"].as_array_mut().unwrap().swap(1, 2);
    says(&one.check(None), "not as signed");
}

#[test]
fn a_batch_taken_away_doubled_or_moved_is_found() {
    let service = lived();
    let bent = || Archive::of(service.path(), ALL);
    let mut middle = bent();
    middle.records.remove(middle.batches("ps-q3")[0]);
    let report = middle.check(None);
    says(&report, "missing");
    says(&report, "its root is over");
    let mut newest = bent();
    newest.records.remove(*newest.batches("ps-q5").last().unwrap());
    says(&newest.check(None), "its root is over");
    let mut all = bent();
    for at in all.batches("ps-q5").into_iter().rev() {
        all.records.remove(at);
    }
    says(&all.check(None), "its root is over");
    let mut doubled = bent();
    let at = doubled.batches("ps-q3")[0];
    doubled.records.insert(at, doubled.records[at].clone());
    says(&doubled.check(None), "here twice");
    let mut moved = bent();
    let (one, other) = (moved.batches("ps-q3")[0], moved.batches("ps-q5")[0]);
    moved.records.swap(one, other);
    says(&moved.check(None), "in another order");
}

#[test]
fn a_body_that_is_not_its_lines_is_found() {
    let service = lived();
    let bent = || Archive::of(service.path(), ALL);
    let mut better = bent();
    let at = better.batches("ps-q3")[0];
    let bodies = |archive: &mut Archive| archive.records[at]["bodies"].as_array().unwrap().clone();
    let bad = bodies(&mut better)
        .iter()
        .position(|body| body["answer"].as_str().unwrap().contains("\"khong_hai_long\""))
        .unwrap();
    replace(&mut better.records[at]["bodies"][bad]["answer"], "khong_hai_long", "rat_hai_long");
    let report = better.check(None);
    says(&report, "the body of line");
    says(&report, "is not what follows from the lines");
    // The good one of another line.
    let mut swapped = bent();
    let good = bodies(&mut swapped)
        .iter()
        .position(|body| body["answer"].as_str().unwrap().contains("\"rat_hai_long\""))
        .unwrap();
    for key in ["salt", "answer"] {
        let (one, other) = (
            swapped.records[at]["bodies"][bad][key].clone(),
            swapped.records[at]["bodies"][good][key].clone(),
        );
        swapped.records[at]["bodies"][bad][key] = other;
        swapped.records[at]["bodies"][good][key] = one;
    }
    says(&swapped.check(None), "the body of line");
    let mut gone = bent();
    gone.records[at]["bodies"].as_array_mut().unwrap().remove(bad);
    says(&gone.check(None), "is missing");
    // “It could not be opened” is no way out either: that would be a finding under the root.
    let mut closed = bent();
    let body = closed.records[at]["bodies"][bad].as_object_mut().unwrap();
    body.remove("salt");
    body.remove("answer");
    body.insert("not_opened".into(), "body_not_opened".into());
    says(&closed.check(None), "is not what its root says");
}

#[test]
fn a_root_taken_away_or_signed_anew_is_found() {
    let service = lived();
    let bent = || Archive::of(service.path(), ALL);
    let anchors = bent().anchors();
    let mut gone = bent();
    gone.records.remove(gone.places("root")[0]);
    says(&gone.check(None), "one is missing");
    // A day with its root.
    let mut day = bent();
    let (first, second) = (day.places("root")[0], day.places("root")[1]);
    let batches = first + 1..second;
    day.records.drain(batches);
    day.records.remove(first + 1);
    let missed = day.check(Some(anchors[0])).problems;
    for told in ["was here when the archive was made", "the receipt of its journal is not here"] {
        assert_eq!(missed.iter().filter(|missed| missed.contains(told)).count(), 2, "{missed:?}");
    }
    // Whoever has the key of the own series, too, tells that what is left was so then.
    for at in day.places("receipt").into_iter().rev() {
        day.records.remove(at);
    }
    day.records[0]["to"] = "2026-11-24".into();
    assert_eq!(day.check(Some(anchors[0])).problems, [""; 0], "what is left was so then");
    says(&day.check(Some(anchors[1])), "this is not what was published");
    let mut touched = bent();
    let at = touched.places("root")[0];
    replace(&mut touched.records[at]["statement"], "\"lines\":", "\"lines\":1");
    says(&touched.check(None), "not signed by the root key");
    // Another service that lived the same days with keys of its own: right in itself.
    let other = Archive::of(lived().path(), ALL);
    assert_eq!(other.check(None).problems, [""; 0]);
    says(&other.check(Some(anchors[1])), "signed anew");
}

#[test]
fn a_kiosk_that_nobody_admitted_and_one_with_another_key_are_found() {
    let service = lived();
    // A phantom: listed, and its batch well signed.
    let key = SigningKey::from_bytes(&[9; 32]);
    let hex = data_encoding::HEXLOWER.encode(key.verifying_key().as_bytes());
    let (kiosk, mut random) = ("ps-q9".parse().unwrap(), system_random());
    let (opening, _) = OpeningKey::generate(&mut random);
    let now = at("2026-11-24 10:00");
    let sealing = opening.sealing_key();
    let (mut series, started) =
        Series::begin(kiosk, &sealing, Before::Nothing, now, 0, random).unwrap();
    let stopped = series.write(Line::draft(Event::Stopped), &[], now, 5).unwrap();
    let lines = [started.bytes, stopped.bytes];
    let (kiosk, id) = (series.kiosk().clone(), sealing.id());
    let parts = Parts {
        kiosk: &kiosk,
        epoch: series.epoch(),
        start: 1,
        enc: series.enc(),
        key: &id,
        first: 1,
        prev: Hash::NONE,
        lines: &lines,
        bodies: &[],
    };
    let packed = pack(&parts, &key).unwrap();
    let batch = json!({
        "record": "batch",
        "header": serde_json::to_string(&packed.header).unwrap(),
        "signature": packed.signature,
        "received": "2026-11-24T10:00:00.000+07:00",
        "lines": lines.iter().map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>(),
    });
    let mut phantom = Archive::of(service.path(), ALL);
    let at = phantom.batches("ps-q3")[0];
    phantom.records.insert(at, batch.clone());
    says(&phantom.check(None), "of no kiosk in the list");
    let last = *phantom.places("kiosk").last().unwrap();
    let mut listed = phantom.records[last].clone();
    listed["id"] = "ps-q9".into();
    listed["number"] = 9.into();
    listed["key"] = hex.as_str().into();
    phantom.records.insert(last + 1, listed);
    let report = phantom.check(None);
    says(&report, "ps-q9: no line of the central service says that its key was admitted");
    // An old kiosk's batch signed again by a key that took its place in the list.
    let mut resigned = Archive::of(service.path(), ALL);
    let at = resigned.places("kiosk")[0];
    resigned.records[at]["key"] = hex.into();
    let report = resigned.check(None);
    says(&report, "not signed by its key");
    says(&report, "that its key was admitted");
}

#[test]
fn whatever_is_cut_or_edited_anywhere_is_found() {
    let service = lived();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("archive");
    of_folder(service.path(), ALL, &file).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let bent = folder.path().join("bent");
    let found = |bytes: &[u8]| {
        std::fs::write(&bent, bytes).unwrap();
        of_file(&bent, None).map_or(true, |report| !report.problems.is_empty())
    };
    assert!(!found(&whole));
    let cases = std::env::var_os("PROPTEST_CASES").is_none().then_some(48);
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    config.cases = cases.unwrap_or(config.cases);
    proptest!(config, |(place in 0..whole.len(), byte: u8)| {
        prop_assert!(found(&whole[..place]), "cut at {place}");
        let mut edited = whole.clone();
        if edited[place] != byte {
            edited[place] = byte;
            prop_assert!(found(&edited), "{byte} at {place}");
        }
    });
}

fn hailong(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(arguments).env("HAILONG_LOG", "off").stdin(Stdio::null());
    let done = command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").output().unwrap();
    let text = [done.stdout, done.stderr].concat();
    (done.status.code(), String::from_utf8(text).unwrap())
}

#[test]
fn a_batch_that_was_received_at_another_time_is_found() {
    let service = lived();
    let mut bent = Archive::of(service.path(), ALL);
    let at = bent.batches("ps-q3")[0];
    replace(&mut bent.records[at]["received"], "T09:", "T10:");
    let problems = bent.check(None).problems;
    assert_eq!(problems, ["2026-11-24: batches were not received when the archive says"]);
    // Whoever has the root's key leaves it out of later ones in vain.
    let keys = Keys::load(service.path()).unwrap();
    let mut bent = Archive::of(service.path(), ALL);
    let last = *bent.places("root").last().unwrap();
    let mut statement: Value =
        serde_json::from_str(bent.records[last]["statement"].as_str().unwrap()).unwrap();
    statement.as_object_mut().unwrap().remove("received");
    let statement: Statement = serde_json::from_value(statement).unwrap();
    bent.records[last] = json!({"record": "root"});
    let root = serde_json::to_value(Root::sign(&statement, &keys.root).unwrap()).unwrap();
    bent.records[last].as_object_mut().unwrap().extend(root.as_object().unwrap().clone());
    let problems = bent.check(None).problems;
    assert_eq!(problems, ["2026-11-25: batches were not received when the archive says"]);
}

#[test]
fn the_newest_lines_taken_out_of_an_archive_are_missed_by_their_receipt() {
    let service = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let central = TestCentral::start().await;
        let mut kiosk = central.kiosk("q3").await;
        let mut desk = kiosk.desk();
        for _ in 0..2 {
            rate(&mut desk, "khong_hai_long", &[]);
            let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
            kiosk.sent(last).await;
        }
        central.stop().await.0
    });
    let whole = Archive::of(service.path(), ALL);
    assert_eq!(whole.check(None).problems, [""; 0]);
    let bent = |bend: fn(&mut Archive)| {
        let mut bent = Archive::of(service.path(), ALL);
        bend(&mut bent);
        bent.check(None).problems
    };
    let cut = bent(|archive| drop(archive.records.remove(archive.batches("ps-q3")[1])));
    let gone = "line 7 was here when the archive was made, and is not, or not as it was";
    assert_eq!(cut, [format!("ps-q3: {gone}")]);
    let own =
        bent(|archive| drop(archive.records.remove(*archive.batches("central").last().unwrap())));
    assert!(own.len() == 1 && own[0].starts_with("central: line "), "{own:?}");
    let other = bent(|archive| {
        archive.records.remove(archive.batches("ps-q3")[1]);
        let at = archive.places("receipt")[0];
        replace(&mut archive.records[at]["receipt"], "\"watermark\":7", "\"watermark\":4");
    });
    assert!(other[0].contains("not signed by its key"), "{other:?}");
    // Of another line of that number, by whoever has the key.
    let keys = Keys::load(service.path()).unwrap();
    let mut another = Archive::of(service.path(), ALL);
    let at = another.places("receipt")[0];
    let mut receipt: Receipt =
        serde_json::from_str(another.records[at]["receipt"].as_str().unwrap()).unwrap();
    receipt.head = Hash::of(b"another line");
    let receipt = serde_json::to_string(&receipt).unwrap();
    another.records[at]["signature"] = sign_receipt(&keys.series, receipt.as_bytes()).into();
    another.records[at]["receipt"] = receipt.into();
    assert_eq!(another.check(None).problems, [format!("ps-q3: {gone}")]);
    let none = bent(|archive| drop(archive.records.remove(archive.places("receipt")[0])));
    assert_eq!(none, ["ps-q3: the receipt of its journal is not here"]);
    // All of a kiosk with its receipt, and one of an older archive.
    let gone = bent(|archive| {
        for at in archive.batches("ps-q3").into_iter().rev() {
            archive.records.remove(at);
        }
        archive.records.remove(archive.places("receipt")[0]);
    });
    assert_eq!(gone, ["ps-q3: the receipt of its journal is not here"]);
    let older = bent(|archive| archive.records[0]["at"] = "2026-11-24T09:00:00.000+07:00".into());
    assert!(older.iter().all(|told| told.contains("of another moment")), "{older:?}");
    assert_eq!(older.len(), 2);
}

#[test]
fn lived_days_are_exported_and_verified_by_two_commands() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| -> PathBuf { folder.path().join(name) };
    let (data, archive) = (path("data"), path("archive"));
    let (data, archive) = (data.to_str().unwrap(), archive.to_str().unwrap());
    for _ in 0..2 {
        let (code, said) = hailong(&["demo", "--once", "--data", data, "--visitors", "15"]);
        assert_eq!(code, Some(0), "{said}");
    }
    let (code, said) = hailong(&["export", "--opened", "--data", data, "--out", archive]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("hand it to the auditor alone"), "{said}");
    let (code, said) = hailong(&["verify", archive]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing is wrong"), "{said}");
    let (code, said) = hailong(&["verify", archive, "--anchor", &"0".repeat(64)]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("WRONG: no root here is 0000"), "{said}");
    // What is there already is not overwritten; what is no archive is said to be none.
    let (code, said) = hailong(&["export", "--data", data, "--out", archive]);
    assert_eq!(code, Some(2), "{said}");
    std::fs::write(archive, "{}").unwrap();
    let (code, said) = hailong(&["verify", archive]);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no archive"), "{said}");
}
