//! The directory: lists from spreadsheets, all of their lines or none, said before they are taken; one office by forms;
//! what was before stays known.

mod common;

use std::sync::Arc;

use calamine::{Reader, Xlsx};
use common::{TestCentral, TestKiosk, at, of_day, rate, sample_config};
use hailong::central::config::Config;
use hailong::central::directory_sheets::workbook;
use hailong::central::roots::make;
use hailong::central::verify::of_file;
use hailong::domain::access::{Right, Role, Standing, Unit};
use hailong::domain::ids::OfficeCode;
use hailong::domain::line::{Event, Line};
use hailong::domain::office::Directory;
use hailong::domain::summary::{State, Summary};
use hailong::domain::system_random;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use reqwest::multipart::{Form, Part};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A service whose configuration names no office.
async fn empty() -> TestCentral {
    let mut config = sample_config();
    config.offices.clear();
    TestCentral::with_config(config, at("2026-11-24 07:00")).await
}

fn form(files: &[(&str, &[u8])]) -> Form {
    files.iter().fold(Form::new(), |form, (name, bytes)| {
        form.part("files", Part::bytes(bytes.to_vec()).file_name((*name).to_owned()))
    })
}

/// Hands files in as a program does; gives the status, and what is said of them.
async fn import(
    central: &TestCentral,
    token: &str,
    query: &str,
    files: &[(&str, &[u8])],
) -> (u16, Value) {
    let address = format!("http://{}/api/v1/directory?{query}", central.staff);
    let request = client().unwrap().post(address).bearer_auth(token).multipart(form(files));
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or_default())
}

fn office(central: &TestCentral, code: &str) -> Option<Arc<Directory>> {
    central.central.directory(&code.parse().unwrap())
}

const OFFICES: &str = "code;name;form;opens;closes\n\
                       dong-tien;Trung tâm Phục vụ hành chính công xã Đông Tiến;nam-muc;7h30;17:00\n\
                       tay-tien;Trung tâm Phục vụ hành chính công xã Tây Tiến;ba-muc;08:00;16:30\n";
const COUNTERS: &str = "office,id,number,name\n\
                        dong-tien,q1,1,Tiếp nhận chung\ndong-tien,q2,2,Đất đai\ntay-tien,q1,1,Tiếp nhận chung\n";

/// What an office hands over: a title, headings merged over two rows, real dates and times, a number column.
fn of_office() -> Vec<u8> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    let (time, date) =
        (Format::new().set_num_format("hh:mm"), Format::new().set_num_format("dd/mm/yyyy"));
    let sheet = book.add_worksheet().set_name("Cán bộ").unwrap();
    sheet.merge_range(0, 0, 0, 4, "DANH SÁCH CÁN BỘ TIẾP NHẬN", &bold).unwrap();
    sheet.merge_range(1, 0, 2, 0, "STT", &bold).unwrap();
    sheet.merge_range(1, 1, 2, 1, "Mã đơn vị", &bold).unwrap();
    sheet.merge_range(1, 2, 1, 4, "Người", &bold).unwrap();
    for (column, head) in [(2, "Mã cán bộ"), (3, "Họ và tên"), (4, "Chức danh")] {
        sheet.write_string(2, column, head).unwrap();
    }
    // Accents written apart, as some systems do.
    for (row, id, name) in
        [(3, "CB01", "Tra\u{302}\u{300}n Va\u{306}n Ho\u{300}a"), (4, "cb02", "Lê Thu Hà")]
    {
        sheet.write_number(row, 0, f64::from(row - 2)).unwrap();
        for (column, text) in [(1, "dong-tien"), (2, id), (3, name), (4, "Công chức")] {
            sheet.write_string(row, column, text).unwrap();
        }
    }
    let sheet = book.add_worksheet().set_name("Lịch trực").unwrap();
    for (column, head) in (0..).zip(["Mã đơn vị", "Thứ", "Quầy", "Cán bộ", "Từ", "Đến"])
    {
        sheet.write_string(0, column, head).unwrap();
    }
    for (row, days, counter, official) in [(1, "2-6", "q1", "cb01"), (2, "T2-T6", "q2", "cb02")] {
        for (column, text) in [(0, "dong-tien"), (1, days), (2, counter), (3, official)] {
            sheet.write_string(row, column, text).unwrap();
        }
        sheet
            .write_datetime_with_format(row, 4, ExcelDateTime::from_hms(7, 30, 0).unwrap(), &time)
            .unwrap();
        sheet
            .write_datetime_with_format(row, 5, ExcelDateTime::from_hms(17, 0, 0).unwrap(), &time)
            .unwrap();
    }
    let sheet = book.add_worksheet().set_name("Ngày nghỉ").unwrap();
    for (column, head) in (0..).zip(["Ngày", "Nội dung"]) {
        sheet.write_string(0, column, head).unwrap();
    }
    // Of all offices.
    let day = ExcelDateTime::from_ymd(2027, 1, 1).unwrap();
    sheet.write_datetime_with_format(1, 0, day, &date).unwrap();
    sheet.write_string(1, 1, "Tết Dương lịch").unwrap();
    let sheet = book.add_worksheet().set_name("Hướng dẫn").unwrap();
    sheet.write_string(0, 0, "Xin điền đủ các cột.").unwrap();
    book.save_to_buffer().unwrap()
}

