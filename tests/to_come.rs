//! An office as of another day: what is to come is changed beforehand and holds from its day on, and a day that is over
//! stays what it was.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use common::web::{form_of, page, send};
use common::{TestCentral, TestKiosk, at, rate, sample_config};
use hailong::central::roots::make;
use hailong::central::verify::of_file;
use hailong::clock::{Clock, Sleep};
use hailong::demo::clock::DemoClock;
use hailong::domain::access::{Role, Standing, Unit};
use hailong::domain::decision::{Decision, What};
use hailong::domain::ids::OfficeCode;
use hailong::domain::line::Event;
use hailong::domain::office::Directory;
use hailong::domain::summary::Summary;
use hailong::domain::system_random;
use hailong::kiosk::configuration::Follower;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::headless::Headless;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use hailong::kiosk::window::ui;
use hailong::texts::Texts;
use jiff::{SignedDuration, Timestamp};
use reqwest::multipart::{Form, Part};
use serde_json::Value;
use slint::Global;
use tempfile::TempDir;

const OFFICES: &str = "code,name\ndong-tien,Trung tâm Đông Tiến\n";
const COUNTERS: &str = "office,id,number,name\ndong-tien,q1,1,Tiếp nhận chung\n";
const OFFICIALS: &str = "office,id,name\ndong-tien,cb01,Trần Văn Hòa\ndong-tien,cb02,Lê Thu Hà\n";
const ROSTER: &str =
    "office,weekdays,counter,official,from,to\ndong-tien,1-5,q1,cb01,07:30,17:00\n";

fn office(central: &TestCentral) -> Arc<Directory> {
    central.central.directory(&"dong-tien".parse().unwrap()).unwrap()
}

fn on(central: &TestCentral, day: &str) -> Arc<Directory> {
    let code: OfficeCode = "dong-tien".parse().unwrap();
    central.central.directory_on(&code, day.parse().unwrap()).unwrap()
}

/// Who stands at the counter in the morning of a Tuesday.
fn stands(directory: &Directory) -> &str {
    let who = directory.on_shift(&"q1".parse().unwrap(), at("2026-12-01 08:00").civil());
    &who.unwrap().name
}

async fn import(
    central: &TestCentral,
    token: &str,
    query: &str,
    files: &[(&str, &str)],
) -> (u16, Value) {
    let form = files.iter().fold(Form::new(), |form, (name, text)| {
        form.part("files", Part::bytes(text.as_bytes().to_vec()).file_name((*name).to_owned()))
    });
    let address = format!("http://{}/api/v1/directory?{query}", central.staff);
    let request = client().unwrap().post(address).bearer_auth(token).multipart(form);
    let reply = request.send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or_default())
}

/// A service with one office in its store, and its kiosk.
async fn begun() -> (TestCentral, TestKiosk, String) {
    let mut config = sample_config();
    config.offices.clear();
    let central = TestCentral::with_config(config, at("2026-11-24 07:00")).await;
    let token = central.token(Role::Administrator).await;
    let files = [
        ("offices.csv", OFFICES),
        ("counters.csv", COUNTERS),
        ("officials.csv", OFFICIALS),
        ("roster.csv", ROSTER),
    ];
    let (status, said) = import(&central, &token, "", &files).await;
    assert_eq!((status, said["applied"].as_bool()), (200, Some(true)), "{said}");
    let folder = TempDir::new().unwrap();
    let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    let (kiosk, of) = ("dong-tien-q1".parse().unwrap(), "dong-tien".parse().unwrap());
    let code = central.central.offer(kiosk, of, "q1".parse().unwrap()).await.unwrap();
    enrol(&Network::to(&central.service()), &code, &mut identity).await.unwrap();
    let (clock, service) = (Arc::clone(&central.clock), central.service());
    let kiosk = TestKiosk { folder, identity, clock, service };
    (central, kiosk, token)
}

/// From December on it has another name and another official, who comes first then.
const TO_COME: [(&str, &str); 3] = [
    ("offices.csv", "code,name,decision\ndong-tien,Trung tâm Đông Hải,30/NQ-HĐND\n"),
    ("officials.csv", "office,id,name\ndong-tien,cb03,Phạm Quốc Dũng\n"),
    ("roster.csv", "office,weekdays,counter,official,from,to\ndong-tien,1-5,q1,cb03,07:30,17:00\n"),
];

