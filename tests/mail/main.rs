//! What goes out by itself, by a real mail server (aiosmtpd) and into a real folder: each once, in time, with nothing
//! of a single official in mail, and never twice, whatever breaks.

#[path = "../common/mod.rs"]
mod common;
mod server;

use std::path::Path;
use std::time::Duration;

use common::golden::is_golden;
use common::{TestCentral, TestKiosk, at, rate, sample_config, sample_folder};
use hailong::central::config::Config;
use hailong::central::delivery::config::{MailConfig, Recipient, Security};
use hailong::central::delivery::look;
use hailong::central::store::mail::{Mail, MailState, Posted};
use hailong::domain::access::{Access, DELIVERY, Role, Unit, View};
use hailong::domain::calendar::{Calendar, Hours};
use hailong::domain::decision::{Decision, What};
use hailong::domain::line::Line;
use hailong::domain::summary::{State, Summary};
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use lettre::transport::smtp::authentication::Credentials;
use server::{MailServer, Taken};

/// The sample, with mail to these addresses; what stands before a `/` is an office.
fn config(port: u16, to: &[&str]) -> Config {
    let to = to.iter().map(|to| {
        let (office, address) = to.split_once('/').unwrap_or(("", to));
        let office = (!office.is_empty()).then(|| office.parse().unwrap());
        Recipient { address: address.to_owned(), office, language: None }
    });
    let mail = MailConfig {
        server: "127.0.0.1".into(),
        port,
        security: Security::None,
        from: "Hài Lòng <hailong@hungyen.example>".parse().unwrap(),
        credentials: None,
        to: to.collect(),
    };
    Config { mail: Some(mail), ..sample_config() }
}

/// A day of the sample office: 36 ratings at two counters, of which one with a reason is bad.
async fn lived(central: &TestCentral) -> [TestKiosk; 2] {
    let mut kiosks = [central.kiosk("q3").await, central.kiosk("q1").await];
    for kiosk in &mut kiosks {
        let mut desk = kiosk.desk();
        for n in 0..18 {
            let level = if n % 3 == 0 { "rat_hai_long" } else { "hai_long" };
            if n == 17 {
                rate(&mut desk, "khong_hai_long", &["cho_lau"]);
            } else {
                rate(&mut desk, level, &[]);
            }
        }
        drop(desk);
        sent(kiosk).await;
    }
    kiosks
}

/// Sends all that a kiosk has.
async fn sent(kiosk: &TestKiosk) {
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
}

async fn posted(central: &TestCentral) -> Vec<Posted> {
    central.store().mails(1_000).await.unwrap()
}

