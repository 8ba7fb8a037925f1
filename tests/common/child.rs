//! A kiosk in a process of its own: this test binary, run again with one test, which a real
//! headless kiosk lives in. Its parent taps it by words on stdin and reads on stdout what the
//! screen shows.
//!
//! A test file that has children declares this module beside `common` and the entry by its side:
//! `#[test] fn child_entry() { child::entry() }`.
#![allow(dead_code)] // Each test file uses its part.

use std::cell::{Cell, RefCell};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hailong::clock::Clock;
use hailong::demo::clock::DemoClock;
use hailong::domain::{Random, system_random};
use hailong::kiosk::care::Care;
use hailong::kiosk::config::Calls;
use hailong::kiosk::configuration::InForce;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::headless::Headless;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::photos::Photos;
use hailong::kiosk::procedures::Procedures;
use hailong::kiosk::recorder::Recorder;
use hailong::kiosk::sender::Sender;
use hailong::kiosk::transport::Http;
use hailong::kiosk::uploader::Uploader;
use hailong::kiosk::visit::{BETWEEN_MS, Page, TimeOuts};
use hailong::kiosk::window::{Screen, Setting, ui};
use hailong::texts::Texts;
use rand::rand_core::{TryCryptoRng, TryRng};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use slint::{ComponentHandle, Global};
use tokio::sync::{Notify, mpsc as channel};
use zeroize::Zeroize;

use crate::common::at;

const ENTRY: &str = "child_entry";
const FOLDER: &str = "HAILONG_TEST_KIOSK";
const NOW: &str = "HAILONG_TEST_NOW";
const WEAK: &str = "HAILONG_TEST_WEAK";
const SEED: &str = "HAILONG_TEST_SEED";
const SERVICE: &str = "HAILONG_TEST_SERVICE";
const LOG: &str = "HAILONG_TEST_LOG";

/// No answer of a child takes longer, on a slow machine under strace.
const LIMIT: Duration = Duration::from_secs(30);

/// Where things stand on the screen of 1280 × 800.
const FACE: [(f32, f32); 5] =
    [(152.0, 420.0), (396.0, 420.0), (640.0, 420.0), (884.0, 420.0), (1128.0, 420.0)];
const SMALL_FACE: [(f32, f32); 5] =
    [(749.0, 217.0), (859.0, 217.0), (969.0, 217.0), (1079.0, 217.0), (1189.0, 217.0)];
const REASON: [(f32, f32); 6] = [
    (232.0, 360.0),
    (640.0, 360.0),
    (1048.0, 360.0),
    (232.0, 470.0),
    (640.0, 470.0),
    (1048.0, 470.0),
];
const LATER: (f32, f32) = (315.0, 738.0);
const SEND: (f32, f32) = (945.0, 675.0);
const SKIP: (f32, f32) = (335.0, 675.0);
const PAPER: (f32, f32) = (60.0, 300.0);
const LATER_DONE: (f32, f32) = (365.0, 600.0);

/// A generator that its seed tells everything of, and that keeps nothing of what it gave.
#[derive(Clone)]
pub struct Seeded {
    seed: u64,
    blocks: u64,
}

impl Seeded {
    /// The generator of the `epoch`-th epoch of a process.
    pub fn new(seed: u64, epoch: u64) -> Self {
        Self { seed: seed ^ epoch.rotate_left(32), blocks: 0 }
    }
}

impl TryRng for Seeded {
    type Error = std::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Self::Error> {
        for part in out.chunks_mut(32) {
            let mut block = [0; 32];
            Sha256::new()
                .chain_update(self.seed.to_be_bytes())
                .chain_update(self.blocks.to_be_bytes())
                .finalize_into((&mut block).into());
            self.blocks += 1;
            part.copy_from_slice(&block[..part.len()]);
            block.zeroize();
        }
        Ok(())
    }
}

impl TryCryptoRng for Seeded {}

/// How a child is started.
pub struct Start<'a> {
    /// The kiosk's folder, enrolled.
    pub folder: &'a Path,
    /// Its clock at the start, such as `2026-11-24 08:15`; it runs on from there.
    pub now: &'a str,
    /// `synchronous=NORMAL`: the negative control.
    pub weak: bool,
    /// A seed for all that its journal draws.
    pub seed: Option<u64>,
    /// A central service to send to.
    pub service: Option<&'a str>,
    /// A file for everything that it logs.
    pub log: Option<&'a Path>,
    /// A program to run it under, with its arguments.
    pub under: &'a [&'a str],
}

impl<'a> Start<'a> {
    /// A kiosk by itself.
    pub fn new(folder: &'a Path, now: &'a str) -> Self {
        Self { folder, now, weak: false, seed: None, service: None, log: None, under: &[] }
    }

