//! What a technician reads when a kiosk does not reach the central service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use hailong::domain::system_random;
use hailong::kiosk::enrolment::{EnrolmentError, enrol};
use hailong::kiosk::identity::Identity;
use hailong::kiosk::network::{Network, Proxy};
use hailong::listener::{self, Bounds, Listener, Tls};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::child::Start;
use crate::common::{TestCentral, rate};
use crate::ways::{enrol_by_program, kiosk_config};
use crate::wire::{Authority, ForwardProxy, Rule, reverse_proxy};

/// A listener with TLS and nothing behind it, until the sender is dropped.
async fn tls_listener((certificate, key): (PathBuf, PathBuf)) -> (SocketAddr, watch::Sender<bool>) {
    let tls = Some(Tls::read(&certificate, &key).unwrap());
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (end, ended) = watch::channel(false);
    let how = Listener { address, tls, bounds: Bounds::default() };
    tokio::spawn(listener::serve(socket, how, Router::new(), ended));
    (address, end)
}

/// An address where nothing listens.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// What enrolling over a network complains of.
async fn complaint(network: Network) -> String {
    let folder = TempDir::new().unwrap();
    let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    match enrol(&network, "ABCDEFGHJK", &mut identity).await {
        Err(error @ EnrolmentError::Unreachable(_)) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_obstacle_is_named_in_words_that_say_what_to_do() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let good = (2020, 2100);
    let local = ["127.0.0.1", "localhost"];
    let central = TestCentral::start().await;
    let (trusted, _end) = tls_listener(ours.issue(&local, good)).await;
    let (other_name, _end) = tls_listener(ours.issue(&["khac.example.vn"], good)).await;
    let (expired, _end) = tls_listener(ours.issue(&local, (2020, 2021))).await;
    let (not_yet, _end) = tls_listener(ours.issue(&local, (2090, 2100))).await;
    let nobody = nobody().await;
    let cutting = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let cuts = cutting.local_addr().unwrap();
    tokio::spawn(async move { while cutting.accept().await.is_ok() {} });

    let https =
        |at: SocketAddr| Network::to(&format!("https://{at}")).trusting(ours.certificates());
    let http = |at: SocketAddr| Network::to(&format!("http://{at}"));
    let invalid = Network::to("http://khong-co.invalid");
    let cases = [
        (invalid, "the name of khong-co.invalid:80 is not known here".to_owned()),
        (http(nobody), format!("{nobody} refuses the connection; check host and port")),
        (http(cuts), format!("{cuts} closes the connection before it answers")),
        (https(cuts), format!("{cuts} closes the connection before it answers")),
        (
            Network::to(&format!("https://{trusted}")),
            format!("the certificate of {trusted} is not trusted; if your office has a"),
        ),
        (
            Network::to(&format!("https://{trusted}")).trusting(theirs.certificates()),
            "name the file of its certificate with ca".to_owned(),
        ),
        (https(other_name), "is for another name: khac.example.vn; use the right".to_owned()),
        (https(expired), "ended on 2021-01-01, while this machine's clock says 20".to_owned()),
        (https(not_yet), "begins on 2090-01-01, while this machine's clock says 20".to_owned()),
        (
            https(central.citizens),
            format!("what answers at {} does not speak TLS", central.citizens),
        ),
        (http(trusted), format!("what answers at {trusted} does not speak HTTP")),
    ];
    for (network, words) in cases {
        let complaint = complaint(network.clone()).await;
        assert!(complaint.starts_with("the central service cannot be reached: "), "{complaint}");
        assert!(complaint.contains(&words), "{complaint}\nexpected to read {words:?}");
    }
}

#[tokio::test]
async fn an_obstacle_at_the_proxy_is_not_put_down_to_the_central_service() {
    let authority = Authority::new();
    let local = ["127.0.0.1", "localhost"];
    let (tls, _end) = tls_listener(authority.issue(&local, (2020, 2100))).await;
    let central = TestCentral::start().await;
    let https = Network::to(&format!("https://{tls}")).trusting(authority.certificates());
    let http = Network::to(&central.service());
    let nobody = nobody().await;
    let password = ForwardProxy::start(Rule::Password("may01:right")).await.address;
    let closed = ForwardProxy::start(Rule::Closed).await.address;
    for (proxy, over, words) in [
        (nobody.to_string(), &https, format!("{nobody} refuses the connection")),
        (nobody.to_string(), &http, format!("{nobody} refuses the connection")),
        ("khong-co.invalid:3128".into(), &https, "khong-co.invalid:3128 is not known".into()),
        (password.to_string(), &https, format!("the proxy {password} wants a user and password")),
        (password.to_string(), &http, format!("the proxy {password} wants a user and password")),
        (format!("may01:wrong@{password}"), &https, "or not these; write them as".into()),
        (format!("may01:wrong@{password}"), &http, "or not these; write them as".into()),
        (
            closed.to_string(),
            &https,
            format!("the proxy {closed} does not let us through to {tls}"),
        ),
    ] {
        let proxy = Proxy::read(&format!("http://{proxy}")).unwrap();
        let complaint = complaint(over.clone().through(proxy).unwrap()).await;
        assert!(complaint.contains(&words), "{complaint}\nexpected to read {words:?}");
        assert!(!complaint.contains("wrong"), "{complaint}");
    }
}

#[tokio::test]
async fn a_service_that_does_not_answer_in_time_is_said_to_be_late() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let network = Network::to(&format!("http://{address}"));
    // As kiosks wait for a minute, but shorter.
    let request = network.client().unwrap().get(network.address("/"));
    let error = request.timeout(Duration::from_millis(50)).send().await.unwrap_err();
    let words = network.lost(&error).to_string();
    assert!(words.contains(&format!("{address} has not answered in time")), "{words}");
}

