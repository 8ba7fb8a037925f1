//! The stage, the kiosk on it, and pictures of it.

use std::cell::Cell;
use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use crate::common::{TestCentral, TestKiosk, at};
use hailong::clock::Clock;
use hailong::domain::enrolment::Enrolled;
use hailong::domain::line::Line;
use hailong::domain::procedure::Procedure;
use hailong::domain::seal::{Answer, Kind, Ratchet};
use hailong::kiosk::care::Care;
use hailong::kiosk::condition::Condition;
use hailong::kiosk::config::Calls;
use hailong::kiosk::configuration::InForce;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::photos::Photos;
use hailong::kiosk::procedures::Procedures;
use hailong::kiosk::recorder::Recorder;
use hailong::kiosk::visit::{BETWEEN_MS, Input, Page, TimeOuts};
use hailong::kiosk::voice::{Voice, VoiceConfig};
use hailong::kiosk::window::{Screen, Setting};
use hailong::texts::Texts;
use i_slint_backend_testing::{
    AccessibleRole, ElementHandle, ElementQuery, TestingBackend, TestingBackendOptions,
    get_mocked_time, mock_elapsed_time,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use slint::platform::{Key, PointerEventButton, WindowEvent};
use slint::{ComponentHandle, LogicalPosition, PhysicalSize};
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, watch};

pub const LEVELS: [&str; 5] =
    ["Rất hài lòng", "Hài lòng", "Bình thường", "Không hài lòng", "Rất không hài lòng"];
pub const LATER: &str = "Đánh giá sau bằng điện thoại";
pub const HOME: &str = "Về trang đầu";

// The stage.

pub type Act = Box<dyn FnOnce() + Send>;

