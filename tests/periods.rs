//! Days and periods, told in every way: page, table, JSON, CSV and XLSX hold the same digits.

mod common;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::process::Command;

use calamine::{Data, DataType, Reader, Xlsx, open_workbook_from_rs};
use common::golden::is_golden;
use common::{TestCentral, at, rate};
use hailong::domain::access::Role;
use hailong::kiosk::network::client;
use serde_json::Value;

/// Monday 23/11: 36 ratings at counter 3, seven at 2, four at 1. Tuesday: 40, 2 and 6. Then midnight has passed.
async fn two_days() -> TestCentral {
    let central = TestCentral::start_at(at("2026-11-23 08:15")).await;
    let mut kiosks = Vec::new();
    for counter in ["q1", "q2", "q3"] {
        kiosks.push(central.kiosk(counter).await);
    }
    let mut desks: Vec<_> = kiosks.iter_mut().map(|kiosk| kiosk.desk()).collect();
    for (day, ratings) in [("2026-11-23 08:15", [4, 7, 36]), ("2026-11-24 09:15", [2, 6, 40])] {
        central.clock.set(at(day));
        for (desk, ratings) in desks.iter_mut().zip(ratings) {
            desk.follow_roster().unwrap();
            for number in 0..ratings {
                let bad = number % 9 == 8;
                let level = if bad { "khong_hai_long" } else { "rat_hai_long" };
                rate(desk, level, if bad { &["cho_lau"] } else { &["niem_no"] });
            }
        }
    }
    central.clock.set(at("2026-11-25 00:05"));
    for (kiosk, desk) in kiosks.iter().zip(desks) {
        desk.stop().unwrap();
        let journal = hailong::kiosk::journal_reader::JournalReader::open(&kiosk.path()).unwrap();
        kiosk.sent(journal.last().unwrap()).await;
    }
    central
}

async fn fetched(central: &TestCentral, path: &str) -> (u16, String, Vec<u8>) {
    let address = format!("http://{}{path}", central.staff);
    let key = central.token(Role::Supervisor).await;
    let reply = client().unwrap().get(address).bearer_auth(key).send().await.unwrap();
    let headers = reply.headers();
    let name = headers.get("content-disposition").map_or("", |name| name.to_str().unwrap());
    let (status, name) = (reply.status().as_u16(), name.to_owned());
    (status, name, reply.bytes().await.unwrap().to_vec())
}

