//! Archives of a service that lived two days, and ways to bend them.
#![allow(dead_code)] // Each user takes its part.

use std::path::{Path, PathBuf};

use hailong::central::export::{Asked, of_folder};
use hailong::central::roots::make;
use hailong::central::verify::{Report, of_file};
use hailong::domain::check::CheckCode;
use hailong::domain::ids::Hash;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::visit::Record as Tap;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::{TestCentral, TestKiosk, at, rate};

async fn send(kiosk: &TestKiosk) {
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
}

/// The folder of a service that lived two days with two kiosks, and has the roots of both.
pub fn lived() -> TempDir {
    tokio::runtime::Runtime::new().unwrap().block_on(two_days())
}

async fn two_days() -> TempDir {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    let mut kiosks = [central.kiosk("q3").await, central.kiosk("q5").await];
    for day in [24, 25] {
        central.clock.set(at(&format!("2026-11-{day} 09:00")));
        make(&central.central).await.unwrap();
        for kiosk in &mut kiosks {
            let mut desk = kiosk.desk();
            for _ in 0..6 {
                rate(&mut desk, "rat_hai_long", &["niem_no"]);
            }
            let contact = rate(&mut desk, "hai_long", &[]);
            desk.keep(&Tap::Change { contact, level: "khong_hai_long".into() }).unwrap();
            drop(desk);
            send(kiosk).await;
        }
    }
    central.clock.set(at("2026-11-26 00:01"));
    make(&central.central).await.unwrap();
    central.stop().await.0
}

pub const ALL: Asked = Asked { from: None, to: None, opened: true };

/// An archive as records, to be bent.
pub struct Archive {
    pub folder: TempDir,
    pub records: Vec<Value>,
}

impl Archive {
    pub fn of(service: &Path, asked: Asked) -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("archive");
        of_folder(service, asked, &file).unwrap();
        let text = std::fs::read_to_string(file).unwrap();
        let records = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { folder, records }
    }

    /// Checks it as it is now.
    pub fn check(&self, anchor: Option<Hash>) -> Report {
        of_file(&self.written(), anchor).unwrap()
    }

    /// The file of it as it is now, with an end that fits, as whoever bends it would write.
    pub fn written(&self) -> PathBuf {
        let mut text = String::new();
        for record in self.records.iter().filter(|record| record["record"] != "end") {
            text.push_str(&record.to_string());
            text.push('\n');
        }
        let records = text.lines().count();
        let end = json!({"record": "end", "records": records, "sha256": Hash::of(text.as_bytes())});
        text.push_str(&end.to_string());
        text.push('\n');
        let file = self.folder.path().join("bent");
        std::fs::write(&file, text).unwrap();
        file
    }

    pub fn places(&self, kind: &str) -> Vec<usize> {
        (0..self.records.len()).filter(|at| self.records[*at]["record"] == kind).collect()
    }

    /// The batches of a kiosk.
    pub fn batches(&self, kiosk: &str) -> Vec<usize> {
        let of = |at: &usize| {
            let header = self.records[*at]["header"].as_str().unwrap();
            serde_json::from_str::<Value>(header).unwrap()["kiosk"] == kiosk
        };
        self.places("batch").into_iter().filter(of).collect()
    }

    /// The check code of a contact of a kiosk.
    pub fn code_of(&self, kiosk: &str, contact: u64) -> CheckCode {
        let listed = self.records.iter().find(|one| one["record"] == "kiosk" && one["id"] == kiosk);
        let number = u32::try_from(listed.unwrap()["number"].as_u64().unwrap()).unwrap();
        let lines = self.batches(kiosk).into_iter();
        let mut lines = lines.flat_map(|at| self.records[at]["lines"].as_array().unwrap());
        let closes = format!("\"event\":\"closed\",\"contact\":{contact},");
        let line = lines.find(|line| line.as_str().unwrap().contains(&closes)).unwrap();
        CheckCode::of(number, Hash::of(line.as_str().unwrap().as_bytes()))
    }

    pub fn anchors(&self) -> Vec<Hash> {
        let statement = |at: usize| self.records[at]["statement"].as_str().unwrap();
        let places = self.places("root").into_iter();
        places.map(|at| Hash::of(statement(at).as_bytes())).collect()
    }
}

/// What is said of an archive of a copy of a service's folder.
pub async fn verified(folder: &Path, anchor: Option<Hash>) -> Report {
    let copy = TempDir::new().unwrap();
    crate::common::copy(folder, copy.path());
    let check = move || Archive::of(copy.path(), ALL).check(anchor);
    tokio::task::spawn_blocking(check).await.unwrap()
}

pub fn replace(value: &mut Value, from: &str, to: &str) {
    let text = value.as_str().unwrap();
    assert!(text.contains(from), "{text}");
    *value = text.replacen(from, to, 1).into();
}