static STAGE: LazyLock<Mutex<std::sync::mpsc::Sender<Act>>> = LazyLock::new(|| {
    let (acts, waiting) = std::sync::mpsc::channel::<Act>();
    std::thread::Builder::new()
        .name("stage".into())
        .spawn(move || {
            slint::platform::set_platform(Box::new(TestingBackend::new(TestingBackendOptions {
                mock_time: true,
                threading: true,
                renderer_name: Some("software".into()),
            })))
            .unwrap();
            waiting.iter().for_each(|act| act());
        })
        .unwrap();
    // The stage's output would be shown with whichever test built it: each test tells its own.
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

thread_local! {
    static FELL: Cell<String> = const { Cell::new(String::new()) };
}

/// Plays one test on Slint's thread.
pub fn on_stage(play: impl FnOnce() + Send + 'static) {
    let (end, ended) = std::sync::mpsc::channel();
    let act = Box::new(move || {
        let played = catch_unwind(AssertUnwindSafe(play));
        let _ = end.send(played.map_err(|_| FELL.take()));
    });
    STAGE.lock().unwrap_or_else(PoisonError::into_inner).send(act).unwrap();
    if let Err(message) = ended.recv().unwrap() {
        panic!("{message}");
    }
}

pub fn pass(ms: u64) {
    // In steps, as the window's timer looks at time-outs every 250 ms.
    let mut left = ms;
    while left > 0 {
        let step = left.min(250);
        mock_elapsed_time(Duration::from_millis(step));
        left -= step;
    }
}

// The kiosk.

/// What a kiosk may have beside its screen.
#[derive(Default)]
pub struct Equipment {
    pub calls: Calls,
    pub sticks: Vec<PathBuf>,
    pub voice: Option<VoiceConfig>,
    pub procedures: Vec<Procedure>,
    pub condition: Option<watch::Receiver<Condition>>,
}

/// A kiosk at counter 3 on Tuesday, 24 November 2026, at 08:15.
pub struct Kiosk {
    pub screen: Rc<Screen>,
    pub answers: UnboundedReceiver<Input>,
    pub to_screen: UnboundedSender<Input>,
    pub in_force: watch::Sender<InForce>,
    pub kiosk: TestKiosk,
    pub central: TestCentral,
    /// Number of the last line before the first visitor.
    pub before: u64,
    /// What a refusal tells staff, where the disk's own words would be another's.
    pub trouble: Option<String>,
    pub runtime: Runtime,
}

impl Kiosk {
    pub fn new() -> Self {
        Self::with(|_| {}, 1280, 800)
    }

    pub fn with(change: impl FnOnce(&mut Enrolled), width: u32, height: u32) -> Self {
        Self::equipped(Equipment::default(), change, width, height)
    }

    /// One with more than a screen.
    pub fn equipped(
        equipment: Equipment,
        change: impl FnOnce(&mut Enrolled),
        width: u32,
        height: u32,
    ) -> Self {
        let Equipment { calls, sticks, voice, procedures, condition } = equipment;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let central = runtime.block_on(TestCentral::start_at(at("2026-11-24 08:15")));
        let mut kiosk = runtime.block_on(central.kiosk("q3"));
        // What a ticket follows from is fixed, so that its code is the same in every run.
        kiosk.identity.ticket_key = [7; 32].into();
        let enrolled = kiosk.identity.enrolled.as_mut().unwrap();
        enrolled.public_url = "HTTPS://DANHGIA.HUNGYEN.GOV.VN".into();
        change(enrolled);
        let clock: Arc<dyn Clock> = Arc::clone(&kiosk.clock) as _;
        let folder = kiosk.path();
        let mut epochs = 0;
        let random = move || {
            epochs += 1;
            Box::new(StdRng::seed_from_u64(epochs)) as _
        };
        let desk =
            Desk::open(&folder, &mut kiosk.identity, Arc::clone(&clock), Box::new(random)).unwrap();
        let enrolled = Arc::clone(desk.enrolled());
        let (answer, answers) = unbounded_channel();
        let recorder = Recorder::start(desk, answer, Arc::new(Notify::new())).unwrap();
        let before = JournalReader::open(&folder).unwrap().last().unwrap();
        let (to_screen, screen_answers) = unbounded_channel();
        let texts = ["vi", "en"]
            .map(|code| Texts::read(&sample(&format!("texts/{code}.toml"))).unwrap())
            .to_vec();
        let in_force = watch::Sender::new(InForce { enrolled, texts });
        let setting = Setting {
            in_force: in_force.subscribe(),
            time_outs: TimeOuts::default(),
            full_screen: false,
            clock,
            visitor_ms: Rc::new(get_mocked_time),
            calls: Calls { key: Some(Key::F9.into()), ..calls },
            procedures: Procedures::fixed(procedures),
            care: Care {
                folder: folder.clone(),
                sticks: Arc::new(move || sticks.clone()),
                condition,
                standing: None,
            },
            voice: voice.map(Voice::new),
            photos: Photos::in_folder(&folder),
            recorder,
            answers: screen_answers,
        };
        // So that it is not the first millisecond, when nothing has been shown before.
        mock_elapsed_time(Duration::from_millis(1));
        let screen = Screen::new(setting).unwrap();
        screen.app().window().set_size(PhysicalSize::new(width, height));
        screen.app().show().unwrap();
        let trouble = None;
        let kiosk =
            Self { screen, answers, to_screen, in_force, kiosk, central, before, trouble, runtime };
        kiosk.turn();
        kiosk
    }

    /// Runs what waits for the event loop, then makes the page that follows.
    pub fn turn(&self) {
        slint::quit_event_loop().unwrap();
        slint::run_event_loop().unwrap();
        mock_elapsed_time(Duration::ZERO);
    }

    /// The journal's answer reaches the screen.
    pub fn answered(&mut self) -> Input {
        let answer =
            async { tokio::time::timeout(Duration::from_secs(20), self.answers.recv()).await };
        let mut input = self.runtime.block_on(answer).expect("an answer in time").unwrap();
        if let (Input::Refused(words), Some(trouble)) = (&mut input, &self.trouble) {
            words.clone_from(trouble);
        }
        self.to_screen.send(input.clone()).unwrap();
        self.turn();
        input
    }

    /// Turns until something that another thread does has come to the screen.
    #[track_caller]
    pub fn until(&self, done: impl Fn(&Self) -> bool) {
        let end = std::time::Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(std::time::Instant::now() < end, "nothing came");
            std::thread::sleep(Duration::from_millis(2));
            self.turn();
        }
    }

    /// Presses keys, so many milliseconds apart.
    pub fn types(&self, text: &str, apart_ms: u64) {
        for key in text.chars() {
            let text = slint::SharedString::from(key);
            let window = self.screen.app().window();
            window.dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
            window.dispatch_event(WindowEvent::KeyReleased { text });
            mock_elapsed_time(Duration::from_millis(apart_ms));
        }
    }

    /// A scanner types what it reads, and Enter after it.
    pub fn scans(&self, text: &str) {
        pass(500);
        self.types(text, 3);
        self.types(&char::from(Key::Return).to_string(), 3);
    }

    /// A finger that stays for so long.
    pub fn holds(&self, x: f32, y: f32, ms: u64) {
        let position = LogicalPosition::new(x, y);
        let button = PointerEventButton::Left;
        let window = self.screen.app().window();
        window.dispatch_event(WindowEvent::PointerMoved { position });
        window.dispatch_event(WindowEvent::PointerPressed { position, button });
        pass(ms);
        window.dispatch_event(WindowEvent::PointerReleased { position, button });
        window.dispatch_event(WindowEvent::PointerExited);
        mock_elapsed_time(Duration::ZERO);
    }

    #[track_caller]
    pub fn kept(&mut self) {
        let input = self.answered();
        assert!(matches!(input, Input::Kept(..)), "{input:?}");
    }

    #[track_caller]
    pub fn refused(&mut self) {
        let input = self.answered();
        assert!(matches!(input, Input::Refused(_)), "{input:?}");
    }

    /// A finger at a point, for 50 ms.
    pub fn touch(&self, x: f32, y: f32) {
        let position = LogicalPosition::new(x, y);
        let button = PointerEventButton::Left;
        let window = self.screen.app().window();
        window.dispatch_event(WindowEvent::PointerMoved { position });
        window.dispatch_event(WindowEvent::PointerPressed { position, button });
        mock_elapsed_time(Duration::from_millis(50));
        window.dispatch_event(WindowEvent::PointerReleased { position, button });
        window.dispatch_event(WindowEvent::PointerExited);
        mock_elapsed_time(Duration::ZERO);
    }

    /// What a finger can use, by its words.
    #[track_caller]
    pub fn control(&self, label: &str) -> Area {
        let controls: Vec<Control> =
            self.controls().into_iter().filter(|control| control.label == label).collect();
        assert_eq!(controls.len(), 1, "{label:?} among {:?}", self.controls());
        controls[0].area
    }

    pub fn controls(&self) -> Vec<Control> {
        ElementQuery::from_root(self.screen.app())
            .match_predicate(|element| {
                matches!(
                    element.accessible_role(),
                    Some(AccessibleRole::Button | AccessibleRole::Checkbox)
                )
            })
            .find_all()
            .iter()
            .map(|element| Control {
                label: element.accessible_label().unwrap_or_default().to_string(),
                area: Area::of(element),
                enabled: element.accessible_enabled(),
                checked: element.accessible_checked().unwrap_or_default(),
                toggle: element.accessible_role() == Some(AccessibleRole::Checkbox),
            })
            .collect()
    }

    /// The boxes to tick, in the order shown.
    pub fn toggles(&self) -> Vec<Control> {
        self.controls().into_iter().filter(|control| control.toggle).collect()
    }

    /// Taps what says `label`, after a person's moment of reading.
    pub fn tap(&self, label: &str) {
        pass(BETWEEN_MS);
        let (x, y) = self.control(label).middle();
        self.touch(x, y);
    }

    #[track_caller]
    pub fn tap_kept(&mut self, label: &str) {
        self.tap(label);
        self.kept();
    }

    pub fn ticked(&self) -> Vec<String> {
        let ticked =
            |control: Control| (control.toggle && control.checked).then_some(control.label);
        self.controls().into_iter().filter_map(ticked).collect()
    }

    /// All elements of a component or with an id.
    pub fn areas(&self, name: &str) -> Vec<Area> {
        let app = self.screen.app();
        let found: Vec<_> = if name.contains("::") {
            ElementHandle::find_by_element_id(app, name).collect()
        } else {
            ElementHandle::find_by_element_type_name(app, name).collect()
        };
        found.iter().map(Area::of).collect()
    }

    pub fn area(&self, name: &str) -> Area {
        let areas = self.areas(name);
        assert_eq!(areas.len(), 1, "{name}");
        areas[0]
    }

    pub fn says(&self, words: &str) -> bool {
        ElementHandle::find_by_accessible_label(self.screen.app(), words).next().is_some()
    }

    pub fn on(&self, page: &str) -> bool {
        let now = match self.screen.page() {
            Page::Who => "who",
            Page::Home => "home",
            Page::Invited(_) => "invited",
            Page::Notice(_) => "notice",
            Page::Reasons { .. } => "reasons",
            Page::Words { .. } => "words",
            Page::Thanks { .. } => "thanks",
            Page::Later(_) => "later",
            Page::Slip { .. } => "slip",
            Page::Procedures { .. } => "procedures",
            Page::NotKept { .. } => "not-kept",
        };
        now == page && self.areas(&page_component(page)).len() == 1
    }

    pub fn picture(&self) -> Picture {
        let pixels = self.screen.app().window().take_snapshot().unwrap();
        let rgb = pixels.as_slice().iter().map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
        Picture { width: pixels.width() as usize, height: pixels.height() as usize, rgb }
    }

    /// The ticket's address on the screen.
    pub fn ticket(&self) -> String {
        match self.screen.page() {
            Page::Reasons { contact, .. }
            | Page::Thanks { contact, .. }
            | Page::Later(contact)
            | Page::Invited(contact) => contact.ticket.unwrap(),
            page => panic!("no contact on {page:?}"),
        }
    }

    /// The lines of the journal.
    pub fn lines(&self) -> Vec<Line> {
        let journal = JournalReader::open(&self.kiosk.path()).unwrap();
        (self.before + 1..=journal.last().unwrap())
            .map(|seq| serde_json::from_slice(&journal.line(seq).unwrap().unwrap()).unwrap())
            .collect()
    }

    /// What the journal tells of the visitors, with the answers as only the central service can
    /// open them.
    pub fn told(&self) -> Vec<String> {
        let journal = JournalReader::open(&self.kiosk.path()).unwrap();
        let last = journal.last().unwrap();
        let opening = &self.central.central.keys.opening;
        let mut told = Vec::new();
        for seq in self.before + 1..=last {
            let line: Line = serde_json::from_slice(&journal.line(seq).unwrap().unwrap()).unwrap();
            let mut words = vec![word(line.event)];
            words.extend(line.by.map(word));
            words.extend(line.how.map(word));
            let span = journal.epoch_of(seq).unwrap().unwrap();
            let mut ratchet = Ratchet::reopen(&line.kiosk, line.epoch, &span.enc, opening).unwrap();
            (span.start..seq).for_each(|_| ratchet.step());
            for body in journal.bodies(seq, seq).unwrap() {
                let hash = if body.kind == Kind::Words { line.words } else { line.body }.unwrap();
                let answer =
                    ratchet.open(&line.kiosk, line.epoch, seq, body.kind, &body.bytes, hash);
                match answer.unwrap() {
                    Answer::Level(level) => words.push(level),
                    Answer::Reasons(reasons) => words.extend(reasons),
                    Answer::Words(said) => words.push(said),
                }
            }
            told.push(words.join(" "));
        }
        told
    }

    /// The disk refuses from now on, or works again.
    pub fn disk_refuses(&self, refuses: bool) {
        let journal = rusqlite::Connection::open(self.kiosk.path().join("journal.db")).unwrap();
        journal.busy_timeout(Duration::from_secs(5)).unwrap();
        let change = if refuses {
            "CREATE TRIGGER refuse BEFORE INSERT ON line
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        } else {
            "DROP TRIGGER refuse"
        };
        journal.execute_batch(change).unwrap();
    }
}

impl Drop for Kiosk {
    fn drop(&mut self) {
        self.screen.stop();
    }
}

pub fn sample(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config").join(file)
}

pub fn page_component(page: &str) -> String {
    match page {
        "home" => "HomePage",
        "invited" => "InvitedPage",
        "words" => "WordsPage",
        "reasons" => "ReasonsPage",
        "thanks" => "ThanksPage",
        "later" => "LaterPage",
        "who" => "WhoPage",
        "notice" => "NoticePage",
        "slip" => "SlipPage",
        "procedures" => "ProceduresPage",
        _ => "NotKeptPage",
    }
    .to_owned()
}

pub fn word(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

#[derive(Debug, Clone)]
pub struct Control {
    pub label: String,
    pub area: Area,
    pub enabled: Option<bool>,
    pub checked: bool,
    /// A box to tick.
    pub toggle: bool,
}

/// A rectangle on the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Area {
    pub fn of(element: &ElementHandle) -> Self {
        let (position, size) = (element.absolute_position(), element.size());
        Self { x: position.x, y: position.y, width: size.width, height: size.height }
    }

    pub fn middle(self) -> (f32, f32) {
        (self.x + self.width / 2.0, self.y + self.height / 2.0)
    }

    pub fn size(self) -> (f32, f32) {
        (self.width, self.height)
    }

    pub fn holds(self, x: f32, y: f32) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }

    pub fn holds_all_of(self, other: Self) -> bool {
        other.x >= self.x
            && other.y >= self.y
            && other.x + other.width <= self.x + self.width
            && other.y + other.height <= self.y + self.height
    }

    /// The free space between two areas.
    pub fn apart(self, other: Self) -> f32 {
        let gap = |a: f32, a_size: f32, b: f32, b_size: f32| (b - a - a_size).max(a - b - b_size);
        gap(self.x, self.width, other.x, other.width).max(gap(
            self.y,
            self.height,
            other.y,
            other.height,
        ))
    }
}