#[tokio::test]
async fn a_wrong_base_path_is_a_refusal_that_tells_to_check_it() {
    let central = TestCentral::start().await;
    let folder = TempDir::new().unwrap();
    let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    let service = format!("{}/danhgia", central.service());
    let error = enrol(&service, "ABCDEFGHJK", &mut identity).await.unwrap_err().to_string();
    assert!(error.contains("404 Not Found; check service in kiosk.toml, its path"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_shows_the_obstacle_and_ends_as_unreachable() {
    let authority = Authority::new();
    let names = ["127.0.0.1", "localhost"];
    let (tls, _end) = tls_listener(authority.issue(&names, (2020, 2100))).await;
    let config = kiosk_config(&format!("service = \"https://{tls}\"\n"));
    let (code, _, complained) = enrol_by_program(&config, "ABCDEFGHJK").await;
    assert_eq!(code, Some(4), "{complained}");
    let last = complained.lines().last().unwrap();
    assert!(last.starts_with("hailong: the central service cannot be reached: "), "{last}");
    assert!(last.contains("is not trusted"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_obstacle_stands_in_the_log_of_a_kiosk_at_work() {
    let authority = Authority::new();
    let names = ["127.0.0.1", "localhost"];
    let (tls, _end) = tls_listener(authority.issue(&names, (2020, 2100))).await;
    let central = TestCentral::start().await;
    let mut kiosk = central.kiosk("q3").await;
    rate(&mut kiosk.desk(), "rat_hai_long", &[]);
    let log = kiosk.folder.path().join("log");
    let service = format!("https://{tls}");
    let mut start = Start::new(kiosk.folder.path(), "2026-11-24 08:15");
    (start.service, start.log) = (Some(service.as_str()), Some(log.as_path()));
    let _child = start.ready();
    let words = format!("the certificate of {tls} is not trusted");
    for _ in 0..400 {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        if log.lines().any(|line| line.contains("WARN") && line.contains(&words)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{}", std::fs::read_to_string(&log).unwrap());
}

#[tokio::test]
async fn a_proxy_without_a_service_behind_it_is_told_from_the_service() {
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = format!("http://{}", front.local_addr().unwrap());
    reverse_proxy(front, vec![("/api", nobody().await)]);
    let folder = TempDir::new().unwrap();
    let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    let error = enrol(&service, "ABCDEFGHJK", &mut identity).await.unwrap_err().to_string();
    assert!(error.contains("502 Bad Gateway; a proxy is there, but does not reach"), "{error}");
}