/// A kiosk's clock that may be behind.
struct Behind {
    truth: Arc<DemoClock>,
    behind_hours: AtomicI64,
}

/// It, while a test holds its hands.
struct Machine(Arc<Behind>);

impl Clock for Machine {
    fn now(&self) -> Timestamp {
        let hours = self.0.behind_hours.load(Ordering::SeqCst);
        self.0.truth.now() - SignedDuration::from_hours(hours)
    }

    fn mono_ms(&self) -> u64 {
        self.0.truth.mono_ms()
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        self.0.truth.sleep(duration)
    }
}

#[test]
fn what_is_to_come_holds_from_its_day_on_also_at_a_kiosk_without_a_network() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let headless = Headless::start(1280, 800).unwrap();
    let (central, mut kiosk) = runtime.block_on(async {
        let (central, mut kiosk, token) = begun().await;
        let (status, said) = import(&central, &token, "from=2026-12-01", &TO_COME).await;
        assert_eq!((status, &said["from"]), (200, &"2026-12-01".into()), "{said}");
        assert_eq!(said["applied"].as_bool(), Some(true), "{said}");
        // Until then all is as it was.
        assert_eq!(
            (stands(&office(&central)), office(&central).office.name.as_str()),
            ("Trần Văn Hòa", "Trung tâm Đông Tiến")
        );
        let then = on(&central, "2026-12-01");
        assert_eq!(
            (stands(&then), then.office.name.as_str()),
            ("Phạm Quốc Dũng", "Trung tâm Đông Hải")
        );
        let former = &then.office.former[0];
        assert_eq!(
            (former.name.as_str(), former.until.to_string().as_str()),
            ("Trung tâm Đông Tiến", "2026-11-30")
        );
        assert_eq!(*on(&central, "2026-11-30"), *office(&central));
        let lines = central.lines().await;
        let told: Vec<_> = lines.iter().filter(|line| line.event == Event::Directory).collect();
        assert_eq!(told.last().unwrap().effective, Some("2026-12-01".parse().unwrap()));

        // What is changed today holds then, too, but for what changes then.
        let today = [
            ("officials.csv", "office,id,name,title\ndong-tien,cb02,Lê Thu Hà,Công chức\n"),
            (
                "roster.csv",
                "office,weekdays,counter,official,from,to\ndong-tien,1-5,q1,cb02,07:30,17:00\n",
            ),
        ];
        assert_eq!(import(&central, &token, "", &today).await.0, 200);
        assert_eq!(stands(&office(&central)), "Lê Thu Hà");
        let then = on(&central, "2026-12-01");
        assert_eq!((stands(&then), then.officials.len()), ("Phạm Quốc Dũng", 3));
        assert_eq!(then.officials[1].title, "Công chức");
        let over = import(&central, &token, "from=2026-11-23", &today).await;
        assert_eq!(over.0, 400, "{}", over.1);

        // The kiosk hears of both, then loses its network; the service starts again.
        let texts =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config/texts/vi.toml");
        let texts = vec![Texts::read(&texts).unwrap()];
        let mut follower = Follower::open(&kiosk.path(), &kiosk.identity, texts).unwrap();
        assert!(follower.look(&Network::to(&central.service())).await.unwrap());
        kiosk.identity.enrolled = Some((*follower.in_force().borrow().enrolled).clone());
        let mut config = sample_config();
        config.offices.clear();
        (central.again_with(config).await, kiosk)
    });
    central.clock.set(at("2026-11-30 16:00"));
    let (truth, behind_hours) = (Arc::clone(&central.clock), AtomicI64::new(0));
    let clock = Arc::new(Behind { truth, behind_hours });
    let machine = Arc::new(Machine(Arc::clone(&clock)));
    let screen = kiosk.screen_at(machine, &Rc::new(Cell::new(1_000)));
    let shown = || {
        let (office, official) = (ui::Office::get(screen.app()), ui::Official::get(screen.app()));
        (office.get_name().to_string(), official.get_name().to_string())
    };
    screen.tick();
    assert_eq!(shown(), ("Trung tâm Đông Tiến".into(), "Lê Thu Hà".into()));
    central.clock.set(at("2026-12-01 08:00"));
    screen.tick();
    assert!(headless.turn_until(Duration::from_secs(20), || !screen.busy()));
    assert_eq!(shown(), ("Trung tâm Đông Hải".into(), "Phạm Quốc Dũng".into()));
    // A clock that shows yesterday once more has yesterday's office, until it is right again.
    for (off, expected) in
        [(16, ("Trung tâm Đông Tiến", "Lê Thu Hà")), (0, ("Trung tâm Đông Hải", "Phạm Quốc Dũng"))]
    {
        clock.behind_hours.store(off, Ordering::SeqCst);
        screen.tick();
        assert!(headless.turn_until(Duration::from_secs(20), || !screen.busy()));
        let (office, official) = shown();
        assert_eq!((office.as_str(), official.as_str()), expected);
    }
    screen.stop();
    drop(screen);
    // Nor does it take a restart for what began while it was off.
    assert_eq!(kiosk.desk().enrolled().directory.office.name, "Trung tâm Đông Hải");
    assert_eq!(office(&central).office.name, "Trung tâm Đông Hải");
    runtime.block_on(async { central.stop().await });
}

