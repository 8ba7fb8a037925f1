//! The local door: who may call, what a call becomes, and that nothing else is told.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use common::{TestCentral, TestDoor, at};
use hailong::domain::line::By;
use hailong::domain::system_random;
use hailong::kiosk::calls::{BOUNDS, token, token_file};
use hailong::kiosk::network::client;
use hailong::kiosk::visit::Input;
use hailong::listener::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_token_calls_and_nobody_else() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let folder = kiosk.path();
    let key = token(&folder, &mut system_random()).unwrap();
    assert_eq!(token(&folder, &mut system_random()).unwrap(), key, "the same at every start");
    let mode = std::fs::metadata(token_file(&folder)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut door = TestDoor::open(&kiosk, None, BOUNDS).await;
    assert_eq!(door.token, key);
    let address = door.address;

    let http = client().unwrap();
    let post = async |token: Option<&str>, body: &str| {
        let request = http.post(format!("http://{address}/contact")).body(body.to_owned());
        let request = request.header("content-type", "application/json");
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    };
    let right = r#"{"by":"queue","counter":"q3"}"#;
    assert_eq!(post(None, right).await.0, 401);
    assert_eq!(post(Some("AAAAAAAA"), right).await.0, 401);
    for (body, status) in [
        ("rubbish", 400),
        (r#"{"by":"queue"}"#, 400),
        (r#"{"by":"queue","counter":"q3","level":"hai_long"}"#, 400),
        (r#"{"by":"touch","counter":"q3"}"#, 422),
        (r#"{"by":"slip","counter":"q3"}"#, 422),
        (r#"{"by":"phone","counter":"q3"}"#, 422),
        (r#"{"by":"queue","counter":"q9"}"#, 404),
    ] {
        assert_eq!(post(Some(&key), body).await.0, status, "{body}");
    }
    assert!(door.screen.try_recv().is_err(), "none of them reached the screen");
    let long = format!("{{\"by\":\"queue\",\"counter\":\"{}\"}}", "q".repeat(2_000));
    assert_eq!(post(Some(&key), &long).await.0, 400);

    assert_eq!(post(Some(&key), right).await, (202, String::new()), "and it is told no more");
    assert_eq!(door.screen.recv().await, Some(Input::Call(By::Queue, "q3".parse().unwrap())));
    assert_eq!(post(Some(&key), r#"{"by":"invitation","counter":"q3"}"#).await.0, 202);
    assert_eq!(door.screen.recv().await, Some(Input::Call(By::Invitation, "q3".parse().unwrap())));

    // The official's page: whole, by itself, and with the counter's own name.
    let page = http.get(format!("http://{address}/")).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert_eq!(policy, "default-src 'self'; form-action 'none'; frame-ancestors 'none'");
    assert!(page.text().await.unwrap().contains("Mời đánh giá"));
    let counters = async |token: Option<&str>| {
        let request = http.get(format!("http://{address}/counters"));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    };
    let listed = r#"[{"id":"q3","label":"Quầy 3 · Hộ tịch – Chứng thực"}]"#;
    assert_eq!(counters(Some(&key)).await, (200, listed.to_owned()));
    assert_eq!(counters(None).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_tokens_waits_and_nobody_else() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let mut door = TestDoor::open(&kiosk, None, BOUNDS).await;
    // Two PCs.
    let [one, other] = ["127.0.0.1", "127.0.0.2"].map(|address| {
        let from = reqwest::Client::builder().local_address(address.parse().ok());
        from.no_proxy().build().unwrap()
    });
    let call = async |from: &reqwest::Client, token: &str| {
        let request = from.post(format!("http://{}/contact", door.address)).bearer_auth(token);
        let body = r#"{"by":"invitation","counter":"q3"}"#;
        let reply = request.header("content-type", "application/json").body(body).send().await;
        let reply = reply.unwrap();
        let wait = reply.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
        (reply.status().as_u16(), wait)
    };
    for n in 0..10 {
        assert_eq!(call(&one, &format!("WRONG{n}")).await, (401, None));
    }
    let (status, wait) = call(&one, "WRONG10").await;
    let wait: u64 = wait.unwrap().parse().unwrap();
    assert!(status == 429 && (1..=30).contains(&wait), "{status} {wait}");
    assert_eq!(call(&one, &door.token).await.0, 429, "whether one is right is not told");
    assert!(door.screen.try_recv().is_err());
    assert_eq!(call(&other, "WRONG").await.0, 401);
    assert_eq!(call(&other, &door.token).await.0, 202);
    assert!(door.screen.try_recv().is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_never_ends_is_cut_in_time() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let head = Duration::from_millis(300);
    let door = TestDoor::open(&kiosk, None, Bounds { head, ..BOUNDS }).await;
    let half = async |bytes: String| {
        let mut stream = TcpStream::connect(door.address).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut heard = Vec::new();
        let end = stream.read_to_end(&mut heard);
        let _ = tokio::time::timeout(Duration::from_secs(20), end).await.expect("cut in time");
        String::from_utf8_lossy(&heard).into_owned()
    };
    assert_eq!(half(String::new()).await, "");
    let heard = half("POST /contact HTTP/1.1\r\nhost: x\r\n".into()).await;
    assert!(!heard.starts_with("HTTP/1.1 2"), "{heard}");
    let token = &door.token;
    let heard = half(format!(
        "POST /contact HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: 40\r\n\r\n{{"
    ))
    .await;
    assert!(heard.starts_with("HTTP/1.1 408 "), "{heard}");
}
