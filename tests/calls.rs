//! The local door: who may call, what a call becomes, and that nothing else is told.

mod common;

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use common::{TestCentral, at};
use hailong::domain::line::By;
use hailong::domain::system_random;
use hailong::kiosk::calls::{open, token, token_file};
use hailong::kiosk::configuration::InForce;
use hailong::kiosk::network::client;
use hailong::kiosk::visit::Input;
use tokio::sync::mpsc::unbounded_channel;

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_token_calls_and_nobody_else() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let folder = kiosk.path();
    let key = token(&folder, &mut system_random()).unwrap();
    assert_eq!(token(&folder, &mut system_random()).unwrap(), key, "the same at every start");
    let mode = std::fs::metadata(token_file(&folder)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let (to_screen, mut screen) = unbounded_channel();
    let enrolled = Arc::new(kiosk.identity.enrolled.clone().unwrap());
    let in_force = InForce::fixed(enrolled, Vec::new());
    let here = "127.0.0.1:0".parse().unwrap();
    let (address, door) = open(here, &key, in_force, to_screen).await.unwrap();
    tokio::spawn(door);

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
    assert!(screen.try_recv().is_err(), "none of them reached the screen");
    let long = format!("{{\"by\":\"queue\",\"counter\":\"{}\"}}", "q".repeat(2_000));
    assert_eq!(post(Some(&key), &long).await.0, 400);

    assert_eq!(post(Some(&key), right).await, (202, String::new()), "and it is told no more");
    assert_eq!(screen.recv().await, Some(Input::Call(By::Queue, "q3".parse().unwrap())));
    assert_eq!(post(Some(&key), r#"{"by":"invitation","counter":"q3"}"#).await.0, 202);
    assert_eq!(screen.recv().await, Some(Input::Call(By::Invitation, "q3".parse().unwrap())));

    // The official's page: whole, by itself, and with the counter's own name.
    let page = http.get(format!("http://{address}/")).send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert_eq!(policy, "default-src 'self'; frame-ancestors 'none'");
    assert!(page.text().await.unwrap().contains("Mời đánh giá"));
    let listed = http.get(format!("http://{address}/counters")).send().await.unwrap();
    let listed = listed.text().await.unwrap();
    assert_eq!(listed, r#"[{"id":"q3","label":"Quầy 3 · Hộ tịch – Chứng thực"}]"#);
}
