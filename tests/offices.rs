//! All offices beside each other on a day.

mod common;

use std::sync::Arc;

use common::{TestCentral, TestKiosk, at, rate, sample_config};
use hailong::domain::access::{Role, Standing, Unit};
use hailong::domain::comparison::{Against, Comparison};
use hailong::domain::decision::{Decision, What};
use hailong::domain::ids::OfficeCode;
use hailong::domain::line::{Event, Line};
use hailong::domain::summary::{State, Summary};
use hailong::domain::system_random;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use jiff::civil::Date;
use tempfile::TempDir;

const OFFICES: [(&str, &str); 3] =
    [("phu-sa", "nam-muc"), ("dong-tien", "nam-muc"), ("tay-tien", "ba-muc")];

/// Three offices, two of them with the same form.
async fn three() -> TestCentral {
    let mut config = sample_config();
    for (code, form) in &OFFICES[1..] {
        let mut other = config.offices[0].clone();
        other.office.code = code.parse().unwrap();
        other.office.name = format!("Trung tâm Phục vụ hành chính công {code}");
        other.office.form = (*form).to_owned();
        config.offices.push(other);
    }
    TestCentral::with_config(config, at("2026-11-10 07:30")).await
}

/// What visitors of offices rate on a day, at kiosks that are turned off after closing: so the day is complete.
async fn day(central: &TestCentral, day: &str, offices: &[(&str, &[(&str, usize)])]) {
    central.clock.set(at(&format!("{day} 08:15")));
    let mut kiosks = Vec::new();
    for (office, levels) in offices {
        let folder = TempDir::new().unwrap();
        let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
        let (name, office) = (format!("{office}-{day}"), office.parse().unwrap());
        let counter = "q3".parse().unwrap();
        let code = central.central.offer(name.parse().unwrap(), office, counter).await.unwrap();
        enrol(&Network::to(&central.service()), &code, &mut identity).await.unwrap();
        let (clock, service) = (Arc::clone(&central.clock), central.service());
        let mut kiosk = TestKiosk { folder, identity, clock, service };
        let mut desk = kiosk.desk();
        let each = levels.iter().flat_map(|(level, n)| std::iter::repeat_n(level, *n));
        for level in each.clone() {
            rate(&mut desk, level, &[]);
        }
        kiosks.push((kiosk, desk, 4 + 2 * each.count() as u64));
    }
    central.clock.set(at(&format!("{day} 18:00")));
    for (kiosk, mut desk, last) in kiosks {
        desk.journal().append(Line::draft(Event::Stopped), &[]).unwrap();
        drop(desk);
        kiosk.sent(last).await;
    }
}

async fn asked(central: &TestCentral, token: &str, path: &str) -> (u16, Vec<u8>) {
    let address = format!("http://{}{path}", central.staff);
    let reply = client().unwrap().get(address).bearer_auth(token).send().await.unwrap();
    (reply.status().as_u16(), reply.bytes().await.unwrap().to_vec())
}

