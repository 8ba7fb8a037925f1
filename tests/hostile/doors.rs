//! Each door of the running service: requests changed anywhere, and a kiosk that signs rubbish.

use std::net::SocketAddr;
use std::time::Duration;

use hailong::domain::access::Role;
use hailong::domain::batch::{Header, Lines, Packed, sign};
use hailong::domain::condition;
use hailong::domain::ids::Hash;
use hailong::domain::line::{By, How};
use hailong::domain::receipt::{Receipt, verify_receipt};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use hailong::kiosk::visit::Record;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::common::{TestCentral, TestKiosk, at, batch, close, first_counter, rate};
use crate::mutate::change;
use crate::number;

const SIGNED: &[u8] = b"hailong batch 1\n";
/// Nothing is waited for longer.
const LONG: Duration = Duration::from_secs(20);
/// A connection that says nothing for so long waits for more of the request, and gets none.
const QUIET: Duration = Duration::from_millis(600);

/// Requests at once.
const AT_ONCE: usize = 125;

/// A service with a kiosk that has rated and a ticket that nobody has used yet.
struct Scene {
    central: TestCentral,
    kiosk: TestKiosk,
    packed: Packed,
    ticket: String,
    token: String,
    cookie: String,
}

impl Scene {
    async fn set() -> Self {
        let central = TestCentral::start().await;
        let mut kiosk = central.kiosk("q3").await;
        central.clock.set(at("2026-11-24 08:15"));
        let mut desk = kiosk.desk();
        rate(&mut desk, "rat_hai_long", &["niem_no"]);
        rate(&mut desk, "khong_hai_long", &["cho_lau"]);
        let counter = first_counter(&desk);
        let later = desk.keep(&Record::Open { by: By::Later, counter, level: None }).unwrap();
        let last = close(&mut desk, later.seq, How::Left, &[]);
        let ticket = later.ticket.unwrap().rsplit('/').next().unwrap().to_owned();
        drop(desk);
        let journal = JournalReader::open(&kiosk.path()).unwrap();
        let packed = batch(&kiosk, &journal, 1..=last);
        let token = central.token(Role::Administrator).await;
        let cookie = central.cookie(Role::Administrator).await;
        Self { central, kiosk, packed, ticket, token, cookie }
    }

    /// What is asked rightly at each door: whether of staff, and the bytes.
    fn requests(&self) -> Vec<(bool, Vec<u8>)> {
        let (staff, cookie) = (&self.token, &self.cookie);
        let ticket = &self.ticket;
        let signature = &self.packed.signature;
        let get = |path: &str, more: &str| {
            format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{more}\r\n")
                .into_bytes()
        };
        let post = |path: &str, kind: &str, more: &str, body: &[u8]| {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: {kind}\r\n\
                 content-length: {}\r\n{more}\r\n",
                body.len()
            );
            [head.as_bytes(), body].concat()
        };
        let form = "application/x-www-form-urlencoded";
        let json = "application/json";
        let bearer = format!("authorization: Bearer {staff}\r\n");
        let cookie = format!("cookie: {cookie}\r\naccept: text/html\r\n");
        let cookie_line = cookie.clone();
        let words = b"token=AAAA&level=hai_long&reason=cho_lau&words=C%E1%BA%A3m+%C6%A1n&lang=en";
        let code = br#"{"kiosk":"ps-q9","office":"phu-sa","counter":["q1","q2"]}"#;
        let enrol = &crate::targets::seeds("enrolment")[0];
        let signed = format!("hailong-signature: {signature}\r\n");
        let heartbeat = &crate::targets::seeds("heartbeat")[0];
        let kiosk = self.kiosk.sender();
        let beat = condition::sign(&*kiosk.signing_key, &kiosk.kiosk, heartbeat);
        let beat = format!("hailong-signature: {beat}\r\n");
        vec![
            (
                false,
                post("/api/v1/journal", "application/octet-stream", &signed, &self.packed.request),
            ),
            (false, post("/api/v1/enrol", json, &signed, enrol)),
            (false, get("/api/v1/enrol", "")),
            (false, get(&format!("/R/{ticket}?lang=en"), "accept: text/html\r\n")),
            (false, post(&format!("/R/{ticket}"), form, "", words)),
            (false, get("/photo/00ff.jpg", "if-none-match: \"x\"\r\nrange: bytes=0-1\r\n")),
            (false, get("/fonts/BeVietnamPro-Bold.ttf", "accept-encoding: gzip\r\n")),
            (false, get("/?lang=vi", "x-forwarded-for: 203.0.113.7\r\n")),
            (true, get("/summary/phu-sa/2026-11-24?lang=en", &cookie)),
            (true, get("/api/v1/summary/only/2026-11-24?format=table&lang=vi", &bearer)),
            (true, get("/sign-in?next=/account", "accept: text/html\r\n")),
            (true, post("/sign-in", form, "", b"login=lan&password=con+meo&code=&next=%2F")),
            (true, get("/invited/AAAA", "accept: text/html\r\n")),
            (true, post("/account", form, &cookie_line, b"form=00&do=token&name=x&days=9")),
            (true, get("/accounts", &cookie_line)),
            (true, get("/enter/AAAA", "")),
            (true, get("/reports", &bearer)),
            (false, get("/procedures/00ff.json", "")),
            (false, post("/api/v1/heartbeat/ps-q3", json, &beat, heartbeat)),
            (true, get("/api/v1/kiosks?format=table&lang=en", &bearer)),
            (true, post("/api/v1/enrolment-codes", json, &bearer, code)),
            (true, post("/api/v1/journal", "", &format!("{signed}{bearer}"), &self.packed.request)),
        ]
    }

    fn door(&self, staff: bool) -> SocketAddr {
        if staff { self.central.staff } else { self.central.citizens }
    }
}

