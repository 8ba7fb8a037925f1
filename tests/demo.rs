//! The demo, run as a newcomer runs it: the real binary without a display.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

fn hailong(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hailong"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .expect("the program starts")
}

fn demo(data: &Path, more: &[&str]) -> Output {
    let data = data.to_str().expect("a path in UTF-8");
    hailong(&[&["demo", "--once", "--data", data][..], more].concat())
}

fn summary(data: &Path) -> serde_json::Value {
    let data = data.to_str().expect("a path in UTF-8");
    let output = hailong(&["summary", "--data", data, "--format", "json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_day_is_lived_complete_drawn_and_the_same_again_from_the_same_seed() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let day = ["--date", "2026-12-01", "--seed", "7", "--visitors", "24"];
    let output = demo(one.path(), &day);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Thứ Ba, 01/12/2026"), "{said}");
    let figures = summary(one.path());
    assert_eq!(figures["state"], "complete");
    assert!(figures["n"].as_u64().unwrap() > 80, "{figures}");
    assert_eq!(figures["contacts"]["rated"], figures["n"]);
    assert_eq!(figures["phone_waiting"], 0);
    assert!(figures["by_channel"]["phone"].as_u64().unwrap() > 0);
    assert_eq!(figures["down"][0]["kiosk"], "ps-q6", "its power failed");
    assert_eq!(figures["down"][0]["from"], "2026-12-01T13:42:00.000+07:00");

    assert_eq!(figures.get("signals"), None, "an honest day: {figures}");
    let running = figures["available"].as_array().unwrap();
    let minutes =
        |id: &str| running.iter().find(|one| one["kiosk"] == id).unwrap()["minutes"].clone();
    assert_eq!((minutes("ps-q1"), minutes("ps-q6")), (570.into(), (570 - 88).into()));

    let pictures: BTreeSet<String> = std::fs::read_dir(one.path().join("screens"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(pictures.contains("01-home-vi-landscape.png"), "{pictures:?}");
    assert!(pictures.len() >= 7, "{pictures:?}");

    let table = |more: &[&str]| {
        let data = one.path().to_str().unwrap();
        let output = hailong(&[&["summary", "--data", data][..], more].concat());
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let digest = figures["digest"].as_str().unwrap();
    let (_, vietnamese) = table(&[]);
    let formula = figures["formula"].as_u64().unwrap();
    let told = format!("Mã xác thực báo cáo: {digest} · công thức tính số {formula}");
    assert!(vietnamese.contains(&told), "{vietnamese}");
    let (code, english) = table(&["--lang", "en"]);
    assert_eq!(code, Some(0));
    assert!(english.contains("Tuesday, 01/12/2026") && !english.contains("lượt"), "{english}");
    assert!(english.contains(&format!("Report verification code: {digest}")), "{english}");
    assert_eq!(table(&["--lang", "xx"]), (Some(2), String::new()), "no such language");
    // All offices beside each other, of which a demo has one.
    let (code, all) = table(&["--all", "--format", "json"]);
    let all: serde_json::Value = serde_json::from_str(&all).unwrap();
    assert_eq!((code, &all["groups"][0]["offices"][0]["n"]), (Some(0), &figures["n"]), "{all}");
    let (_, all) = table(&["--all"]);
    assert!(all.starts_with("Các đơn vị · Thứ Ba, 01/12/2026\n1 đơn vị"), "{all}");
    assert_eq!(table(&["--all", "--office", "phu-sa"]).0, Some(2), "either of them");

    assert!(demo(other.path(), &day).status.success());
    assert_eq!(summary(other.path())["digest"], figures["digest"]);

    // The next run lives another day in the same folder; the first one stays.
    let next = demo(one.path(), &["--visitors", "3", "--date", "2026-12-02"]);
    assert!(next.status.success(), "{}", String::from_utf8_lossy(&next.stderr));
    assert_eq!(summary(one.path())["date"], "2026-12-02");
    let again = demo(one.path(), &["--date", "2026-12-01"]);
    assert_eq!(again.status.code(), Some(2), "a day is lived once");
}

#[test]
fn options_that_cannot_be_are_usage_errors() {
    let data = TempDir::new().unwrap();
    for wrong in [
        &["--visitors", "100000"][..],
        &["--speed", "0"],
        &["--date", "2026-11-29"],
        &["--listen", "8.8.8.8"],
        &["--nonsense"],
    ] {
        let output = demo(data.path(), wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(!output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn a_summary_of_a_folder_without_a_store_says_what_to_do() {
    let data = TempDir::new().unwrap();
    let output = hailong(&["summary", "--data", data.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--data"));
    let file = data.path().join("token");
    std::fs::write(&file, "hl_x").unwrap();
    let token = file.to_str().unwrap();
    let unreachable = hailong(&["summary", "--server", "http://127.0.0.1:9", "--token", token]);
    assert_eq!(unreachable.status.code(), Some(4));
    let nobody = hailong(&["summary", "--server", "http://127.0.0.1:9"]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("--token"));
}

#[test]
fn a_rating_that_is_on_a_kiosk_and_nowhere_else_is_a_broken_promise() {
    let data = TempDir::new().unwrap();
    assert!(demo(data.path(), &["--visitors", "4", "--date", "2026-12-01"]).status.success());
    let central = rusqlite::Connection::open(data.path().join("central/central.db")).unwrap();
    let lost = central.execute(
        "DELETE FROM contact WHERE (branch, seq) IN
         (SELECT branch, seq FROM contact WHERE level IS NOT NULL LIMIT 1)",
        [],
    );
    assert_eq!(lost.unwrap(), 1);
    drop(central);
    let output = demo(data.path(), &["--visitors", "4", "--date", "2026-12-02"]);
    assert_eq!(output.status.code(), Some(5), "{}", String::from_utf8_lossy(&output.stdout));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("is on the kiosk and nowhere else"), "{said}");
}
