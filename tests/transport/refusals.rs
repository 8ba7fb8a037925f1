//! A central service off loopback starts with TLS, or behind a proxy that is declared; with
//! anything that cannot work it does not start.

use std::process::Command;

use hailong::central::config::Config;
use tempfile::TempDir;

use crate::wire::{Authority, sample_folder};

/// A copy of the sample configuration with some lines in place of others.
fn changed(edits: &[(&str, &str)]) -> TempDir {
    let folder = sample_folder();
    let file = folder.path().join("central.toml");
    let mut text = std::fs::read_to_string(&file).unwrap();
    for (old, new) in edits {
        assert_eq!(text.matches(old).count(), 1, "{old:?}");
        text = text.replace(old, new);
    }
    std::fs::write(&file, text.replace("../central-data", "central-data")).unwrap();
    folder
}

const CITIZENS: &str = "citizens = \"127.0.0.1:8080\"";
const STAFF: &str = "staff = \"127.0.0.1:8081\"";
const PUBLIC: &str = "public_url = \"HTTP://127.0.0.1:8080\"";
const HTTPS: &str = "public_url = \"HTTPS://DANHGIA.HUNGYEN.GOV.VN\"";
const STAFF_URL: &str = "staff_url = \"https://hai-long.hungyen.gov.vn\"";

#[test]
fn off_loopback_each_listener_needs_tls_of_its_own_or_a_declared_proxy() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["danhgia.hungyen.gov.vn"], (2020, 2100));
    let tls = format!("{{ certificate = {certificate:?}, key = {key:?} }}");
    let citizens = format!("citizens = \"[::]:8080\"\ncitizens_tls = {tls}");
    let staff = format!("staff = \"0.0.0.0:8081\"\nstaff_tls = {tls}\n{STAFF_URL}");
    let read = |edits: &[(&str, &str)]| {
        let folder = changed(edits);
        Config::read(&folder.path().join("central.toml")).map_err(|error| error.to_string())
    };
    let with_tls = read(&[(PUBLIC, HTTPS), (CITIZENS, &citizens), (STAFF, &staff)]).unwrap();
    assert!(with_tls.citizens.tls.is_some() && with_tls.staff.tls.is_some());
    assert!(with_tls.citizens.bounds.share.is_some(), "sources are told apart");
    let proxied = read(&[
        (CITIZENS, "citizens = \"0.0.0.0:8080\""),
        (STAFF, &format!("staff = \"[::]:8081\"\n{STAFF_URL}")),
        ("behind_proxy = false", "behind_proxy = true"),
    ])
    .unwrap();
    assert_eq!(proxied.citizens.bounds.share, None, "all come from the proxy");
    for loopback in ["127.0.0.2:8080", "[::1]:8080", "[::ffff:127.0.0.1]:8080"] {
        read(&[(CITIZENS, &format!("citizens = \"{loopback}\""))]).unwrap();
    }
    let only_citizens =
        read(&[(PUBLIC, HTTPS), (CITIZENS, &citizens), (STAFF, "staff = \"0.0.0.0:8081\"")]);
    assert!(only_citizens.unwrap_err().contains("give staff_tls"), "TLS is each listener's own");
}

#[test]
fn what_cannot_work_ends_the_program_with_code_3_and_what_to_do() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue(&["danhgia.hungyen.gov.vn"], (2020, 2100));
    let (_, other_key) = authority.issue(&["danhgia.hungyen.gov.vn"], (2020, 2100));
    let tls = |key: &std::path::Path| format!("{{ certificate = {certificate:?}, key = {key:?} }}");
    let citizens = |key| format!("{CITIZENS}\ncitizens_tls = {}", tls(key));
    let staff = format!("{STAFF}\nstaff_tls = {}", tls(&key));
    let off = "citizens = \"[::]:8080\"";
    for (edits, telling) in [
        (vec![(CITIZENS, off.to_owned())], "central.toml:25:12: expected a loopback address"),
        (
            vec![(CITIZENS, citizens(&other_key)), (PUBLIC, HTTPS.into())],
            "the certificate and the key cannot be used together",
        ),
        (
            vec![(CITIZENS, citizens(&certificate)), (PUBLIC, HTTPS.into())],
            "holds no private key that opens without a password",
        ),
        (vec![(CITIZENS, citizens(&key))], "expected HTTPS://, since citizens_tls is set"),
        (vec![(STAFF, staff.clone())], "expected staff_url beside it"),
        (
            vec![(STAFF, format!("{staff}\nstaff_url = \"http://127.0.0.1:8081\""))],
            "expected https://, since staff_tls is set",
        ),
    ] {
        let edits: Vec<(&str, &str)> =
            edits.iter().map(|(old, new)| (*old, new.as_str())).collect();
        let folder = changed(&edits);
        // A program that starts after all must not hold up the test.
        let output = Command::new("timeout")
            .args(["20", env!("CARGO_BIN_EXE_hailong"), "central", "--config"])
            .arg(folder.path().join("central.toml"))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(telling), "{said}\nexpected to read {telling:?}");
        assert!(!folder.path().join("central-data").exists(), "nothing was begun");
    }
}