/// Sends bytes on a connection of their own; gives all that comes.
async fn say(door: SocketAddr, bytes: Vec<u8>) -> Vec<u8> {
    let mut stream = TcpStream::connect(door).await.unwrap();
    // The other side may close while this is still sending.
    let _ = timeout(LONG, stream.write_all(&bytes)).await.expect("read in time");
    let mut heard = Vec::new();
    while let Ok(Ok(1..)) = timeout(QUIET, stream.read_buf(&mut heard)).await {}
    heard
}

/// Checks what a door answered, once or more often; gives the first status, or 0 for nothing.
fn judged(heard: &[u8], what: &str) -> u16 {
    let text = String::from_utf8_lossy(heard);
    let (mut first, mut rest) = (0, heard);
    while !rest.is_empty() {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("{what}: {text}"));
        let head = std::str::from_utf8(&rest[..end]).unwrap().to_ascii_lowercase();
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let version = head.strip_prefix("http/1.1 ").or(head.strip_prefix("http/1.0 "));
        let status = version.and_then(|rest| rest[..3].parse().ok());
        let status: u16 = status.unwrap_or_else(|| panic!("{what}: {text}"));
        assert!((200..500).contains(&status), "{what}: {text}");
        let length = field("content-length: ").map_or(0, |length| length.parse().unwrap());
        let (body, next) = rest[end + 4..].split_at_checked(length).unwrap_or((&[], &[]));
        // A refusal is a page or a problem, never a sentence of some library. What is no HTTP at
        // all gets a bare status.
        let kind = field("content-type: ").unwrap_or_default();
        let typed = kind.starts_with("text/html") || kind == "application/problem+json";
        let bare = body.is_empty() && matches!(status, 400 | 414 | 431);
        assert!(status < 400 || typed || bare, "{what}: {status}, {kind}: {text}");
        if first == 0 {
            first = status;
        }
        rest = next;
    }
    first
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_changed_anywhere_is_refused_and_leaves_nothing() {
    let scene = Scene::set().await;
    let requests = scene.requests();
    for (staff, right) in &requests[3..] {
        let status = judged(&say(scene.door(*staff), right.clone()).await, "as it is");
        // A wrong password, and forms that are not the session's own, are refused as they are.
        assert!(matches!(status, 200 | 204 | 303 | 401 | 403 | 404 | 422), "{status}");
    }
    let cases = number("HAILONG_CASES", 1_000) as u64;
    let (mut answered, mut waited_for_more) = (0, 0);
    let seeds: Vec<u64> = (0..cases).collect();
    for some in seeds.chunks(AT_ONCE) {
        let mut saying = JoinSet::new();
        for seed in some {
            let mut random = StdRng::seed_from_u64(*seed);
            let (staff, one) = &requests[random.random_range(0..requests.len())];
            let (_, other) = &requests[random.random_range(0..requests.len())];
            let (door, bytes) = (scene.door(*staff), change(one, other, &mut random));
            let what = format!("seed {seed}");
            saying.spawn(async move { judged(&say(door, bytes).await, &what) });
        }
        for status in saying.join_all().await {
            if status == 0 {
                waited_for_more += 1;
            } else {
                answered += 1;
            }
        }
    }
    println!("{answered} answered, {waited_for_more} waited for the rest of their request");
    assert!(answered > waited_for_more);

    // What is right is still taken, and nothing but that is there.
    let last = scene.packed.header.last();
    scene.kiosk.sent(last).await;
    assert_eq!(scene.central.store().findings().await.unwrap(), []);
    assert_eq!(scene.central.store().rated_contacts().await.unwrap().len(), 2);
}

