//! Much at once: requests of one source, codes that are tried out, frames that blow up. The real
//! program in a process of its own, so that its memory can be read.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ed25519_dalek::SigningKey;
use hailong::demo::clock::DemoClock;
use hailong::domain::batch::{MAX_UNPACKED, sign};
use hailong::domain::enrolment::{CentralKeys, Request, SIGNED, TICKET_KEY_INFO};
use hailong::domain::ids::Hash;
use hailong::domain::seal::SealingKey;
use hailong::domain::system_random;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::common::{TestKiosk, at, batch, rate};
use crate::installed::{Installed, Service, hailong};
use crate::number;

/// What a service at work may hold more than before, in KiB.
const MORE_MEMORY: u64 = 96 * 1024;
/// Longest that somebody else waits meanwhile.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// The most memory that a process ever held, in KiB.
fn peak(service: &Service) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", service.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn address(installed: &Installed) -> SocketAddr {
    installed.citizens().strip_prefix("http://").unwrap().parse().unwrap()
}

/// A kiosk of the installed service, with one rating.
async fn kiosk(installed: &Installed, service: &Service) -> (TestKiosk, u64) {
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 08:00")));
    let mut kiosk = installed.enrol(service, "q3", &clock).await;
    let mut desk = kiosk.desk();
    let contact = rate(&mut desk, "hai_long", &[]);
    (kiosk, contact + 1)
}

/// Sends the same small request again and again on one connection; gives the statuses.
async fn again_and_again(to: SocketAddr, request: Vec<u8>, times: usize) -> BTreeMap<u16, usize> {
    /// Requests on their way at once, without waiting for an answer.
    const AHEAD: usize = 50;
    let mut statuses = BTreeMap::new();
    let mut left = times;
    while left > 0 {
        let mut stream = TcpStream::connect(to).await.unwrap();
        let mut heard: Vec<u8> = Vec::new();
        while left > 0 {
            let some = left.min(AHEAD);
            stream.write_all(&request.repeat(some)).await.unwrap();
            for _ in 0..some {
                let status = one_answer(&mut stream, &mut heard).await;
                *statuses.entry(status).or_default() += 1;
            }
            left -= some;
        }
    }
    statuses
}

/// Reads one answer; what follows it stays in `heard`.
async fn one_answer(stream: &mut TcpStream, heard: &mut Vec<u8>) -> u16 {
    let end = loop {
        if let Some(end) = heard.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        assert!(stream.read_buf(heard).await.unwrap() > 0, "closed in the middle");
    };
    let head = String::from_utf8_lossy(&heard[..end]).to_ascii_lowercase();
    let status = head["http/1.1 ".len()..][..3].parse().unwrap();
    if status == 429 {
        let seconds = head.split_once("retry-after: ").unwrap().1.lines().next().unwrap();
        assert!((1..=60).contains(&seconds.parse::<u32>().unwrap()), "{head}");
    }
    let length = head.split_once("content-length: ").unwrap().1.lines().next().unwrap();
    let whole = end + length.parse::<usize>().unwrap();
    while heard.len() < whole {
        assert!(stream.read_buf(heard).await.unwrap() > 0, "closed in the middle");
    }
    heard.drain(..whole);
    status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_sends_without_end_is_told_to_wait_and_others_are_served() {
    let requests = number("HAILONG_REQUESTS", 20_000);
    let installed = Installed::new();
    let service = installed.start();
    let (kiosk, last) = kiosk(&installed, &service).await;
    let before = peak(&service);
    let to = address(&installed);

    let began = Instant::now();
    let mut floods = JoinSet::new();
    // Pages, tickets, calls of kiosks: whatever is smallest to send.
    for (method, path) in
        [("GET", "/"), ("GET", "/R/AAAA"), ("POST", "/api/v1/journal"), ("POST", "/api/v1/enrol")]
    {
        let length = if method == "POST" { "content-length: 0\r\n" } else { "" };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.7\r\n{length}\r\n"
        );
        floods.spawn(again_and_again(to, request.into_bytes(), requests / 4));
    }
    // Meanwhile another source is served, one request after another.
    let over = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&over);
    let other = tokio::spawn(async move {
        let request = b"GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: 203.0.113.8\r\n\r\n";
        let mut slowest = Duration::ZERO;
        let mut served = 0;
        while !ended.load(Ordering::Relaxed) {
            let began = Instant::now();
            let mut stream = TcpStream::connect(to).await.unwrap();
            stream.write_all(request).await.unwrap();
            assert_eq!(one_answer(&mut stream, &mut Vec::new()).await, 200);
            slowest = slowest.max(began.elapsed());
            served += 1;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        (served, slowest)
    });
    let mut sending = kiosk.send();
    sending.drained(last).await;
    let mut statuses = BTreeMap::<u16, usize>::new();
    for one in floods.join_all().await {
        for (status, n) in one {
            *statuses.entry(status).or_default() += n;
        }
    }
    over.store(true, Ordering::Relaxed);
    let took = began.elapsed();
    let (served, slowest) = other.await.unwrap();
    let more = peak(&service) - before;
    println!(
        "{requests} requests in {took:?}: {statuses:?}; another was served {served} times, at the \
         slowest in {slowest:?}; {more} KiB more"
    );
    assert_eq!(statuses.values().sum::<usize>(), requests / 4 * 4);
    // The pace of a source: a thousand at once, then a hundred a second.
    let let_in = requests - statuses[&429];
    assert!(let_in >= 1_000.min(requests / 2), "{let_in}");
    assert!(let_in as f64 <= 1_000.0 + 100.0 * (took.as_secs_f64() + 1.0), "{let_in} in {took:?}");
    assert!(statuses.keys().all(|status| *status < 500), "{statuses:?}");
    assert!(served > 0 && slowest < LONGEST_WAIT, "{slowest:?}");
    assert!(more < MORE_MEMORY, "{more} KiB");
}

