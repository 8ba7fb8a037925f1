//! The pages over HTTP: who may read them, and what they say.

mod common;

use common::{TestCentral, at, rate};
use hailong::central::access::who::SESSION;
use hailong::domain::access::Role;
use hailong::kiosk::network::client;
use reqwest::header::{CONTENT_SECURITY_POLICY, COOKIE, LOCATION};

/// A day with 36 ratings at counter 3, four at counter 1, seven at counter 2, complete.
async fn a_day() -> TestCentral {
    let central = TestCentral::start().await;
    for (counter, ratings) in [("q1", 4), ("q2", 7), ("q3", 36)] {
        let mut kiosk = central.kiosk(counter).await;
        central.clock.set(at("2026-11-24 08:15"));
        let mut desk = kiosk.desk();
        for number in 0..ratings {
            let level = if number % 9 == 8 { "khong_hai_long" } else { "rat_hai_long" };
            let reasons: &[&str] = if number % 9 == 8 { &["cho_lau"] } else { &["niem_no"] };
            rate(&mut desk, level, reasons);
        }
        kiosk.sent(3 + ratings * 2).await;
    }
    central
}

async fn get(address: &str, cookie: &str) -> (u16, String) {
    let request = client().unwrap().get(address).header(COOKIE, cookie);
    let reply = request.header("accept", "text/html").send().await.unwrap();
    let policy = reply.headers().get(CONTENT_SECURITY_POLICY).cloned();
    // A template may write a slash as an entity; to a reader it is one.
    let (status, text) = (reply.status().as_u16(), reply.text().await.unwrap());
    let text = text.replace("&#x2f;", "/");
    if text.starts_with("<!DOCTYPE html>") {
        assert!(policy.unwrap().to_str().unwrap().starts_with("default-src 'none'"));
        assert!(!text.contains("<script") && !text.contains("style="), "the policy forbids it");
    }
    (status, text)
}

async fn cookie(central: &TestCentral) -> String {
    central.cookie(Role::Supervisor).await
}

#[tokio::test]
async fn staff_pages_open_for_those_who_signed_in_and_for_nobody_else() {
    let central = TestCentral::start().await;
    let base = format!("http://{}", central.staff);
    let wrong = format!("{SESSION}=0123456789abcdef0123456789abcdef");
    for path in ["/", "/summary/phu-sa/2026-11-24", "/api/v1/summary/phu-sa/2026-11-24"] {
        for cookie in ["", &format!("{SESSION}="), &wrong] {
            let request = client().unwrap().get(format!("{base}{path}")).header(COOKIE, cookie);
            assert_eq!(request.send().await.unwrap().status().as_u16(), 401, "{path} {cookie}");
            // People are led to where they sign in, and back.
            let request = client().unwrap().get(format!("{base}{path}")).header(COOKIE, cookie);
            let reply = request.header("accept", "text/html").send().await.unwrap();
            assert_eq!(reply.headers()[LOCATION], format!("/sign-in?next={path}"));
        }
        assert_eq!(get(&format!("{base}{path}?key=wrong"), "").await.0, 303);
    }
    let page = format!("{base}/summary/phu-sa/2026-11-24");
    let (status, page) = get(&page, &cookie(&central).await).await;
    assert_eq!(status, 200, "{page}");
    // Kiosks and phones have no business on the staff's listener, nor staff on theirs.
    assert_eq!(get(&format!("{base}/api/v1/enrol"), &cookie(&central).await).await.0, 404);
    let citizens = format!("http://{}/summary/phu-sa/2026-11-24", central.citizens);
    assert_eq!(get(&citizens, &cookie(&central).await).await.0, 404);
}

#[tokio::test]
async fn the_summary_page_shows_n_and_interval_and_withholds_what_is_few() {
    let central = a_day().await;
    let page = format!("http://{}/summary/phu-sa/2026-11-24", central.staff);
    let (_, open) = get(&page, &cookie(&central).await).await;
    assert!(open.contains("Số liệu tạm tính đến"), "before closing");
    assert!(open.contains("45 lượt đánh giá") && !open.contains("47 lượt đánh giá"), "in fives");

    central.clock.set(at("2026-11-24 17:30"));
    let json = format!("http://{}/api/v1/summary/phu-sa/2026-11-24", central.staff);
    let (status, json) = get(&json, &cookie(&central).await).await;
    assert_eq!(status, 200);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["state"], "provisional");
    let row = |id: &str| {
        json["by_counter"].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap().clone()
    };
    assert_eq!(row("q1")["levels"], serde_json::Value::Null, "four ratings");
    assert_eq!(row("q2")["levels"], serde_json::Value::Null, "or q1 would follow as the rest");
    assert_eq!(row("q3")["n"], 35);
    assert!(row("q3")["rate"].as_f64().is_some());
    let (_, provisional) = get(&page, &cookie(&central).await).await;
    assert!(provisional.contains("khoảng tin cậy 95%"), "a rate never stands alone");
    assert!(provisional.contains("chưa đủ số liệu"));
    assert!(provisional.contains("chưa có số liệu về lượt phục vụ"), "silence is silence");
    assert!(provisional.contains(&json["digest"].as_str().unwrap()[..4]));
}

