//! Rating forms: the next version is looked at as a real kiosk's screen, and put in force from a day to come.

mod common;

use common::web::{form_of, page, send};
use common::{TestCentral, at, rate};
use hailong::central::configuration::of;
use hailong::central::export::{Asked, of_folder};
use hailong::central::roots::make;
use hailong::central::verify::of_file;
use hailong::domain::access::{Role, Standing, Unit};
use hailong::domain::form::Form;
use hailong::domain::line::Event;
use hailong::kiosk::configuration::Follower;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::{Network, client};
use hailong::texts::Texts;
use reqwest::header::COOKIE;

/// The sample's form, as its next version.
fn next(change: impl FnOnce(&mut Form)) -> String {
    let mut form = common::sample_form();
    form.version += 1;
    form.effective = "2026-11-26".parse().unwrap();
    form.decision = "Quyết định 12/QĐ-UBND ngày 20/11/2026".into();
    change(&mut form);
    toml::to_string_pretty(&form).unwrap()
}

fn asked(form: &mut Form) {
    form.question.insert("vi".into(), "Ông/bà thấy cán bộ\nphục vụ thế nào?".into());
}

fn thanks(form: &mut Form) {
    let words = [("vi".to_owned(), "Phù Sa cảm ơn ông/bà".to_owned())].into();
    form.texts.insert("kiosk".into(), [("thanks_title".to_owned(), words)].into());
}

/// The page after a text was sent.
async fn sent(central: &TestCentral, cookie: &str, what: &str, toml: &str) -> (u16, String) {
    let form = form_of(central, cookie).await;
    let of = common::sample_form().reference();
    let fields = [("form", form.as_str()), ("do", what), ("of", of.as_str()), ("toml", toml)];
    let (status, _, page) = send(central, "/forms", cookie, &fields).await;
    (status, page)
}