async fn lines(central: &TestCentral, event: Event) -> Vec<Line> {
    central.lines().await.into_iter().filter(|line| line.event == event).collect()
}

/// A kiosk of an office.
async fn kiosk(central: &TestCentral, office: &str, counter: &str) -> TestKiosk {
    let folder = TempDir::new().unwrap();
    let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    let name = format!("{office}-{counter}");
    let (kiosk, office) = (name.parse().unwrap(), office.parse().unwrap());
    let code = central.central.offer(kiosk, office, counter.parse().unwrap()).await.unwrap();
    enrol(&Network::to(&central.service()), &code, &mut identity).await.unwrap();
    TestKiosk { folder, identity, clock: Arc::clone(&central.clock), service: central.service() }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_become_offices_that_kiosks_serve_at_once_and_a_restart_knows() {
    let central = empty().await;
    let token = central.token(Role::Administrator).await;
    let messy = of_office();
    let files = [
        ("offices.csv", OFFICES.as_bytes()),
        ("Quầy.csv", COUNTERS.as_bytes()),
        ("tu-xa.xlsx", messy.as_slice()),
    ];
    let (status, said) = import(&central, &token, "dry_run=true", &files).await;
    assert_eq!(status, 200, "{said}");
    assert_eq!((said["applied"].as_bool(), &said["problems"]), (Some(false), &json!([])));
    assert_eq!(said["passed_over"], json!(["Hướng dẫn"]));
    let changes = said["changes"].as_array().unwrap();
    // 2 offices, 3 counters, 2 officials, 2 shifts, a day off of each office.
    assert_eq!(changes.len(), 11, "{said}");
    let place = "Lịch trực, dòng 2";
    assert!(
        changes
            .iter()
            .any(|one| one["place"] == place && one["about"] == "q1 · cb01 · T2-T6 07:30–17:00")
    );
    // A dry run changes nothing.
    assert!(central.central.offices().is_empty());
    assert!(lines(&central, Event::Directory).await.is_empty());

    let (status, said) = import(&central, &token, "", &files).await;
    assert_eq!((status, said["applied"].as_bool()), (200, Some(true)), "{said}");
    let directory = office(&central, "dong-tien").unwrap();
    assert_eq!(directory.officials[0].name, "Trần Văn Hòa");
    assert_eq!(directory.officials[0].id.as_str(), "cb01");
    let on_shift = directory.on_shift(&"q2".parse().unwrap(), at("2026-11-24 08:00").civil());
    assert_eq!(on_shift.unwrap().id.as_str(), "cb02");
    // Nobody said when it is open: when somebody is there.
    assert_eq!(directory.open_on("2026-11-24".parse().unwrap()).len(), 1);
    assert!(directory.open_on("2026-11-28".parse().unwrap()).is_empty());
    assert_eq!(directory.day_off("2027-01-01".parse().unwrap()), Some("Tết Dương lịch"));
    // Each office has its line, with who did it.
    let noted = lines(&central, Event::Directory).await;
    let mut noted: Vec<_> =
        noted.iter().map(|line| (line.office.as_deref(), line.person.as_deref())).collect();
    noted.sort_unstable();
    let person = Some("administrator-tinh");
    assert_eq!(noted, [(Some("dong-tien"), person), (Some("tay-tien"), person)]);

    // A kiosk of it serves, and the day can be read.
    let mut kiosk = kiosk(&central, "dong-tien", "q1").await;
    central.clock.set(at("2026-11-24 08:15"));
    let mut desk = kiosk.desk();
    for _ in 0..10 {
        rate(&mut desk, "hai_long", &[]);
    }
    drop(desk);
    kiosk.sent(3 + 10 * 2).await;
    let of_official = async |central: &TestCentral| {
        let directory = office(central, "dong-tien").unwrap();
        let (store, forms) = (central.store(), &central.central.config.forms);
        let (day, now) = ("2026-11-24".parse().unwrap(), at("2026-11-24 17:30"));
        let summary = of_day(store, &directory, forms, day, now).await.unwrap();
        let row = summary.by_official.into_iter().find(|row| row.id == "cb01").unwrap();
        (row.name, row.n)
    };
    let expected = ("Trần Văn Hòa".to_owned(), 10);
    assert_eq!(of_official(&central).await, expected);
    // And after a restart, in the order of their codes.
    let (folder, clock) = central.stop().await;
    let mut config = sample_config();
    config.offices.clear();
    let central = TestCentral::start_at_address("127.0.0.1:0", config, folder, clock, |_| {}).await;
    let codes: Vec<String> =
        central.central.offices().iter().map(|one| one.office.code.to_string()).collect();
    assert_eq!(codes, ["dong-tien", "tay-tien"]);
    assert_eq!(of_official(&central).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_wrong_line_and_nothing_is_written_and_each_wrong_line_is_named() {
    let central = empty().await;
    let token = central.token(Role::Administrator).await;
    let counters = "office,id,number,name\ndong-tien,q1,một,Chung\ndong-tien,q2,2,\nbac-tien,q1,1,Chung\n\
                    dong-tien,Q 3,3,Chung\ndong-tien,q4,4,Chung\ndong-tien,q4,5,Chung\n";
    let roster = "office,weekdays,counter,official,from,to\ndong-tien,T2-T9,q4,cb01,07:30,17:00\n\
                  dong-tien,1-5,q9,cb01,07:30,17:00\ndong-tien,1-5,q4,cb09,07:30,17:00\n\
                  dong-tien,1,q4,cb01,17:00,07:30\ndong-tien,1,q4,cb01,07:30,12:00\n\
                  dong-tien,1,q4,cb01,11:00,17:00\n";
    let officials = "office,id,name,until\ndong-tien,cb01,Lan,31/02/2026\n";
    let files = [
        ("offices.csv", OFFICES.as_bytes()),
        ("counters.csv", counters.as_bytes()),
        ("officials.csv", officials.as_bytes()),
        ("roster.csv", roster.as_bytes()),
    ];
    let (status, said) = import(&central, &token, "lang=en", &files).await;
    assert_eq!(status, 422);
    let problems: Vec<String> = said["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!("{}: {}", one["place"].as_str().unwrap(), one["wrong"].as_str().unwrap())
        })
        .collect();
    let expected = [
        "Counters, row 2: Number: expected a number from 1 on, found “một”",
        "Counters, row 3: Name: must not be empty",
        "Counters, row 4: There is no office bac-tien",
        "Counters, row 5: Counter code: expected 1 to 32 small letters, digits, - or _, found “Q 3”",
        "Counters, row 7: Stands in row 6 already",
        "Officials, row 2: Last day: expected a date such as 02/09/2026, found “31/02/2026”",
        "Roster, row 2: Weekdays: expected weekdays such as Mon-Fri or Sat, Sun, found “T2-T9”",
        "Roster, row 3: The office has no counter q9",
        "Roster, row 4: The office has no official cb09",
        "Roster, row 5: The office has no official cb01",
        "Roster, row 6: The office has no official cb01",
        "Roster, row 7: The office has no official cb01",
    ];
    assert_eq!(problems, expected);
    assert!(central.central.offices().is_empty());
    // With her, the times of her shifts are looked at, too.
    let officials = officials.replace("31/02/2026", "");
    let files = [
        files[0],
        ("counters.csv", COUNTERS.replace("q2", "q4").leak().as_bytes()),
        ("officials.csv", officials.as_bytes()),
        ("roster.csv", roster.as_bytes()),
    ];
    let (_, said) = import(&central, &token, "lang=en", &files).await;
    let problems: Vec<&str> = said["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["wrong"].as_str().unwrap())
        .collect();
    assert_eq!(
        problems[3..],
        ["The end must come after the beginning", "At the same time as another line"]
    );
    // What is no list at all says what lists are called.
    for (name, bytes, why) in [
        ("anh.png", &b"\x89PNG\r\n\x1a\n\xff\xfe"[..], "neither an Excel file (XLSX) nor CSV"),
        ("cu.xls", &[0xD0, 0xCF, 0x11, 0xE0, 0xA1], "please save it as .xlsx"),
        ("x.xlsx", b"PK\x03\x04 and rubbish", "not an Excel file (XLSX)"),
        ("ghi-chu.csv", b"a,b\n1,2\n", "No list was found"),
        ("counters.csv", b"office,number\n", "Columns are missing: Counter code"),
    ] {
        let (status, said) = import(&central, &token, "lang=en", &[(name, bytes)]).await;
        let wrong = said["problems"][0]["wrong"].as_str().unwrap();
        assert!(status == 422 && wrong.contains(why), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_downloaded_changes_nothing_when_it_is_handed_in_again() {
    let sample: Config = sample_config();
    let directory = Arc::new(sample.offices[0].clone());
    for texts in &sample.texts {
        let bytes = workbook(std::slice::from_ref(&directory), texts).unwrap();
        let mut book = Xlsx::new(std::io::Cursor::new(&bytes)).unwrap();
        assert_eq!(book.sheet_names().len(), 6);
        let counters = book.worksheet_range_at(1).unwrap().unwrap();
        // Real numbers, under a heading that stays.
        assert_eq!(counters.get_value((1, 2)).unwrap(), &calamine::Data::Float(1.0));
        let central = empty().await;
        let token = central.token(Role::Administrator).await;
        let query = format!("lang={}", texts.language);
        let (status, said) = import(&central, &token, &query, &[("all.xlsx", &bytes)]).await;
        assert_eq!((status, said["applied"].as_bool()), (200, Some(true)), "{said}");
        // All that lists can say arrived; photos lie in files, and days that are over are over.
        let taken = office(&central, "phu-sa").unwrap();
        let mut expected = Directory::clone(&directory);
        expected.officials.iter_mut().for_each(|official| official.photo = None);
        let today = central.central.now().date();
        expected.calendar.as_mut().unwrap().days.retain(|day| day.date >= today);
        let sorted = |directory: &Directory| {
            let mut directory = directory.clone();
            directory
                .roster
                .sort_by_key(|shift| (shift.weekday, shift.counter.clone(), shift.from));
            directory
        };
        assert_eq!(sorted(&taken), sorted(&expected), "{}", texts.language);
        let again = format!("http://{}/api/v1/directory?format=xlsx&{query}", central.staff);
        let reply = client().unwrap().get(again).bearer_auth(&token).send().await.unwrap();
        let bytes = reply.bytes().await.unwrap();
        let (status, said) = import(&central, &token, &query, &[("all.xlsx", &bytes)]).await;
        assert_eq!((status, &said["changes"]), (200, &json!([])), "{said}");
        assert_eq!(said["applied"].as_bool(), Some(false));
        assert_eq!(lines(&central, Event::Directory).await.len(), 1);
    }
}

/// Sends a form of a page; gives the status and the page.
async fn send(
    central: &TestCentral,
    cookie: &str,
    path: &str,
    fields: &[(&str, &str)],
) -> (u16, String) {
    let address = format!("http://{}{path}", central.staff);
    let get = client().unwrap().get(&address).header("cookie", cookie);
    let page = get.send().await.unwrap().text().await.unwrap();
    let Some((_, rest)) = page.split_once("name=\"form\" value=\"") else { return (404, page) };
    let mut body = format!("form={}", &rest[..64]);
    for (name, text) in fields {
        let text: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
        body += &format!("&{name}={text}");
    }
    let request = client().unwrap().post(address).header("cookie", cookie);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let reply = request.send().await.unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap().replace("&#x2f;", "/"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_is_set_up_by_forms_alone_and_what_it_was_called_stays_known() {
    let central = empty().await;
    let cookie = central.cookie(Role::Administrator).await;
    let name = "Trung tâm Phục vụ hành chính công xã Đông Tiến";
    let add = [
        ("do", "add"),
        ("name", name),
        ("office", "dong-tien"),
        ("form_code", "nam-muc"),
        ("opens", "7h30"),
        ("closes", "17:00"),
    ];
    let (status, page) = send(&central, &cookie, "/directory", &add).await;
    assert_eq!(status, 200, "{page}");
    // A code that is there is not taken for a change of what has it.
    let (status, page) = send(&central, &cookie, "/directory", &add).await;
    assert!(status == 422 && page.contains("Mã dong-tien đã có"));
    let here = "/directory/dong-tien";
    let forms: [&[(&str, &str)]; 6] = [
        &[
            ("do", "counters"),
            ("new", "1"),
            ("id", "q1"),
            ("number", "1"),
            ("name", "Tiếp nhận chung"),
        ],
        &[
            ("do", "officials"),
            ("new", "1"),
            ("id", "cb01"),
            ("name", "Trần Văn Hòa"),
            ("title", "Công chức"),
        ],
        &[("do", "officials"), ("new", "1"), ("id", "cb02"), ("name", "Lê Thu Hà")],
        &[
            ("do", "roster"),
            ("weekdays_1", "T2-T6"),
            ("counter_1", "q1"),
            ("official_1", "cb01"),
            ("from_1", "7:30"),
            ("to_1", "12:00"),
            ("weekdays_4", "T2, T4"),
            ("counter_4", "q1"),
            ("official_4", "cb02"),
            ("from_4", "12:00"),
            ("to_4", "17:00"),
        ],
        &[("do", "hours"), ("weekdays_1", "T2-T6"), ("from_1", "07:30"), ("to_1", "11:30")],
        &[
            ("do", "calendar"),
            ("date_1", "01/01/2027"),
            ("name_1", "Tết Dương lịch"),
            ("date_2", "09/01/2027"),
            ("name_2", "Làm bù"),
            ("from_2", "07:30"),
            ("to_2", "11:30"),
        ],
    ];
    for fields in forms {
        let (status, page) = send(&central, &cookie, here, fields).await;
        assert_eq!(status, 200, "{fields:?}: {page}");
    }
    let directory = office(&central, "dong-tien").unwrap();
    assert_eq!((directory.roster.len(), directory.officials.len()), (7, 2));
    assert_eq!(directory.open_on("2027-01-09".parse().unwrap()).len(), 1);
    assert!(directory.open_on("2027-01-01".parse().unwrap()).is_empty());
    let (status, page) = send(&central, &cookie, here, forms[1]).await;
    assert!(status == 422 && page.contains("Mã cb01 đã có"));
    // What is wrong in a list is said with its line, and what was typed stays.
    let wrong = [
        ("do", "roster"),
        ("weekdays_1", "thứ hai"),
        ("counter_1", "q1"),
        ("official_1", "cb02"),
        ("from_1", "7:30"),
        ("to_1", "12:00"),
    ];
    let (status, page) = send(&central, &cookie, here, &wrong).await;
    assert!(
        status == 422 && page.contains("Lịch trực, dòng 1") && page.contains("value=\"thứ hai\""),
        "{page}"
    );
    // Plain numbers are those of the column's name: thứ 2 is Monday.
    let plain = [("do", "hours"), ("weekdays_1", "2-6"), ("from_1", "07:30"), ("to_1", "11:30")];
    assert_eq!(send(&central, &cookie, here, &plain).await.0, 200);
    let hours = office(&central, "dong-tien").unwrap().calendar.clone().unwrap().hours;
    assert_eq!(hours.iter().map(|one| one.weekday).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    // What was shown before somebody else changed it is not what is changed.
    let old = [("do", "hours"), ("state", &"0".repeat(64)[..])];
    let (status, page) = send(&central, &cookie, here, &old).await;
    assert!(status == 422 && page.contains("vừa được người khác sửa"), "{page}");
    // Hours that are taken out follow the roster again.
    let (status, _) = send(&central, &cookie, here, &[("do", "hours")]).await;
    assert_eq!(status, 200);
    let hours = office(&central, "dong-tien").unwrap().calendar.clone().unwrap().hours;
    assert_eq!((hours.len(), hours[0].to.to_string()), (5, "17:00:00".to_owned()));

    // A new name, by decision; an official who goes; the end of the office.
    central.clock.set(at("2026-12-01 09:00"));
    let cookie = central.cookie(Role::Administrator).await;
    let renamed = [
        ("do", "offices"),
        ("name", "Trung tâm Phục vụ hành chính công phường Đông Tiến"),
        ("form_code", "nam-muc"),
        ("opens", "07:30"),
        ("closes", "17:00"),
        ("decision", "12/NQ-HĐND ngày 30/11/2026"),
    ];
    let (status, page) = send(&central, &cookie, here, &renamed).await;
    assert!(
        status == 200
            && page.contains("xã Đông Tiến, đến hết ngày 30/11/2026 (12/NQ-HĐND ngày 30/11/2026)"),
        "{page}"
    );
    let goes = [
        ("do", "officials"),
        ("id", "cb01"),
        ("name", "Trần Văn Hòa"),
        ("title", "Công chức"),
        ("until", "02/12/2026"),
    ];
    let (status, _) = send(&central, &cookie, here, &goes).await;
    assert_eq!(status, 200);
    let directory = office(&central, "dong-tien").unwrap();
    let q1 = "q1".parse().unwrap();
    let is_there =
        |day: &str| directory.on_shift(&q1, at(&format!("{day} 08:00")).civil()).is_some();
    assert!(is_there("2026-12-02") && !is_there("2026-12-03"));
    let stays = [
        ("do", "officials"),
        ("id", "cb01"),
        ("name", "Trần Văn Hòa"),
        ("title", ""),
        ("until", ""),
    ];
    send(&central, &cookie, here, &stays).await;
    let directory = office(&central, "dong-tien").unwrap();
    assert_eq!((directory.officials[0].until, directory.officials[0].title.as_str()), (None, ""));
    let (status, page) =
        send(&central, &cookie, here, &[("do", "end"), ("until", "31/12/2026")]).await;
    assert!(status == 200 && page.contains("đến hết ngày 31/12/2026"));
    let directory = office(&central, "dong-tien").unwrap();
    assert_eq!(directory.open_on("2026-12-31".parse().unwrap()).len(), 1);
    assert!(directory.open_on("2027-01-04".parse().unwrap()).is_empty());
    // Another name by another decision leaves the end's own.
    let end = [("do", "end"), ("until", "31/12/2026"), ("decision", "20/NQ-HĐND")];
    assert_eq!(send(&central, &cookie, here, &end).await.0, 200);
    let renamed = [("do", "offices"), ("name", "Trung tâm Đông Tiến"), ("decision", "21/NQ-HĐND")];
    assert_eq!(send(&central, &cookie, here, &renamed).await.0, 200);
    let now = office(&central, "dong-tien").unwrap();
    assert_eq!(now.office.ended.as_ref().unwrap().decision, "20/NQ-HĐND");
    // Who changed what, the latest first.
    let changes = central.store().directory_changes(&"dong-tien".parse().unwrap()).await.unwrap();
    assert_eq!(changes.len(), 14);
    assert!(changes.iter().all(|change| change.person == "administrator-tinh"));
    assert!(page.contains("Trần Thị Mận"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_changes_what_is_not_theirs_and_files_stay_the_files() {
    let central = empty().await;
    let whole = central.token(Role::Administrator).await;
    let files = [("offices.csv", OFFICES.as_bytes()), ("counters.csv", COUNTERS.as_bytes())];
    assert_eq!(import(&central, &whole, "", &files).await.0, 200);
    let unit = Unit(Some("dong-tien".parse::<OfficeCode>().unwrap()));
    let own = Standing::new(Role::Administrator, unit);
    let token = central.token_of(own.clone()).await;
    // Their own rows need not name the office.
    let (status, said) =
        import(&central, &token, "", &[("officials.csv", b"id,name\ncb01,Lan\n")]).await;
    assert_eq!((status, said["applied"].as_bool()), (200, Some(true)), "{said}");
    for (name, rows, why) in [
        ("officials.csv", "office,id,name\ntay-tien,cb01,Lan\n", "Không có đơn vị tay-tien"),
        ("offices.csv", "code,name\nnam-tien,Nam Tiến\n", "Không có đơn vị nam-tien"),
        ("offices.csv", "code,name\ndong-tien,Đông Tiến\n", "người quản trị toàn tỉnh"),
    ] {
        let (status, said) = import(&central, &token, "lang=vi", &[(name, rows.as_bytes())]).await;
        let wrong = said["problems"][0]["wrong"].as_str().unwrap();
        assert!(status == 422 && wrong.contains(why), "{rows}: {said}");
    }
    let cookie = central.cookie_of(own).await;
    let (status, _) =
        send(&central, &cookie, "/directory/tay-tien", &[("do", "end"), ("until", "31/12/2026")])
            .await;
    assert_eq!(status, 404);
    let (status, page) =
        send(&central, &cookie, "/directory/dong-tien", &[("do", "end"), ("until", "31/12/2026")])
            .await;
    assert!(status == 422 && page.contains("người quản trị toàn tỉnh"));
    // What they download is theirs.
    let address = format!("http://{}/api/v1/directory", central.staff);
    let reply = client().unwrap().get(address).bearer_auth(&token).send().await.unwrap();
    let theirs: Vec<Directory> = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    assert_eq!(theirs.len(), 1);
    // A token without the right.
    let login = central.account(Standing::new(Role::Supervisor, Unit::PROVINCE)).await;
    let rights = vec![Right::Figures];
    let (token, text) = hailong::central::access::account_page::draw_token(
        central.central.now(),
        login,
        "x",
        rights,
        30,
    );
    central.store().keep_token(token).await.unwrap();
    assert_eq!(import(&central, &text, "", &files).await.0, 403);

    // An office of central.toml is changed there.
    let central = TestCentral::start().await;
    let token = central.token(Role::Administrator).await;
    let (status, said) = import(
        &central,
        &token,
        "lang=en",
        &[("officials.csv", b"office,id,name\nphu-sa,cb01,Lan\n")],
    )
    .await;
    assert!(
        status == 422
            && said["problems"][0]["wrong"].as_str().unwrap().contains("configuration files"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_is_taken_once_by_whom_it_was_shown_and_not_over_another_change() {
    let central = empty().await;
    let cookie = central.cookie(Role::Administrator).await;
    let preview = async |cookie: &str| {
        let address = format!("http://{}/directory", central.staff);
        let page = client().unwrap().get(&address).header("cookie", cookie).send().await.unwrap();
        let page = page.text().await.unwrap();
        let (_, rest) = page.split_once("name=\"form\" value=\"").unwrap();
        let files =
            form(&[("offices.csv", OFFICES.as_bytes())]).text("form", rest[..64].to_owned());
        let request = client().unwrap().post(format!("{address}/import")).header("cookie", cookie);
        let reply = request.multipart(files).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        let page = reply.text().await.unwrap();
        assert!(page.contains("Sẽ thay đổi 2 dòng"), "{page}");
        let (_, rest) = page.split_once("name=\"plan\" value=\"").unwrap();
        rest[..32].to_owned()
    };
    let (one, other) = (preview(&cookie).await, preview(&cookie).await);
    assert!(central.central.offices().is_empty());
    // Somebody else does not have it.
    let stranger = central
        .cookie_of(Standing::new(Role::Administrator, Unit(Some("bac".parse().unwrap()))))
        .await;
    let (status, _) =
        send(&central, &stranger, "/directory", &[("do", "apply"), ("plan", &one)]).await;
    assert_eq!((status, central.central.offices().len()), (422, 0));
    let (status, page) =
        send(&central, &cookie, "/directory", &[("do", "apply"), ("plan", &one)]).await;
    assert!(status == 200 && page.contains("Đã lưu 2 thay đổi"), "{page}");
    for plan in [&one, &other] {
        let (status, _) =
            send(&central, &cookie, "/directory", &[("do", "apply"), ("plan", plan)]).await;
        assert_eq!(status, 422, "taken again, or made for what is not so any more");
    }
    assert_eq!(lines(&central, Event::Directory).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_of_104_offices_comes_in_by_one_file_and_a_hostile_one_harms_nobody() {
    let central = empty().await;
    let token = central.token(Role::Administrator).await;
    let mut files = [OFFICES, COUNTERS, "", ""]
        .map(|text| text.lines().next().unwrap_or_default().replace(';', ","));
    files[2] = "office,id,name,title".into();
    files[3] = "office,weekdays,counter,official,from,to".into();
    for office in 1..=104 {
        files[0] += &format!(
            "\nxa-{office},Trung tâm Phục vụ hành chính công xã số {office},nam-muc,07:30,17:00"
        );
        for counter in 1..=8 {
            files[1] += &format!("\nxa-{office},q{counter},{counter},Lĩnh vực {counter}");
            files[2] += &format!("\nxa-{office},cb{counter},Nguyễn Văn {counter},Công chức");
            files[3] += &format!("\nxa-{office},1-5,q{counter},cb{counter},07:30,17:00");
        }
    }
    let names = ["offices.csv", "counters.csv", "officials.csv", "roster.csv"];
    let files: Vec<(&str, &[u8])> =
        names.into_iter().zip(files.iter().map(String::as_bytes)).collect();
    let (status, said) = import(&central, &token, "", &files).await;
    assert_eq!((status, said["applied"].as_bool()), (200, Some(true)), "{}", said["problems"]);
    assert_eq!(central.central.offices().len(), 104);
    assert_eq!(lines(&central, Event::Directory).await.len(), 104);
    // One cell at the end of a sheet does not become all that is before it.
    let mut book = Workbook::new();
    let sheet = book.add_worksheet().set_name("counters").unwrap();
    sheet.write_string(0, 0, "id").unwrap();
    sheet.write_string(1_048_575, 16_383, "x").unwrap();
    let far = book.save_to_buffer().unwrap();
    let (status, _) = import(&central, &token, "", &[("far.xlsx", &far)]).await;
    assert_eq!(status, 200);
    // Too much is told, and the service goes on.
    let rows = format!("office,id,number,name\n{}", "xa-1,q1,1,x\n".repeat(40_000));
    let (status, said) =
        import(&central, &token, "lang=en", &[("counters.csv", rows.as_bytes())]).await;
    assert!(
        status == 422 && said["problems"][0]["wrong"].as_str().unwrap().contains("more than"),
        "{status}"
    );
    let (status, said) = import(&central, &token, "", &[("big.csv", &vec![b'a'; 20 << 20])]).await;
    assert_eq!((status, said["status"].as_u64()), (413, Some(413)), "{said}");
    assert_eq!(import(&central, &token, "dry_run=true", &files).await.0, 200);
}

/// A day of an office at a kiosk that is turned off at a time, and the root of what is there next morning.
async fn lived(central: &TestCentral, kiosk: &mut TestKiosk, day: &str, off: &str) -> Summary {
    central.clock.set(at(&format!("{day} 08:15")));
    let mut desk = kiosk.desk();
    for _ in 0..10 {
        rate(&mut desk, "hai_long", &[]);
    }
    central.clock.set(at(&format!("{day} {off}")));
    desk.journal().append(Line::draft(Event::Stopped), &[]).unwrap();
    drop(desk);
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
    let day: jiff::civil::Date = day.parse().unwrap();
    let directory = office(central, "dong-tien").unwrap();
    let (store, forms) = (central.store(), &central.central.config.forms);
    let summary = of_day(store, &directory, forms, day, at(&format!("{day} 23:00"))).await;
    central.clock.set(at(&format!("{} 00:30", day.tomorrow().unwrap())));
    make(&central.central).await.unwrap();
    summary.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_closing_time_holds_from_the_next_day_and_days_before_it_stay_as_they_were() {
    let central = empty().await;
    let token = central.token(Role::Administrator).await;
    let messy = of_office();
    let files = [
        ("offices.csv", OFFICES.as_bytes()),
        ("counters.csv", COUNTERS.as_bytes()),
        ("tu-xa.xlsx", messy.as_slice()),
    ];
    assert_eq!(import(&central, &token, "", &files).await.0, 200);
    let mut kiosk = kiosk(&central, "dong-tien", "q1").await;
    let first = lived(&central, &mut kiosk, "2026-11-24", "17:05").await;
    assert_eq!(first.state, State::Complete, "turned off after 17:00");
    // In the middle of a day an hour is added.
    central.clock.set(at("2026-11-25 10:00"));
    let later = b"code,closes\ndong-tien,18:00\n";
    let (status, said) = import(&central, &token, "", &[("offices.csv", later)]).await;
    assert_eq!((status, said["applied"].as_bool()), (200, Some(true)), "{said}");
    let second = lived(&central, &mut kiosk, "2026-11-25", "17:30").await;
    let third = lived(&central, &mut kiosk, "2026-11-26", "17:30").await;
    assert_eq!((second.state, third.state), (State::Complete, State::Provisional));
    // The journals give the same, and whoever checks them finds nothing, after a restart, too.
    let (folder, clock) = central.stop().await;
    let mut config = sample_config();
    config.offices.clear();
    let central = TestCentral::start_at_address("127.0.0.1:0", config, folder, clock, |_| {}).await;
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!(rebuilt.differ, 0, "{:?}", rebuilt.rows);
    let auditor = central.token(Role::Auditor).await;
    let address = format!("http://{}/api/v1/export?opened=true", central.staff);
    let reply = client().unwrap().get(address).bearer_auth(auditor).send().await.unwrap();
    let file = central.folder.path().join("archive");
    std::fs::write(&file, reply.bytes().await.unwrap()).unwrap();
    let report = tokio::task::spawn_blocking(move || of_file(&file, None).unwrap()).await.unwrap();
    assert_eq!(report.problems, [""; 0]);
    assert!(report.summaries >= 3, "{}", report.summaries);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_line_by_line_what_it_would_do_and_what_is_wrong() {
    let central = empty().await;
    let asked = central.asked_as(Role::Administrator).await;
    let folder = central.folder.path().to_owned();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    std::fs::write(file("offices.csv"), OFFICES).unwrap();
    std::fs::write(file("counters.csv"), "office,id,number,name\ntay-tien,q1,0,Chung\n").unwrap();
    let hailong = async |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_hailong"));
        command.args(["admin", "directory"]).args(arguments).args(&asked).args(["--lang", "en"]);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        (done.status.code().unwrap(), String::from_utf8(done.stdout).unwrap())
    };
    let (offices, counters) = (file("offices.csv"), file("counters.csv"));
    let (code, said) = hailong(&["import", "--dry-run", &offices]).await;
    assert!(code == 0 && said.ends_with("Lines that would change: 2; that stay: 0.\n"), "{said}");
    assert!(said.starts_with("Offices, row 2  dong-tien  Office dong-tien"), "{said}");
    assert!(central.central.offices().is_empty());
    let (code, said) = hailong(&["import", &offices, &counters]).await;
    let wrong = "! Counters, row 2  Number: expected a number from 1 on, found “0”\n";
    assert!(code == 2 && said.contains(wrong), "{said}");
    assert!(central.central.offices().is_empty());
    assert_eq!(hailong(&["import", &offices]).await.0, 0);
    let out = file("all.xlsx");
    assert_eq!(hailong(&["export", "--out", &out]).await.0, 0);
    let (code, said) = hailong(&["import", &out]).await;
    assert!(code == 0 && said.starts_with("Nothing changes"), "{said}");
    // What is there is never written over.
    assert_eq!(hailong(&["export", "--out", &out]).await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_of_the_store_that_files_took_over_is_there_again_without_them() {
    let central = empty().await;
    let token = central.token(Role::Administrator).await;
    let files = [("offices.csv", OFFICES.as_bytes()), ("counters.csv", COUNTERS.as_bytes())];
    assert_eq!(import(&central, &token, "", &files).await.0, 200);
    let without = central.central.config.clone();
    let mut with = without.clone();
    let mut in_files = Directory::clone(&office(&central, "dong-tien").unwrap());
    in_files.office.name = "Trung tâm Đông Tiến, theo tệp".into();
    with.offices.push(in_files);
    let central = central.again_with(with).await;
    assert_eq!(central.central.offices().len(), 2, "each once");
    assert!(office(&central, "dong-tien").unwrap().office.name.ends_with("theo tệp"));
    let central = central.again_with(without).await;
    let back = office(&central, "dong-tien").expect("it is still here");
    assert!(back.office.name.ends_with("theo tệp"), "as it was last");
    assert_eq!(back.counters.len(), 2);
}