async fn of_day(central: &TestCentral, day: &str) -> Summary {
    let directory = office(central);
    central.central.summaries(&directory).of_day(day.parse().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_is_over_keeps_the_names_of_then_and_whoever_checks_it_finds_the_same() {
    let (central, mut kiosk, token) = begun().await;
    let mut digests = Vec::new();
    for (day, next) in [("2026-11-24", "2026-11-25"), ("2026-11-25", "2026-11-26")] {
        central.clock.set(at(&format!("{day} 08:15")));
        let mut desk = kiosk.desk();
        for _ in 0..10 {
            rate(&mut desk, "hai_long", &[]);
        }
        central.clock.set(at(&format!("{day} 17:05")));
        desk.stop().unwrap();
        kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
        central.clock.set(at(&format!("{next} 00:30")));
        make(&central.central).await.unwrap();
        digests.push(of_day(&central, day).await.digest);
        // Overnight she marries, and the office gets another name.
        central.clock.set(at(&format!("{next} 07:00")));
        let renamed = [
            ("offices.csv", "code,name\ndong-tien,Trung tâm Đông Hải\n"),
            ("officials.csv", "office,id,name\ndong-tien,cb01,Trần Văn Hòa Bình\n"),
        ];
        assert_eq!(import(&central, &token, "", &renamed).await.0, 200);
    }
    let first = of_day(&central, "2026-11-24").await;
    let second = of_day(&central, "2026-11-25").await;
    let name = |summary: &Summary| summary.by_official[0].name.clone();
    assert_eq!((name(&first), name(&second)), ("Trần Văn Hòa".into(), "Trần Văn Hòa Bình".into()));
    assert_eq!([first.digest, second.digest], [digests[0].clone(), digests[1].clone()]);
    let mut config = sample_config();
    config.offices.clear();
    let central = central.again_with(config).await;
    assert_eq!(of_day(&central, "2026-11-24").await.digest, digests[0], "after a restart, too");
    let directory = office(&central);
    let summaries = central.central.summaries(&directory);
    let week = summaries.of_period("2026-W48".parse().unwrap()).await.unwrap();
    assert_eq!(week.by_official[0].n, 20, "one official under both names");
    let auditor = central.token(Role::Auditor).await;
    let address = format!("http://{}/api/v1/export?opened=true", central.staff);
    let reply = client().unwrap().get(address).bearer_auth(auditor).send().await.unwrap();
    let file = central.folder.path().join("archive");
    std::fs::write(&file, reply.bytes().await.unwrap()).unwrap();
    let report = tokio::task::spawn_blocking(move || of_file(&file, None).unwrap()).await.unwrap();
    assert_eq!(report.problems, [""; 0]);
    assert!(report.summaries >= 2, "{}", report.summaries);
}

/// Ratings of a day from the office's counter, until the day is over.
async fn rated(central: &TestCentral, kiosk: &mut TestKiosk, when: &str, n: usize) {
    central.clock.set(at(when));
    let day = &when[..10];
    let mut desk = kiosk.desk();
    for number in 0..n {
        rate(&mut desk, if number % 3 == 0 { "khong_hai_long" } else { "hai_long" }, &[]);
    }
    central.clock.set(at(&format!("{day} 17:05")));
    desk.stop().unwrap();
    kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_into_the_directory_later_has_what_they_are_attributed() {
    let (central, mut kiosk, token) = begun().await;
    // Before anybody is on shift.
    rated(&central, &mut kiosk, "2026-11-24 07:10", 9).await;
    assert_eq!(of_day(&central, "2026-11-24").await.unattributed, 9);
    central.clock.set(at("2026-11-25 07:00"));
    let new = [("officials.csv", "office,id,name\ndong-tien,cb09,Đỗ Thị Mơ\n")];
    assert_eq!(import(&central, &token, "", &new).await.0, 200);
    let what = What::Attributed {
        counter: "q1".parse().unwrap(),
        from: at("2026-11-24 07:00"),
        until: at("2026-11-24 17:00"),
        office: "dong-tien".parse().unwrap(),
        official: Some("cb09".parse().unwrap()),
    };
    let decision =
        Decision { what, person: "Trần Thị Mận".into(), reason: "roster corrected".into() };
    central.central.decide(decision, Unit::PROVINCE).await.unwrap();
    let summary = of_day(&central, "2026-11-24").await;
    let row = summary.by_official.iter().find(|row| row.id == "cb09").unwrap();
    // The directory of then does not know her name.
    assert_eq!((row.n, row.name.as_str(), summary.unattributed), (9, "cb09", 0));
    let cookie = central.cookie(Role::Supervisor).await;
    let (_, shown) = page(&central, "/summary/dong-tien/2026-11-24", &cookie).await;
    assert!(shown.contains("Đỗ Thị Mơ"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_that_is_new_is_there_at_once_and_a_restart_finds_it_as_it_was() {
    let (central, _, token) = begun().await;
    let new = [
        ("offices.csv", "code,name\ntay-tien,Trung tâm Tây Tiến\n"),
        ("counters.csv", "office,id,number,name\ntay-tien,q1,1,Tiếp nhận chung\n"),
        ("officials.csv", "office,id,name\ntay-tien,cb01,Bùi Văn Tám\n"),
        (
            "roster.csv",
            "office,weekdays,counter,official,from,to\ntay-tien,1-5,q1,cb01,07:30,17:00\n",
        ),
    ];
    assert_eq!(import(&central, &token, "from=2026-12-01", &new).await.0, 200);
    let name = |central: &TestCentral, day: &str| {
        let directory =
            central.central.directory_on(&"tay-tien".parse().unwrap(), day.parse().unwrap());
        directory.map(|directory| directory.office.name.clone())
    };
    assert_eq!(name(&central, "2026-11-24").as_deref(), Some("Trung tâm Tây Tiến"));
    for (query, is) in
        [("", "Trung tâm B"), ("from=2026-12-01", "Trung tâm E"), ("", "Trung tâm C")]
    {
        let text = format!("code,name\ntay-tien,{is}\n");
        assert_eq!(import(&central, &token, query, &[("offices.csv", &text)]).await.0, 200);
    }
    let names = |central: &TestCentral| [name(central, "2026-11-24"), name(central, "2026-12-01")];
    let before = names(&central);
    assert_eq!(before.each_ref().map(Option::as_deref), [Some("Trung tâm C"), Some("Trung tâm E")]);
    let mut config = sample_config();
    config.offices.clear();
    let central = central.again_with(config).await;
    assert_eq!(names(&central), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_told_by_the_form_and_the_name_of_then() {
    let (central, mut kiosk, token) = begun().await;
    rated(&central, &mut kiosk, "2026-11-24 08:15", 36).await;
    central.clock.set(at("2026-11-25 07:00"));
    let cookie = central.cookie(Role::Administrator).await;
    let mut other = common::sample_form();
    other.code = "ba-muc-moi".into();
    other.version = 1;
    other.effective = "2026-12-01".parse().unwrap();
    other.decision = "Quyết định 12/QĐ-UBND ngày 20/11/2026".into();
    for level in &mut other.levels {
        level.code += "_moi";
    }
    let text = toml::to_string_pretty(&other).unwrap();
    let of = common::sample_form().reference();
    let form = form_of(&central, &cookie).await;
    let fields = [("form", form.as_str()), ("do", "put"), ("of", of.as_str()), ("toml", &text)];
    assert_eq!(send(&central, "/forms", &cookie, &fields).await.0, 200);
    // Not before it is in force: neither a new office, which is there at once, nor another one.
    let new = [("offices.csv", "code,name,form\ntay-tien,Trung tâm Tây Tiến,ba-muc-moi\n")];
    let (status, said) = import(&central, &token, "from=2026-12-01", &new).await;
    assert!(status == 422 && said.to_string().contains("01/12/2026"), "{said}");
    let asked = [("offices.csv", "code,name,form\ndong-tien,Trung tâm Đông Hải,ba-muc-moi\n")];
    let (status, said) = import(&central, &token, "", &asked).await;
    assert!(status == 422 && said.to_string().contains("01/12/2026"), "{said}");
    assert_eq!(import(&central, &token, "from=2026-12-01", &asked).await.0, 200);
    central.clock.set(at("2026-12-02 09:00"));
    assert_eq!(office(&central).office.form, "ba-muc-moi");
    let cookie = central.cookie(Role::Administrator).await;
    let (status, shown) = page(&central, "/summary/dong-tien/2026-11-24", &cookie).await;
    assert_eq!(status, 200);
    assert!(shown.contains("Trung tâm Đông Tiến"), "its name of then: {shown}");
    assert!(shown.contains("Không hài lòng") && !shown.contains("Đáng biểu dương"), "{shown}");
    let (_, all) = page(&central, "/offices/2026-11-24", &cookie).await;
    assert!(all.contains("Trung tâm Đông Tiến") && !all.contains("Trung tâm Đông Hải"), "{all}");
    // A period over both has the levels of both.
    let (_, shown) = page(&central, "/summary/dong-tien/2026-11-24..2026-12-02", &cookie).await;
    assert!(shown.contains("Trung tâm Đông Hải") && !shown.contains("Đáng biểu dương"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_to_come_is_made_on_the_page_of_its_day_seen_and_taken_back() {
    let (central, _, token) = begun().await;
    let cookie = central.cookie(Role::Administrator).await;
    let form = form_of(&central, &cookie).await;
    let here = "/directory/dong-tien";
    let at_day = format!("{here}?from=2026-12-01");
    let (status, shown) = page(&central, &at_day, &cookie).await;
    assert!(status == 200 && shown.contains("từ ngày 01/12/2026"), "{shown}");
    let fields = [
        ("form", form.as_str()),
        ("from", "2026-12-01"),
        ("do", "officials"),
        ("id", "cb02"),
        ("name", "Lê Thu Hà"),
        ("title", "Phó Giám đốc"),
    ];
    let (status, _, saved) = send(&central, here, &cookie, &fields).await;
    assert!(status == 200 && saved.contains("Phó Giám đốc"), "{saved}");
    assert!(saved.contains("Bỏ thay đổi từ ngày 01/12/2026"), "{saved}");
    let (_, now) = page(&central, here, &cookie).await;
    assert!(!now.contains("Phó Giám đốc"), "today she is not yet");
    assert!(now.contains("Thay đổi đã hẹn") && now.contains("from=2026-12-01"), "{now}");
    assert!(now.contains("Hiệu lực từ ngày 01/12/2026."), "{now}");

    // Of a name that the province gave nobody takes back anything who has one office.
    assert_eq!(import(&central, &token, "from=2026-12-01", &TO_COME[..1]).await.0, 200);
    let drop = |form: &str| {
        [("form", form.to_owned()), ("from", "2026-12-01".into()), ("do", "drop".into())]
    };
    let dropped = async |cookie: &str| {
        let form = form_of(&central, cookie).await;
        let fields = drop(&form);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(a, b)| (*a, b.as_str())).collect();
        send(&central, here, cookie, &fields).await
    };
    let unit = Unit(Some("dong-tien".parse().unwrap()));
    let own = central.cookie_of(Standing::new(Role::Administrator, unit)).await;
    let (status, _, refused) = dropped(&own).await;
    assert!(status == 422 && refused.contains("toàn tỉnh"), "{refused}");
    assert_eq!(on(&central, "2026-12-01").office.name, "Trung tâm Đông Hải");
    let (status, _, done) = dropped(&cookie).await;
    assert!(status == 200 && done.contains("Đã bỏ thay đổi đã hẹn."), "{done}");
    assert_eq!(*on(&central, "2026-12-01"), *office(&central));
    let (_, now) = page(&central, here, &cookie).await;
    assert!(!now.contains("Thay đổi đã hẹn"), "{now}");
    // A day that is over is not changed, and said so.
    let (status, wrong) = page(&central, &format!("{here}?from=2026-11-23"), &cookie).await;
    assert!(status == 422 && wrong.contains("Ngày hiệu lực phải là"), "{wrong}");
}
