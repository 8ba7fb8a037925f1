//! The procedures that an office posts: from its file to the kiosk, once, bounded and checked, and kept there
//! for weeks without a network.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{TestCentral, TestKiosk, at, sample_config, sample_folder};
use hailong::central::config::Config;
use hailong::clock::SystemClock;
use hailong::domain::ids::Hash;
use hailong::domain::procedure::{MOST_BYTES, Procedure, find};
use hailong::kiosk::configuration::{Follower, InForce};
use hailong::kiosk::network::{Network, client};
use hailong::kiosk::procedures::Procedures;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

/// A list that is posted in the sample's place.
fn posting(text: &str) -> Config {
    let folder = sample_folder();
    std::fs::write(folder.path().join("phu-sa/procedures.csv"), text).unwrap();
    Config::read(&folder.path().join("central.toml")).unwrap()
}

fn follow(kiosk: &TestKiosk, follower: &Follower, service: &str) -> Procedures {
    let (folder, in_force) = (kiosk.path(), follower.in_force());
    let clock = Arc::clone(&kiosk.clock) as _;
    Procedures::follow(&folder, in_force, Network::to(service), clock, &Handle::current())
}

fn open(kiosk: &TestKiosk) -> Follower {
    Follower::open(&kiosk.path(), &kiosk.identity, sample_config().texts).unwrap()
}

async fn until(what: &str, is: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(20);
    while !is() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn files(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("procedures")).map_or(0, Iterator::count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_reaches_the_kiosk_once_stays_without_a_network_and_makes_room_for_the_next() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let mut follower = open(&kiosk);
    assert!(follower.look(&Network::to(&central.service())).await.unwrap());
    let procedures = follow(&kiosk, &follower, &central.service());
    until("the list arrives", || procedures.arrived() == 1).await;
    let sample = procedures.current();
    assert!((20..=30).contains(&sample.len()), "{}", sample.len());
    let birth = &sample[find(&sample, "khai sinh")[0]];
    assert_eq!((birth.name.as_str(), birth.field.as_str()), ("Đăng ký khai sinh", "Hộ tịch"));
    assert_eq!(birth.papers.len(), 4, "{:?}", birth.papers);
    assert!(sample.iter().all(|one| !one.time_limit.is_empty() && !one.papers.is_empty()));
    assert!(sample.iter().any(|one| one.papers.len() == 2), "separated by semicolons");

    // Without a network, from the disk, at once.
    let nowhere = "http://127.0.0.1:9";
    let again = follow(&kiosk, &open(&kiosk), nowhere);
    assert_eq!((again.current(), again.arrived()), (Arc::clone(&sample), 0));

    // Another one takes its place once it is here; until then the one before is shown.
    let config = posting("name,field,time_limit,fee,papers\nKhai hải sản,Thủy sản,,,\n");
    let central = central.again_with(config).await;
    assert!(follower.look(&Network::to(&central.service())).await.unwrap());
    assert_eq!(procedures.current(), sample, "the old address answers no more");
    let procedures = follow(&kiosk, &follower, &central.service());
    until("the other list arrives", || procedures.current().len() == 1).await;
    let one = procedures.current()[0].clone();
    assert_eq!((one.name.as_str(), one.fee.as_str(), one.papers.len()), ("Khai hải sản", "", 0));
    assert_eq!(files(&kiosk.path()), 1, "the one before is removed");

    // None is posted any more.
    let folder = sample_folder();
    std::fs::remove_file(folder.path().join("phu-sa/procedures.csv")).unwrap();
    let config = Config::read(&folder.path().join("central.toml")).unwrap();
    let central = central.again_with(config).await;
    let arrived = procedures.arrived();
    assert!(follower.look(&Network::to(&central.service())).await.unwrap());
    until("the list is gone", || procedures.current().is_empty()).await;
    assert!(procedures.arrived() > arrived);
    until("the file, too", || files(&kiosk.path()) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn anybody_reads_the_list_under_its_name_and_nothing_else_there() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let (name, bytes) = central.central.config.procedures.values().next().unwrap().clone();
    let get = async |path: String| {
        client().unwrap().get(format!("{}{path}", central.service())).send().await.unwrap()
    };
    let reply = get(format!("/procedures/{name}.json")).await;
    assert_eq!(reply.headers()["content-type"], "application/json");
    assert!(reply.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    assert_eq!(*reply.bytes().await.unwrap(), *bytes);
    let other = Hash::of(b"another");
    for wrong in [format!("{other}.json"), format!("{name}"), "..%2fkeys.json".into()] {
        assert_eq!(get(format!("/procedures/{wrong}")).await.status(), 404, "{wrong}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_not_what_its_name_says_or_too_long_is_not_kept_and_damage_is_mended() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let enrolled = Arc::new(kiosk.identity.enrolled.clone().unwrap());
    let name = enrolled.procedures.expect("the sample posts some");
    for (body, length) in [(b"[]".to_vec(), 2), (vec![b' '; MOST_BYTES + 9], MOST_BYTES + 9)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = format!("http://{}", listener.local_addr().unwrap());
        let procedures = Procedures::follow(
            &kiosk.path(),
            InForce::fixed(Arc::clone(&enrolled), sample_config().texts),
            Network::to(&service),
            Arc::new(SystemClock::start()),
            &Handle::current(),
        );
        let (mut asked, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        let read = asked.read(&mut request).await.unwrap();
        let asked_for = format!("GET /procedures/{name}.json");
        assert!(String::from_utf8_lossy(&request[..read]).starts_with(&asked_for));
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        asked.write_all(head.as_bytes()).await.unwrap();
        // The kiosk may hang up before the end.
        let _ = asked.write_all(&body).await;
        let _ = asked.shutdown().await;
        let mut rest = Vec::new();
        let _ = asked.read_to_end(&mut rest).await;
        assert_eq!((files(&kiosk.path()), procedures.current().len()), (0, 0));
    }
    // A file that lost its content to a power cut is fetched again.
    let file = kiosk.path().join(format!("procedures/{name}.json"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "").unwrap();
    let procedures = follow(&kiosk, &open(&kiosk), &central.service());
    until("the list arrives", || procedures.current().len() > 9).await;
    assert_eq!(Hash::of(&std::fs::read(&file).unwrap()), name);
}

#[test]
fn letters_that_another_system_wrote_in_parts_are_composed() {
    let config = posting(
        "name,field,time_limit,fee,papers\n\"Đăng ky\u{301} khai sinh\",Ho\u{323}\u{302} tịch,1,2,a;;b\n",
    );
    let (_, bytes) = config.procedures.values().next().unwrap();
    let list: Vec<Procedure> = serde_json::from_slice(bytes).unwrap();
    assert_eq!((list[0].name.as_str(), list[0].field.as_str()), ("Đăng ký khai sinh", "Hộ tịch"));
    assert_eq!(list[0].papers, ["a", "b"]);
}