    fn command(&self) -> Command {
        let this = std::env::current_exe().expect("this binary has a path");
        let mut command = match self.under {
            [] => Command::new(this),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(this);
                command
            }
        };
        command.args(["--exact", ENTRY, "--nocapture", "--test-threads=1"]);
        command.env(FOLDER, self.folder).env(NOW, self.now);
        if self.weak {
            command.env(WEAK, "1");
        }
        if let Some(seed) = self.seed {
            command.env(SEED, seed.to_string());
        }
        if let Some(service) = self.service {
            command.env(SERVICE, service);
        }
        if let Some(log) = self.log {
            command.env(LOG, log);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        if !self.under.is_empty() {
            // It is expected to fail there, and its complaints would look like those of the test.
            command.stderr(Stdio::null());
        }
        command
    }

    /// Starts it. Wait for [`Kiosk::hears`] `ready`.
    pub fn spawn(&self) -> Kiosk {
        let mut child = self.command().spawn().expect("the child starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(line) = line.strip_prefix('@') {
                    let _ = tell.send(line.to_owned());
                }
            }
        });
        Kiosk { child, stdin, told }
    }

    /// Starts it and waits until it shows its first page.
    pub fn ready(&self) -> Kiosk {
        let mut kiosk = self.spawn();
        assert_eq!(kiosk.hears(), "ready");
        kiosk
    }
}

/// The parent's hand on a child. Dropped, it ends the child.
pub struct Kiosk {
    child: Child,
    stdin: ChildStdin,
    told: Receiver<String>,
}

impl Drop for Kiosk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Kiosk {
    /// The process that was started.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it starts, rather than ends.
    pub fn starts(&mut self) -> bool {
        match self.told.recv_timeout(LIMIT) {
            Ok(line) => line == "ready",
            Err(RecvTimeoutError::Timeout) => panic!("the kiosk says nothing"),
            Err(RecvTimeoutError::Disconnected) => false,
        }
    }

    /// What it says next.
    pub fn hears(&mut self) -> String {
        match self.told.recv_timeout(LIMIT) {
            Ok(line) => line,
            Err(RecvTimeoutError::Timeout) => panic!("the kiosk says nothing"),
            Err(RecvTimeoutError::Disconnected) => panic!("the kiosk has ended"),
        }
    }

    /// Tells it something.
    pub fn tells(&mut self, words: &str) {
        self.stdin.write_all(format!("{words}\n").as_bytes()).expect("the kiosk listens");
    }

    /// Tells it something and hears what the screen shows then.
    pub fn does(&mut self, words: &str) -> String {
        self.tells(words);
        self.hears()
    }

    /// Ends it by SIGKILL; gives what it had still said.
    pub fn kill(mut self) -> Vec<String> {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        self.told.iter().collect()
    }

    /// Ends it in good order.
    pub fn stop(mut self) {
        assert_eq!(self.does("stop"), "stopped");
        assert!(self.child.wait().expect("ended").success());
    }
}

/// The child's side: lives a kiosk, if this process was started as one.
pub fn entry() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    // libtest has begun a line of its own.
    println!();
    Seat::open(Path::new(&folder)).live();
}

/// The screen and the finger in front of it.
struct Seat {
    headless: Headless,
    screen: Rc<Screen>,
    visitor: Rc<Cell<u64>>,
    held: Vec<Vec<u8>>,
    _network: tokio::runtime::Runtime,
    _lock: std::fs::File,
}

impl Seat {
    fn open(folder: &Path) -> Self {
        let text = |name| std::env::var(name).ok();
        if let Some(log) = text(LOG) {
            let file = std::fs::File::create(log).expect("a log");
            tracing_subscriber::fmt()
                .with_max_level(tracing::Level::TRACE)
                .with_writer(Mutex::new(file))
                .with_ansi(false)
                .init();
        }
        let lock = hailong::kiosk::run::lock(folder).expect("the folder is ours");
        let standing = Arc::new(DemoClock::standing(at(&text(NOW).expect("a moment"))));
        standing.run();
        let clock: Arc<dyn Clock> = standing;
        let mut identity =
            Identity::load_or_create(folder, &mut system_random()).expect("an identity");
        let random: Box<dyn FnMut() -> Random + Send> = match text(SEED) {
            None => Box::new(system_random),
            Some(seed) => {
                let seed = seed.parse().expect("a seed");
                let mut epochs = 0;
                Box::new(move || {
                    epochs += 1;
                    Box::new(Seeded::new(seed, epochs))
                })
            }
        };
        let mut desk = Desk::open(folder, &mut identity, Arc::clone(&clock), random)
            .expect("the journal opens");
        if text(WEAK).is_some() {
            desk.journal().weaken_for_negative_control().expect("weakened");
        }
        let enrolled = Arc::clone(desk.enrolled());
        let network = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let more = Arc::new(Notify::new());
        if let Some(service) = text(SERVICE) {
            let sender = Sender::of(&identity).expect("enrolled");
            let transport = Http::new(&service).expect("a client");
            let uploader = Uploader::open(folder, sender, transport, Arc::clone(&clock))
                .expect("the uploader opens");
            network.spawn(uploader.run(Arc::clone(&more)));
        }
        let (answered, answers) = channel::unbounded_channel();
        let recorder = Recorder::start(desk, answered, more).expect("a thread");
        let headless = Headless::start(1280, 800).expect("a window in memory");
        let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config/texts/vi.toml");
        let visitor = Rc::new(Cell::new(1_000));
        let lived = Rc::clone(&visitor);
        let screen = Screen::new(Setting {
            in_force: InForce::fixed(
                enrolled,
                vec![Texts::read(&texts).expect("the sample texts")],
            ),
            time_outs: TimeOuts::default(),
            full_screen: false,
            clock,
            visitor_ms: Rc::new(move || lived.get()),
            procedures: Procedures::fixed(Vec::new()),
            care: Care::of(folder),
            voice: None,
            calls: Calls::default(),
            photos: Photos::in_folder(folder),
            recorder,
            answers,
        })
        .expect("a screen");
        screen.app().show().expect("shown");
        headless.turn();
        Self { headless, screen, visitor, held: Vec::new(), _network: network, _lock: lock }
    }