fn pictures(page: &str) -> Vec<&str> {
    let found = page.match_indices("<img src=\"").map(|(at, mark)| &page[at + mark.len()..]);
    found.map(|rest| rest.split('"').next().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_version_is_seen_as_the_real_screen_before_it_takes_effect() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let cookie = central.cookie(Role::Administrator).await;
    let (status, list) = page(&central, "/forms", &cookie).await;
    assert!(status == 200 && list.contains("nam-muc@2") && list.contains("Đang áp dụng"), "{list}");
    let (status, now) = page(&central, "/forms/nam-muc@2", &cookie).await;
    assert!(status == 200 && now.contains("version = 3") && now.contains("2026-11-25"), "{now}");
    // Home and the reasons of each pole, in both languages.
    assert_eq!(pictures(&now).len(), 8);

    let (status, draft) = sent(&central, &cookie, "check", &next(asked)).await;
    assert_eq!(status, 200, "{draft}");
    assert!(draft.contains("Ban hành, hiệu lực từ 26/11/2026"), "{draft}");
    // A text of its own, in place of the usual one.
    let own = next(|form| {
        let words = [("vi".to_owned(), "Xin ông/bà chạm vào một khuôn mặt".to_owned())].into();
        form.texts.insert("kiosk".into(), [("home_instruction".to_owned(), words)].into());
    });
    let (status, reworded) = sent(&central, &cookie, "check", &own).await;
    assert_eq!(status, 200, "{reworded}");
    let mut seen = Vec::new();
    for page in [&now, &draft, &reworded] {
        let address = format!("http://{}{}", central.staff, pictures(page)[0]);
        let request = client().unwrap().get(address).header(COOKIE, &cookie);
        let picture = request.send().await.unwrap().bytes().await.unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(picture.as_ref()));
        let info = decoder.read_info().unwrap();
        assert_eq!((info.info().width, info.info().height), (1280, 800));
        seen.push(picture);
    }
    assert!(seen[0] != seen[1], "the question is another one");
    assert!(seen[0] != seen[2] && seen[1] != seen[2], "what stands below it is another text");
    let nobody = format!("http://{}{}", central.staff, pictures(&draft)[0]);
    let refused = client().unwrap().get(nobody).header("accept", "image/png").send().await.unwrap();
    assert_eq!(refused.status().as_u16(), 401);
    // Nothing has changed by looking.
    assert_eq!(central.central.forms().iter().filter(|form| form.code == "nam-muc").count(), 2);
    assert!(central.lines().await.iter().all(|line| line.event != Event::Form));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_shown_and_counted_from_its_day_on_and_the_one_before_stays_valid() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let cookie = central.cookie(Role::Administrator).await;
    let mut kiosk = central.kiosk("q3").await;
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config/texts");
    let texts = vec![Texts::read(&folder.join("vi.toml")).unwrap()];
    let mut follower = Follower::open(&kiosk.path(), &kiosk.identity, texts).unwrap();
    let network = Network::to(&central.service());
    follower.look(&network).await.unwrap();

    let text = next(|form| {
        asked(form);
        thanks(form);
    });
    let (status, done) = sent(&central, &cookie, "put", &text).await;
    assert!(status == 200 && done.contains("Đã ban hành nam-muc@3"), "{done}");
    assert!(done.contains("Sắp có hiệu lực") && done.contains("12/QĐ-UBND"), "{done}");
    assert!(follower.look(&network).await.unwrap(), "kiosks have it before its day");
    let in_force = follower.in_force().borrow().clone();
    kiosk.identity.enrolled = Some((*in_force.enrolled).clone());

    // Two days by the kiosk's own clock, one under each version.
    let mut of_day = Vec::new();
    for (day, question) in [("2026-11-25", "hài lòng về"), ("2026-11-26", "thấy cán bộ")] {
        central.clock.set(at(&format!("{day} 09:00")));
        let mut desk = kiosk.desk();
        let form = desk.form().unwrap().clone();
        assert!(form.question["vi"].contains(question), "{day}: {form:?}");
        let thanks = in_force.texts[0].beside(&form).kiosk.thanks_title;
        assert_eq!(thanks.contains("Phù Sa"), day == "2026-11-26", "{thanks}");
        for _ in 0..6 {
            rate(&mut desk, "rat_hai_long", &["niem_no"]);
        }
        desk.stop().unwrap();
        kiosk.sent(JournalReader::open(&kiosk.path()).unwrap().last().unwrap()).await;
        of_day.push(form.reference().to_string());
        central.clock.set(at(&format!("{day} 23:00")));
    }
    assert_eq!(of_day, ["nam-muc@2", "nam-muc@3"]);
    central.clock.set(at("2026-11-27 00:05"));
    make(&central.central).await.unwrap();
    for (day, version) in [("2026-11-25", 2), ("2026-11-26", 3)] {
        let office = central.central.config.offices[0].office.code.clone();
        let record = central.store().day(&office, day.parse().unwrap()).await.unwrap();
        let counted = record.tallies.iter().filter(|(key, _)| key.text().starts_with("rating/"));
        let counted: Vec<String> = counted.map(|(key, n)| format!("{} {n}", key.text())).collect();
        let counted_under = format!("nam-muc@{version}/rat_hai_long 6");
        assert!(counted.len() == 1 && counted[0].ends_with(&counted_under), "{day}: {counted:?}");
    }
    assert_eq!(central.store().findings().await.unwrap(), []);

    // The service knows it after a restart, and so does whoever checks its archive.
    let line = central.lines().await.into_iter().find(|line| line.event == Event::Form).unwrap();
    assert_eq!(line.form.unwrap().as_str(), "nam-muc@3");
    assert!(line.person.is_some_and(|person| person.starts_with("administrator")));
    let config = common::sample_config();
    let central = central.again_with(config).await;
    let id = kiosk.identity.enrolled.as_ref().unwrap().kiosk.clone();
    let admitted = central.central.kiosk(&id).await.unwrap().unwrap();
    assert_eq!(of(&central.central, &admitted).unwrap().forms.len(), 3);
    let (folder, _) = central.stop().await;
    let file = folder.path().join("archive.zst");
    let asked = Asked { from: None, to: None, opened: true };
    let report = tokio::task::spawn_blocking(move || {
        of_folder(folder.path(), asked, &file).unwrap();
        of_file(&file, None).unwrap()
    });
    let report = report.await.unwrap();
    assert_eq!(report.problems, Vec::<String>::new());
    assert!(report.summaries >= 2, "{}", report.summaries);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_follow_is_refused_where_it_stands_and_nothing_typed_is_lost() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let cookie = central.cookie(Role::Administrator).await;
    for (text, why) in [
        (next(|form| form.version = 2), "expected 3 or more"),
        (
            next(|form| form.effective = "2026-11-24".parse().unwrap()),
            "expected 2026-11-25 or later",
        ),
        (next(|form| form.decision = " ".into()), "expected the decision"),
        (next(|form| form.levels.truncate(1)), "expected 2 to 5 levels"),
        (next(|form| drop(form.question.remove("vi"))), "expected a text under the key vi"),
        (
            next(|form| {
                thanks(form);
                let own = form.texts.remove("kiosk").unwrap();
                form.texts.insert("staff".into(), own);
            }),
            "expected the section kiosk or phone",
        ),
        (
            next(|form| {
                let words = [("vi".to_owned(), "Mở cửa lại".to_owned())].into();
                form.texts.insert("kiosk".into(), [("rest_opens".to_owned(), words)].into());
            }),
            "expected a text with",
        ),
        ("code = \"nam-muc\"\nversion = three\n".into(), "TOML:2:11"),
        (String::new(), "TOML:1:1"),
    ] {
        for what in ["check", "put"] {
            let (status, page) = sent(&central, &cookie, what, &text).await;
            assert!(status == 422 && page.contains(why), "{why}: {page}");
            let kept = text.lines().next().unwrap_or_default().replace('"', "&quot;");
            assert!(page.contains(&kept), "{why}: {page}");
        }
    }
    assert!(central.lines().await.iter().all(|line| line.event != Event::Form));

    // A form is the whole province's: whoever manages one office sees it, and changes nothing.
    let unit = Unit(Some(central.central.config.offices[0].office.code.clone()));
    let of_office = central.cookie_of(Standing::new(Role::Administrator, unit)).await;
    let (status, seen) = page(&central, "/forms/nam-muc@2", &of_office).await;
    assert!(status == 200 && !seen.contains("<textarea"), "{seen}");
    let (status, _) = sent(&central, &of_office, "put", &next(asked)).await;
    assert_eq!(status, 403);
    assert_eq!(page(&central, "/forms/nam-muc@9", &cookie).await.0, 404);
    assert_eq!(page(&central, "/forms/..%2f..", &cookie).await.0, 404);
}