#[tokio::test(flavor = "multi_thread")]
async fn enrolment_codes_cannot_be_tried_out() {
    const TRIES: usize = 300;
    let installed = Installed::new();
    let service = installed.start();
    let code = hailong(&["admin", "enrol-code", "--office", "phu-sa"])
        .args(&service.asked)
        .args(["--counter", "q5", "--kiosk", "ps-q5"])
        .output()
        .unwrap();
    let code = String::from_utf8(code.stdout).unwrap().trim().to_owned();
    assert_eq!(code.len(), 10, "50 bits, of which {TRIES} are tried");

    let client = client().unwrap();
    let door = format!("{}/api/v1/enrol", installed.citizens());
    let keys = client.get(&door).send().await.unwrap().bytes().await.unwrap();
    let keys: CentralKeys = serde_json::from_slice(&keys).unwrap();
    let opening: [u8; 32] =
        data_encoding::HEXLOWER.decode(keys.opening_key.as_bytes()).unwrap().try_into().unwrap();
    let opening = SealingKey::from_bytes(&opening).unwrap();
    let (signing, another) = (SigningKey::from_bytes(&[9; 32]), SigningKey::from_bytes(&[8; 32]));
    let ticket_key = opening.seal_small(TICKET_KEY_INFO, &[7; 32], &mut system_random()).unwrap();
    let ask = async |code: &str, signing: &SigningKey, source: &str| {
        let request = Request {
            code: code.to_owned(),
            key: data_encoding::HEXLOWER.encode(signing.verifying_key().as_bytes()),
            ticket_key: data_encoding::BASE64URL_NOPAD.encode(&ticket_key),
            by_former: None,
        };
        let body = serde_json::to_vec(&request).unwrap();
        let signature = sign(signing, SIGNED, &body);
        let request = client.post(&door).header("hailong-signature", signature).body(body);
        request.header("x-forwarded-for", source).send().await.unwrap().status().as_u16()
    };
    let began = Instant::now();
    let mut statuses = BTreeMap::<u16, usize>::new();
    for n in 0..TRIES {
        let wrong = format!("AAAAAA{:04}", n % 10_000).replace(['0', '1'], "Z");
        *statuses.entry(ask(&wrong, &another, "203.0.113.7").await).or_default() += 1;
    }
    println!("{statuses:?} in {:?}", began.elapsed());
    assert!(statuses.keys().all(|status| matches!(status, 403 | 429)), "{statuses:?}");
    // Thirty at once, then one a second: in the 15 minutes of a code fewer than 1,000 of 2^50.
    let most = 30 + began.elapsed().as_secs() as usize + 1;
    assert!(statuses[&403] <= most, "{statuses:?}");
    // Who tries them out does not lock out who has the right one.
    assert_eq!(ask(&code, &signing, "203.0.113.8").await, 200);
    assert_eq!(ask(&code, &another, "203.0.113.8").await, 403, "and it is good for one key");
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_that_blow_up_are_refused_in_bounded_memory() {
    let installed = Installed::new();
    let service = installed.start();
    let (kiosk, last) = kiosk(&installed, &service).await;
    let before = peak(&service);
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let packed = batch(&kiosk, &journal, 1..=last);

    // Just over what is allowed, and a thousand times that: both are small on the way.
    let bomb = |bytes: usize| {
        let mut encoder = zstd::stream::Encoder::new(Vec::new(), 19).unwrap();
        std::io::copy(&mut std::io::Read::take(std::io::repeat(0), bytes as u64), &mut encoder)
            .unwrap();
        let frame = encoder.finish().unwrap();
        let mut header = packed.header.clone();
        header.frame = Hash::of(&frame);
        let mut request = serde_json::to_vec(&header).unwrap();
        let signature = sign(&kiosk.identity.signing_key, b"hailong batch 1\n", &request);
        request.push(b'\n');
        request.extend(&frame);
        (request, signature)
    };
    let client = client().unwrap();
    let door = format!("{}/api/v1/journal", installed.citizens());
    for (request, signature) in [bomb(MAX_UNPACKED + 1), bomb(MAX_UNPACKED * 64)] {
        println!("{} bytes", request.len());
        let mut sending = JoinSet::new();
        for _ in 0..64 {
            let sent = client.post(&door).header("hailong-signature", &signature);
            let sent = sent.body(request.clone()).send();
            sending.spawn(async move { sent.await.unwrap().status().as_u16() });
        }
        for status in sending.join_all().await {
            assert!(matches!(status, 413 | 503), "{status}");
        }
    }
    let more = peak(&service) - before;
    println!("{more} KiB more than {before}");
    assert!(more < MORE_MEMORY, "{more} KiB");
    kiosk.sent(last).await;
}
