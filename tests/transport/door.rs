//! The door for calls in the local network: TLS, and nobody who holds it.

use std::process::Command;
use std::time::Duration;

use hailong::kiosk::calls::BOUNDS;
use hailong::kiosk::network::{Network, client};
use hailong::kiosk::visit::Input;
use hailong::listener::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::{TestCentral, TestDoor, TestKiosk, sample_folder};
use crate::wire::Authority;

/// No test waits longer.
const LONG: Duration = Duration::from_secs(20);
const CALL: &str = r#"{"by":"invitation","counter":"q3"}"#;

async fn kiosk() -> TestKiosk {
    TestCentral::start().await.kiosk("q3").await
}

async fn call(client: &reqwest::Client, door: &TestDoor) -> Result<u16, reqwest::Error> {
    let request = client.post(format!("https://{}/contact", door.address)).bearer_auth(&door.token);
    let request = request.header("content-type", "application/json").body(CALL);
    Ok(request.send().await?.status().as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_local_network_the_door_speaks_tls_that_the_caller_can_trust_and_nothing_else() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let kiosk = kiosk().await;
    let mut door = TestDoor::open(&kiosk, Some(ours.tls()), BOUNDS).await;
    let here = Network::to(&format!("https://{}", door.address));
    let trusting = here.clone().trusting(ours.certificates()).client().unwrap();
    let other = here.clone().trusting(theirs.certificates()).client().unwrap();
    for stranger in [other, client().unwrap()] {
        let error = here.lost(&call(&stranger, &door).await.unwrap_err()).to_string();
        assert!(error.contains("is not trusted"), "{error}");
    }
    let mut plain = TcpStream::connect(door.address).await.unwrap();
    let asked = format!(
        "POST /contact HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: \
         application/json\r\ncontent-length: {}\r\n\r\n{CALL}",
        door.token,
        CALL.len()
    );
    plain.write_all(asked.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    // A reset is an end, too.
    let _ = timeout(LONG, plain.read_to_end(&mut heard)).await.expect("closed in time");
    assert!(!heard.windows(5).any(|five| five == b"HTTP/"), "{heard:?}");
    assert!(door.screen.try_recv().is_err(), "none of them reached the screen");

    assert_eq!(call(&trusting, &door).await.unwrap(), 202);
    assert!(matches!(door.screen.recv().await, Some(Input::Call(..))));
    let page = trusting.get(format!("https://{}/", door.address)).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("Mời đánh giá"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_in_the_handshake_keeps_nobody_else_out_and_is_cut() {
    let authority = Authority::new();
    let kiosk = kiosk().await;
    let from_elsewhere = reqwest::Client::builder()
        .local_address("127.0.0.2".parse().ok())
        .tls_certs_merge([reqwest::Certificate::from_pem(
            &std::fs::read(authority.file()).unwrap(),
        )
        .unwrap()])
        .no_proxy()
        .timeout(LONG);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let from_elsewhere = from_elsewhere.build().unwrap();

    // Much longer than this test: whoever is served, is served while they hang.
    let bounds = Bounds { places: 4, share: Some(2), head: LONG * 30 };
    let door = TestDoor::open(&kiosk, Some(authority.tls()), bounds).await;
    let mut hanging = Vec::new();
    for n in 0..40 {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        if n % 2 == 0 {
            let _ = stream.write_all(b"\x16\x03\x01\x02\x00").await;
        }
        hanging.push(stream);
    }
    for _ in 0..3 {
        assert_eq!(call(&from_elsewhere, &door).await.unwrap(), 202);
    }

    let bounds = Bounds { head: Duration::from_millis(300), ..bounds };
    let door = TestDoor::open(&kiosk, Some(authority.tls()), bounds).await;
    let mut stream = TcpStream::connect(door.address).await.unwrap();
    stream.write_all(b"\x16\x03\x01").await.unwrap();
    let mut heard = Vec::new();
    let _ = timeout(LONG, stream.read_to_end(&mut heard)).await.expect("cut in time");
    assert!(heard.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_calls_at_such_a_door_when_it_can_trust_it() {
    let authority = Authority::new();
    let kiosk = kiosk().await;
    let (certificate, key) = authority.issue(&["127.0.0.1"], (2020, 2100));
    let tls = hailong::listener::Tls::read(&certificate, &key).unwrap();
    let mut door = TestDoor::open(&kiosk, Some(tls), BOUNDS).await;
    let config = |ca: &str| {
        let folder = sample_folder();
        let file = folder.path().join("kiosk.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        let tls = format!("tls = {{ certificate = {certificate:?}, key = {key:?} }}");
        for (from, to) in [
            ("\"../kiosk-data\"", format!("{:?}", kiosk.path())),
            ("#listen = \"127.0.0.1:8090\"", format!("listen = \"{}\"\n{tls}", door.address)),
            ("#ca = \"hung-yen.pem\"", ca.to_owned()),
        ] {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text = text.replace(from, &to);
        }
        std::fs::write(&file, text).unwrap();
        folder
    };
    let named = format!("ca = {:?}", authority.file());
    for (in_file, by_option, code) in
        [("", false, Some(4)), ("", true, Some(0)), (named.as_str(), false, Some(0))]
    {
        let folder = config(in_file);
        let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
        command.args(["admin", "queue-call", "--counter=q3", "--config"]);
        command.arg(folder.path().join("kiosk.toml"));
        if by_option {
            command.arg("--ca").arg(authority.file());
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let complained = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), code, "{complained}");
        assert_eq!(door.screen.try_recv().is_ok(), code == Some(0), "{complained}");
    }
}