#[tokio::test]
async fn staff_read_the_same_figures_under_the_same_digest_in_english() {
    let central = a_day().await;
    central.clock.set(at("2026-11-24 17:30"));
    let staff = cookie(&central).await;
    let base = format!("http://{}/summary/phu-sa/2026-11-24", central.staff);
    let (_, vietnamese) = get(&base, &staff).await;
    let (status, english) = get(&format!("{base}?lang=en"), &staff).await;
    assert_eq!(status, 200);
    for text in [
        "<html lang=\"en\">",
        "<h1>Tuesday, 24/11/2026</h1>",
        "Satisfaction rate",
        "Counter 3 · Hộ tịch – Chứng thực",
        "Very satisfied",
        "93.3%",
        "too few ratings",
        "/summary/phu-sa/2026-11-23?lang=en",
        "<a href=\"?lang=vi\" lang=\"vi\" hreflang=\"vi\">Tiếng Việt</a>",
    ] {
        assert!(english.contains(text), "{text}: {english}");
    }
    for text in ["Tỷ lệ", "lượt", "Quầy", "93,3%"] {
        assert!(vietnamese.contains(text) && !english.contains(text), "{text}: {english}");
    }
    let digest = |page: &str| {
        let code = page.split_once("code full\">").expect("a digest").1;
        code[..64].to_owned()
    };
    assert_eq!(digest(&vietnamese), digest(&english));
    // A language that there is not is that of rest; whoever has to sign in keeps the one asked for.
    assert_eq!(get(&format!("{base}?lang=xx"), &staff).await.1, vietnamese);
    let request = client().unwrap().get(format!("{base}?lang=en")).header("accept", "text/html");
    let there = request.send().await.unwrap().headers()[LOCATION].to_str().unwrap().to_owned();
    assert_eq!(there, "/sign-in?lang=en&next=/summary/phu-sa/2026-11-24%3Flang%3Den");
    let (status, page) = get(&format!("http://{}{there}", central.staff), "").await;
    assert!(status == 200 && page.contains("<h1>Sign in</h1>"), "{page}");

    let (_, page) = get(&format!("{base}x?lang=en"), &staff).await;
    assert!(page.contains("The time is not valid."), "{page}");
    let reports = format!("http://{}/reports?lang=en", central.staff);
    let (status, page) = get(&reports, &staff).await;
    assert!(status == 403 && page.contains("Not permitted"), "{page}");
    let reader = central.cookie(Role::Reader).await;
    let (_, page) = get(&reports, &reader).await;
    assert!(page.contains("Reports of violations") && page.contains("No report waits."), "{page}");
}

#[tokio::test]
async fn days_and_offices_that_are_not_there_are_said_so() {
    let central = TestCentral::start().await;
    let base = format!("http://{}/summary", central.staff);
    for (path, status) in [
        ("/nowhere/2026-11-24", 404),
        ("/phu-sa/yesterday", 404),
        ("/phu-sa/latest", 404),
        ("/phu-sa/2025-12-31", 404),
        ("/phu-sa/2026-11-23", 200),
    ] {
        let (found, page) = get(&format!("{base}{path}"), &cookie(&central).await).await;
        assert_eq!(found, status, "{path}: {page}");
    }
}

#[tokio::test]
async fn ratings_by_a_wrong_clock_stand_on_every_days_page_until_somebody_looks() {
    // The day on which clocks begin that have forgotten the time.
    let central = TestCentral::start_at(at("1970-01-01 07:10")).await;
    let page = async |lang: &str| {
        let address = format!("http://{}/summary/phu-sa/2026-11-24{lang}", central.staff);
        get(&address, &cookie(&central).await).await.1
    };
    assert!(!page("").await.contains("đồng hồ tại quầy sai"));
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    rate(&mut desk, "hai_long", &[]);
    let last = rate(&mut desk, "rat_hai_long", &[]) + 1;
    central.clock.set(at("2026-11-24 08:15"));
    kiosk.sent(last).await;
    let shown = page("").await;
    assert!(shown.contains("<strong>2 lượt đánh giá</strong> chưa tính vào ngày nào"), "{shown}");
    assert!(page("?lang=en").await.contains("counted on no day yet"));
}
