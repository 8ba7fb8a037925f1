//! What one source, or a slow one, can take of a listener.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use hailong::central::source::{Approach, Pace};
use hailong::domain::access::Role;
use hailong::kiosk::network::client;
use hailong::listener::Bounds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::common::TestCentral;
use crate::ways::central;
use crate::wire::Authority;

const GET: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
const HEAD: &[u8] = b"HEAD / HTTP/1.1\r\nhost: x\r\n\r\n";
/// No test waits longer.
const LONG: Duration = Duration::from_secs(20);

async fn bounded(places: u16, share: Option<u16>, head_ms: u64) -> TestCentral {
    let head = Duration::from_millis(head_ms);
    central("127.0.0.1:0", |config| {
        config.citizens.bounds = Bounds { places, share, head };
    })
    .await
}

/// Sends, and gives all that comes until the other side closes.
async fn say(central: &TestCentral, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(central.citizens).await.unwrap();
    // The other side may close while this is still sending.
    let _ = stream.write_all(bytes).await;
    hear(&mut stream).await
}

async fn hear(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    // A reset is an end, too.
    let _ = timeout(LONG, stream.read_to_end(&mut heard)).await.expect("closed in time");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The first line of an answer without body, on a connection that stays open.
async fn first_line(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    while !heard.ends_with(b"\r\n\r\n") {
        if timeout(LONG, stream.read_buf(&mut heard)).await.expect("answered in time").unwrap() == 0
        {
            break;
        }
    }
    String::from_utf8_lossy(&heard).lines().next().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_head_that_drips_and_a_connection_that_says_nothing_are_cut_in_time() {
    let central = bounded(8, None, 300).await;
    let began = Instant::now();
    assert_eq!(say(&central, b"").await, "");
    assert!(began.elapsed() >= Duration::from_millis(250), "not before its time");

    let mut dripping = TcpStream::connect(central.citizens).await.unwrap();
    let began = Instant::now();
    // A letter now and then does not buy more time.
    let cut = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            if dripping.write_all(b"x").await.is_err() {
                break;
            }
        }
    };
    timeout(LONG, cut).await.expect("cut");
    assert!(began.elapsed() < LONG / 2);

    // Nor does a connection that was used once stay for ever.
    let heard = say(&central, GET).await;
    assert!(heard.starts_with("HTTP/1.1 200 OK"), "{heard}");
}

#[tokio::test]
async fn a_handshake_that_never_comes_is_cut_in_time() {
    let authority = Authority::new();
    let tls = authority.tls();
    let central = central("127.0.0.1:0", |config| {
        config.citizens.bounds.head = Duration::from_millis(200);
        config.citizens.tls = Some(tls);
    })
    .await;
    assert_eq!(say(&central, b"").await, "");
    assert_eq!(say(&central, b"\x16\x03\x01").await, "");
}

#[tokio::test]
async fn heads_and_bodies_that_are_too_large_are_answered_so() {
    let central = bounded(8, None, 10_000).await;
    let head = |bytes: usize| {
        format!(
            "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: {}\r\n\r\n",
            "x".repeat(bytes)
        )
    };
    assert!(say(&central, head(15_000).as_bytes()).await.starts_with("HTTP/1.1 200 "));
    assert!(say(&central, head(17_000).as_bytes()).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(200));
    assert!(say(&central, many.as_bytes()).await.starts_with("HTTP/1.1 431 "));

    let client = client().unwrap();
    let staff = format!("http://{}", central.staff);
    let key = central.token(Role::Administrator).await;
    let mib = 1024 * 1024;
    for (address, most) in [
        (format!("{}/R/AAAA", central.service()), 64 * 1024),
        (format!("{}/api/v1/enrol", central.service()), 64 * 1024),
        (format!("{}/api/v1/journal", central.service()), mib),
        (format!("{staff}/api/v1/enrolment-codes"), 64 * 1024),
    ] {
        for (bytes, too_large) in [(most, false), (most + 1, true)] {
            let request = client.post(&address).bearer_auth(&key).body(vec![b' '; bytes]);
            let kind = if address.contains("/R/") {
                "application/x-www-form-urlencoded"
            } else {
                "application/json"
            };
            let reply = request.header("content-type", kind).send().await.unwrap();
            assert_eq!(reply.status() == 413, too_large, "{address}, {bytes}: {}", reply.status());
        }
    }
}