/// A header or content changed, then signed by the kiosk's own key.
fn mad(packed: &Packed, random: &mut StdRng) -> (Header, Vec<u8>) {
    let mut header = packed.header.clone();
    let end = packed.request.iter().position(|byte| *byte == b'\n').unwrap();
    let unpacked = zstd::stream::decode_all(&packed.request[end + 1..]).unwrap();
    let mut content = unpacked.clone();
    if random.random_bool(0.8) {
        content = change(&unpacked, &packed.request, random);
    }
    let frame = if random.random_bool(0.1) {
        change(&packed.request[end + 1..], &unpacked, random)
    } else {
        zstd::bulk::compress(&content, 1).unwrap()
    };
    for _ in 0..random.random_range(0..3) {
        let near = |n: u64, random: &mut StdRng| match random.random_range(0..5) {
            0 => u64::MAX,
            1 => i64::MAX as u64,
            2 => n.saturating_add(999_990),
            3 => n.saturating_sub(1),
            _ => n.saturating_add(1),
        };
        match random.random_range(0..6) {
            0 => header.start = near(header.start, random),
            1 => header.first = near(header.first, random),
            2 => header.count = random.random_range(0..600),
            3 => header.prev = Hash::of(b"another"),
            4 => header.enc[random.random_range(0..32)] ^= 1,
            _ => header.epoch.0 ^= 1 << random.random_range(0..64),
        }
    }
    let lines = Lines::of(&content).take(header.count as usize);
    let taken: usize = lines.clone().map(|line| line.len() + 4).sum();
    header.lines = Hash::of(&content[..taken]);
    header.head = lines.last().map_or(Hash::NONE, Hash::of);
    header.frame = Hash::of(&frame);
    (header, frame)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_that_signs_rubbish_harms_nobody_else() {
    let scene = Scene::set().await;
    let mut honest = scene.central.kiosk("q4").await;
    let mut desk = honest.desk();
    let levels = ["rat_hai_long", "hai_long", "khong_hai_long"];
    for level in levels {
        rate(&mut desk, level, &[]);
    }
    let last =
        desk.keep(&Record::Open { by: By::Later, counter: first_counter(&desk), level: None });
    drop(desk);

    let client = client().unwrap();
    let door = format!("{}/api/v1/journal", scene.central.service());
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for seed in 0..number("HAILONG_CASES", 1_000) as u64 / 2 {
        let mut random = StdRng::seed_from_u64(seed);
        let (header, frame) = mad(&scene.packed, &mut random);
        let mut request = serde_json::to_vec(&header).unwrap();
        let signature = sign(&scene.kiosk.identity.signing_key, SIGNED, &request);
        request.push(b'\n');
        request.extend(&frame);
        let sent = client.post(&door).header("hailong-signature", signature).body(request);
        let reply = timeout(LONG, sent.send()).await.expect("answered in time").unwrap();
        let status = reply.status().as_u16();
        *statuses.entry(status).or_default() += 1;
        if status == 200 {
            let signature = reply.headers()["hailong-signature"].to_str().unwrap().to_owned();
            let bytes = reply.bytes().await.unwrap();
            let key = scene.kiosk.sender().receipt_key;
            assert!(verify_receipt(&key, &bytes, &signature), "seed {seed}");
            let receipt: Receipt = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(receipt.epoch, header.epoch, "seed {seed}");
        } else {
            assert!(matches!(status, 400 | 413), "seed {seed}: {status}");
            assert_eq!(reply.headers()["content-type"], "application/problem+json");
        }
    }
    println!("{statuses:?}");
    assert!(statuses[&200] > 20 && statuses[&400] > 20, "{statuses:?}");

    // The other counter's day is what it would be alone, and the mad one's can be read.
    honest.sent(last.unwrap().seq).await;
    let central = &scene.central;
    let reply = client
        .get(format!("http://{}/api/v1/summary/phu-sa/2026-11-24", central.staff))
        .bearer_auth(&scene.token)
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
    let summary: serde_json::Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    let rated = central.store().rated_contacts().await.unwrap();
    let of_honest =
        rated.iter().filter(|contact| contact.kiosk == honest.sender().kiosk.as_str()).count();
    assert_eq!(of_honest, 3);
    assert_eq!(summary["n"], rated.len(), "{summary}");
}
