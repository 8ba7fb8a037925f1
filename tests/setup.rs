//! The first start, guided on the screen: the real pages drawn into memory, against a real central
//! service, by taps, by keys and by a scanner; and once in a real window, to the first rating.
//!
//! Slint belongs to one thread of a process, so every test is played on one stage, one after the other.

mod common;
#[path = "transport/wire.rs"]
#[allow(dead_code)] // Only certificates are needed here.
mod wire;

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::{TestCentral, at, has, sample_config, sample_folder};
use hailong::clock::{Clock, Sleep, SystemClock};
use hailong::demo::clock::DemoClock;
use hailong::domain::access::Role;
use hailong::domain::fingerprint::fingerprint;
use hailong::domain::system_random;
use hailong::domain::time::At;
use hailong::kiosk::config::Config;
use hailong::kiosk::enrolment::{EnrolmentError, enrol};
use hailong::kiosk::headless::Headless;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::Network;
use hailong::kiosk::setup::kept::{Kept, Step};
use hailong::kiosk::setup::window::SetupScreen;
use hailong::kiosk::setup::{Page, Setup};
use hailong::listener::Tls;
use i_slint_backend_testing::{AccessibleRole, ElementHandle, ElementQuery};
use jiff::Timestamp;
use slint::platform::{Key, WindowEvent};
use slint::{ComponentHandle, SharedString};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use wire::Authority;

/// No page takes longer to come, on a slow machine.
const LIMIT: Duration = Duration::from_secs(30);

// The stage.

type Act = Box<dyn FnOnce(&Headless) + Send>;

thread_local! {
    static FELL: Cell<String> = const { Cell::new(String::new()) };
}

static STAGE: LazyLock<Mutex<std::sync::mpsc::Sender<Act>>> = LazyLock::new(|| {
    let (acts, waiting) = std::sync::mpsc::channel::<Act>();
    std::thread::Builder::new()
        .name("stage".into())
        .spawn(move || {
            let headless = Headless::start(1280, 800).unwrap();
            waiting.iter().for_each(|act| act(&headless));
        })
        .unwrap();
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some("stage") {
            FELL.set(panic.to_string());
        } else {
            others(panic);
        }
    }));
    Mutex::new(acts)
});

fn on_stage(play: impl FnOnce(&Headless) + Send + 'static) {
    let (end, ended) = std::sync::mpsc::channel();
    let act = Box::new(move |headless: &Headless| {
        let played = catch_unwind(AssertUnwindSafe(|| play(headless)));
        let _ = end.send(played.map_err(|_| FELL.take()));
    });
    STAGE.lock().unwrap_or_else(PoisonError::into_inner).send(act).unwrap();
    if let Err(message) = ended.recv().unwrap() {
        panic!("{message}");
    }
}

// The kiosk.

/// A machine with an installed kiosk that nobody has set up, and a central service.
struct Machine {
    config: TempDir,
    central: TestCentral,
    runtime: Runtime,
}

impl Machine {
    /// As a package installs it: its file names no service.
    fn new() -> Self {
        Self::with("")
    }

    /// With these lines in its file, in the service's place.
    fn with(lines: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let central = runtime.block_on(TestCentral::start());
        Self { config: installed(lines), central, runtime }
    }

    fn file(&self) -> PathBuf {
        self.config.path().join("kiosk.toml")
    }

    fn folder(&self) -> PathBuf {
        self.config.path().join("kiosk-data")
    }

    fn code(&self, kiosk: &str, counters: &str) -> String {
        let office = self.central.central.config.offices[0].office.code.clone();
        let (kiosk, counters) = (kiosk.parse().unwrap(), counters.parse().unwrap());
        self.runtime.block_on(self.central.central.offer(kiosk, office, counters)).unwrap()
    }

