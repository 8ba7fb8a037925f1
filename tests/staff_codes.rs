//! Codes of staff: drawn by command, told to the kiosks of the office as hashes, and to nobody else.

#[path = "common/archives.rs"]
mod archives;
mod common;

use std::path::Path;
use std::process::{Command, Stdio};

use archives::{ALL, Archive};
use common::{TestCentral, at, has, rate, sample_folder};
use hailong::central::config::Config;
use hailong::central::roots::make;
use hailong::domain::access::Role;
use hailong::domain::staff_code::{Staff, StaffCodes};
use hailong::kiosk::configuration::Follower;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use image::{GrayImage, Luma};

/// The code that the command draws.
fn drawn(folder: &Path, who: &str, more: &[&str]) -> String {
    let (code, said, told) = staff_code(folder, who, more);
    assert_eq!(code, Some(0), "{told}");
    said.trim().to_owned()
}

fn staff_code(folder: &Path, who: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let file = folder.join("central.toml");
    let file = file.to_str().unwrap();
    let here = ["admin", "staff-code", "--config", file, "--office", "phu-sa", "--who", who];
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    let done = command.args(here).args(more).stdin(Stdio::null()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.code(), text(done.stdout), text(done.stderr))
}

fn config(folder: &Path) -> Config {
    Config::read(&folder.join("central.toml")).unwrap()
}

fn codes(folder: &Path) -> StaffCodes {
    config(folder).staff_codes.into_values().next().unwrap()
}

fn official(id: &str) -> Option<Staff> {
    Some(Staff::Official(id.parse().unwrap()))
}