async fn compared(central: &TestCentral, token: &str, day: &str) -> Comparison {
    let (status, body) = asked(central, token, &format!("/api/v1/offices/{day}")).await;
    assert_eq!(status, 200);
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn offices_of_one_form_stand_beside_each_other_with_what_each_publishes() {
    let central = three().await;
    // What is usual, and a day on which one falls and one rises.
    let usual: &[(&str, usize)] = &[("hai_long", 54), ("khong_hai_long", 6)];
    day(&central, "2026-11-10", &[("phu-sa", usual), ("dong-tien", usual)]).await;
    let today: [(&str, &[(&str, usize)]); 3] = [
        ("phu-sa", &[("hai_long", 20), ("khong_hai_long", 20)]),
        ("dong-tien", &[("hai_long", 60)]),
        ("tay-tien", &[("hai_long", 3)]),
    ];
    day(&central, "2026-11-24", &today).await;
    central.clock.set(at("2026-11-25 08:00"));
    let token = central.token(Role::Supervisor).await;
    let comparison = compared(&central, &token, "2026-11-24").await;
    let [five, three] = &comparison.groups[..] else { panic!("{comparison:?}") };
    assert_eq!((five.form.as_str(), three.form.as_str()), ("nam-muc", "ba-muc"));
    // Digit for digit what each office publishes.
    for group in &comparison.groups {
        for line in &group.offices {
            let path = format!("/api/v1/summary/{}/2026-11-24", line.office);
            let (_, body) = asked(&central, &token, &path).await;
            let summary: Summary = serde_json::from_slice(&body).unwrap();
            assert_eq!(
                (line.n, line.satisfied, line.rate),
                (summary.n, summary.satisfied, summary.rate)
            );
            assert_eq!((line.interval, &line.usual), (summary.interval, &summary.usual));
        }
    }
    let of =
        |office: &str| five.offices.iter().find(|line| line.office.as_str() == office).unwrap();
    assert_eq!((of("phu-sa").against, of("dong-tien").against), (Against::Below, Against::Above));
    let wanting = |of: &Comparison| -> Vec<String> {
        of.wanting_attention().map(|line| line.office.to_string()).collect()
    };
    assert!(wanting(&comparison).contains(&"phu-sa".to_owned()), "{comparison:?}");
    assert_eq!((five.n, five.satisfied, five.rate), (100, 80, Some(0.8)));
    assert_eq!(three.offices[0].state, State::Complete, "{three:?}");
    // Three ratings are shown nowhere, nor in a sum.
    assert_eq!((three.n, three.withheld, three.offices[0].satisfied), (0, 3, None));
    // The day before it there is nothing to tell.
    let before = compared(&central, &token, "2026-11-10").await;
    assert!(before.groups[0].offices.iter().all(|line| line.against == Against::Unknown));
    assert_eq!(compared(&central, &token, "latest").await, comparison);
    assert_eq!(asked(&central, &token, "/api/v1/offices/2026-W49").await.0, 404, "not begun");
    // Of days to come nothing is told.
    for path in ["offices/2026-11-26", "summary/phu-sa/2026-11-26", "summary/phu-sa/2026-12"] {
        assert_eq!(asked(&central, &token, &format!("/api/v1/{path}")).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_usual_is_of_final_days_and_tells_nothing_that_they_withhold() {
    let central = three().await;
    day(&central, "2026-11-10", &[("phu-sa", &[("hai_long", 54), ("khong_hai_long", 6)])]).await;
    let usual_ninety = (60, Some(0.9));
    day(&central, "2026-11-11", &[("phu-sa", &[("khong_hai_long", 4)])]).await;
    day(&central, "2026-11-12", &[("phu-sa", &[("hai_long", 30)])]).await;
    central.clock.set(at("2026-11-30 08:00"));
    let token = central.token(Role::Supervisor).await;
    let usual = async |day: &str| {
        let (status, body) =
            asked(&central, &token, &format!("/api/v1/summary/phu-sa/{day}")).await;
        assert_eq!(status, 200);
        let summary: Summary = serde_json::from_slice(&body).unwrap();
        let row = summary.by_official.iter().find(|row| row.id == "cb07").unwrap();
        assert_eq!((row.usual.n, row.usual.rate), (summary.usual.n, summary.usual.rate));
        (summary.usual.n, summary.usual.rate)
    };
    // The kiosk of the tenth was turned off for good: of days after it nobody knows that nothing is still to come.
    assert_eq!(usual("2026-11-17").await, (0, None), "its day is not yet a week old");
    assert_eq!(usual("2026-11-18").await, usual_ninety);
    assert_eq!(usual("2026-11-20").await, usual_ninety);
    // Once it is retired they are final. The four of the eleventh are in no sum, so no two sums differ by them.
    for (kiosk, day) in [("phu-sa-2026-11-10", "2026-11-11"), ("phu-sa-2026-11-11", "2026-11-12")] {
        let (kiosk, since) = (kiosk.parse().unwrap(), day.parse().unwrap());
        let what = What::Retired { kiosk, since, replaced_by: None };
        let (person, reason) = ("Trần Thị Mận".into(), "turned off for good".into());
        let decision = Decision { what, person, reason };
        central.central.decide(decision, Unit::PROVINCE).await.unwrap();
    }
    assert_eq!(usual("2026-11-18").await, usual_ninety);
    assert_eq!(usual("2026-11-19").await, usual_ninety);
    assert_eq!(usual("2026-11-20").await, (90, Some(0.9333)));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_several_offices_begins_there_and_others_at_their_own() {
    let central = three().await;
    day(&central, "2026-11-24", &[("phu-sa", &[("hai_long", 12)])]).await;
    let whole = central.cookie(Role::Supervisor).await;
    let own = Standing::new(Role::Supervisor, Unit(Some("phu-sa".parse::<OfficeCode>().unwrap())));
    let one = central.cookie_of(own.clone()).await;
    let page = async |cookie: &str, path: &str| {
        let address = format!("http://{}{path}", central.staff);
        let request = client().unwrap().get(address).header("cookie", cookie);
        let reply = request.header("accept", "text/html").send().await.unwrap();
        let to = reply.headers().get("location").map(|to| to.to_str().unwrap().to_owned());
        (to, reply.text().await.unwrap().replace("&#x2f;", "/"))
    };
    assert_eq!(page(&whole, "/").await.0.as_deref(), Some("/offices/2026-11-24"));
    assert_eq!(page(&one, "/").await.0.as_deref(), Some("/summary/phu-sa/2026-11-24"));
    let (_, home) = page(&whole, "/offices/2026-11-24?lang=en").await;
    assert!(home.contains("3 offices, 1 with ratings"), "{home}");
    assert!(home.contains("/summary/phu-sa/2026-11-24?lang=en"));
    // Down to an office, and up again.
    let (_, office) = page(&whole, "/summary/phu-sa/2026-11-24?lang=en").await;
    assert!(office.contains("href=\"/offices/2026-11-24?lang=en\""));
    let (_, office) = page(&one, "/summary/phu-sa/2026-11-24?lang=en").await;
    assert!(!office.contains("/offices/"));
    // Of whoever has one office, the page has that one.
    let token = central.token_of(own).await;
    let comparison = compared(&central, &token, "2026-11-24").await;
    let offices: usize = comparison.groups.iter().map(|group| group.offices.len()).sum();
    assert_eq!(offices, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_longer_period_and_its_spreadsheets_have_the_digits_of_each_office() {
    let central = three().await;
    let good: &[(&str, usize)] = &[("hai_long", 40), ("khong_hai_long", 4)];
    day(&central, "2026-11-10", &[("phu-sa", good), ("dong-tien", good)]).await;
    day(&central, "2026-11-24", &[("phu-sa", good), ("tay-tien", &[("hai_long", 3)])]).await;
    central.clock.set(at("2026-11-25 08:00"));
    let token = central.token(Role::Supervisor).await;
    let month = compared(&central, &token, "2026-11").await;
    assert_eq!(
        (month.date.to_string(), month.to.unwrap().to_string()),
        ("2026-11-01".into(), "2026-11-30".into())
    );
    let lines: Vec<_> = month.groups.iter().flat_map(|group| &group.offices).collect();
    for line in &lines {
        let path = format!("/api/v1/summary/{}/2026-11", line.office);
        let summary: Summary =
            serde_json::from_slice(&asked(&central, &token, &path).await.1).unwrap();
        assert_eq!(
            (line.n, line.satisfied, line.rate),
            (summary.n, summary.satisfied, summary.rate)
        );
        assert_eq!((line.interval, line.withheld), (summary.interval, summary.withheld));
    }
    let of = |office: &str| *lines.iter().find(|line| line.office.as_str() == office).unwrap();
    // The kiosk of the 10th has not told of the 24th: until then that day is told in fives.
    assert_eq!((of("phu-sa").n, of("dong-tien").n, of("tay-tien").withheld), (84, 44, 3));

    let (_, bytes) = asked(&central, &token, "/api/v1/offices/2026-11?format=csv").await;
    let text = String::from_utf8(bytes).unwrap();
    let mut table = csv::Reader::from_reader(text.trim_start_matches('\u{feff}').as_bytes());
    let heads = table.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 3);
    for row in &rows {
        let line = of(&row[column("office")]);
        let fraction = |one: Option<f64>| one.map_or_else(String::new, |one| format!("{one:.4}"));
        assert_eq!(row[column("n")], line.n.to_string());
        assert_eq!(row[column("rate")], fraction(line.rate));
        assert_eq!(row[column("interval_high")], fraction(line.interval.map(|one| one.high)));
        assert_eq!((&row[column("from")], &row[column("to")]), ("2026-11-01", "2026-11-30"));
    }
    let (_, bytes) = asked(&central, &token, "/api/v1/offices/2026-11?format=xlsx").await;
    let mut book: calamine::Xlsx<_> =
        calamine::open_workbook_from_rs(std::io::Cursor::new(bytes)).unwrap();
    let name = calamine::Reader::sheet_names(&book)[0].clone();
    assert_eq!(name, "Các đơn vị");
    let sheet = calamine::Reader::worksheet_range(&mut book, &name).unwrap();
    let rows: Vec<_> = sheet.rows().skip(1).collect();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let line = of(&row[1].to_string());
        assert_eq!(row[4], calamine::Data::Float(line.n as f64), "a number, not a text");
        let rate = line.rate.map_or(calamine::Data::Empty, calamine::Data::Float);
        assert_eq!(row[7], rate);
    }
    // A year is what its one month with ratings is, and a table for people tells the same.
    let year = compared(&central, &token, "2026").await;
    let of_year = |office: &str| year.lines().find(|line| line.office.as_str() == office).unwrap();
    for line in &lines {
        let other = of_year(line.office.as_str());
        assert_eq!((other.n, other.rate, other.withheld), (line.n, line.rate, line.withheld));
    }
    let (status, table) = asked(&central, &token, "/api/v1/offices/2026?format=table").await;
    let table = String::from_utf8(table).unwrap();
    assert!(status == 200 && table.starts_with("Các đơn vị · Năm 2026\n3 đơn vị"), "{table}");
    for line in lines.iter().filter(|line| line.n > 0) {
        let told =
            table.lines().find(|told| told.trim_start().starts_with(&format!("{}  ", line.name)));
        let told = told.unwrap_or_else(|| panic!("{}: {table}", line.name));
        assert!(told.contains(&format!(" {}  ", line.n)), "{told}");
        let rate = line.rate.map(|rate| format!("{:.1}%", rate * 100.0).replace('.', ","));
        assert!(rate.is_none_or(|rate| told.contains(rate.trim_end_matches('%'))), "{told}");
    }
    // Chosen by first and last day; what is no period leads nowhere.
    let cookie = central.cookie(Role::Supervisor).await;
    let (status, shown) = common::web::page(&central, "/offices/2026-11", &cookie).await;
    assert!(
        status == 200 && shown.contains("Tháng 11/2026") && shown.contains("CỘNG HÒA"),
        "{shown}"
    );
    let (status, _) =
        common::web::page(&central, "/offices?from=2026-11-09&to=2026-11-10", &cookie).await;
    assert_eq!(status, 303, "led there");
    let (status, _) =
        common::web::page(&central, "/offices?from=2026-11-10&to=2026-11-09", &cookie).await;
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_complaint_that_is_given_far_more_often_than_usual_is_named_and_no_praise_is() {
    let central = three().await;
    let rated = async |on: &str, counter: &str, waits: usize, kind: usize| {
        central.clock.set(at(&format!("{on} 08:15")));
        let mut kiosk = central.kiosk(counter).await;
        let mut desk = kiosk.desk();
        for n in 0..60 {
            let (level, reasons): (&str, &[&str]) = match n {
                _ if n < waits => ("khong_hai_long", &["cho_lau"]),
                _ if n < waits + kind => ("rat_hai_long", &["niem_no"]),
                _ => ("hai_long", &[]),
            };
            rate(&mut desk, level, reasons);
        }
        central.clock.set(at(&format!("{on} 18:00")));
        desk.journal().append(Line::draft(Event::Stopped), &[]).unwrap();
        drop(desk);
        let journal = JournalReader::open(&kiosk.path()).unwrap();
        kiosk.sent(journal.last().unwrap()).await;
        // Gone for good the next day: nobody waits for it.
        let (kiosk, since) =
            (kiosk.sender().kiosk, on.parse::<Date>().unwrap().tomorrow().unwrap());
        let what = What::Retired { kiosk, since, replaced_by: None };
        let decision = Decision { what, person: "Lan".into(), reason: "hỏng".into() };
        central.central.decide(decision, Unit::PROVINCE).await.unwrap();
    };
    // Waiting is named by 2 of 120, kindness by 4.
    rated("2026-11-10", "q1", 1, 2).await;
    rated("2026-11-11", "q2", 1, 2).await;
    rated("2026-11-24", "q3", 9, 30).await;
    central.clock.set(at("2026-11-25 09:00"));
    let token = central.token(Role::Supervisor).await;
    let today = compared(&central, &token, "2026-11-24").await;
    let line = |of: &Comparison| {
        let mut all = of.groups.iter().flat_map(|group| group.offices.clone());
        all.find(|line| line.office.as_str() == "phu-sa").unwrap()
    };
    let rises = line(&today).rises;
    let [rise] = &rises[..] else { panic!("{rises:?}") };
    assert_eq!((rise.code.as_str(), rise.n, rise.of, rise.usual), ("cho_lau", 9, 60, 0.0167));
    assert!(today.wanting_attention().any(|line| line.office.as_str() == "phu-sa"));
    // Before there was anything usual nothing rose.
    assert_eq!(line(&compared(&central, &token, "2026-11-11").await).rises, []);
    let cookie = central.cookie(Role::Supervisor).await;
    let words =
        "“Phải chờ lâu” được nêu nhiều hơn hẳn thường lệ: 9 trong 60 lượt đánh giá, thường lệ 1,7%";
    for path in ["/offices/2026-11-24", "/summary/phu-sa/2026-11-24"] {
        let (_, shown) = common::web::page(&central, path, &cookie).await;
        assert!(shown.contains(words), "{path}: {shown}");
    }
}