// Pictures.

#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    pub rgb: Vec<[u8; 3]>,
}

/// How far one channel may be off, and in how many of a million pixels it may be further off:
/// rounding of another processor, not another look.
pub const TOLERANCE: u8 = 10;
pub const MORE_OFF_PER_MILLION: usize = 100;

impl Picture {
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        self.rgb[y * self.width + x]
    }

    /// Points that differ, outside of `but`.
    pub fn differences(&self, other: &Self, but: &[Area]) -> Vec<(usize, usize)> {
        assert_eq!((self.width, self.height), (other.width, other.height));
        let all = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        all.filter(|&(x, y)| self.at(x, y) != other.at(x, y))
            .filter(|&(x, y)| !but.iter().any(|area| area.holds(x as f32, y as f32)))
            .collect()
    }

    #[track_caller]
    pub fn assert_same(&self, other: &Self, but: &[Area], what: &str) {
        let differences = self.differences(other, but);
        if let Some(first) = differences.first() {
            let here = self.keep("here");
            other.keep("there");
            let count = differences.len();
            panic!("{what}: {count} pixels differ, the first at {first:?}; see {}", here.display());
        }
    }

    /// Writes it beside the tests' other output.
    pub fn keep(&self, name: &str) -> PathBuf {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("screen-{name}.png"));
        self.save(&file);
        file
    }

    pub fn save(&self, file: &Path) {
        let out = BufWriter::new(std::fs::File::create(file).unwrap());
        let mut encoder = png::Encoder::new(out, self.width as u32, self.height as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::High);
        encoder.set_filter(png::Filter::NoFilter);
        let mut writer = encoder.write_header().unwrap();
        writer.write_image_data(self.rgb.as_flattened()).unwrap();
    }

    pub fn load(file: &Path) -> Option<Self> {
        let file = std::io::BufReader::new(std::fs::File::open(file).ok()?);
        let mut reader = png::Decoder::new(file).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
        let rgb = bytes[..info.buffer_size()].as_chunks().0.to_vec();
        Some(Self { width: info.width as usize, height: info.height as usize, rgb })
    }

    /// Compares it with the committed picture.
    #[track_caller]
    pub fn assert_like_reference(&self, name: &str) {
        let reference =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/screens").join(format!("{name}.png"));
        if std::env::var_os("HAILONG_ACCEPT").is_some_and(|value| value == "1") {
            std::fs::create_dir_all(reference.parent().unwrap()).unwrap();
            self.save(&reference);
            return;
        }
        let hint = "set HAILONG_ACCEPT=1 to accept it, after a look at it";
        let Some(expected) = Self::load(&reference) else {
            let actual = self.keep(name);
            panic!("{name} has no reference; it looks like {}; {hint}", actual.display());
        };
        let same_size = (self.width, self.height) == (expected.width, expected.height);
        let off =
            |a: &[u8; 3], b: &[u8; 3]| a.iter().zip(b).any(|(a, b)| a.abs_diff(*b) > TOLERANCE);
        let count = self.rgb.iter().zip(&expected.rgb).filter(|(a, b)| off(a, b)).count();
        if !same_size || count * 1_000_000 > MORE_OFF_PER_MILLION * self.rgb.len() {
            let actual = self.keep(name);
            panic!(
                "{name} does not look like {}: {count} pixels differ; it looks like {}; {hint}",
                reference.display(),
                actual.display()
            );
        }
    }
}