async fn json(central: &TestCentral, period: &str) -> Value {
    let (status, _, body) = fetched(central, &format!("/api/v1/summary/phu-sa/{period}")).await;
    assert_eq!(status, 200, "{period}");
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_period_is_the_sum_of_what_its_days_show() {
    let central = two_days().await;
    let days = [json(&central, "2026-11-23").await, json(&central, "2026-11-24").await];
    assert_eq!((&days[0]["n"], &days[1]["n"]), (&47.into(), &48.into()));
    for period in ["2026-W48", "2026-11", "2026-Q4", "2026", "2026-11-23..2026-11-24"] {
        let all = json(&central, period).await;
        assert_eq!(all["n"], 95, "{period}");
        let satisfied: u64 = days.iter().map(|day| day["satisfied"].as_u64().unwrap()).sum();
        assert_eq!(all["satisfied"], satisfied);
        assert_eq!(all["by_hour"], serde_json::json!([{"hour": 8, "n": 47}, {"hour": 9, "n": 48}]));
        // Counter 1 has too few on both days, counter 2 was beside it on both.
        let row = |id: &str| {
            all["by_counter"]
                .as_array()
                .unwrap()
                .iter()
                .find(|row| row["id"] == id)
                .unwrap()
                .clone()
        };
        let shown: u64 = days
            .iter()
            .map(|day| {
                let rows = day["by_counter"].as_array().unwrap();
                let row = rows.iter().find(|row| row["id"] == "q3").unwrap();
                row["levels"].as_object().map_or(0, |_| row["n"].as_u64().unwrap())
            })
            .sum();
        assert_eq!(row("q3")["n"], shown);
        assert_eq!((&row("q1")["n"], &row("q1")["withheld"]), (&0.into(), &6.into()), "{period}");
        assert_eq!(row("q1")["levels"], Value::Null);
        assert!(
            all["by_day"]
                .as_array()
                .unwrap()
                .iter()
                .all(|day| day["date"].as_str() <= Some("2026-11-25"))
        );
    }
    // The page of a period leads to its days, and back.
    let (_, _, page) = fetched(&central, "/summary/phu-sa/2026-W48").await;
    let page = String::from_utf8(page).unwrap().replace("&#x2f;", "/");
    assert!(page.contains("Tuần 48/2026 (23/11–29/11/2026)"), "{page}");
    for link in
        ["/summary/phu-sa/2026-11-23", "/summary/phu-sa/2026-W47", "/summary/phu-sa/2026-Q4"]
    {
        assert!(page.contains(&format!("href=\"{link}\"")), "{link}");
    }
    assert!(!page.contains("/summary/phu-sa/2026-W49"), "a week that has not begun");
    // Chosen by its ends.
    let chosen = format!("http://{}/summary/phu-sa?from=2026-11-23&to=2026-11-24", central.staff);
    let key = central.token(Role::Supervisor).await;
    let reply = client().unwrap().get(chosen).bearer_auth(key).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 303);
    let there = reply.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(there, "/summary/phu-sa/2026-11-23..2026-11-24");
    let (_, _, page) = fetched(&central, &there).await;
    let page = String::from_utf8(page).unwrap().replace("&#x2f;", "/");
    assert!(page.contains("Từ 23/11/2026 đến 24/11/2026"), "{page}");
    for wrong in [
        "?from=2026-11-24&to=2026-11-23",
        "?from=2020-01-01&to=2026-11-23",
        "?from=x&to=y",
        "/2026-13",
    ] {
        let (status, _, page) = fetched(&central, &format!("/summary/phu-sa{wrong}")).await;
        assert_eq!(status, 404, "{wrong}");
        assert!(String::from_utf8(page).unwrap().contains("Thời gian không hợp lệ."));
    }
    let (status, _, _) = fetched(&central, "/api/v1/summary/phu-sa/2026-11?format=pdf").await;
    assert_eq!(status, 400);
    central.stop().await;
}