    fn live(mut self) {
        say("ready");
        for words in std::io::stdin().lines().map_while(Result::ok) {
            let (word, rest) = words.split_once(' ').unwrap_or((&words, ""));
            let number = || rest.parse::<usize>().expect("a number");
            match word {
                "face" => self.tap(FACE[number()]),
                "change" => self.tap(SMALL_FACE[number()]),
                "reason" => self.tap(REASON[number()]),
                "send" => self.tap(SEND),
                "skip" => self.tap(SKIP),
                "later" => self.tap(LATER),
                "done" => self.tap(LATER_DONE),
                "paper" => self.tap(PAPER),
                "pass" => self.pass(number() as u64),
                "picture" => self.headless.save(Path::new(rest)).expect("a picture"),
                "hold" => self.held.push(unhex(rest)),
                "rush" => {
                    let (seed, visits) = rest.split_once(' ').expect("a seed and a count");
                    self.rush(seed.parse().expect("a seed"), visits.parse().expect("a count"));
                }
                "stop" => {
                    self.screen.stop();
                    say("stopped");
                    return;
                }
                other => panic!("{other}?"),
            }
            say(&shown(&self.screen));
        }
    }

    /// Time passes for whoever stands at the screen.
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

    /// Lets the disk answer.
    fn settle(&self) {
        assert!(self.headless.turn_until(LIMIT, || !self.screen.busy()), "the disk answers");
    }

    /// Taps through visits as fast as the screen allows; tells each page that an answer led to,
    /// and before it sends, the places of the reasons that are ticked.
    fn rush(&self, seed: u64, visits: usize) {
        let (screen, last) = (Rc::clone(&self.screen), RefCell::new(String::new()));
        let tell = Rc::new(move || {
            if screen.busy() {
                return;
            }
            let shown = shown(&screen);
            if shown != *last.borrow() {
                if shown != "home" {
                    say(&shown);
                }
                *last.borrow_mut() = shown;
            }
        });
        // Pages are told when they turn, which is before they are drawn; at the latest before the
        // next tap, however fast that comes.
        let (watch, telling) = (slint::Timer::default(), Rc::clone(&tell));
        watch.start(slint::TimerMode::Repeated, Duration::from_millis(1), move || telling());
        let tap = |at| {
            self.tap(at);
            tell();
        };
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..visits {
            let level = random.random_range(0..5);
            tap(FACE[level]);
            if random.random_bool(0.3) {
                tap(SMALL_FACE[(level + random.random_range(1..5)) % 5]);
            }
            for reason in REASON {
                if random.random_bool(0.3) {
                    tap(reason);
                }
            }
            if let Page::Reasons { contact, ticked, .. } = self.screen.page() {
                let mut words = format!("ticks {}", contact.seq);
                for (place, _) in ticked.iter().enumerate().filter(|(_, tick)| **tick) {
                    words.push_str(&format!(" {place}"));
                }
                say(&words);
            }
            tap(SEND);
            tap(PAPER);
        }
    }
}

/// What the Slint page shows, with the contact's number as the visit has it.
fn shown(screen: &Screen) -> String {
    let visit = ui::Visit::get(screen.app());
    let seq = match screen.page() {
        Page::Reasons { contact, .. }
        | Page::Words { contact, .. }
        | Page::Thanks { contact, .. }
        | Page::Later(contact)
        | Page::Invited(contact)
        | Page::Notice(Some(contact)) => contact.seq,
        Page::Who
        | Page::Home
        | Page::Notice(None)
        | Page::Slip { .. }
        | Page::Procedures { .. }
        | Page::NotKept { .. } => 0,
    };
    match visit.get_page() {
        ui::Page::Who => "who".into(),
        ui::Page::Notice => "notice".into(),
        ui::Page::Home => "home".into(),
        ui::Page::Reasons => format!("reasons {seq} {}", visit.get_chosen()),
        ui::Page::Thanks => format!("thanks {seq}"),
        ui::Page::Later => format!("later {seq}"),
        ui::Page::NotKept => format!("not-kept {}", visit.get_trouble()),
        other => panic!("{other:?}?"),
    }
}

fn say(words: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("@{words}\n").as_bytes()).expect("the parent reads");
    out.flush().expect("the parent reads");
}

fn unhex(hex: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).expect("hex")
}
