//! A screen that is touched without sense ten thousand times, and one that serves a thousand visitors: it
//! neither falls nor grows, and it still rates.
//!
//! One test, because Slint's window in memory belongs to one thread of a process.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use common::{TestCentral, at};
use hailong::domain::line::{By, Event, How, Line};
use hailong::kiosk::headless::Headless;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::staff;
use hailong::kiosk::visit::{BETWEEN_MS, Input, Page};
use hailong::kiosk::window::Screen;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use slint::ComponentHandle;
use slint::platform::{Key, WindowEvent};

const LIMIT: Duration = Duration::from_secs(20);
const EVENTS: usize = 10_000;
/// Where things stand on the screen of 1280 × 800.
const FACE: (f32, f32) = (640.0, 420.0);
const SEND: (f32, f32) = (945.0, 675.0);
const PAPER: (f32, f32) = (60.0, 300.0);
/// Where no page has anything.
const MARGIN: (f32, f32) = (10.0, 400.0);

struct Stage {
    headless: Headless,
    screen: Rc<Screen>,
    visitor: Rc<Cell<u64>>,
}

impl Stage {
    fn settle(&self) {
        assert!(self.headless.turn_until(LIMIT, || !self.screen.busy()), "the disk answers");
    }

    fn pass(&self, ms: u64) {
        self.visitor.set(self.visitor.get() + ms);
        self.screen.tick();
        self.settle();
    }

    fn tap(&self, (x, y): (f32, f32)) {
        self.visitor.set(self.visitor.get() + BETWEEN_MS);
        self.headless.tap(x, y);
        self.settle();
    }

    /// One rating, whole.
    fn visit(&self) {
        self.tap(FACE);
        assert!(matches!(self.screen.page(), Page::Reasons { .. }), "{:?}", self.screen.page());
        self.tap(SEND);
        assert!(matches!(self.screen.page(), Page::Thanks { .. }), "{:?}", self.screen.page());
        self.tap(PAPER);
        assert_eq!(self.screen.page(), Page::Home);
    }

    fn press(&self, key: Key) {
        let text = slint::SharedString::from(key);
        let window = self.screen.app().window();
        window.dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
        window.dispatch_event(WindowEvent::KeyReleased { text });
        self.headless.turn();
    }

    fn type_key(&self, key: char) {
        let text = slint::SharedString::from(key);
        let window = self.screen.app().window();
        window.dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
        window.dispatch_event(WindowEvent::KeyReleased { text });
    }

    fn anything(&self, random: &mut StdRng) {
        match random.random_range(0..24) {
            0..=11 => {
                self.visitor.set(self.visitor.get() + random.random_range(20..900));
                let (x, y) = (random.random_range(0.0..1280.0), random.random_range(0.0..800.0));
                self.headless.tap(x, y);
            }
            12..=14 => {
                let keys = [
                    Key::RightArrow,
                    Key::LeftArrow,
                    Key::DownArrow,
                    Key::UpArrow,
                    Key::Return,
                    Key::Tab,
                    Key::Backtab,
                    Key::Escape,
                    Key::Space,
                ];
                self.press(keys[random.random_range(0..keys.len())]);
            }
            15 => {
                let by = [By::Queue, By::Invitation, By::Slip][random.random_range(0..3)];
                self.screen.take(Input::Call(by, "q3".parse().unwrap()));
            }
            16..=18 => self.pass(random.random_range(0..5_000)),
            19 => {
                let scans = [
                    format!("H15.50.05.13-261008-{:04}", random.random_range(0..9_999)),
                    "HL:12345678".into(),
                    "rubbish".into(),
                    format!("{}", random.random_range(0..99_999_999)),
                ];
                for key in scans[random.random_range(0..scans.len())].chars() {
                    self.type_key(key);
                }
                self.press(Key::Return);
            }
            20 => {
                let input = [Input::EnterSlip, Input::LookUp, Input::Choose(0), Input::Turn(1)];
                self.screen.take(input[random.random_range(0..input.len())].clone());
            }
            21 => self.screen.staff(staff::Input::Open),
            22 => {
                let digit = char::from(random.random_range(b'0'..=b'9'));
                for _ in 0..random.random_range(1..9) {
                    self.type_key(digit);
                }
            }
            _ => self.pass(random.random_range(5_000..200_000)),
        }
        // The disk is as slow as it likes.
        if random.random_bool(0.7) {
            self.settle();
        }
        if random.random_bool(0.02) {
            self.headless.draw();
        }
    }
}

/// Resident memory of this process, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn ten_thousand_events_without_sense_and_a_thousand_visitors_leave_the_screen_as_it_was() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let central = runtime.block_on(TestCentral::start_at(at("2026-11-24 08:15")));
    let mut kiosk = runtime.block_on(central.kiosk("q3"));
    let headless = Headless::start(1280, 800).unwrap();
    let visitor = Rc::new(Cell::new(1_000));
    let screen = kiosk.screen(&visitor);
    let stage = Stage { headless, screen, visitor };
    stage.settle();
    let home = stage.headless.picture();

    let seed = std::env::var("HAILONG_SEED").map_or(7, |seed| seed.parse().expect("a number"));
    let mut random = StdRng::seed_from_u64(seed);
    for _ in 0..EVENTS {
        stage.anything(&mut random);
    }
    stage.settle();
    // Whoever was there goes away, and whoever was called; then a touch wakes the screen. It may be the first
    // page's turn between the cards: then nothing is there to be touched.
    for _ in 0..40 {
        stage.pass(70_000);
    }
    stage.tap(MARGIN);
    assert_eq!(stage.screen.page(), Page::Home);
    assert!(stage.headless.picture() == home, "home as it was (seed {seed})");

    let mut after = [0, 0];
    for place in 1..=1_000 {
        stage.visit();
        match place {
            100 => after[0] = memory(),
            1_000 => after[1] = memory(),
            _ => {}
        }
    }
    let [hundred, thousand] = after;
    println!("{hundred} KiB after 100 visits, {thousand} KiB after 1,000");
    assert!(thousand <= hundred + hundred / 20, "{hundred} KiB, and then {thousand} KiB");
    assert!(stage.headless.picture() == home);
    stage.screen.stop();

    // Every contact was opened once and ended once at most; only ratings are ratings.
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let lines = journal.lines(1, journal.last().unwrap()).unwrap();
    let lines: Vec<Line> = lines.iter().map(|l| serde_json::from_slice(l).unwrap()).collect();
    let opened = lines.iter().filter(|line| line.event == Event::Contact).count();
    let mut ended: Vec<u64> = lines
        .iter()
        .filter(|line| line.event == Event::Closed)
        .map(|line| line.contact.unwrap())
        .collect();
    let closed = ended.len();
    ended.sort_unstable();
    ended.dedup();
    assert_eq!(ended.len(), closed, "ended once");
    assert_eq!(opened, closed, "and each was");
    let declined = lines.iter().filter(|line| line.how == Some(How::Declined)).count();
    let misuse = lines.iter().filter(|line| line.event == Event::Misuse).count();
    println!("{opened} contacts, {declined} declined, {misuse} times misuse");
    assert!(opened > 1_100 && declined > 0 && misuse > 0, "{opened}, {declined}, {misuse}");
}