/// A CSV's rows by part and code.
fn csv_rows(bytes: &[u8]) -> BTreeMap<(String, String), BTreeMap<String, String>> {
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).expect("its mark");
    let mut table = csv::Reader::from_reader(text);
    table
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| {
            let row = row.unwrap();
            ((row["part"].clone(), row["code"].clone()), row)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn page_table_json_csv_and_xlsx_hold_the_same_digits() {
    let central = two_days().await;
    for period in ["2026-11-24", "2026-11"] {
        let all = json(&central, period).await;
        let path =
            |format: &str| format!("/api/v1/summary/phu-sa/{period}?format={format}&lang=vi");
        let (_, name, csv) = fetched(&central, &path("csv")).await;
        assert_eq!(name, format!("attachment; filename=\"hailong-phu-sa-{period}.csv\""));
        let rows = csv_rows(&csv);
        let (_, name, xlsx) = fetched(&central, &path("xlsx")).await;
        assert_eq!(name, format!("attachment; filename=\"hailong-phu-sa-{period}.xlsx\""));
        let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(xlsx)).unwrap();
        let sheets = book.sheet_names();
        let expected: &[&str] = if period.len() == 10 {
            &["Tổng hợp", "Theo quầy", "Theo cán bộ", "Theo giờ", "Lý do được nêu"]
        } else {
            &["Tổng hợp", "Theo ngày", "Theo quầy", "Theo cán bộ", "Theo giờ", "Lý do được nêu"]
        };
        assert_eq!(sheets, expected);

        let text = |value: &Value| match value {
            Value::Null => String::new(),
            Value::Number(number) if number.is_f64() => format!("{:.4}", number.as_f64().unwrap()),
            other => other.to_string(),
        };
        let total = &rows[&("total".into(), "phu-sa".into())];
        assert_eq!(total["name"], "Trung tâm Phục vụ hành chính công xã Phù Sa");
        assert_eq!(total["state"], all["state"].as_str().unwrap());
        for key in ["n", "satisfied", "rate"] {
            assert_eq!(total[key], text(&all[key]), "{key}");
        }
        assert_eq!(total["interval_low"], text(&all["interval"]["low"]));
        assert_eq!(rows[&("contact".into(), "served".into())]["n"], "", "unknown is not nothing");

        // Each row of counters and officials, in CSV and in its sheet, with its types.
        for (part, key, sheet) in
            [("counter", "by_counter", "Theo quầy"), ("official", "by_official", "Theo cán bộ")]
        {
            let range = book.worksheet_range(sheet).unwrap();
            let heads: Vec<String> =
                range.rows().next().unwrap().iter().map(ToString::to_string).collect();
            let place = |head: &str| heads.iter().position(|known| known == head).unwrap();
            let published = all[key].as_array().unwrap();
            assert_eq!(range.rows().count(), published.len() + 1, "{sheet}");
            for (row, cells) in published.iter().zip(range.rows().skip(1)) {
                let id = row["id"].as_str().unwrap();
                assert_eq!(cells[place("Mã")], Data::String(id.into()));
                let line = &rows[&(part.to_owned(), id.to_owned())];
                for (key, head) in [
                    ("n", "Số lượt"),
                    ("satisfied", "Số lượt hài lòng"),
                    ("rate", "Tỷ lệ hài lòng"),
                ] {
                    assert_eq!(line[key], text(&row[key]), "{id} {key}");
                    let cell = &cells[place(head)];
                    assert_eq!(cell.as_f64(), row[key].as_f64(), "{id} {key}");
                    assert_eq!(cell.is_empty(), row[key].is_null(), "nothing, and no 0");
                }
                for (level, label) in
                    [("rat_hai_long", "Rất hài lòng"), ("khong_hai_long", "Không hài lòng")]
                {
                    assert_eq!(line[level], text(&row["levels"][level]), "{id} {level}");
                    assert_eq!(cells[place(label)].as_f64(), row["levels"][level].as_f64());
                }
            }
        }
        let hours = book.worksheet_range("Theo giờ").unwrap();
        for (row, cells) in all["by_hour"].as_array().unwrap().iter().zip(hours.rows().skip(1)) {
            assert_eq!(cells[1].as_f64(), row["n"].as_f64());
        }
        for reason in all["reasons"].as_array().unwrap() {
            let line = &rows[&("reason".into(), reason["code"].as_str().unwrap().into())];
            assert_eq!(line["n"], text(&reason["n"]));
        }
        if period == "2026-11" {
            let days = book.worksheet_range("Theo ngày").unwrap();
            let monday =
                days.rows().find(|row| row[1] == Data::String("2026-11-23".into())).unwrap();
            let (year, month, day, ..) = monday[0].get_datetime().unwrap().to_ymd_hms_milli();
            assert_eq!((year, month, day), (2026, 11, 23), "a real date");
            assert_eq!(monday[2].as_f64(), Some(47.0));
        }

        // What is read by people says the same.
        let (_, _, page) = fetched(&central, &format!("/summary/phu-sa/{period}")).await;
        let page = String::from_utf8(page).unwrap();
        let (_, _, table) = fetched(&central, &path("table")).await;
        let table = String::from_utf8(table).unwrap();
        let percent = format!("{:.1}%", all["rate"].as_f64().unwrap() * 100.0).replace('.', ",");
        let (satisfied, n) = (&all["satisfied"], &all["n"]);
        for told in [&page.replace("&#x2f;", "/"), &table] {
            assert!(told.contains(&percent), "{percent}: {told}");
            assert!(told.contains(&format!("{satisfied} / {n} lượt đánh giá")), "{told}");
            assert!(told.contains(all["digest"].as_str().unwrap()), "{told}");
        }
    }
    central.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_writes_what_the_page_shows_from_the_folder_and_from_the_service() {
    let central = two_days().await;
    let out = tempfile::tempdir().unwrap();
    let service = central.asked_as(Role::Supervisor).await;
    let data = central.central.config.data.clone();
    let run = |arguments: Vec<String>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
        command.arg("summary").args(arguments).env("HAILONG_LOG", "off");
        tokio::task::spawn_blocking(move || command.output().unwrap())
    };
    let with = |place: &[&str], rest: &[&str]| -> Vec<String> {
        place.iter().chain(rest).map(|&one| one.to_owned()).collect()
    };
    let folder = data.display().to_string();
    let expected = fetched(&central, "/api/v1/summary/phu-sa/2026-11-24?format=csv").await.2;
    // Whoever reads only the beginning, as `head` does, has seen enough.
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(["summary", "--data", &folder, "--date", "2026-11-24"]);
    command.env("HAILONG_LOG", "off").stdout(std::process::Stdio::piped());
    let mut child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await;
    let ended = ended.unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success() && said.is_empty(), "{said}");
    for place in [&service.each_ref().map(String::as_str)[..], &["--data", &folder]] {
        let asked = ["--date", "2026-11-24", "--format", "csv"];
        let done = run(with(place, &asked)).await.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        // The terminal's own line ends belong to whoever asked a service.
        let text =
            |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap().trim_end().replace('\r', "");
        let state = |text: String| text.replace(",final,", ",complete,");
        assert_eq!(state(text(&done.stdout)), state(text(&expected)), "{}", place[0]);

        let file = out.path().join(format!("week{}.xlsx", place[0]));
        let name = file.display().to_string();
        let asked = ["--date", "2026-W48", "--format", "xlsx", "--out", &name];
        let done = run(with(place, &asked)).await.unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let mut book: Xlsx<_> = calamine::open_workbook(&file).unwrap();
        assert_eq!(
            book.worksheet_range("Theo ngày").unwrap().rows().nth(1).unwrap()[2].as_f64(),
            Some(47.0)
        );
        // What is there is not written over.
        let again = run(with(place, &asked)).await.unwrap();
        assert_eq!(again.status.code(), Some(2));
    }
    for wrong in [&["--format", "xlsx"][..], &["--date", "2026-13"], &["--date", "yesterday"]] {
        let done = run(with(&["--data", &folder], wrong)).await.unwrap();
        assert_eq!(done.status.code(), Some(2), "{wrong:?}");
    }
    central.stop().await;
}

