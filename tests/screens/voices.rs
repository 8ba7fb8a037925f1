//! Recorded voices: played where there are files, and the same at every level.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use hailong::kiosk::voice::{VoiceConfig, to_record};
use hailong::texts::Texts;

use crate::stage::*;

/// A player that writes down what it is given, and plays until it is ended.
fn player(folder: &std::path::Path) -> PathBuf {
    let file = folder.join("player");
    let played = folder.join("played");
    let script = format!("#!/bin/sh\necho \"$1\" >> {}\nexec sleep 60\n", played.display());
    std::fs::write(&file, script).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
    file
}

#[test]
fn each_page_speaks_once_in_the_visitors_language_and_the_same_at_every_level() {
    on_stage(|| {
        let folder = tempfile::tempdir().unwrap();
        let texts = Texts::read(&sample("texts/vi.toml")).unwrap();
        for spoken in to_record(&texts, "?") {
            let file = folder.path().join(spoken.file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, b"RIFF").unwrap();
        }
        // English has one file only.
        std::fs::create_dir_all(folder.path().join("en")).unwrap();
        std::fs::write(folder.path().join("en/thanks.wav"), b"RIFF").unwrap();
        let player = vec![player(folder.path()).display().to_string()];
        let voice = Some(VoiceConfig { folder: folder.path().to_owned(), player });
        let equipment = Equipment { voice, ..Equipment::default() };
        let mut kiosk = Kiosk::equipped(equipment, |_| {}, 1280, 800);
        let played = |expected: &[&str]| {
            let file = folder.path().join("played");
            let lines = || std::fs::read_to_string(&file).unwrap_or_default().lines().count();
            let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
            while lines() < expected.len() && std::time::Instant::now() < end {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            let said = std::fs::read_to_string(&file).unwrap_or_default();
            let said: Vec<String> =
                said.lines().map(|line| line.rsplit('/').next().unwrap().to_owned()).collect();
            assert_eq!(said, expected);
            let _ = std::fs::remove_file(&file);
        };
        played(&[]);
        for level in LEVELS {
            kiosk.tap(level);
            kiosk.kept();
            played(&["reasons.wav"]);
            kiosk.tap_kept("Gửi");
            played(&["thanks.wav"]);
            kiosk.tap(HOME);
        }
        // Whoever comes to a screen that nobody was at hears what it is.
        pass(40_000);
        kiosk.touch(60.0, 150.0);
        played(&["home.wav"]);
        pass(40_000);
        kiosk.tap("English");
        kiosk.tap_kept("Satisfied");
        kiosk.tap_kept("Send");
        played(&["thanks.wav"]);
    });
}