    fn start<'a>(&self, headless: &'a Headless) -> Guide<'a> {
        self.start_at(headless, Arc::new(SystemClock::start()))
    }

    /// Starts the program, as far as it is needed.
    fn start_at<'a>(&self, headless: &'a Headless, clock: Arc<dyn Clock>) -> Guide<'a> {
        let mut config = Config::read(&self.file()).unwrap();
        let kept = config.follow_setup().unwrap();
        std::fs::create_dir_all(&config.data).unwrap();
        let identity = self.identity();
        assert!(Setup::needed(
            kept.as_ref(),
            config.network.is_some(),
            identity.enrolled.is_some()
        ));
        let runtime = self.runtime.handle().clone();
        let screen = SetupScreen::of(&config, kept, &identity, clock, runtime).unwrap();
        screen.app().show().unwrap();
        headless.resize(1280, 800);
        headless.turn();
        Guide { screen, headless }
    }

    fn identity(&self) -> Identity {
        Identity::load_or_create(&self.folder(), &mut system_random()).unwrap()
    }

    /// What any command reads of the file: the way to the service, once there is one.
    fn network(&self) -> Option<Network> {
        Config::read(&self.file()).unwrap().network
    }

    fn kept(&self) -> Kept {
        Kept::read(&self.folder()).unwrap().unwrap()
    }
}

/// The sample's files with other lines in the place of the service's.
fn installed(lines: &str) -> TempDir {
    let folder = sample_folder();
    let file = folder.path().join("kiosk.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let service = "service = \"http://127.0.0.1:8080\"\n";
    assert_eq!(text.matches(service).count(), 1);
    let text = text.replace(service, lines).replace("../kiosk-data", "kiosk-data");
    std::fs::write(file, text.replace("full_screen = true", "full_screen = false")).unwrap();
    folder
}

/// A technician before the screen.
struct Guide<'a> {
    screen: Rc<SetupScreen>,
    headless: &'a Headless,
}

impl Guide<'_> {
    fn labels(&self) -> Vec<String> {
        let controls = ElementQuery::from_root(self.screen.app()).match_predicate(|element| {
            matches!(element.accessible_role(), Some(AccessibleRole::Button))
        });
        let found = controls.find_all();
        found.iter().map(|one| one.accessible_label().unwrap_or_default().to_string()).collect()
    }

    /// Touches what says `label`.
    #[track_caller]
    fn tap(&self, label: &str) {
        let found: Vec<ElementHandle> = ElementQuery::from_root(self.screen.app())
            .match_predicate({
                let label = label.to_owned();
                move |element| {
                    element.accessible_role() == Some(AccessibleRole::Button)
                        && element.accessible_label().as_deref() == Some(label.as_str())
                }
            })
            .find_all();
        // The languages stand in the header, too; the page's own come first.
        let Some(element) = found.first() else { panic!("{label:?} among {:?}", self.labels()) };
        let (at, size) = (element.absolute_position(), element.size());
        self.headless.tap(at.x + size.width / 2., at.y + size.height / 2.);
    }

    /// Types on the keyboard of the screen.
    #[track_caller]
    fn write(&self, text: &str) {
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let key =
                ["https://", "http://", ".gov.vn"].into_iter().find(|key| rest.starts_with(key));
            let key = key.map_or_else(|| first.to_string(), str::to_owned);
            self.tap(&key);
            rest = &rest[key.len()..];
        }
    }

    /// A key of a keyboard, a keypad or a scanner.
    fn key(&self, key: impl Into<SharedString>) {
        let text = key.into();
        let window = self.screen.app().window();
        window.dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
        window.dispatch_event(WindowEvent::KeyReleased { text });
        // An arrow moves once it is through.
        for _ in 0..2 {
            self.headless.turn();
        }
    }

    /// What a scanner types.
    fn scan(&self, text: &str) {
        text.chars().for_each(|character| self.key(character));
        self.key(Key::Return);
    }

    fn says(&self, words: &str) -> bool {
        let shown = ElementQuery::from_root(self.screen.app()).match_predicate({
            let words = words.to_owned();
            move |element| element.accessible_label().is_some_and(|label| label.contains(&words))
        });
        shown.find_first().is_some()
    }

    #[track_caller]
    fn comes_to(&self, wanted: impl Fn(&Page) -> bool) {
        let came = self.headless.turn_until(LIMIT, || wanted(&self.screen.page()));
        assert!(came, "{:?}", self.screen.page());
    }

    #[track_caller]
    fn fails(&self) {
        self.comes_to(|page| matches!(page, Page::Failed(_)));
    }

    #[track_caller]
    fn connects(&self, address: &str, code: &str) {
        self.tap("Tiếng Việt");
        self.write(address);
        self.tap("Tiếp tục");
        self.write(code);
        self.tap("Tiếp tục");
    }
}

// The tests.

