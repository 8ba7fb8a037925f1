//! The check code: a citizen learns whether a rating has arrived, and nobody anything else.

mod common;

use common::{TestCentral, at, first_counter, rate, sample_config};
use hailong::central::roots::make;
use hailong::domain::check::CheckCode;
use hailong::domain::line::{By, How};
use hailong::kiosk::desk::Desk;
use hailong::kiosk::network::client;
use hailong::kiosk::visit::Record;
use reqwest::RequestBuilder;
use reqwest::header::RETRY_AFTER;

/// A visitor who takes the code along.
fn rated(desk: &mut Desk, level: &str) -> CheckCode {
    let (by, counter) = (By::Touch, first_counter(desk));
    let open = Record::Open { by, counter, level: Some(level.to_owned()) };
    let contact = desk.keep(&open).unwrap().seq;
    let close = Record::Close { contact, how: How::Skipped, reasons: Vec::new() };
    desk.keep(&close).unwrap().code.unwrap()
}

/// What a browser sends of a form; percent signs stand for all but letters and digits.
fn form(request: RequestBuilder, fields: &[(&str, &str)]) -> RequestBuilder {
    let escaped = |text: &str| -> String {
        let byte = |byte: u8| match byte {
            b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        };
        text.bytes().map(byte).collect()
    };
    let fields = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value)));
    let body = fields.collect::<Vec<_>>().join("&");
    request.header("content-type", "application/x-www-form-urlencoded").body(body)
}

/// Status, sentence and page, as somebody at an address is told.
async fn asked(central: &TestCentral, code: &str, from: Option<&str>) -> (u16, String, String) {
    let mut request = client().unwrap().post(format!("http://{}/check", central.citizens));
    if let Some(from) = from {
        request = request.header("x-forwarded-for", from);
    }
    let reply = form(request, &[("code", code), ("lang", "vi")]).send().await.unwrap();
    let (status, waits) = (reply.status().as_u16(), reply.headers().contains_key(RETRY_AFTER));
    assert_eq!(waits, status == 429);
    // A template may write a slash as an entity; to a reader it is one.
    let page = reply.text().await.unwrap().replace("&#x2f;", "/");
    let sentence = page.split_once("id=\"answer\"").and_then(|(_, rest)| rest.split_once('>'));
    let sentence = sentence.and_then(|(_, rest)| rest.split_once('<')).unwrap_or_default().0;
    (status, sentence.to_owned(), page)
}

#[tokio::test]
async fn a_code_tells_whether_the_rating_has_arrived_and_of_which_day_the_root_is() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let (mut kiosk, mut other) = (central.kiosk("q3").await, central.kiosk("q5").await);
    let t = &central.central.config.texts[0].public;
    let mut desk = kiosk.desk();
    let codes = [rated(&mut desk, "rat_hai_long"), rated(&mut desk, "rat_khong_hai_long")];
    drop(desk);
    let says = async |code: &CheckCode| asked(&central, &code.to_string(), None).await.1;
    assert_eq!(says(&codes[0]).await, t.check_not_here, "it is on the kiosk's disk alone");
    kiosk.sent(6).await;
    // Whatever was answered, the page is the same.
    let pages = [
        asked(&central, &codes[0].to_string(), None).await,
        asked(&central, &codes[1].to_string().to_lowercase().replace('-', " "), None).await,
    ];
    assert_eq!((pages[0].0, &pages[0].1), (200, &t.check_received));
    let same = pages[1].2.replace(&codes[1].to_string(), &codes[0].to_string());
    assert_eq!(pages[0].2, same);
    for (wrong, status, sentence) in [
        (CheckCode { kiosk: codes[0].kiosk + 1, ..codes[0] }.to_string(), 200, &t.check_not_here),
        (CheckCode { kiosk: 0, ..codes[0] }.to_string(), 200, &t.check_not_here),
        (CheckCode { bits: codes[0].bits ^ 1, ..codes[0] }.to_string(), 200, &t.check_not_here),
        ("3-9KQ2".to_owned(), 422, &t.check_no_code),
        ("<b>".to_owned(), 422, &t.check_no_code),
    ] {
        let told = asked(&central, &wrong, None).await;
        assert_eq!((told.0, &told.1), (status, sentence), "{wrong}");
        assert!(!told.2.contains("<b>"));
    }

    central.clock.set(at("2026-11-25 00:01"));
    make(&central.central).await.unwrap();
    let rooted = |day: &str| t.check_rooted.replace("{date}", day);
    assert_eq!(says(&codes[0]).await, rooted("24/11/2026"), "before codes were gathered");
    central.store().gather_codes().await.unwrap();
    central.store().gather_codes().await.unwrap();
    let mut desk = kiosk.desk();
    let next = rated(&mut desk, "hai_long");
    drop(desk);
    kiosk.sent(11).await;
    assert_eq!(says(&next).await, t.check_received);
    for code in &codes {
        assert_eq!(says(code).await, rooted("24/11/2026"));
    }
    // A day on which nobody rated has a root, too.
    central.clock.set(at("2026-11-26 08:00"));
    make(&central.central).await.unwrap();
    let desk = other.desk();
    drop(desk);
    other.sent(3).await;
    central.clock.set(at("2026-11-27 00:01"));
    make(&central.central).await.unwrap();
    central.store().gather_codes().await.unwrap();
    assert_eq!(says(&next).await, rooted("25/11/2026"));
    assert_eq!(says(&codes[1]).await, rooted("24/11/2026"));
}

#[tokio::test]
async fn whoever_answers_on_a_phone_gets_a_code_too() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    let open = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
    let ticket = desk.keep(&open).unwrap().ticket.unwrap();
    rate(&mut desk, "hai_long", &[]);
    drop(desk);
    let page = client().unwrap().get(&ticket).send().await.unwrap().text().await.unwrap();
    let token = page.split_once("name=\"token\" value=\"").unwrap().1.split_once('"').unwrap().0;
    let fields = [("level", "khong_hai_long"), ("token", token)];
    let reply = form(client().unwrap().post(&ticket), &fields).send().await.unwrap();
    let page = reply.text().await.unwrap().replace("&#x2f;", "/");
    let t = &central.central.config.texts[0].public;
    let (_, after) = page.split_once(&t.check_own).unwrap();
    let code = after.split_once("nowrap\">").unwrap().1.split_once('<').unwrap().0;
    assert!(code.starts_with("0-"), "{code}");
    assert_eq!(asked(&central, code, None).await.1, t.check_received);
}

#[tokio::test]
async fn nobody_tries_codes_for_long() {
    let mut config = sample_config();
    config.citizens_approach.proxied = true;
    let central = TestCentral::with_config(config, at("2026-11-24 09:00")).await;
    let try_one = async |n: u64, from: &str| {
        let code = CheckCode { kiosk: 1, bits: n }.to_string();
        asked(&central, &code, Some(from)).await.0
    };
    let mut refused = 0;
    for n in 0..60 {
        refused += u32::from(try_one(n, "203.0.113.7").await == 429);
    }
    assert!(refused >= 20, "{refused} of 60 tries were refused");
    assert_eq!(try_one(1, "203.0.113.8").await, 200, "somebody else is not held up");
}
