//! Whole ways: enrol, rate, send, be receipted, open the phone's page with all that it uses.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use hailong::central::config::Config;
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Role;
use hailong::domain::line::By;
use hailong::kiosk::network::{Network, Proxy};
use hailong::kiosk::transport::Http;
use hailong::kiosk::visit::Record;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Url};
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::common::{TestCentral, at, rate, sample_config};
use crate::wire::{Authority, ForwardProxy, Rule, reverse_proxy, sample_folder};

/// A central service at an address, with a configuration of its own.
pub async fn central(address: &str, change: impl FnOnce(&mut Config)) -> TestCentral {
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 07:30")));
    let folder = TempDir::new().unwrap();
    TestCentral::start_at_address(address, sample_config(), folder, clock, change).await
}

/// Enrols a kiosk, rates at it, sends, and answers by phone, whose client reaches `public_url`.
async fn whole_way(central: &TestCentral, network: Network, phone: &Client) {
    let mut kiosk = central.kiosk_by("q3", network.clone()).await;
    central.clock.set(at("2026-11-24 08:15"));
    let mut desk = kiosk.desk();
    rate(&mut desk, "rat_hai_long", &["niem_no"]);
    let counter = "q3".parse().unwrap();
    let opened = desk.keep(&Record::Open { counter, by: By::Later, level: None }).unwrap();
    kiosk.send_by(Http::new(network).unwrap()).drained(opened.seq).await;
    assert_eq!(central.store().findings().await.unwrap(), []);

    let public_url = &central.central.config.public_url;
    let address = opened.ticket.unwrap();
    assert!(address.starts_with(public_url.as_str()), "{address}");
    let page = resources(phone, &address, "", public_url).await;
    let token = page.split_once("name=\"token\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let sent = format!("token={token}&level=hai_long");
    let reply = phone
        .post(&address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(sent)
        .send()
        .await
        .unwrap();
    assert_eq!(reply.status(), 200);
    assert!(reply.text().await.unwrap().contains("Xin cảm ơn"));
    let front = resources(phone, public_url, "", public_url).await;
    assert!(front.contains("quét mã QR"), "{front}");
}

/// Opens a page and everything that it names; all of it has to be there, below `base`.
async fn resources(client: &Client, address: &str, cookie: &str, base: &str) -> String {
    let base = Url::parse(base).unwrap();
    let first = Url::parse(address).unwrap();
    let (mut found, mut left) = (BTreeSet::new(), vec![first.clone()]);
    let mut page = String::new();
    while let Some(url) = left.pop() {
        if !found.insert(url.clone()) {
            continue;
        }
        assert_eq!(url.origin(), base.origin(), "{url}");
        assert!(url.path().starts_with(base.path()), "{url} is not below {base}");
        let reply = client.get(url.clone()).header(COOKIE, cookie).send().await.unwrap();
        // What is only sent, and what leads on.
        let status = reply.status().as_u16();
        let sent = url.path().ends_with("/sign-out") && status == 405;
        assert!(sent || [200, 303].contains(&status), "{url}: {status}");
        let bytes = reply.bytes().await.unwrap();
        let Ok(text) = std::str::from_utf8(&bytes) else { continue };
        let text = text.replace("&#x2f;", "/");
        let (style, is_first) = (url.path().ends_with(".css"), url == first);
        let opening: &[&str] =
            if style { &["url(\""] } else { &["href=\"", "src=\"", "action=\""] };
        for opening in opening.iter().filter(|_| style || is_first) {
            for named in text.split(opening).skip(1) {
                let named = named.split('"').next().unwrap();
                // A drawing within the page, and another day's page.
                if !named.starts_with('#') && !named.contains("/summary/phu-sa/2026-11-23") {
                    left.push(url.join(named).unwrap());
                }
            }
        }
        if is_first {
            page = text;
        }
    }
    assert!(found.len() >= 6, "a style and four fonts: {found:?}");
    page
}

#[tokio::test]
async fn everything_works_below_base_paths_that_a_reverse_proxy_forwards_as_they_are() {
    let front = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = front.local_addr().unwrap().port();
    let central = central("127.0.0.1:0", |config| {
        config.public_url = format!("HTTP://127.0.0.1:{port}/MOTCUA/DANHGIA");
        config.staff_url = Some(format!("http://127.0.0.1:{port}/hai-long"));
    })
    .await;
    reverse_proxy(front, vec![("/MOTCUA/DANHGIA", central.citizens), ("/hai-long", central.staff)]);
    let service = format!("http://127.0.0.1:{port}/MOTCUA/DANHGIA/");
    let phone = Network::to("").client().unwrap();
    whole_way(&central, Network::to(&service), &phone).await;

    // Nothing is to be found beside the base path, not even straight at the listener.
    for path in ["/", "/style.css", "/api/v1/enrol", "/MOTCUA", "/DANHGIA/"] {
        let reply = phone.get(format!("{}{path}", central.service())).send().await.unwrap();
        assert_eq!(reply.status(), 404, "{path}");
    }

    let staff_url = central.central.config.staff_url.clone().unwrap();
    let link = format!("{staff_url}{}", central.link(Role::Supervisor).await);
    let reply = phone.get(link).send().await.unwrap();
    assert_eq!(reply.status(), 303);
    assert_eq!(reply.headers()[LOCATION], "/hai-long/");
    let set = reply.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(set.contains("; Path=/hai-long;"), "{set}");
    let cookie = set.split(';').next().unwrap();
    let reply = phone.get(format!("{staff_url}/")).header(COOKIE, cookie).send().await.unwrap();
    let day = reply.headers()[LOCATION].to_str().unwrap();
    assert_eq!(day, "/hai-long/summary/phu-sa/2026-11-24");
    let day = format!("http://127.0.0.1:{port}{day}");
    let page = resources(&phone, &day, cookie, &staff_url).await;
    assert!(page.contains("/hai-long/summary/phu-sa/2026-11-23"), "the day before");
    let link = format!("{staff_url}{}", central.link(Role::Reader).await);
    let reply = phone.get(link).send().await.unwrap();
    assert_eq!(reply.headers()[LOCATION], "/hai-long/");
    let set = reply.headers()[SET_COOKIE].to_str().unwrap();
    let reports = format!("{staff_url}/reports");
    resources(&phone, &reports, set.split(';').next().unwrap(), &staff_url).await;
    let refused = phone.get(day).header("accept", "text/html").send().await.unwrap();
    assert_eq!(refused.status(), 303);
    let there = refused.headers()[LOCATION].to_str().unwrap();
    assert_eq!(there, "/hai-long/sign-in?next=/summary/phu-sa/2026-11-24");
    let page = phone.get(format!("http://127.0.0.1:{port}{there}")).send().await.unwrap();
    assert!(page.text().await.unwrap().contains("\"/hai-long/style.css\""));
}

#[tokio::test]
async fn a_listener_with_tls_of_a_private_authority_is_reached_through_a_proxy_with_password() {
    let authority = Authority::new();
    let tls = authority.tls();
    let central = central("127.0.0.1:0", |config| {
        config.public_url = config.public_url.replace("HTTP://127.0.0.1", "HTTPS://LOCALHOST");
        config.public_url.push_str("/DANHGIA");
        config.citizens.tls = Some(tls.clone());
        config.staff_url = Some("https://localhost/hai-long".to_owned());
        config.staff.tls = Some(tls);
    })
    .await;
    let port = central.citizens.port();
    let proxy = ForwardProxy::start(Rule::Password("may01:bí/mật")).await;
    let address = format!("http://may01:b%C3%AD%2Fm%E1%BA%ADt@{}", proxy.address);
    let network = Network::to(&format!("https://localhost:{port}/DANHGIA"))
        .trusting(authority.certificates())
        .through(Proxy::read(&address).unwrap())
        .unwrap();
    let phone = Network::to("").trusting(authority.certificates()).client().unwrap();
    whole_way(&central, network, &phone).await;
    let seen = proxy.seen.lock().unwrap().clone();
    assert!(!seen.is_empty());
    assert!(
        seen.iter().all(|first| *first == format!("CONNECT localhost:{port} HTTP/1.1")),
        "the proxy sees where to, and nothing else: {seen:?}"
    );

    let path = central.link(Role::Supervisor).await;
    let link = format!("https://localhost:{}/hai-long{path}", central.staff.port());
    let reply = phone.get(link).send().await.unwrap();
    let set = reply.headers()[SET_COOKIE].to_str().unwrap();
    assert!(set.ends_with("; Secure"), "{set}");
    central.stop().await;
}

#[tokio::test]
async fn ipv6_is_as_good_as_ipv4_with_and_without_a_proxy() {
    let authority = Authority::new();
    let proxy = ForwardProxy::start(Rule::Open).await;
    let through = Proxy::read(&format!("http://{}", proxy.address)).unwrap();
    for (tls, proxied) in [(false, false), (true, false), (false, true)] {
        let central = central("[::1]:0", |config| {
            // An address with brackets cannot stand on a QR code.
            let port = config.public_url.rsplit(':').next().unwrap().to_owned();
            let scheme = if tls { "HTTPS" } else { "HTTP" };
            config.public_url = format!("{scheme}://LOCALHOST:{port}");
            config.citizens.tls = tls.then(|| authority.tls());
        })
        .await;
        assert!(central.citizens.is_ipv6() && central.staff.is_ipv6());
        let scheme = if tls { "https" } else { "http" };
        let mut network = Network::to(&format!("{scheme}://{}", central.citizens))
            .trusting(authority.certificates());
        if proxied {
            network = network.through(through.clone()).unwrap();
        }
        // A phone whose name service knows the listener's address.
        let authority = reqwest::Certificate::from_der(&authority.certificates()[0]).unwrap();
        let phone = Client::builder()
            .no_proxy()
            .tls_certs_merge([authority])
            .resolve("localhost", central.citizens)
            .build()
            .unwrap();
        whole_way(&central, network, &phone).await;
    }
    let seen = proxy.seen.lock().unwrap().clone();
    assert!(seen.iter().any(|first| first.starts_with("POST http://[::1]:")), "{seen:?}");
    // What the client cannot do is refused before a kiosk starts.
    let refused = Network::to("https://[::1]:8443").through(through).unwrap_err();
    assert!(refused.to_string().contains("expected a service with a name"), "{refused}");
}

/// A kiosk's folder with a configuration that says how to reach the service.
pub fn kiosk_config(lines: &str) -> TempDir {
    let folder = sample_folder();
    let file = folder.path().join("kiosk.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let service = "service = \"http://127.0.0.1:8080\"\n";
    assert_eq!(text.matches(service).count(), 1);
    let text = text.replace(service, lines).replace("../kiosk-data", "kiosk-data");
    std::fs::write(file, text).unwrap();
    folder
}

/// The program, in an environment that names a dead proxy.
fn hailong(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(arguments).env("HAILONG_LOG", "trace");
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy"] {
        command.env(name, "http://127.0.0.1:1");
    }
    command
}

/// Exit code, what it printed, what it complained of.
async fn output_of(mut command: Command) -> (Option<i32>, String, String) {
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// `hailong kiosk --enrol`: it enrols before it opens a window, for which there is no display here.
pub async fn enrol_by_program(config: &TempDir, code: &str) -> (Option<i32>, String, String) {
    let mut command = hailong(&["kiosk", "--enrol", code, "--config"]);
    command.arg(config.path().join("kiosk.toml"));
    command.env_remove("WAYLAND_DISPLAY").env("DISPLAY", ":9999");
    output_of(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_goes_the_way_that_its_file_says_and_no_other() {
    let authority = Authority::new();
    let tls = authority.tls();
    let central = central("127.0.0.1:0", |config| {
        config.citizens.tls = Some(tls.clone());
        config.staff.tls = Some(tls);
    })
    .await;
    let proxy = ForwardProxy::start(Rule::Password("may01:secret-77")).await;
    let lines = format!(
        "service = \"https://localhost:{}\"\nca = {:?}\nproxy = \"http://may01:secret-77@{}\"\n",
        central.citizens.port(),
        authority.file(),
        proxy.address
    );
    let config = kiosk_config(&lines);
    let staff = central.staff.port();
    let place = format!("https://localhost:{staff}");
    let token = central.token_file(&central.token(Role::Administrator).await);
    let mut ask = hailong(&["admin", "enrol-code", "--office=phu-sa", "--counter=q3"]);
    ask.args(["--kiosk=ps-q3", "--server", &place, "--token", &token]);
    let (code, _, complained) = output_of(ask).await;
    assert_eq!(code, Some(4), "the certificate is not trusted by itself: {complained}");
    let mut ask = hailong(&["admin", "enrol-code", "--office=phu-sa", "--counter=q3"]);
    ask.args(["--kiosk=ps-q3", "--server", &place, "--token", &token, "--ca"])
        .arg(authority.file());
    let (_, code, complained) = output_of(ask).await;
    assert_eq!(code.trim().len(), 10, "{complained}");
    let (_, said, complained) = enrol_by_program(&config, code.trim()).await;
    assert!(said.starts_with("Enrolled as ps-q3.\n"), "{said} {complained}");
    assert!(!complained.contains("secret-77"), "{complained}");
    assert!(!proxy.seen.lock().unwrap().is_empty(), "through the proxy");
}