#[test]
fn the_whole_way_by_taps_admits_the_kiosk_and_every_command_knows_the_address() {
    on_stage(|headless| {
        let machine = Machine::new();
        assert_eq!(machine.network(), None);
        let code = machine.code("ps-q3", "q3");
        let guide = machine.start(headless);
        assert!(guide.says("Chào anh/chị!"));
        guide.tap("Tiếng Việt");
        guide.write("http://127.0.0.2");
        guide.tap("Xóa");
        guide.write("1:9");
        guide.tap("Xóa hết");
        guide.write(&machine.central.service());
        assert!(guide.says(&format!("Chạm “Tiếp tục” để dùng {}", machine.central.citizens)));
        guide.tap("Tiếp tục");
        guide.write(&code);
        guide.tap("Tiếp tục");
        guide.comes_to(|page| *page == Page::Words);
        let identity = machine.identity();
        let enrolled = identity.enrolled.as_ref().unwrap();
        assert_eq!(enrolled.kiosk.as_str(), "ps-q3");
        let words = fingerprint(identity.signing_key.verifying_key().as_bytes());
        for said in words.split(' ').chain([
            "Trung tâm Phục vụ hành chính công xã Phù Sa",
            "Quầy 3 · Hộ tịch – Chứng thực",
            "ps-q3",
        ]) {
            assert!(guide.says(said), "{said}");
        }
        guide.tap("Đã khớp, tiếp tục");
        assert!(guide.says("Màn hình ngang · 1280 × 800"));
        guide.tap("Không, bị xoay");
        assert!(guide.says("docs/installing.md"));
        guide.tap("Quay lại");
        guide.tap("Có, đúng chiều");
        // A touch beside the points takes none of them.
        guide.headless.tap(200., 600.);
        assert!(guide.says("Đã nhận 0/9."));
        for point in 1..=9 {
            guide.tap(&format!("Điểm {point}"));
        }
        assert!(guide.says("Cả chín điểm đều nhận.") && !guide.screen.finished());
        guide.tap("Bắt đầu phục vụ");
        assert!(guide.screen.finished());
        drop(guide);

        assert_eq!(machine.network(), Some(Network::to(&machine.central.service())));
        assert!(!Setup::needed(Some(&machine.kept()), true, true));
        for entry in std::fs::read_dir(machine.folder()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(10).any(|ten| ten == code.as_bytes()), "the code is nowhere");
        }
    });
}

#[test]
fn a_start_that_is_interrupted_after_any_step_goes_on_with_the_next() {
    on_stage(|headless| {
        let machine = Machine::new();
        let code = machine.code("ps-q3", "q3");
        let restarted = |page: Page| {
            let guide = machine.start(headless);
            assert_eq!(guide.screen.page(), page);
            guide
        };
        restarted(Page::Language).tap("English");
        let guide = restarted(Page::Address);
        assert!(guide.says("Address of the central service"), "in the language that was chosen");
        guide.write(&machine.central.service());
        guide.tap("Continue");
        drop(guide);
        let guide = restarted(Page::Code);
        guide.write(&code);
        drop(guide);
        // What was typed of the code is gone.
        let guide = restarted(Page::Code);
        guide.write(&code);
        guide.tap("Continue");
        guide.comes_to(|page| *page == Page::Words);
        drop(guide);
        restarted(Page::Words).tap("The same, continue");
        restarted(Page::Orientation { turned: false }).tap("No, it is turned");
        restarted(Page::Orientation { turned: false }).tap("Yes, it is right");
        let guide = restarted(Page::Touch([false; 9]));
        guide.tap("Skip");
        assert!(guide.screen.finished());
        assert_eq!(machine.kept().step, Step::Done);

        // The power went after the service had admitted it, before the screen knew.
        let kept = Kept { step: Step::Code, ..machine.kept() };
        kept.write(&machine.folder()).unwrap();
        drop(guide);
        restarted(Page::Words);
    });
}

