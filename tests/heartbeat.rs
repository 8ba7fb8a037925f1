//! Heartbeats: what a kiosk says of itself reaches the service signed, and the list of all kiosks tells it.

mod common;

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use common::{TestCentral, TestKiosk, at, rate};
use hailong::central::kiosks::SILENT_MINUTES;
use hailong::central::store::Heard;
use hailong::clock::{Clock, PutForward};
use hailong::demo::clock::DemoClock;
use hailong::domain::access::{Role, Unit};
use hailong::domain::condition::{MOST_BYTES, sign};
use hailong::domain::decision::{Decision, What};
use hailong::domain::time::At;
use hailong::kiosk::condition::{Condition, Heart, HeartbeatError, follow};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use hailong::kiosk::transport::Http;
use hailong::kiosk::uploader::Uploader;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

/// Nobody answers there.
const NOWHERE: &str = "http://127.0.0.1:9";

/// A kiosk's uploader and heart at work, as in the product.
struct Alive {
    heart: Heart,
    condition: watch::Receiver<Condition>,
    task: tokio::task::JoinHandle<std::convert::Infallible>,
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn alive(kiosk: &TestKiosk, service: &str, clock: Arc<dyn Clock>) -> Alive {
    let transport = Http::new(service).unwrap();
    let folder = kiosk.path();
    let uploader = Uploader::open(&folder, kiosk.sender(), transport, Arc::clone(&clock)).unwrap();
    let condition = follow(&folder, uploader.standing(), clock, &Handle::current());
    let heart = Heart::of(&kiosk.sender(), condition.clone());
    let task = tokio::spawn(uploader.run(Arc::new(Notify::new())));
    Alive { heart, condition, task }
}

impl Alive {
    async fn until(&mut self, what: &str, is: impl FnMut(&Condition) -> bool) -> Condition {
        let reached = tokio::time::timeout(Duration::from_secs(20), self.condition.wait_for(is));
        reached.await.unwrap_or_else(|_| panic!("{what}")).unwrap().clone()
    }
}

async fn of(central: &TestCentral, id: &str) -> Heard {
    let all = central.store().heard().await.unwrap();
    all.into_iter().find(|one| one.id.as_str() == id).unwrap()
}

/// A kiosk of which there is nothing to say.
fn well() -> Condition {
    Condition {
        version: "0.1.0".into(),
        since: at("2026-11-24 07:00"),
        queue: 0,
        oldest_unsent: None,
        last_receipt: None,
        trouble: None,
        disk_free: None,
        clock_offset_ms: None,
    }
}

/// `hailong` with these arguments: exit code and what it says.
async fn hailong(arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(arguments).env("HAILONG_LOG", "off").stdin(Stdio::null());
    let ran = move || {
        let done = command.output().unwrap();
        (done.status.code(), String::from_utf8([done.stdout, done.stderr].concat()).unwrap())
    };
    tokio::task::spawn_blocking(ran).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_without_network_for_a_while_tells_its_queue_when_it_is_back() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for _ in 0..3 {
        rate(&mut desk, "hai_long", &[]);
    }
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    let clock = Arc::clone(&kiosk.clock) as Arc<dyn Clock>;

    let mut away = alive(&kiosk, NOWHERE, Arc::clone(&clock));
    let told = away.until("the trouble is told", |told| told.trouble.is_some()).await;
    assert_eq!((told.queue, told.oldest_unsent), (last, Some(at("2026-11-24 08:15"))));
    assert_eq!((told.last_receipt, told.clock_offset_ms), (None, None), "never heard");
    assert_eq!(told.version, env!("CARGO_PKG_VERSION"));
    assert!(told.disk_free.unwrap() > 1 << 20 && told.trouble.unwrap().contains("127.0.0.1:9"));
    let lost = away.heart.beat(&Network::to(NOWHERE)).await;
    assert!(matches!(lost, Err(HeartbeatError::Unreachable(_))), "{lost:?}");
    assert_eq!(of(&central, "ps-q3").await.heartbeat, None);

    // The line is back, but nothing is sent yet.
    central.clock.set(at("2026-11-24 09:40"));
    let digest = central.store().canonical_digest().await.unwrap();
    away.heart.beat(&Network::to(&central.service())).await.unwrap();
    let heard = of(&central, "ps-q3").await;
    assert_eq!((heard.batch, heard.last()), (None, Some(at("2026-11-24 09:40"))));
    assert_eq!(heard.heartbeat.unwrap().condition.queue, last);
    assert_eq!(central.store().canonical_digest().await.unwrap(), digest, "no figure follows");
    let silent = of(&central, "ps-q3").await.last().unwrap();
    assert!(silent.plus_minutes(SILENT_MINUTES) > central.central.now());
    drop(away);

    let mut back = alive(&kiosk, &central.service(), clock);
    let told = back.until("all is sent", |told| told.queue == 0 && told.trouble.is_none()).await;
    assert_eq!((told.oldest_unsent, told.clock_offset_ms), (None, Some(0)));
    assert_eq!(told.last_receipt, Some(at("2026-11-24 09:40")));
    back.heart.beat(&Network::to(&central.service())).await.unwrap();
    let heartbeat = of(&central, "ps-q3").await.heartbeat.unwrap();
    assert_eq!(heartbeat.condition, told, "the last word of each");
    // What was heard stands in the store.
    let (folder, clock) = central.stop().await;
    let central = TestCentral::start_in(folder, clock).await;
    assert_eq!(of(&central, "ps-q3").await.heartbeat, Some(heartbeat));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machines_wrong_clock_is_told_although_the_kiosk_puts_it_right_for_itself() {
    let central = TestCentral::start_at(at("2026-11-24 10:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    let machine = Arc::new(DemoClock::standing(at("2026-11-24 08:15")));
    struct Machine(Arc<DemoClock>);
    impl Clock for Machine {
        fn now(&self) -> jiff::Timestamp {
            self.0.now()
        }
        fn mono_ms(&self) -> u64 {
            self.0.mono_ms()
        }
        fn sleep(&self, duration: Duration) -> hailong::clock::Sleep<'_> {
            self.0.sleep(duration)
        }
    }
    let clock: Arc<dyn Clock> = Arc::new(PutForward::new(Machine(Arc::clone(&machine))));
    rate(&mut kiosk.desk_at(Arc::clone(&clock)), "hai_long", &[]);
    let mut alive = alive(&kiosk, &central.service(), Arc::clone(&clock));
    let told = alive.until("a receipt came", |told| told.clock_offset_ms.is_some()).await;
    assert_eq!(told.clock_offset_ms, Some(-2 * 3_600_000), "two hours behind");
    assert_eq!(At::new(clock.now()), at("2026-11-24 10:15"), "put forward in here");
    assert_eq!(told.since, at("2026-11-24 10:15"), "as it shows now");
    // Time goes on for both; the difference stays.
    machine.set(at("2026-11-24 08:20"));
    let told = alive.until("five minutes ran", |told| told.since > at("2026-11-24 10:10")).await;
    assert_eq!(told.clock_offset_ms, Some(-2 * 3_600_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_is_believed_only_signed_by_its_kiosk_that_is_in_use() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let other = central.kiosk("q5").await;
    let (ours, theirs) = (kiosk.sender(), other.sender());
    let post = async |path: &str, body: &[u8], signature: String| {
        let address = format!("{}/api/v1/heartbeat/{path}", central.service());
        let asked = client().unwrap().post(address).header("hailong-signature", signature);
        asked.body(body.to_vec()).send().await.unwrap().status().as_u16()
    };
    let body = br#"{"version":"9.0.0","since":"2026-11-24T07:30:00.000+07:00","queue":7,
                    "trouble":"\u001b[2Jweg","mood":"good"}"#;
    let own = sign(&*ours.signing_key, &ours.kiosk, body);
    let huge = vec![b' '; MOST_BYTES + 1];
    for (path, body, signature, status) in [
        ("ps-q3", &body[..], String::new(), 401),
        ("ps-q3", body, sign(&*theirs.signing_key, &ours.kiosk, body), 401),
        ("ps-q3", body, sign(&*ours.signing_key, &theirs.kiosk, body), 401),
        ("ps-q5", body, own.clone(), 401),
        ("ps-q9", body, own.clone(), 401),
        ("central", body, own.clone(), 401),
        ("ps-q3", b"{}", own.clone(), 401),
        ("ps-q3", b"{}", sign(&*ours.signing_key, &ours.kiosk, b"{}"), 400),
        ("ps-q3", &huge, sign(&*ours.signing_key, &ours.kiosk, &huge), 413),
    ] {
        assert_eq!(post(path, body, signature).await, status, "{path} {}", body.len());
        for id in ["ps-q3", "ps-q5"] {
            assert_eq!(of(&central, id).await.heartbeat, None, "nothing of it is kept");
        }
    }
    assert_eq!(
        post("ps-q3", body, own.clone()).await,
        204,
        "what a later version says is passed over"
    );
    let kept = of(&central, "ps-q3").await.heartbeat.unwrap();
    assert_eq!(kept.condition.trouble.as_deref(), Some(" [2Jweg"));

    let decide =
        |what| Decision { what, person: "Lê Thị Hoa".into(), reason: "đã xem".into() };
    let suspended = What::Suspended { kiosk: ours.kiosk.clone() };
    let (epoch, seq) = central.central.decide(decide(suspended), Unit::PROVINCE).await.unwrap();
    assert_eq!(post("ps-q3", body, own.clone()).await, 403);
    central.central.decide(decide(What::Withdrawn { epoch, seq }), Unit::PROVINCE).await.unwrap();
    assert_eq!(post("ps-q3", body, own.clone()).await, 204);
    let since = "2026-11-24".parse().unwrap();
    let kiosk = ours.kiosk.clone();
    let retired = What::Retired { kiosk, since, replaced_by: None };
    central.central.decide(decide(retired), Unit::PROVINCE).await.unwrap();
    assert_eq!(post("ps-q3", body, own).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_tells_each_kiosk_and_marks_those_that_are_silent() {
    let central = TestCentral::start_at(at("2026-11-24 08:00")).await;
    for counter in ["q1", "q2", "q3", "q4"] {
        let kiosk = central.kiosk(counter).await;
        let condition = Condition {
            queue: 12,
            oldest_unsent: Some(at("2026-11-23 16:02")),
            trouble: Some("the proxy wants a password".into()),
            disk_free: Some(12_340_000_000),
            clock_offset_ms: Some(-125_000),
            ..well()
        };
        let heart = Heart::of(&kiosk.sender(), watch::channel(condition).1);
        match counter {
            "q1" => {}
            "q2" => heart.beat(&Network::to(&central.service())).await.unwrap(),
            _ => {
                central.clock.set(at("2026-11-24 08:10"));
                heart.beat(&Network::to(&central.service())).await.unwrap();
            }
        }
    }
    let decide =
        |what| Decision { what, person: "Lê Thị Hoa".into(), reason: "đã xem".into() };
    let suspended = What::Suspended { kiosk: "ps-q4".parse().unwrap() };
    central.central.decide(decide(suspended), Unit::PROVINCE).await.unwrap();
    central.clock.set(at("2026-11-24 08:20"));
    let place = central.asked_as(Role::Supervisor).await;
    let asked = [&["admin", "kiosks"], &place.each_ref().map(String::as_str)[..]].concat();
    let (code, said) = hailong(&asked).await;
    assert_eq!(code, Some(0), "{said}");
    let line = |id: &str| said.lines().find(|line| line.starts_with(id)).unwrap().to_owned();
    assert!(said.starts_with("Thiết bị đánh giá · 24/11/2026 08:20\n"), "{said}");
    assert!(line("ps-q1").contains("Quầy 1") && line("ps-q1").contains("chưa có"), "{said}");
    for (id, state) in [
        ("ps-q1", "MẤT LIÊN LẠC"),
        ("ps-q2", "MẤT LIÊN LẠC"),
        ("ps-q3", "đang hoạt động"),
        ("ps-q4", "tạm dừng"),
    ] {
        assert!(line(id).contains(state), "{said}");
    }
    for told in [
        "24/11 08:10",
        "  12 ",
        "23/11 16:02",
        "0.1.0",
        "12,3 GB",
        "chậm 3 phút",
        "the proxy wants a password",
    ] {
        assert!(line("ps-q3").contains(told), "{told}: {said}");
    }
    assert!(said.trim_end().ends_with("4 thiết bị, 2 mất liên lạc"), "{said}");

    let in_language = |code| [&asked[..], &["--lang", code]].concat();
    let (code, said) = hailong(&in_language("en")).await;
    assert!(code == Some(0) && said.contains("SILENT") && said.contains("3 min behind"), "{said}");
    let (code, said) = hailong(&in_language("fr")).await;
    assert!(code == Some(2) && said.contains("no texts in the language fr"), "{said}");
    // Beside the service, on its folder; and for nobody without the link.
    let data = central.folder.path().to_str().unwrap();
    let (code, said) = hailong(&["admin", "kiosks", "--data", data]).await;
    assert!(code == Some(0) && said.contains("ps-q3"), "{said}");
    let address = format!("http://{}/api/v1/kiosks", central.staff);
    assert_eq!(client().unwrap().get(address).send().await.unwrap().status(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heart_beats_every_five_minutes_and_goes_on_after_failures() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let clock = Arc::clone(&kiosk.clock);
    let beats = Arc::new(AtomicI64::new(0));
    let counting = Arc::clone(&beats);
    // A service that is busy at first.
    let answer = move || {
        let n = counting.fetch_add(1, Ordering::SeqCst);
        async move { if n < 2 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT } }
    };
    let app = axum::Router::new().route("/api/v1/heartbeat/ps-q3", axum::routing::post(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let network = Network::to(&format!("http://{}", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let heart = Heart::of(&kiosk.sender(), watch::channel(well()).1);
    let task = tokio::spawn(heart.follow(network, Arc::clone(&clock) as _));
    let (began, end) = (clock.mono_ms(), Instant::now() + Duration::from_secs(20));
    while beats.load(Ordering::SeqCst) < 6 {
        assert!(Instant::now() < end, "it stopped");
        let minutes = i64::try_from((clock.mono_ms() - began) / 60_000).unwrap();
        let counted = beats.load(Ordering::SeqCst);
        assert!(counted <= 1 + minutes / 5, "{counted} in {minutes} minutes");
        tokio::time::sleep(Duration::from_millis(10)).await;
        clock.set(At::new(clock.now()).plus_minutes(1));
    }
    task.abort();
}