/// Every cell of a workbook, as another library reads it, with its type.
fn cells(bytes: Vec<u8>) -> String {
    let mut book: Xlsx<_> = open_workbook_from_rs(Cursor::new(bytes)).unwrap();
    let mut text = String::new();
    for name in book.sheet_names().clone() {
        text += &format!("[{name}]\n");
        for row in book.worksheet_range(&name).unwrap().rows() {
            let cell = |cell: &Data| match cell {
                Data::Empty => "–".to_owned(),
                Data::Float(n) => format!("number {n}"),
                Data::DateTime(day) => format!("date {}", day.as_f64()),
                Data::String(text) => format!("{text:?}"),
                other => panic!("{other:?}"),
            };
            text += &row.iter().map(cell).collect::<Vec<_>>().join(" | ");
            text.push('\n');
        }
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn spreadsheets_are_as_they_were_accepted() {
    let central = two_days().await;
    for (period, lang, name) in
        [("2026-11-23", "vi", "day"), ("2026-W48", "vi", "week"), ("2026-11-24", "en", "day-en")]
    {
        let path = |format| format!("/api/v1/summary/phu-sa/{period}?format={format}&lang={lang}");
        let (_, _, bytes) = fetched(&central, &path("csv")).await;
        is_golden(&format!("{name}.csv"), &String::from_utf8(bytes).unwrap());
        let (_, _, bytes) = fetched(&central, &path("xlsx")).await;
        is_golden(&format!("{name}.xlsx.txt"), &cells(bytes));
    }
    let (_, _, bytes) = fetched(&central, "/api/v1/offices/2026-11-23?format=csv").await;
    is_golden("offices.csv", &String::from_utf8(bytes).unwrap());
    let (_, _, bytes) = fetched(&central, "/api/v1/offices/2026-11-23?format=xlsx").await;
    is_golden("offices.xlsx.txt", &cells(bytes));
}