#[test]
fn a_wrong_a_used_and_a_right_code_are_told_apart_and_nothing_is_typed_twice() {
    on_stage(|headless| {
        let machine = Machine::new();
        let code = machine.code("ps-q3", "q3");
        let guide = machine.start(headless);
        guide.connects(&machine.central.service(), "ABCDEFGHJK");
        guide.fails();
        assert!(guide.says("Mã đăng ký không dùng được") && guide.says("đã quá 15 phút"));
        assert!(machine.identity().enrolled.is_none());
        guide.tap("Nhập mã khác");
        guide.write("ABC");
        guide.tap("Tiếp tục");
        assert!(guide.says("Mã chưa đủ."), "without asking anybody");
        guide.tap("Xóa hết");
        guide.write(&code);
        guide.tap("Tiếp tục");
        guide.comes_to(|page| *page == Page::Words);
        drop(guide);

        // Another kiosk with the same code.
        let other = Machine { config: installed(""), ..machine };
        let guide = other.start(headless);
        guide.connects(&other.central.service(), &code);
        guide.fails();
        assert!(guide.says("Mã đăng ký không dùng được"));
    });
}

/// A reverse proxy that says for whom it asks: somebody on another machine.
fn from_elsewhere(machine: &Machine) -> String {
    let to = machine.central.citizens;
    let listener = machine.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    machine.runtime.spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut first = vec![0; 16 * 1024];
                let read = from.read(&mut first).await.unwrap_or_default();
                let end = first.iter().position(|byte| *byte == b'\n').unwrap_or_default() + 1;
                let Ok(mut onward) = TcpStream::connect(to).await else { return };
                let said = b"x-forwarded-for: 203.0.113.7\r\nconnection: close\r\n";
                for part in [&first[..end], said, &first[end..read]] {
                    let _ = onward.write_all(part).await;
                }
                let _ = copy_bidirectional(&mut from, &mut onward).await;
            });
        }
    });
    format!("http://{address}")
}

#[test]
fn whoever_tries_codes_is_told_how_long_to_wait() {
    on_stage(|headless| {
        let mut machine = Machine::new();
        // Nobody of this machine itself is held up, so it asks from elsewhere.
        let mut config = sample_config();
        config.citizens_approach.proxied = true;
        machine.central =
            machine.runtime.block_on(TestCentral::with_config(config, at("2026-11-24 07:30")));
        let service = from_elsewhere(&machine);
        let mut identity = machine.identity();
        let refused = (0..60).any(|_| {
            let tried = machine.runtime.block_on(enrol(&service, "ABCDEFGHJK", &mut identity));
            matches!(tried, Err(EnrolmentError::Refused(refused)) if refused.status == 429)
        });
        assert!(refused);
        // Somebody goes on trying, so that however long this takes there is no try left.
        let tried = service.clone();
        let trying = machine.runtime.spawn(async move {
            loop {
                let _ = enrol(&tried, "ABCDEFGHJK", &mut identity).await;
            }
        });
        let guide = machine.start(headless);
        guide.connects(&service, "ABCDEFGHJK");
        guide.fails();
        trying.abort();
        assert!(guide.says("Đã thử quá nhiều lần") && guide.says(" giây rồi thử lại"));
    });
}

#[test]
fn no_service_another_service_and_no_network_say_what_to_do() {
    on_stage(|headless| {
        let machine = Machine::new();
        let nobody = {
            let free = machine.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
            free.local_addr().unwrap()
        };
        let guide = machine.start(headless);
        guide.connects(&format!("http://{nobody}"), "ABCDEFGHJK");
        guide.fails();
        assert!(guide.says("Không có hệ thống tại địa chỉ này"));
        assert!(guide.says(&format!("{nobody} từ chối kết nối")));

        // Right, but for what follows the name.
        guide.tap("Sửa địa chỉ");
        guide.tap("Xóa hết");
        guide.write(&format!("{}/danhgia", machine.central.service()));
        guide.tap("Tiếp tục");
        guide.tap("Tiếp tục");
        guide.fails();
        assert!(guide.says("Đây không phải hệ thống tổng hợp"));

        guide.tap("Sửa địa chỉ");
        guide.tap("Xóa hết");
        guide.write("khong-co.gov.vn.invalid");
        guide.tap("Tiếp tục");
        guide.tap("Tiếp tục");
        guide.fails();
        assert!(guide.says("Không tìm thấy máy chủ") && guide.says("DNS"));

        // The service speaks no TLS.
        guide.tap("Sửa địa chỉ");
        guide.tap("Xóa hết");
        guide.write(&machine.central.service().replace("http://", "https://"));
        guide.tap("Tiếp tục");
        guide.tap("Tiếp tục");
        guide.fails();
        assert!(guide.says("Có thể nhầm https:// với http://"));
    });
}

