//! What watches the service from outside: whether it lives, whether it can work, and how it is.

mod common;

use common::{TestCentral, at, rate};
use hailong::domain::access::{Role, Standing, Unit};
use hailong::domain::ids::OfficeCode;
use hailong::kiosk::network::client;

async fn get(address: &str, token: Option<&str>) -> (u16, String, String) {
    let request = client().unwrap().get(address);
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    let reply = request.send().await.unwrap();
    let kind = reply.headers().get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    (reply.status().as_u16(), kind.unwrap_or_default(), reply.text().await.unwrap())
}

/// The value of a metric with these labels.
fn value(text: &str, metric: &str) -> f64 {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let found = lines.find(|(name, _)| *name == metric);
    found.unwrap_or_else(|| panic!("{metric} in {text}")).1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_whether_it_lives_and_can_work_to_anybody() {
    let central = TestCentral::start().await;
    for listener in [central.citizens, central.staff] {
        for path in ["healthz", "readyz"] {
            let (status, _, text) = get(&format!("http://{listener}/{path}"), None).await;
            assert_eq!((status, text.as_str()), (200, "ok\n"), "{listener} {path}");
        }
    }
    // Without its store it lives, and cannot work.
    central.store().close().await.unwrap();
    std::fs::remove_file(central.folder.path().join("central.db")).unwrap();
    let (status, _, text) = get(&format!("http://{}/readyz", central.citizens), None).await;
    assert_eq!(status, 503, "{text}");
    assert_eq!(get(&format!("http://{}/healthz", central.citizens), None).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_of_whose_kiosks_they_are_and_of_nothing_that_citizens_answered() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    central.kiosk("q1").await;
    let mut desk = kiosk.desk();
    rate(&mut desk, "rat_khong_hai_long", &["cho_lau"]);
    drop(desk);
    kiosk.sent(5).await;
    let address = format!("http://{}/metrics", central.staff);
    assert_eq!(get(&address, None).await.0, 401);
    let reader = central.token(Role::Reader).await;
    assert_eq!(get(&address, Some(&reader)).await.0, 403);
    let token = central.token(Role::Supervisor).await;
    let (status, kind, text) = get(&address, Some(&token)).await;
    assert_eq!(status, 200);
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!(value(&text, "hailong_kiosks{standing=\"in_use\"}"), 2.0);
    // The one of which nobody has heard was admitted just now.
    assert_eq!(value(&text, "hailong_kiosks_silent"), 0.0);
    assert_eq!(value(&text, "hailong_findings"), 0.0);
    assert!(value(&text, "hailong_requests_total{listener=\"citizens\",status=\"2xx\"}") >= 3.0);
    assert_eq!(value(&text, "hailong_requests_total{listener=\"staff\",status=\"4xx\"}"), 2.0);
    assert!(!text.contains("hai_long") && !text.contains("cho_lau"), "{text}");
    central.clock.set(at("2026-11-24 10:00"));
    let (_, _, later) = get(&address, Some(&token)).await;
    assert_eq!(value(&later, "hailong_kiosks_silent"), 2.0);
    // Of another office there are none.
    let other = Unit(Some("dong-tien".parse::<OfficeCode>().unwrap()));
    let token = central.token_of(Standing::new(Role::Supervisor, other)).await;
    let (_, _, text) = get(&address, Some(&token)).await;
    assert_eq!(value(&text, "hailong_kiosks{standing=\"in_use\"}"), 0.0);
}
