//! A counter with its kiosk: the real program on a display of its own, its twin, and its service.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hailong::central::config::Config as CentralConfig;
use hailong::domain::form::Form;
use hailong::domain::ids::OfficialId;
use hailong::domain::line::{Event, Line};
use hailong::domain::office::Shift;
use hailong::domain::seal::Answer;
use hailong::domain::time::At;
use hailong::kiosk::config::Config;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::visit::{BETWEEN_MS, Page, SETTLE_MS};
use hailong::texts::KioskTexts;
use jiff::Timestamp;
use jiff::civil::Time;
use serde::Serialize;
use slint::platform::Key;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::audit::{Read, audit};
use crate::common::{TestCentral, sample_config, sample_folder};
use crate::display::{Area, Display, Picture};
use crate::gate::Gate;
use crate::twin::Twin;

/// Nothing that is waited for takes longer, on a slow machine.
const LIMIT: Duration = Duration::from_secs(30);
/// Longer than any journey takes, in seconds: the most that a kiosk may be told.
const PATIENT: u32 = 600;
/// The least.
pub const IMPATIENT: u32 = 3;
/// A visitor's moment, in milliseconds: the screen takes nothing sooner after a page has come.
const MOMENT_MS: u64 = SETTLE_MS + 50;

/// Waits until `there` gives something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut there: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + LIMIT;
    loop {
        if let Some(found) = there() {
            return found;
        }
        assert!(Instant::now() < end, "no {what} after {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The moment, as people here count it.
pub fn now() -> At {
    At::new(Timestamp::now())
}

/// The sample office, which never closes: at counter 3 one official is on shift until a time of day, and
/// another from then on.
pub fn office(until: Time, first: &str, then: &str) -> CentralConfig {
    let mut config = sample_config();
    let roster = &mut config.offices[0].roster;
    roster.clear();
    for weekday in 1..=7 {
        let mut shift = |official: &str, from, to| {
            let (counter, official) = ("q3".parse().unwrap(), official.parse().unwrap());
            roster.push(Shift { weekday, counter, official, from, to });
        };
        shift(first, Time::MIN, until);
        if until < Time::MAX {
            shift(then, until, Time::MAX);
        }
    }
    config
}

/// What a counter is to be.
pub struct Plan {
    /// Its service.
    pub central: CentralConfig,
    /// Where its kiosk's folder and its twin's are to be, if that matters.
    pub folders: Option<(PathBuf, PathBuf)>,
    /// Who stands between kiosk and service, if anybody.
    pub gate: Option<Gate>,
}

impl Plan {
    pub fn usual() -> Self {
        Self { central: office(Time::MAX, "cb07", "cb07"), folders: None, gate: None }
    }
}

/// The running program. Dropped, it is killed.
struct Program {
    child: Child,
    said: Arc<Mutex<Vec<String>>>,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub struct Counter {
    // In this order: the display is the last to go.
    program: RefCell<Option<Program>>,
    pub twin: RefCell<Twin>,
    pub central: RefCell<Option<TestCentral>>,
    pub runtime: Runtime,
    pub display: Display,
    /// The first page as it was before the first visitor.
    home: Picture,
    /// The kiosk's folder, and its twin's.
    pub data: PathBuf,
    twins: RefCell<PathBuf>,
    /// Lines of visits that the kiosk's journal had before its twin began.
    before: Cell<usize>,
    /// Whether a page is in a hurry.
    hurried: Cell<bool>,
    touched: Cell<u32>,
    texts: [KioskTexts; 2],
    folder: TempDir,
}

impl Counter {
    /// A kiosk where nobody is hurried out. None where a component is missing.
    pub fn open() -> Option<Self> {
        Self::of(Plan::usual())
    }

    pub fn of(plan: Plan) -> Option<Self> {
        let display = Display::start()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let central = runtime.block_on(TestCentral::with_config(plan.central, now()));
        central.clock.run();
        let service = match plan.gate {
            Some(gate) => {
                gate.leads_to(central.citizens);
                runtime.block_on(gate.listens())
            }
            None => central.service(),
        };
        let office = central.central.config.offices[0].office.code.clone();
        let (kiosk, counters) = ("ps-q3".parse().unwrap(), "q3".parse().unwrap());
        let code = runtime.block_on(central.central.offer(kiosk, office, counters)).unwrap();

        let folder = sample_folder();
        let within = |name: &str| folder.path().join(name);
        let (data, twins) =
            plan.folders.unwrap_or_else(|| (within("kiosk-data"), within("twin-data")));
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut text = std::fs::read_to_string(within("kiosk.toml")).unwrap();
        for (from, to) in [
            ("\"../kiosk-data\"", format!("{data:?}")),
            ("http://127.0.0.1:8080", service),
            ("full_screen = true", "full_screen = false".into()),
            ("#key = \"F9\"", "key = \"F9\"".into()),
            ("#listen = \"127.0.0.1:8090\"", format!("listen = \"{free}\"")),
        ] {
            assert_eq!(text.matches(from).count(), 1, "{from}");
            text = text.replace(from, &to);
        }
        std::fs::write(within("kiosk.toml"), text).unwrap();
        hurry(&within("kiosk.toml"), None);
        let config = Config::read(&within("kiosk.toml")).unwrap();
        let texts = [0, 1].map(|place: usize| config.texts[place].kiosk.clone());

        let program = start(&display, folder.path(), Some(&code));
        wait_for("enrolment", || program.has_said("Read these words").then_some(()));
        let enrolled = Identity::load(&data).unwrap().unwrap().enrolled.unwrap();
        let twin = Twin::open(&twins, config, enrolled);
        let home = twin.picture();
        let counter = Self {
            display,
            twin: RefCell::new(twin),
            central: RefCell::new(Some(central)),
            runtime,
            program: RefCell::new(Some(program)),
            home,
            data,
            twins: RefCell::new(twins),
            before: Cell::default(),
            hurried: Cell::default(),
            touched: Cell::default(),
            texts,
            folder,
        };
        counter.shown();
        Some(Self { home: counter.display.picture(), ..counter })
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("kiosk.toml")
    }

    /// Starts the program again, which was ended or killed, and a new twin; one page, or none, is in a
    /// hurry.
    pub fn starts_again(&self, hurried: Option<&str>) {
        hurry(&self.config(), hurried);
        let config = Config::read(&self.config()).unwrap();
        let enrolled = Identity::load(&self.data).unwrap().unwrap().enrolled.unwrap();
        *self.program.borrow_mut() = Some(start(&self.display, self.folder.path(), None));
        let twins = TempDir::new_in(self.folder.path()).unwrap().keep();
        *self.twin.borrow_mut() = Twin::open(&twins, config, enrolled);
        *self.twins.borrow_mut() = twins;
        self.before.set(visits(&self.data).len());
        self.hurried.set(hurried.is_some());
        self.shown();
        self.is_home();
    }

    /// The program's process is killed.
    pub fn killed(&self) {
        drop(self.program.take());
    }

    /// The program is asked to end, and ends in good order.
    pub fn ended(&self) {
        let mut program = self.program.take().expect("it runs");
        let ask = format!("kill -TERM {}", program.child.id());
        assert!(Command::new("sh").args(["-c", &ask]).status().unwrap().success());
        let ended = wait_for("end of the program", || program.child.try_wait().unwrap());
        assert!(ended.success(), "{ended}");
    }

    /// Waits until it has said something on its standard output.
    pub fn says(&self, words: &str) {
        let program = self.program.borrow();
        let program = program.as_ref().expect("it runs");
        wait_for(words, || program.has_said(words).then_some(()));
    }

    /// The words of a language, by its place.
    pub fn texts(&self, language: usize) -> &KioskTexts {
        &self.texts[language]
    }

    pub fn form(&self) -> Form {
        crate::common::sample_form()
    }

    // What can be touched.

    /// What says so.
    #[track_caller]
    pub fn control(&self, label: &str) -> Area {
        self.twin.borrow().control(label)
    }

    #[track_caller]
    fn nth(&self, component: &str, place: usize) -> Area {
        let areas = self.twin.borrow().areas(component);
        *areas.get(place).unwrap_or_else(|| panic!("{component} {place} of {}", areas.len()))
    }

    /// A level's card on the first page or the invitation.
    #[track_caller]
    pub fn level(&self, place: usize) -> Area {
        self.nth("LevelCard", place)
    }

    /// A level's small face among the reasons.
    #[track_caller]
    pub fn face(&self, place: usize) -> Area {
        self.nth("FacePick", place)
    }

    #[track_caller]
    pub fn reason(&self, place: usize) -> Area {
        self.nth("ReasonToggle", place)
    }

    /// Thanks, which a touch anywhere leaves.
    #[track_caller]
    pub fn thanks(&self) -> Area {
        self.nth("ThanksPage::done-area", 0)
    }

    /// Where the notice can be asked for.
    #[track_caller]
    pub fn notice(&self) -> Area {
        self.nth("PromiseLine::touch", 0)
    }

    // What a visitor does.

    /// Touches, and sees what comes of it.
    #[track_caller]
    pub fn touches(&self, what: Area) {
        self.types(what);
        self.moment();
    }

    /// Touches so often, as fast as a hand can, sees what comes of it, and waits until nobody would be
    /// taken for hammering any more.
    #[track_caller]
    pub fn hammers(&self, what: Area, times: u32) {
        self.display.hammer(what.middle(), times);
        (0..times).for_each(|_| self.twin.borrow().touch(what.middle()));
        self.shown();
        self.rests();
        self.rests();
    }

    /// So many touches so far.
    pub fn touched(&self) -> u32 {
        self.touched.get()
    }

    /// The same without a moment's rest, as somebody types.
    #[track_caller]
    pub fn types(&self, what: Area) {
        self.touched.set(self.touched.get() + 1);
        self.display.touch(what.middle());
        self.twin.borrow().touch(what.middle());
        self.shown();
    }

    /// Leaves thanks by touch; the screen is at home, and takes nobody for a while.
    #[track_caller]
    pub fn leaves(&self) {
        self.types(self.thanks());
        self.rests();
        self.is_home();
    }

    /// Presses a key, and sees what comes of it.
    #[track_caller]
    pub fn presses(&self, x: &str, key: Key) {
        self.display.key(x);
        self.twin.borrow().key(key);
        self.shown();
    }

    /// Goes by arrows to what stands there, and presses Enter.
    #[track_caller]
    pub fn enters(&self, what: Area) {
        let most = 40;
        let gone = (0..most).take_while(|_| !self.twin.borrow().focuses(what)).map(|_| {
            self.presses("Right", Key::RightArrow);
        });
        assert!(gone.count() < most, "no key leads to {what:?}");
        self.presses("Return", Key::Return);
        self.moment();
    }

    /// The moment that a visitor takes.
    pub fn moment(&self) {
        std::thread::sleep(Duration::from_millis(MOMENT_MS));
        self.twin.borrow().pass(MOMENT_MS);
    }

    /// The moment between two visitors, after the first has left by touch.
    pub fn rests(&self) {
        std::thread::sleep(Duration::from_millis(BETWEEN_MS));
        self.twin.borrow().pass(BETWEEN_MS);
    }

    /// Nobody touches the screen any more, on a page in a hurry: home by itself.
    #[track_caller]
    pub fn goes(&self) {
        self.twin.borrow().pass(u64::from(IMPATIENT) * 1_000);
        self.shown();
        self.is_home();
        self.moment();
    }

    // What is seen.

    /// The clock in the header, with room for the widest minute: digits are not all of one width.
    fn clock(&self) -> Area {
        let area = self.twin.borrow().areas("Header::clock")[0];
        Area { x: area.x - 60.0, width: area.width + 64.0, ..area }
    }

    /// What is not the same on both screens: the clock's minute, what is left of the time, and the codes
    /// for the phone, which name the contact; where pages are in a hurry, the header, in whose place
    /// they ask whether more time is needed.
    pub fn own(&self) -> Vec<Area> {
        let twin = self.twin.borrow();
        let header = if self.hurried.get() { twin.areas("Header") } else { vec![self.clock()] };
        let others = ["TimeBar", "QrCode", "StaffNote"].map(|name| twin.areas(name)).concat();
        others.into_iter().map(|area| area.and_around(2.0)).chain(header).collect()
    }

    /// Waits until the window shows what the twin shows, and the disk has the same visits.
    #[track_caller]
    pub fn shown(&self) {
        let (wanted, but) = (self.twin.borrow().picture(), self.own());
        let told = visits(&self.twins.borrow());
        let end = Instant::now() + LIMIT;
        loop {
            let shown = self.display.picture();
            let differs = shown.differs(&wanted, &but);
            let visits = visits(&self.data)[self.before.get()..].to_vec();
            if differs.is_none() && visits == told {
                return;
            }
            if Instant::now() > end {
                let files = (shown.keep("here"), wanted.keep("there"));
                let page = self.twin.borrow().page();
                panic!(
                    "the window has other pixels than its twin at {page:?}: {differs:?} (how many, \
                     and the first), see {files:?}; its journal tells {visits:?}, the twin's \
                     {told:?}; the program says {}",
                    log(self.folder.path())
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the window shows the first page as it was before anybody came, to the pixel.
    #[track_caller]
    pub fn is_home(&self) {
        assert_eq!(self.twin.borrow().page(), Page::Home);
        let clock = self.clock();
        wait_for("first page as it was", || {
            self.display.picture().differs(&self.home, &[clock]).is_none().then_some(())
        });
    }

    // What came of it.

    /// Ends the program in good order, and reads its journal as an auditor with the opening key does.
    pub fn journal(&self) -> Vec<Read> {
        self.ended();
        self.journal_so_far()
    }

    pub fn journal_so_far(&self) -> Vec<Read> {
        let central = self.central.borrow();
        audit(&self.data, &central.as_ref().expect("it serves").central.keys.opening)
    }

    /// Waits until the service counts so many rated contacts, and has nothing to look at.
    pub fn counted(&self, many: usize) {
        let central = self.central.borrow();
        let store = central.as_ref().expect("it serves").store();
        let rated = || self.runtime.block_on(store.rated_contacts()).unwrap().len();
        wait_for("receipt of every rating", || (rated() == many).then_some(()));
        assert_eq!(self.runtime.block_on(store.findings()).unwrap(), []);
    }
}

impl Program {
    fn has_said(&self, words: &str) -> bool {
        self.said.lock().unwrap().iter().any(|line| line.contains(words))
    }
}

/// What the program says of itself.
fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// Starts the program on a display.
fn start(display: &Display, folder: &Path, code: Option<&str>) -> Program {
    let stderr = std::fs::File::options().create(true).append(true).open(folder.join("log"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(["kiosk", "--config"]).arg(folder.join("kiosk.toml"));
    command.args(code.iter().flat_map(|code| ["--enrol", code]));
    command.env("DISPLAY", &display.name).env_remove("WAYLAND_DISPLAY");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr.expect("a log"));
    let mut child = command.spawn().expect("the program starts");
    let stdout = BufReader::new(child.stdout.take().expect("piped"));
    let mut program = Program { child, said: Arc::default() };
    let hears = Arc::clone(&program.said);
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            hears.lock().unwrap().push(line);
        }
    });
    wait_for("window", || {
        let ended = program.child.try_wait().expect("it can be asked");
        assert!(ended.is_none(), "the program ends by itself: {}", log(folder));
        display.focus().then_some(())
    });
    program
}

/// Makes one page, or none, wait as little as may be, and all others longer than any journey.
fn hurry(file: &Path, hurried: Option<&str>) {
    let text = std::fs::read_to_string(file).unwrap();
    let (head, rest) = text.split_once("[time_outs]\n").unwrap();
    let (_, rest) = rest.split_once("\n\n").unwrap();
    let pages = ["reasons", "thanks", "later", "invited", "not_kept"];
    assert!(hurried.is_none_or(|hurried| pages.contains(&hurried)));
    let times = pages.map(|page| {
        let seconds = if Some(page) == hurried { IMPATIENT } else { PATIENT };
        format!("{page} = {seconds}\n")
    });
    let text = format!("{head}[time_outs]\n{}\n{rest}", times.concat());
    std::fs::write(file, text).unwrap();
}

/// What a journal tells of visits, without answers: those of the two journals are the same.
fn visits(folder: &Path) -> Vec<String> {
    let reader = JournalReader::open(folder).expect("the journal is read");
    let lines = reader.lines(1, reader.last().unwrap()).unwrap();
    let lines = lines.iter().map(|bytes| serde_json::from_slice(bytes).unwrap());
    lines.filter(of_visit).map(|line: Line| spell(&line)).collect()
}

fn of_visit(line: &Line) -> bool {
    matches!(line.event, Event::Contact | Event::Changed | Event::Closed | Event::Misuse)
}

fn spell(line: &Line) -> String {
    let words = [Some(word(line.event)), line.by.map(word), line.how.map(word)];
    words.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

/// What a journal tells of visits, with the answers.
pub fn told(journal: &[Read]) -> Vec<String> {
    let visits = journal.iter().filter(|read| of_visit(&read.line));
    visits
        .map(|read| {
            let answers = read.answers.iter().flat_map(|answer| match answer {
                Answer::Level(level) => vec![level.clone()],
                Answer::Reasons(reasons) => reasons.clone(),
                Answer::Words(words) => vec![format!("“{words}”")],
            });
            std::iter::once(spell(&read.line)).chain(answers).collect::<Vec<_>>().join(" ")
        })
        .collect()
}

/// Whom each contact of a journal is about.
pub fn officials(journal: &[Read]) -> Vec<Option<OfficialId>> {
    let contacts = journal.iter().filter(|read| read.line.event == Event::Contact);
    contacts.map(|read| read.line.official.clone()).collect()
}