#[test]
fn a_connection_can_be_stopped_and_the_address_changed() {
    on_stage(|headless| {
        let machine = Machine::new();
        let code = machine.code("ps-q3", "q3");
        // It takes calls and never answers.
        let silent = machine.runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let guide = machine.start(headless);
        guide.connects(&format!("http://{}", silent.local_addr().unwrap()), &code);
        assert!(guide.says("Đang kết nối với hệ thống tổng hợp"));
        guide.tap("Dừng lại");
        assert_eq!(guide.screen.page(), Page::Code);
        guide.tap("Quay lại");
        guide.tap("Xóa hết");
        guide.write(&machine.central.service());
        guide.tap("Tiếp tục");
        guide.tap("Tiếp tục");
        guide.comes_to(|page| *page == Page::Words);
    });
}

/// A central service with TLS, by a certificate for these years.
fn with_tls(machine: &Machine, authority: &Authority, years: (i32, i32)) -> TestCentral {
    let (certificate, key) = authority.issue(&["127.0.0.1", "localhost"], years);
    let clock = Arc::new(DemoClock::standing(at("2026-11-24 07:30")));
    let folder = TempDir::new().unwrap();
    machine.runtime.block_on(TestCentral::start_at_address(
        "127.0.0.1:0",
        sample_config(),
        folder,
        clock,
        |config| config.citizens.tls = Some(Tls::read(&certificate, &key).unwrap()),
    ))
}

#[test]
fn a_certificate_that_is_not_trusted_names_the_key_of_the_file_and_with_it_all_goes_on() {
    on_stage(|headless| {
        let authority = Authority::new();
        let mut machine = Machine::new();
        machine.central = with_tls(&machine, &authority, (2020, 2100));
        let code = machine.code("ps-q3", "q3");
        let service = format!("https://{}", machine.central.citizens);
        let guide = machine.start(headless);
        guide.connects(&service, &code);
        guide.fails();
        assert!(guide.says("Chứng thư chưa được tin cậy") && guide.says("“ca” trong kiosk.toml"));
        drop(guide);

        // The technician does as told, and starts the kiosk again.
        let text = std::fs::read_to_string(machine.file()).unwrap();
        let ca = format!("ca = {:?}\n", authority.file());
        std::fs::write(machine.file(), text.replace("#ca = \"hung-yen.pem\"\n", &ca)).unwrap();
        let guide = machine.start(headless);
        assert_eq!(guide.screen.page(), Page::Code, "the address is known");
        guide.write(&code);
        guide.tap("Tiếp tục");
        guide.comes_to(|page| *page == Page::Words);
        let expected = Network::to(&service).trusting(authority.certificates());
        assert_eq!(machine.network(), Some(expected));
    });
}

#[test]
fn a_certificate_out_of_its_time_shows_this_machines_clock() {
    on_stage(|headless| {
        let authority = Authority::new();
        for (years, words) in [
            ((2090, 2100), "có hiệu lực từ ngày 01/01/2090"),
            ((2020, 2021), "có hạn đến ngày 01/01/2021"),
        ] {
            let mut machine = Machine::with(&format!("ca = {:?}\n", authority.file()));
            machine.central = with_tls(&machine, &authority, years);
            let guide = machine.start(headless);
            guide.connects(&format!("https://{}", machine.central.citizens), "ABCDEFGHJK");
            guide.fails();
            assert!(guide.says("Xin xem lại đồng hồ của máy") && guide.says(words));
            let today =
                At::new(SystemClock::start().now()).civil().strftime("%d/%m/%Y").to_string();
            assert!(guide.says("Giờ của máy") && guide.says(&today));
        }
    });
}

/// A machine's clock that is off by so many minutes until somebody sets it.
struct OffBy(AtomicI64);

impl Clock for OffBy {
    fn now(&self) -> Timestamp {
        At::new(Timestamp::now()).plus_minutes(self.0.load(Ordering::Relaxed)).timestamp()
    }

    fn mono_ms(&self) -> u64 {
        0
    }

    fn sleep(&self, duration: Duration) -> Sleep<'_> {
        Box::pin(tokio::time::sleep(duration))
    }
}