#[test]
fn a_code_that_a_command_draws_is_kept_as_a_hash_in_the_place_of_the_one_before() {
    let folder = sample_folder();
    assert!(codes(folder.path()).is_empty(), "a code that all know is none");
    let first = drawn(folder.path(), "cb07", &[]);
    assert!(first.len() == 8 && first.bytes().all(|b| b.is_ascii_digit()), "{first}");
    let technician = drawn(folder.path(), "technician", &[]);
    let second = drawn(folder.path(), "cb07", &[]);
    let codes = codes(folder.path());
    assert_eq!(codes.who(&first), None);
    assert_eq!(codes.who(&second), official("cb07"));
    assert_eq!(codes.who(&technician), Some(Staff::Technician));

    let file = folder.path().join("phu-sa/staff-codes.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    for code in [&first, &second, &technician] {
        assert!(!text.contains(code.as_str()), "{text}");
    }
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    for (who, why) in [("cb99", "no official cb99"), ("Lan", "1 to 32 of a-z")] {
        let (code, said, told) = staff_code(folder.path(), who, &[]);
        assert_eq!((code, said.as_str(), told.contains(why)), (Some(2), "", true), "{told}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "what is refused changes nothing");
}

/// The pixels of the badge's drawing, six for each module.
fn pixels(svg: &str) -> GrayImage {
    let (_, path) = svg.split_once(" d=\"").unwrap();
    let (path, _) = path.split_once('"').unwrap();
    let side: u32 =
        svg.split_once("<rect width=\"").unwrap().1.split('"').next().unwrap().parse().unwrap();
    let mut picture = GrayImage::from_pixel(6 * side, 6 * side, Luma([255]));
    for square in path.split('M').skip(1) {
        let (x, rest) = square.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        assert_eq!(rest, "1v1h-1z");
        let (x, y): (u32, u32) = (x.parse().unwrap(), y.parse().unwrap());
        for (dx, dy) in (0..36).map(|n| (n % 6, n / 6)) {
            picture.put_pixel(6 * x + dx, 6 * y + dy, Luma([0]));
        }
    }
    picture
}

#[test]
fn a_badge_is_read_as_the_code_of_whom_it_names() {
    if !has("zbarimg") {
        return;
    }
    let folder = sample_folder();
    let badge = folder.path().join("badge.svg");
    let code = drawn(folder.path(), "cb07", &["--badge", badge.to_str().unwrap()]);
    let svg = std::fs::read_to_string(&badge).unwrap();
    assert!(svg.contains(">cb07</text>"), "{svg}");
    let picture = folder.path().join("badge.png");
    pixels(&svg).save(&picture).unwrap();
    let read = Command::new("zbarimg").args(["--raw", "-q"]).arg(&picture).output().unwrap();
    let read = String::from_utf8(read.stdout).unwrap();
    assert_eq!(read.trim(), format!("HL:{code}"));
    assert_eq!(codes(folder.path()).who(&read), official("cb07"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_has_the_codes_of_its_office_and_follows_them() {
    let folder = sample_folder();
    let first = drawn(folder.path(), "cb07", &[]);
    let central = TestCentral::with_config(config(folder.path()), at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let enrolled = kiosk.identity.enrolled.as_ref().unwrap();
    assert_eq!(enrolled.staff_codes.who(&first), official("cb07"));

    let second = drawn(folder.path(), "cb02", &[]);
    let central = central.again_with(config(folder.path())).await;
    let texts = central.central.config.texts.clone();
    let mut follower = Follower::open(&kiosk.path(), &kiosk.identity, texts.clone()).unwrap();
    assert!(follower.look(&Network::to(&central.service())).await.unwrap());
    let again = Follower::open(&kiosk.path(), &kiosk.identity, texts).unwrap();
    for follower in [&follower, &again] {
        let codes = follower.in_force().borrow().enrolled.staff_codes.clone();
        assert_eq!((codes.who(&first), codes.who(&second)), (official("cb07"), official("cb02")));
    }
    #[cfg(unix)]
    for file in ["configuration.json", "identity.json"] {
        let of = kiosk.path().join(file).metadata().unwrap().permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&of) & 0o777, 0o600, "{file}");
    }
    // Who left has no code any more.
    std::fs::remove_file(folder.path().join("phu-sa/staff-codes.csv")).unwrap();
    let central = central.again_with(config(folder.path())).await;
    assert!(follower.look(&Network::to(&central.service())).await.unwrap());
    assert!(follower.in_force().borrow().enrolled.staff_codes.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_archive_page_answer_file_or_message_has_a_hash_of_a_code() {
    let folder = sample_folder();
    let code = drawn(folder.path(), "cb07", &[]);
    drawn(folder.path(), "technician", &[]);
    let config = config(folder.path());
    let known = config.staff_codes.values().next().unwrap().clone();
    let secrets: Vec<String> = known
        .rows()
        .flat_map(|(_, salt, hash)| [String::from(salt), String::from(hash)])
        .chain([code])
        .collect();
    assert_eq!(secrets.len(), 5);
    let free_of_them = |what: &str, bytes: &[u8]| {
        for secret in &secrets {
            let raw = data_encoding::HEXLOWER.decode(secret.as_bytes()).unwrap();
            // Four bytes may be there by chance.
            let raw = if raw.len() > 4 { &raw } else { secret.as_bytes() };
            for found in [secret.as_bytes(), raw] {
                let at = bytes.windows(found.len()).position(|part| part == found);
                assert_eq!(at, None, "{what} has {secret}");
            }
        }
    };
    free_of_them("what is logged", format!("{config:?}").as_bytes());

    let central = TestCentral::with_config(config, at("2026-11-24 08:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    let text = serde_json::to_string(kiosk.identity.enrolled.as_ref().unwrap()).unwrap();
    assert!(secrets[..4].iter().all(|secret| text.contains(secret)), "the kiosk has them");
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]);
    desk.stop().unwrap();
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
    let of_staff = format!("http://{}", central.staff);
    let key = central.token(Role::Administrator).await;
    let mut answers = 0;
    for (base, path) in [
        (&central.service(), "/"),
        (&central.service(), "/check"),
        (&central.service(), "/roots"),
        (&central.service(), "/api/v1/roots"),
        (&central.service(), "/api/v1/enrol"),
        (&central.service(), "/api/v1/configuration/ps-q3"),
        (&of_staff, "/summary/phu-sa/2026-11-24"),
        (&of_staff, "/api/v1/summary/phu-sa/latest"),
        (&of_staff, "/api/v1/matters"),
    ] {
        let asked = client().unwrap().get(format!("{base}{path}")).bearer_auth(&key);
        let reply = asked.send().await.unwrap();
        answers += u32::from(reply.status().is_success());
        free_of_them(path, &reply.bytes().await.unwrap());
    }
    assert_eq!(answers, 8, "all but the configuration, which is a kiosk's own");

    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    let (folder, _) = central.stop().await;
    let data = folder.path().to_owned();
    let archive = tokio::task::spawn_blocking(move || {
        let archive = Archive::of(&data, ALL);
        std::fs::read(archive.folder.path().join("archive")).unwrap()
    });
    free_of_them("the archive", &archive.await.unwrap());
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            let name = entry.file_name().into_string().unwrap();
            free_of_them(&name, &std::fs::read(entry.path()).unwrap());
        }
    }
    free_of_them("the journal", &std::fs::read(kiosk.path().join("journal.db")).unwrap());
}