#[tokio::test]
async fn a_source_with_its_share_of_connections_gets_no_more() {
    let central = bounded(8, Some(2), 10_000).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(central.citizens).await.unwrap();
        stream.write_all(HEAD).await.unwrap();
        assert_eq!(first_line(&mut stream).await, "HTTP/1.1 200 OK");
        held.push(stream);
    }
    assert_eq!(say(&central, GET).await, "", "closed without an answer");
    // Those that it has go on, and one that it gives back is there again.
    let mut first = held.pop().unwrap();
    first.write_all(HEAD).await.unwrap();
    assert_eq!(first_line(&mut first).await, "HTTP/1.1 200 OK");
    drop(held);
    let again = async {
        loop {
            let mut stream = TcpStream::connect(central.citizens).await.unwrap();
            if stream.write_all(HEAD).await.is_ok() && !first_line(&mut stream).await.is_empty() {
                break;
            }
        }
    };
    timeout(LONG, again).await.expect("a place is given back");
}

#[tokio::test]
async fn when_all_places_are_taken_others_wait_until_the_idle_are_cut() {
    let central = bounded(2, None, 400).await;
    let began = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(central.citizens).await.unwrap();
        stream.write_all(HEAD).await.unwrap();
        assert_eq!(first_line(&mut stream).await, "HTTP/1.1 200 OK");
        idle.push(stream);
    }
    let mut late = TcpStream::connect(central.citizens).await.unwrap();
    late.write_all(HEAD).await.unwrap();
    assert_eq!(first_line(&mut late).await, "HTTP/1.1 200 OK");
    assert!(began.elapsed() >= Duration::from_millis(350), "it had to wait");
}

#[tokio::test]
async fn a_source_beyond_its_pace_is_told_so_in_words_for_whoever_asks() {
    let one = NonZeroU32::MIN;
    let central = central("127.0.0.1:0", |config| {
        let pace = Pace { per_second: one, at_once: one };
        config.citizens_approach = Approach { pace, proxied: true };
        config.staff_approach = Approach { pace, proxied: true };
    })
    .await;
    let client = client().unwrap();
    let ask = async |address: String, accept: &str| {
        let request = client.get(address).header("accept", accept);
        let reply = request.header("x-forwarded-for", "203.0.113.7").send().await.unwrap();
        let header =
            |name| reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let (kind, wait) = (header("content-type").unwrap_or_default(), header("retry-after"));
        (reply.status().as_u16(), wait, kind, reply.text().await.unwrap())
    };
    let (service, staff) = (central.service(), format!("http://{}", central.staff));
    let busy = "Hệ thống đang bận.";
    for (address, words) in [
        (format!("{service}/"), busy),
        (format!("{service}/?lang=en"), "The system is busy."),
        (format!("{staff}/reports"), busy),
    ] {
        // The first may still be let in.
        ask(address.clone(), "text/html").await;
        let (status, wait, kind, page) = ask(address.clone(), "text/html,*/*").await;
        assert_eq!((status, kind.as_str()), (429, "text/html; charset=utf-8"));
        assert!(page.contains(words), "{page}");
        assert_eq!(wait.as_deref(), Some("1"));
        let (status, wait, kind, problem) = ask(address, "*/*").await;
        assert_eq!((status, kind.as_str()), (429, "application/problem+json"));
        assert!(wait.is_some() && problem.contains("try again in 1 s"), "{problem}");
    }
}

#[tokio::test]
async fn a_path_that_leads_nowhere_says_so_to_people_and_to_programs() {
    let central = bounded(8, None, 10_000).await;
    let client = client().unwrap();
    for (address, words) in [
        (format!("{}/nowhere", central.service()), "Mã không hợp lệ."),
        (format!("http://{}/nowhere", central.staff), "Không có trang này trong hệ thống."),
    ] {
        let ask =
            async |accept| client.get(&address).header("accept", accept).send().await.unwrap();
        let page = ask("text/html").await;
        assert_eq!(page.status(), 404);
        assert!(page.text().await.unwrap().contains(words), "{address}");
        let problem = ask("*/*").await;
        assert_eq!(
            (problem.status().as_u16(), &problem.headers()["content-type"]),
            (404, &"application/problem+json".parse().unwrap())
        );
    }
}