#[test]
fn a_clock_that_is_off_by_forty_minutes_is_told_before_the_code_is_used() {
    on_stage(|headless| {
        for (minutes, words) in [(40, "nhanh 40 phút"), (-40, "chậm 40 phút")] {
            let machine = Machine::new();
            let code = machine.code("ps-q3", "q3");
            let clock = Arc::new(OffBy(AtomicI64::new(minutes)));
            let guide = machine.start_at(headless, Arc::clone(&clock) as _);
            guide.connects(&machine.central.service(), &code);
            guide.fails();
            assert!(guide.says("Đồng hồ của máy chạy sai") && guide.says(words));
            assert!(guide.says("Giờ của máy") && guide.says("Giờ của hệ thống"));
            assert!(machine.identity().enrolled.is_none());
            // The technician sets it, and the code is still good.
            clock.0.store(0, Ordering::Relaxed);
            guide.tap("Thử lại");
            guide.comes_to(|page| *page == Page::Words);
        }
    });
}

#[test]
fn a_scanner_and_a_keypad_are_enough() {
    on_stage(|headless| {
        let machine = Machine::new();
        let code = machine.code("ps-hall", "q1,q2,q3");
        let guide = machine.start(headless);
        let onward = |times: usize| {
            (0..times).for_each(|_| guide.key(Key::DownArrow));
            guide.key(Key::Return);
        };
        onward(1);
        assert_eq!(guide.screen.page(), Page::Address);
        // A key of the keyboard on the screen, by arrows: the first after “Xóa hết”.
        onward(2);
        guide.key(Key::UpArrow);
        guide.key(Key::Return);
        assert_eq!(guide.screen.page(), Page::Address, "Enter was the control's");
        let scanned = format!("HAILONG SETUP {} {code}", machine.central.service().to_uppercase());
        guide.scan(&scanned);
        guide.comes_to(|page| *page == Page::Words);
        assert!(guide.says("Quầy 1, Quầy 2, Quầy 3"));
        guide.key(Key::Return);
        assert_eq!(guide.screen.page(), Page::Words, "a scanner's Enter agrees to nothing");
        onward(2);
        assert_eq!(guide.screen.page(), Page::Orientation { turned: false });
        onward(2);
        assert!(matches!(guide.screen.page(), Page::Touch(_)));
        onward(1);
        assert!(guide.screen.finished());
        assert_eq!(machine.network(), Some(Network::to(&machine.central.service())));
    });
}

#[test]
fn what_cannot_be_kept_is_said_and_tried_again() {
    on_stage(|headless| {
        let machine = Machine::new();
        let guide = machine.start(headless);
        // Nothing can be put in its place.
        let file = Kept::file(&machine.folder());
        std::fs::create_dir_all(file.join("in the way")).unwrap();
        guide.tap("Tiếng Việt");
        assert!(guide.says("Không lưu được vào ổ đĩa của máy"));
        std::fs::remove_dir_all(&file).unwrap();
        guide.tap("Thử lại");
        assert_eq!(guide.screen.page(), Page::Address);
        assert_eq!(machine.kept().step, Step::Address);
    });
}

#[test]
fn a_damaged_file_says_what_to_do_and_a_file_without_service_names_none() {
    let folder = installed("");
    let file = folder.path().join("kiosk.toml");
    let config = Config::read(&file).unwrap();
    assert_eq!((config.network, config.service), (None, None));
    std::fs::create_dir_all(&config.data).unwrap();
    std::fs::write(Kept::file(&config.data), "{\"step\":").unwrap();
    let error = Config::read(&file).unwrap_err().to_string();
    assert!(error.contains("setup.json: damaged") && error.contains("delete it"), "{error}");
}

#[test]
fn the_administrators_qr_code_says_address_and_code() {
    let machine = Machine::new();
    let place = machine.runtime.block_on(machine.central.asked_as(Role::Administrator));
    let output = Command::new(env!("CARGO_BIN_EXE_hailong"))
        .args(["admin", "enrol-code", "--office=phu-sa", "--counter=q3", "--kiosk=ps-q3", "--qr"])
        .args(&place)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let (code, drawn) = said.split_once('\n').unwrap();
    let text = format!("HAILONG SETUP {} {code}", machine.central.central.config.public_url);
    assert_eq!(drawn.trim_end(), hailong::kiosk::qr::on_terminal(&text).unwrap(), "{said}");
    let first = drawn.lines().next().unwrap();
    assert!(
        first.starts_with("\x1b[30;107m  ") && first.ends_with("  \x1b[0m"),
        "a quiet zone in white"
    );
}