/// Lets everything go out that is to go out now; the service looks by itself at the same time.
async fn settle(central: &TestCentral) {
    look(&central.central).await;
    let under_way =
        async || posted(central).await.iter().any(|one| one.state == MailState::Sending);
    while under_way().await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// What became of the only mail to an address.
async fn state_of(central: &TestCentral, to: &str) -> (MailState, String) {
    let all = posted(central).await;
    let [one] = &all.iter().filter(|one| one.mail.to == to).collect::<Vec<_>>()[..] else {
        panic!("not one mail to {to} in {all:?}");
    };
    (one.state, one.said.clone())
}

/// A mail with its head, and without the port that the service happens to have.
fn shown(taken: &Taken, central: &TestCentral) -> String {
    let Taken { sender, to, subject, text, .. } = taken;
    let text = text.replace(&central.central.config.staff_address(), "http://hailong.example");
    format!("From: {sender}\nTo: {}\nSubject: {subject}\n\n{text}", to.join(", "))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_days_results_go_out_once_when_the_office_has_closed() {
    let Some(mut mail) = MailServer::start() else { return };
    let to = ["phu-sa/chu-tich@phusa.example", "van-phong@hungyen.example"];
    let central = TestCentral::with_config(config(mail.port, &to), at("2026-11-24 16:30")).await;
    lived(&central).await;
    central.clock.set(at("2026-11-24 17:04"));
    settle(&central).await;
    assert_eq!(posted(&central).await, [], "those who came last are on their way");

    central.clock.set(at("2026-11-24 17:05"));
    settle(&central).await;
    let mut taken = mail.taken(2).await;
    taken.sort_by(|one, other| one.to.cmp(&other.to));
    let [office, all] = &taken[..] else { panic!("{taken:?}") };
    is_golden("mail-office.txt", &shown(office, &central));
    is_golden("mail-offices.txt", &shown(all, &central));
    assert_eq!(office.automatic.as_deref(), Some("auto-generated"));
    assert!(office.id.ends_with("@hungyen.example>"), "{}", office.id);
    for one in &taken {
        let (directory, text) = (&central.central.config.offices[0], &one.text);
        let named = directory.officials.iter().any(|official| text.contains(&official.name));
        assert!(!named && !text.contains("Quầy 3: 18"), "nothing of a single official: {text}");
    }

    // Not again: not later, not after a start, not on a day off.
    let config = central.central.config.clone();
    let central = central.again_with(config).await;
    for later in ["2026-11-24 18:00", "2026-11-25 08:00"] {
        central.clock.set(at(later));
        settle(&central).await;
    }
    assert_eq!(mail.so_far(), 2);
    central.clock.set(at("2026-11-25 17:05"));
    settle(&central).await;
    let next = mail.taken(2).await;
    assert!(next.iter().all(|one| one.subject.contains("25/11/2026")), "{next:?}");
    // A Sunday.
    central.clock.set(at("2026-11-29 20:00"));
    settle(&central).await;
    let made_up = mail.taken(4).await;
    let days = |day: &str| made_up.iter().filter(|one| one.subject.contains(day)).count();
    assert_eq!([days("26/11/2026"), days("27/11/2026"), days("29/11/2026")], [2, 2, 0]);
    assert!(posted(&central).await.iter().all(|one| one.state == MailState::Sent));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_office_where_one_official_was_rated_mail_tells_how_many_and_no_more() {
    let Some(mut mail) = MailServer::start() else { return };
    let to = ["phu-sa/chu-tich@phusa.example"];
    let central = TestCentral::with_config(config(mail.port, &to), at("2026-11-24 16:30")).await;
    let mut kiosk = central.kiosk("q3").await;
    for _ in 0..40 {
        rate(&mut kiosk.desk(), "khong_hai_long", &["thai_do"]);
    }
    sent(&kiosk).await;
    central.clock.set(at("2026-11-24 17:05"));
    settle(&central).await;
    let taken = mail.taken(1).await;
    let (subject, text) = (&taken[0].subject, &taken[0].text);
    assert!(subject.contains("40 lượt đánh giá") && !subject.contains('%'), "{subject}");
    assert!(text.contains("40 lượt đánh giá (của một cán bộ"), "{text}");
    assert!(!text.contains('%') && !text.contains("Thái độ"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_breaks_each_mail_arrives_once_or_somebody_is_told() {
    let Some(mut mail) = MailServer::start() else { return };
    let to = ["phu-sa/later@x.example", "phu-sa/never@x.example", "phu-sa/hangup@x.example"];
    let now = at("2026-11-24 17:10");
    let central = TestCentral::with_config(config(mail.port, &to), now).await;
    settle(&central).await;
    // The mail server took this one, and the line broke before it said so.
    let first = mail.taken(1).await;
    assert_eq!(first[0].to, ["hangup@x.example"]);
    let (state, said) = state_of(&central, "later@x.example").await;
    assert_eq!(state, MailState::Waiting, "{said}");
    assert!(said.contains("451") && said.contains("greylisted"), "{said}");
    let (state, said) = state_of(&central, "never@x.example").await;
    assert_eq!(state, MailState::Refused, "{said}");
    assert!(said.contains("550") && said.contains("no such mailbox"), "{said}");
    assert_eq!(state_of(&central, "hangup@x.example").await.0, MailState::Unclear);

    central.clock.set(now.plus_minutes(1));
    settle(&central).await;
    assert_eq!(mail.taken(1).await[0].to, ["later@x.example"]);
    let config = central.central.config.clone();
    let central = central.again_with(config).await;
    central.clock.set(at("2026-11-24 23:00"));
    settle(&central).await;
    assert_eq!(mail.so_far(), 2, "nothing that may have arrived is sent again by itself");

    // Unless somebody asks for it.
    let unclear = posted(&central).await;
    let unclear = unclear.iter().find(|one| one.state == MailState::Unclear).unwrap();
    assert!(central.store().mail_again(unclear.mail.key.clone()).await.unwrap());
    settle(&central).await;
    let again = mail.taken(1).await;
    assert_eq!(again[0].id, first[0].id, "mailboxes know it again");
    // What was sent is not sent again, nor what nobody wrote.
    let sent = posted(&central).await;
    let sent = sent.iter().find(|one| one.state == MailState::Sent).unwrap();
    assert!(!central.store().mail_again(sent.mail.key.clone()).await.unwrap());
    assert!(!central.store().mail_again("day/phu-sa/x/2026-11-24".into()).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_is_away_is_waited_for_and_in_the_end_given_up() {
    let Some(mut mail) = MailServer::start() else { return };
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let to = ["phu-sa/a@x.example"];
    let now = at("2026-11-24 17:10");
    let central = TestCentral::with_config(config(away, &to), now).await;
    settle(&central).await;
    let (state, said) = state_of(&central, "a@x.example").await;
    assert_eq!(state, MailState::Waiting, "{said}");
    assert!(said.to_lowercase().contains("connection"), "{said}");
    let central = central.again_with(config(mail.port, &to)).await;
    central.clock.set(now.plus_minutes(1));
    settle(&central).await;
    assert_eq!(mail.taken(1).await.len(), 1);

    let central = central.again_with(config(away, &to)).await;
    for hours in 0..80 {
        central.clock.set(at("2026-11-25 17:10").plus_minutes(hours * 60));
        settle(&central).await;
    }
    let all = posted(&central).await;
    let of_25 = all.iter().find(|one| one.mail.key.ends_with("2026-11-25")).unwrap();
    assert_eq!(of_25.state, MailState::Refused);
    assert!((60..80).contains(&of_25.tries), "once an hour for three days: {}", of_25.tries);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "waits a minute of real time; .ci/long runs it"]
async fn a_mail_server_that_never_says_a_word_holds_nothing_up_for_ever() {
    let mute = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = mute.local_addr().unwrap().port();
    let now = at("2026-11-24 17:10");
    let to = ["phu-sa/a@x.example"];
    let central = TestCentral::with_config(config(port, &to), now).await;
    settle(&central).await;
    let (state, said) = state_of(&central, "a@x.example").await;
    assert_eq!((state, said.as_str()), (MailState::Waiting, "the mail server does not answer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_being_sent_when_the_service_ended_is_told_and_not_sent_again() {
    let Some(mut mail) = MailServer::start() else { return };
    let to = ["phu-sa/a@x.example"];
    let now = at("2026-11-24 17:00");
    let central = TestCentral::with_config(sample_config(), now).await;
    // As the service is between taking a mail and noting what became of it.
    let written = Mail {
        key: "day/phu-sa/a@x.example/2026-11-24".into(),
        to: "a@x.example".into(),
        subject: "Phù Sa".into(),
        text: "\n".into(),
    };
    central.store().post(vec![written], vec![], vec![]).await.unwrap();
    let taken = central.store().next_mail().await.unwrap().unwrap();
    assert_eq!(taken.state, MailState::Sending);
    let central = central.again_with(config(mail.port, &to)).await;
    central.clock.set(at("2026-11-24 18:30"));
    settle(&central).await;
    assert_eq!(state_of(&central, "a@x.example").await.0, MailState::Unclear);
    assert_eq!(mail.so_far(), 0);
    assert!(central.store().mail_again(taken.mail.key).await.unwrap());
    settle(&central).await;
    assert_eq!(mail.taken(1).await[0].to, ["a@x.example"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_that_falls_silent_in_opening_hours_is_told_once_and_once_more_when_it_is_back() {
    let Some(mut mail) = MailServer::start() else { return };
    let to =
        ["phu-sa/chu-tich@phusa.example", "van-phong@hungyen.example", "dong-tien/x@y.example"];
    let mut config = config(mail.port, &to);
    let hours = |from: &str, to: &str| Hours {
        weekday: 2,
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
    };
    let hours = vec![hours("07:30", "11:30"), hours("13:30", "17:00")];
    config.offices[0].calendar = Some(Calendar { hours, days: vec![] });
    let central = TestCentral::with_config(config, at("2026-11-24 10:40")).await;
    let [mut dark, mut well] = lived(&central).await;
    let silent = |taken: &[Taken]| {
        let mut all: Vec<String> =
            taken.iter().map(|one| format!("{}: {}", one.to[0], one.subject)).collect();
        all.sort();
        all
    };
    let beat = async |kiosk: &mut TestKiosk| {
        let mut desk = kiosk.desk();
        rate(&mut desk, "hai_long", &[]);
        drop(desk);
        sent(kiosk).await;
    };
    // The noon break does not count: from 10:40 to 13:35 the office is open for less than an hour.
    central.clock.set(at("2026-11-24 13:30"));
    beat(&mut well).await;
    central.clock.set(at("2026-11-24 13:35"));
    settle(&central).await;
    assert_eq!(mail.so_far(), 0);
    central.clock.set(at("2026-11-24 13:45"));
    settle(&central).await;
    let taken = mail.taken(2).await;
    let fell = "Mất liên lạc với 1 thiết bị đánh giá";
    let both = |subject: &str| {
        ["chu-tich@phusa.example", "van-phong@hungyen.example"].map(|to| format!("{to}: {subject}"))
    };
    assert_eq!(silent(&taken), both(fell));
    is_golden(
        "mail-silent.txt",
        &shown(&taken[0], &central).replace("van-phong@hungyen", "chu-tich@phusa"),
    );

    // It stays silent: nothing more, in the evening neither.
    let config = central.central.config.clone();
    let central = central.again_with(config).await;
    (dark.service, well.service) = (central.service(), central.service());
    beat(&mut well).await;
    central.clock.set(at("2026-11-24 14:20"));
    settle(&central).await;
    assert_eq!(mail.so_far(), 2);
    beat(&mut dark).await;
    settle(&central).await;
    let taken = mail.taken(2).await;
    assert_eq!(silent(&taken), both("Đã có tin trở lại từ 1 thiết bị đánh giá"));
    // In the evening nobody is told: the office is closed.
    central.clock.set(at("2026-11-24 23:00"));
    settle(&central).await;
    let taken = mail.taken(2).await;
    assert!(taken.iter().all(|one| one.subject.contains("24/11/2026")), "{taken:?}");
    // Out of use, nobody waits for it: neither told, nor told again.
    for id in ["ps-q3", "ps-q1"] {
        let what = What::Suspended { kiosk: id.parse().unwrap() };
        let decision = Decision { what, person: "Lan".into(), reason: "đem đi sửa".into() };
        central.central.decide(decision, Unit::PROVINCE).await.unwrap();
    }
    central.clock.set(at("2026-11-25 11:00"));
    settle(&central).await;
    assert_eq!(mail.so_far(), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_with_a_password_or_not_at_all() {
    // Trust in an authority of the test's own comes by the environment, as on a machine.
    const CHILD: &str = "HAILONG_MAIL_OVER_TLS";
    if std::env::var_os(CHILD).is_none() {
        let authority = server::Authority::new();
        let Some(_) = MailServer::start() else { return };
        let child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "over_tls_with_a_password_or_not_at_all", "--nocapture"])
            .env(CHILD, authority.folder())
            .env("SSL_CERT_FILE", authority.folder().join("ca.pem"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stderr).into_owned();
        assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stdout));
        return;
    }
    let folder = std::env::var_os(CHILD).unwrap();
    let Some(mut mail) = MailServer::with_tls(Path::new(&folder), "hailong", "mật khẩu") else {
        return;
    };
    let secure = |server: &str, password: &str| {
        let mut config = config(mail.port, &["phu-sa/a@x.example"]);
        let mail = config.mail.as_mut().unwrap();
        mail.server = server.into();
        mail.security = Security::Starttls;
        mail.credentials = Some(Credentials::new("hailong".into(), password.into()));
        config
    };
    let now = at("2026-11-24 17:10");
    // The certificate is of localhost alone: to another name nothing is sent, and no password told.
    let central = TestCentral::with_config(secure("127.0.0.1", "mật khẩu"), now).await;
    settle(&central).await;
    let (state, said) = state_of(&central, "a@x.example").await;
    assert_eq!(state, MailState::Waiting);
    assert!(said.contains("certificate"), "{said}");
    let central = central.again_with(secure("localhost", "sai")).await;
    central.clock.set(now.plus_minutes(1));
    settle(&central).await;
    let (state, said) = state_of(&central, "a@x.example").await;
    assert_eq!(state, MailState::Waiting, "a password is mended here");
    assert!(said.contains("535"), "{said}");
    let central = central.again_with(secure("localhost", "mật khẩu")).await;
    central.clock.set(now.plus_minutes(10));
    settle(&central).await;
    let taken = mail.taken(1).await;
    assert!(taken[0].tls, "{taken:?}");
    assert_eq!(state_of(&central, "a@x.example").await.0, MailState::Sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_days_files_lie_in_the_folder_and_follow_the_figures() {
    let folder = tempfile::TempDir::new().unwrap();
    let config = || Config { summaries: Some(folder.path().to_owned()), ..sample_config() };
    let central = TestCentral::with_config(config(), at("2026-11-24 16:30")).await;
    let mut kiosks = lived(&central).await;
    let day = folder.path().join("phu-sa");
    settle(&central).await;
    assert!(!day.exists(), "not while the office is open");
    central.clock.set(at("2026-11-24 17:05"));
    settle(&central).await;
    let read = || -> Summary {
        serde_json::from_slice(&std::fs::read(day.join("2026-11-24.json")).unwrap()).unwrap()
    };
    let first = read();
    assert_eq!((first.state, first.n), (State::Provisional, 35));
    let csv = || std::fs::read_to_string(day.join("2026-11-24.csv")).unwrap();
    let page = async |central: &TestCentral, path: &str| {
        let cookie = central.cookie(Role::Administrator).await;
        let request = client().unwrap().get(format!("http://{}{path}", central.staff));
        request.header("cookie", &cookie).send().await.unwrap().text().await.unwrap()
    };
    let downloaded = page(&central, "/api/v1/summary/phu-sa/2026-11-24?format=csv").await;
    assert_eq!(csv(), downloaded, "as everybody gets it");
    assert!(std::fs::read(day.join("2026-11-24.xlsx")).unwrap().starts_with(b"PK"));
    // Officials see that their figures went there.
    let looked = |line: &Line| {
        let of_file = matches!(line.access, Some(Access::Looked { view: View::File, .. }));
        of_file && line.person.as_deref() == Some(DELIVERY)
    };
    assert_eq!(central.lines().await.iter().filter(|line| looked(line)).count(), 1);

    // Nothing new: nothing is written.
    let times = || std::fs::metadata(day.join("2026-11-24.json")).unwrap().modified().unwrap();
    let before = times();
    central.clock.set(at("2026-11-24 20:00"));
    settle(&central).await;
    let central = central.again_with(config()).await;
    settle(&central).await;
    assert_eq!(times(), before, "nor after a start");
    // The kiosks tell that the day is over: the same figures, in another state.
    central.clock.set(at("2026-11-25 07:30"));
    for kiosk in &mut kiosks {
        kiosk.service = central.service();
        rate(&mut kiosk.desk(), "hai_long", &[]);
        sent(kiosk).await;
    }
    settle(&central).await;
    assert_eq!((read().state, read().n), (State::Complete, 36));
    central.clock.set(at("2026-11-25 17:05"));
    settle(&central).await;
    assert!(day.join("2026-11-25.json").exists());

    // The share is away: told on the page, and made up for.
    std::fs::rename(folder.path(), folder.path().with_extension("away")).unwrap();
    central.clock.set(at("2026-11-26 17:05"));
    settle(&central).await;
    let told = page(&central, "/deliveries").await;
    assert!(told.contains("CHƯA GHI ĐƯỢC"), "{told}");
    assert!(!folder.path().exists(), "none is made in its place");
    std::fs::rename(folder.path().with_extension("away"), folder.path()).unwrap();
    settle(&central).await;
    assert!(day.join("2026-11-26.json").exists());
    assert!(
        page(&central, "/deliveries").await.contains("Ghi lần cuối lúc 17:05 26&#x2f;11&#x2f;2026")
    );
}

#[test]
fn what_is_wrong_in_the_configuration_is_said_with_its_place() {
    let good = "[mail]\nserver = \"mail.example\"\nfrom = \"a@b.example\"\n\
                [[mail.to]]\naddress = \"c@d.example\"\n";
    let read = |text: &str| {
        let folder = sample_folder();
        let file = folder.path().join("central.toml");
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, before + text).unwrap();
        std::fs::write(folder.path().join("secret"), "sesam\n").unwrap();
        Config::read(&file).map_err(|error| error.to_string())
    };
    let mail = read(good).unwrap().mail.unwrap();
    assert_eq!((mail.port, mail.security), (587, Security::Starttls));
    let with_password = good.replace("[[", "user = \"u\"\npassword_file = \"secret\"\n[[");
    let mail = read(&with_password).unwrap().mail.unwrap();
    assert_eq!(mail.credentials, Some(Credentials::new("u".into(), "sesam".into())));
    assert!(!format!("{mail:?}").contains("sesam"), "{mail:?}");
    for (was, is, expected) in [
        ("mail.example", "smtp://mail.example", "a mail server's name alone"),
        ("[[", "security = \"none\"\n[[", "a mail server on this machine"),
        ("[[", "security = \"ssl\"\n[[", "unknown variant"),
        ("a@b.example", "hailong", "expected an address"),
        ("c@d.example", "c d", "expected an address"),
        ("[[", "user = \"u\"\n[[", "user and password_file together"),
        ("[[", "user = \"u\"\npassword_file = \"nowhere\"\n[[", "No such file"),
        ("address =", "language = \"fr\"\naddress =", "the language of one of the texts"),
        ("address =", "ofice = \"phu-sa\"\naddress =", "unknown field"),
    ] {
        let said = read(&good.replacen(was, is, 1)).unwrap_err();
        assert!(said.contains(expected) && said.contains("central.toml:"), "{is}: {said}");
    }
}