#[test]
fn without_a_screen_or_an_address_the_program_says_what_to_do() {
    let fails = |arguments: &[&str], display: Option<&str>, exit: i32, words: &str| {
        let folder = installed("");
        let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
        command.arg("kiosk").args(arguments).arg("--config").arg(folder.path().join("kiosk.toml"));
        command.env_remove("WAYLAND_DISPLAY").env_remove("DISPLAY");
        if let Some(display) = display {
            command.env("DISPLAY", display);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(exit) && said.contains(words), "{said}");
    };
    fails(&[], None, 2, "no display found");
    fails(&[], Some(":9999"), 3, "this kiosk is not set up, and there is no window to do it in");
    fails(&["--enrol", "ABCDEFGHJK"], Some(":9999"), 3, "name it with service in kiosk.toml");
}

// The program in a real window.

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An X server of its own; gives its display.
fn x_server() -> (Ended, String) {
    use std::io::{BufRead, BufReader};
    let mut server = Command::new("Xvfb")
        .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut number = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
    (Ended(server), format!(":{}", number.trim()))
}

#[track_caller]
fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LIMIT;
    while !done() {
        assert!(Instant::now() < end, "{what} has not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn in_a_real_window_the_first_start_leads_to_the_first_rating_in_the_same_process() {
    if !has("Xvfb") || !has("xdotool") {
        return;
    }
    let machine = Machine::new();
    let code = machine.code("ps-q3", "q3");
    let (_server, display) = x_server();
    let program = Command::new(env!("CARGO_BIN_EXE_hailong"))
        .args(["kiosk", "--config"])
        .arg(machine.file())
        .env("DISPLAY", &display)
        .env_remove("WAYLAND_DISPLAY")
        .spawn()
        .unwrap();
    let mut program = Ended(program);
    let does = |arguments: &[&str]| {
        Command::new("xdotool").args(arguments).env("DISPLAY", &display).output().unwrap()
    };
    let said = |arguments: &[&str]| String::from_utf8(does(arguments).stdout).unwrap();
    let pid = program.0.id().to_string();
    let shown = |title: &str| {
        let found = RefCell::new(String::new());
        wait_for(title, || {
            // It does not search for Vietnamese words.
            let windows = said(&["search", "--pid", &pid]);
            let named = |window: &&str| said(&["getwindowname", window]).trim() == title;
            windows.lines().find(named).map(|window| found.replace(window.to_owned())).is_some()
        });
        // There is no window manager that would.
        does(&["windowfocus", "--sync", &found.take()]);
    };
    let step = |step: Step| {
        let kept = || Kept::read(&machine.folder()).ok().flatten();
        wait_for(&format!("{step:?}"), || kept().is_some_and(|kept| kept.step == step));
    };
    shown("Cài đặt thiết bị");
    // The page is there once a key finds its control.
    wait_for("the address", || {
        does(&["key", "--delay", "30", "Down", "Return"]);
        Kept::read(&machine.folder()).ok().flatten().is_some_and(|kept| kept.step == Step::Address)
    });
    let scanned = format!("HAILONG SETUP {} {code}", machine.central.service());
    does(&["type", "--delay", "5", &scanned]);
    does(&["key", "Return"]);
    step(Step::Words);
    does(&["key", "--delay", "30", "Down", "Down", "Return"]);
    step(Step::Orientation);
    does(&["key", "--delay", "30", "Down", "Down", "Return"]);
    step(Step::Touch);
    does(&["mousemove", "640", "580", "click", "1"]);
    step(Step::Done);
    shown("Trung tâm Phục vụ hành chính công xã Phù Sa");
    let lines = || {
        let journal = JournalReader::open(&machine.folder()).ok()?;
        journal.last().ok()
    };
    wait_for("the journal", || lines().is_some_and(|last| last > 0));
    let before = lines().unwrap();
    wait_for("a rating", || {
        does(&["mousemove", "152", "420", "click", "1"]);
        lines().is_some_and(|last| last > before)
    });
    assert!(program.0.try_wait().unwrap().is_none(), "it goes on");
    // Asked to end, it ends in good order.
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    wait_for("the end", || program.0.try_wait().unwrap().is_some());
    assert!(program.0.wait().unwrap().success());
}
