//! The kiosk as it stands at a counter: full screen on a real X server under a window manager. What
//! is on the screen is read from the server's own frame buffer.

mod common;
#[path = "common/installed.rs"]
mod installed;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use common::{TestCentral, TestKiosk, at, copy, has};
use hailong::domain::line::{Event, Line};
use hailong::kiosk::config::Config;
use hailong::kiosk::guardian;
use hailong::kiosk::headless::Headless;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::paused;
use hailong::kiosk::setup::kept::{Kept, Step};
use hailong::kiosk::window::ui;
use installed::{SmallDisk, hailong};
use slint::{ComponentHandle, Global};
use tempfile::TempDir;

const WIDTH: usize = 1280;
const HEIGHT: usize = 800;

/// From a crash to home, as promised.
const BACK: Duration = Duration::from_secs(2);
/// Nothing takes longer, on a slow machine.
const LIMIT: Duration = Duration::from_secs(40);

/// Waits until it is so; how long that took.
fn until(what: &str, mut so: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < LIMIT, "waited for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

/// An X server with a window manager, as a desktop would have them.
struct Display {
    folder: TempDir,
    server: Child,
    manager: Child,
    name: String,
}

impl Drop for Display {
    fn drop(&mut self) {
        for process in [&mut self.manager, &mut self.server] {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

impl Display {
    /// None where a component is missing, which is said.
    fn start() -> Option<Self> {
        if !["Xvfb", "xdotool", "openbox"].into_iter().all(has) {
            return None;
        }
        let folder = TempDir::new().unwrap();
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", &format!("{WIDTH}x{HEIGHT}x24")])
            .args(["-nolisten", "tcp", "-fbdir"])
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut number = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let name = format!(":{}", number.trim());
        let ready = folder.path().join("ready");
        let manager = Command::new("openbox")
            .args(["--sm-disable", "--startup", &format!("touch {}", ready.display())])
            .env("DISPLAY", &name)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let display = Self { folder, server, manager, name };
        until("the window manager", || ready.exists());
        Some(display)
    }

    /// What is on the screen, each so many-th pixel of it: blue, green, red.
    fn look(&self, step: usize) -> Vec<[u8; 3]> {
        let bytes = fs::read(self.folder.path().join("Xvfb_screen0")).unwrap();
        let pixels = &bytes[bytes.len() - WIDTH * HEIGHT * 4..];
        pixels.chunks_exact(4).step_by(step).map(|four| [four[0], four[1], four[2]]).collect()
    }

    /// The home page, by its five faces: no other page has all their colours.
    fn shows_home(&self) -> bool {
        const FACES: [u32; 5] = [0x3fb3a3, 0x8fd0bf, 0xe9d9a6, 0xf2b366, 0xe5814f];
        let seen = self.look(61);
        FACES.iter().all(|face| {
            let [blue, green, red, _] = face.to_le_bytes();
            seen.iter().filter(|pixel| **pixel == [blue, green, red]).count() > 20
        })
    }

    /// The first start, by its header: no citizen's page has so dark a one.
    fn shows_first_start(&self) -> bool {
        let [blue, green, red, _] = 0x17343au32.to_le_bytes();
        let header = WIDTH * 40..WIDTH * 41;
        let dark = |pixel: &&[u8; 3]| **pixel == [blue, green, red];
        self.look(1)[header].iter().filter(dark).count() > WIDTH / 2
    }

    /// The page for a kiosk that is paused, with this reason for staff, to the pixel.
    fn shows_paused(&self, config: &Path, why: &str) -> bool {
        self.look(1) == paused_page(config, why)
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let done = Command::new("xdotool").args(arguments).env("DISPLAY", &self.name).output();
        String::from_utf8(done.unwrap().stdout).unwrap()
    }

    /// The kiosk's window.
    fn window(&self) -> String {
        self.xdotool(&["search", "--onlyvisible", "--class", "hailong"]).trim().to_owned()
    }

    /// Waits until whatever stood there is gone and home stands there; how long that took.
    fn back_at_home(&self) -> Duration {
        until("the end of what was there", || !self.shows_home())
            + until("home", || self.shows_home())
    }

    /// Taps there until it is so, with pauses: a touch that comes too soon is no wish.
    fn tap_until(&self, what: &str, (x, y): (u32, u32), so: impl Fn() -> bool) {
        let mut tapped: Option<Instant> = None;
        until(what, || {
            if tapped.is_none_or(|at| at.elapsed() > Duration::from_secs(3)) {
                self.xdotool(&["mousemove", &x.to_string(), &y.to_string(), "click", "1"]);
                tapped = Some(Instant::now());
            }
            so()
        });
    }

    /// A kiosk that fills this display.
    fn kiosk(&self, config: &Path) -> Guarded {
        let said = self.folder.path().join("said");
        let child = hailong(&["kiosk", "--config"])
            .arg(config)
            .env("DISPLAY", &self.name)
            .env("HAILONG_LOG", "hailong=warn")
            .env("NO_COLOR", "1")
            .stderr(fs::File::create(&said).unwrap())
            .spawn()
            .unwrap();
        Guarded { child, said }
    }
}

/// What the page looks like, drawn by the same component in memory.
fn paused_page(config: &Path, why: &str) -> Vec<[u8; 3]> {
    type Asked = (PathBuf, String, Sender<Vec<[u8; 3]>>);
    // A process has one such window, which stays with its thread.
    static DRAWER: LazyLock<Mutex<Sender<Asked>>> = LazyLock::new(|| {
        let (ask, asked) = channel::<Asked>();
        std::thread::spawn(move || {
            let headless = Headless::start(WIDTH as u32, HEIGHT as u32).unwrap();
            for (config, why, answer) in asked {
                let app = paused::page(&config).unwrap();
                ui::Visit::get(&app).set_trouble(why.into());
                app.show().unwrap();
                headless.turn();
                headless.draw();
                let picture = headless.picture();
                let pixels = picture.pixels().map(|pixel| pixel.0);
                answer.send(pixels.map(|[red, green, blue]| [blue, green, red]).collect()).unwrap();
            }
        });
        Mutex::new(ask)
    });
    let (answer, answered) = channel();
    DRAWER.lock().unwrap().send((config.to_owned(), why.to_owned(), answer)).unwrap();
    answered.recv().unwrap()
}

/// A guardian with its screen. Dropped, all of it is ended.
struct Guarded {
    child: Child,
    said: PathBuf,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let children = self.children();
        let _ = self.child.kill();
        let _ = self.child.wait();
        for (id, _) in children {
            signal("KILL", id);
        }
    }
}

impl Guarded {
    /// Its children, by role.
    fn children(&self) -> Vec<(u32, String)> {
        let id = self.child.id();
        let listed = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let listed = listed.unwrap_or_default();
        let ids = listed.split_whitespace().map(|id| id.parse().unwrap());
        ids.map(|id| (id, fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default()))
            .collect()
    }

    fn child_with(&self, role: &str) -> Option<u32> {
        let children = self.children();
        children.into_iter().find(|(_, line)| line.contains(role)).map(|(id, _)| id)
    }

    /// The process of the screen.
    fn screen(&self) -> u32 {
        self.child_with("--guarded").expect("a screen")
    }

    /// Why the page was shown last, as the guardian logged it.
    fn why(&self) -> Option<String> {
        let said = fs::read_to_string(&self.said).unwrap();
        let last = said.lines().rev().find_map(|line| line.split_once("is paused why="));
        last.map(|(_, why)| why.to_owned())
    }

    fn ends(&mut self) -> ExitStatus {
        until("the guardian's end", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap()
    }
}

fn signal(name: &str, id: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status();
    assert!(sent.unwrap().success() || name == "KILL");
}

fn runs(id: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    state.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.starts_with(" Z"))
}

/// An enrolled kiosk and its configuration.
struct Counter {
    kiosk: TestKiosk,
    folder: TempDir,
    central: TestCentral,
    runtime: tokio::runtime::Runtime,
}

impl Counter {
    fn enrolled() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let central = runtime.block_on(TestCentral::start_at(at("2026-11-24 08:15")));
        let kiosk = runtime.block_on(central.kiosk("q3"));
        let folder = TempDir::new().unwrap();
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config"), folder.path());
        let counter = Self { kiosk, folder, central, runtime };
        counter.change("\"../kiosk-data\"", &format!("{:?}", counter.kiosk.folder.path()));
        counter.change("http://127.0.0.1:8080", &counter.kiosk.service);
        counter
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("kiosk.toml")
    }

    fn change(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.config()).unwrap();
        assert!(text.contains(from), "{from}");
        fs::write(self.config(), text.replace(from, to)).unwrap();
    }

    /// What its journal holds.
    fn events(&self) -> Vec<Event> {
        let reader = JournalReader::open(self.kiosk.folder.path()).unwrap();
        let lines = reader.lines(1, reader.last().unwrap()).unwrap();
        lines.iter().map(|line| serde_json::from_slice::<Line>(line).unwrap().event).collect()
    }
}

#[test]
fn whatever_ends_the_screen_it_is_back_at_home_within_two_seconds() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let mut guarded = display.kiosk(&counter.config());
    until("home", || display.shows_home());
    // A crash, a signal that nobody expects, and a display that throws its window out.
    for how in ["KILL", "ABRT", "window"] {
        let before = guarded.screen();
        match how {
            "window" => drop(display.xdotool(&["windowkill", &display.window()])),
            name => signal(name, before),
        }
        let took = display.back_at_home();
        println!("{how}: home again after {} ms", took.as_millis());
        assert!(took < BACK, "{how}: {took:?}");
        assert_ne!(guarded.screen(), before);
    }
    assert_eq!(guarded.why(), None, "no page was needed");
    signal("TERM", guarded.child.id());
    assert!(guarded.ends().success());
    let events = counter.events();
    let count = |event| events.iter().filter(|found| **found == event).count();
    assert_eq!((count(Event::Started), count(Event::Stopped)), (4, 1), "{events:?}");
}

#[test]
fn a_screen_that_hangs_is_replaced() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let guarded = display.kiosk(&counter.config());
    until("home", || display.shows_home());
    let before = guarded.screen();
    signal("STOP", before);
    let took = display.back_at_home();
    println!("home again {} ms after it hung", took.as_millis());
    assert!(took < guardian::HUNG + BACK, "{took:?}");
    assert!(!runs(before) && guarded.screen() != before);
}

#[test]
fn nothing_that_a_window_manager_asks_closes_the_screen() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let guarded = display.kiosk(&counter.config());
    until("home", || display.shows_home());
    let before = guarded.screen();
    for _ in 0..3 {
        // The window manager asks the window to close.
        display.xdotool(&["key", "alt+F4"]);
        // It does what it is asked for after that.
        let visits = counter.events().len();
        display.tap_until("a rating", (640, 420), || counter.events().len() == visits + 1);
        display.xdotool(&["key", "alt+F4"]);
        display.tap_until("the thanks", (335, 675), || counter.events().len() == visits + 2);
        display.tap_until("home", (60, 300), || display.shows_home());
    }
    assert_eq!(guarded.screen(), before, "the same screen all the time");
}

#[test]
fn a_second_kiosk_ends_with_a_message_and_the_first_goes_on() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let guarded = display.kiosk(&counter.config());
    until("home", || display.shows_home());
    let before = guarded.screen();
    let second = || {
        // One that goes on after all must not hold up the test.
        let output = Command::new("timeout")
            .args(["30", env!("CARGO_BIN_EXE_hailong"), "kiosk", "--config"])
            .arg(counter.config())
            .env("DISPLAY", &display.name)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("is in use by a running kiosk"), "{said}");
        assert_eq!(output.status.code(), Some(2));
    };
    second();
    assert!(display.shows_home());
    assert_eq!(guarded.screen(), before);

    // Nor does one begin while the first waits for its screen to be mended.
    counter.change("full_screen", "fulscreen");
    signal("KILL", before);
    until("the page", || guarded.why().is_some());
    counter.change("fulscreen", "full_screen");
    second();
    until("home", || display.shows_home());
}

#[test]
fn what_is_broken_stands_on_the_page_for_staff_until_it_is_mended() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let config = counter.config();
    counter.change("full_screen", "fulscreen");
    let guarded = display.kiosk(&config);
    let wrong = Config::read(&config).unwrap_err().to_string();
    until("the page", || display.shows_paused(&config, &wrong));
    assert_eq!(guarded.child_with("--guarded"), None);

    // Another reason takes its place, and a page that is ended is shown again.
    fs::write(&config, fs::read_to_string(&config).unwrap().replacen('=', "", 1)).unwrap();
    let wrong = Config::read(&config).unwrap_err().to_string();
    until("the other reason", || display.shows_paused(&config, &wrong));
    let page = guarded.child_with("--paused").unwrap();
    signal("KILL", page);
    until("the end of the page", || !display.shows_paused(&config, &wrong));
    until("the page again", || display.shows_paused(&config, &wrong));

    counter.change("data  ", "data = ");
    counter.change("fulscreen", "full_screen");
    until("home", || display.shows_home());
    until("the end of the page's process", || guarded.child_with("--paused").is_none());
}

#[test]
fn a_kiosk_that_nobody_has_set_up_is_guided_and_goes_on_where_it_was_after_a_crash() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let folder = counter.kiosk.folder.path();
    fs::remove_dir_all(folder).unwrap();
    // Whoever enrols it by hand is told there and then.
    let by_hand = hailong(&["kiosk", "--enrol", "NO-SUCH-CODE", "--config"])
        .arg(counter.config())
        .env("DISPLAY", &display.name)
        .output()
        .unwrap();
    assert_eq!(by_hand.status.code(), Some(3), "{by_hand:?}");
    let guarded = display.kiosk(&counter.config());
    until("the first start", || display.shows_first_start());
    until("its second step", || {
        display.xdotool(&["key", "Down", "Return"]);
        Kept::read(folder).unwrap().is_some_and(|kept| kept.step == Step::Address)
    });
    let before = guarded.screen();
    signal("KILL", before);
    until("another screen", || {
        guarded.child_with("--guarded").is_some_and(|screen| screen != before)
            && display.shows_first_start()
    });
    assert_eq!(Kept::read(folder).unwrap().unwrap().step, Step::Address);
    assert!(guarded.why().is_none() && guarded.child_with("--paused").is_none());
}

#[test]
fn a_disk_that_is_full_or_read_only_stands_on_the_page_until_it_is_mended() {
    let Some(disk) = SmallDisk::mount("8m") else { return };
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let data = disk.path().join("kiosk");
    copy(counter.kiosk.folder.path(), &data);
    let before = format!("{:?}", counter.kiosk.folder.path());
    counter.change(&before, &format!("{data:?}"));
    let config = counter.config();
    disk.fill();
    let guarded = display.kiosk(&config);
    let shows = |words: &str| {
        until(words, || guarded.why().is_some_and(|why| why.contains(words)));
        until("the page", || display.shows_paused(&config, &guarded.why().unwrap()));
    };
    shows("full");
    disk.make_room();
    until("home", || display.shows_home());

    let remount = |how: &str| {
        let option = format!("remount,{how}");
        let mount = Command::new("mount").args(["-o", &option]).arg(disk.path()).status();
        assert!(mount.unwrap().success());
    };
    // As a card does that is worn out: whatever writes then is gone first.
    signal("KILL", guarded.screen());
    until("the end of home", || !display.shows_home());
    until("read-only", || {
        let option = ["-o", "remount,ro"];
        Command::new("mount").args(option).arg(disk.path()).output().unwrap().status.success() || {
            guarded.child_with("--guarded").into_iter().for_each(|id| signal("KILL", id));
            false
        }
    });
    guarded.child_with("--guarded").into_iter().for_each(|id| signal("KILL", id));
    shows("Read-only file system");
    remount("rw");
    until("home", || display.shows_home());
}

#[test]
fn a_screen_whose_guardian_is_killed_ends_by_itself_in_good_order() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let mut guarded = display.kiosk(&counter.config());
    until("home", || display.shows_home());
    let screen = guarded.screen();
    guarded.child.kill().unwrap();
    guarded.ends();
    until("the end of the screen", || !runs(screen));
    assert_eq!(counter.events().last(), Some(&Event::Stopped));
}

#[test]
fn asked_to_end_guardian_screen_and_journal_end_in_good_order() {
    let Some(display) = Display::start() else { return };
    let counter = Counter::enrolled();
    let mut guarded = display.kiosk(&counter.config());
    until("home", || display.shows_home());
    let screen = guarded.screen();
    signal("TERM", guarded.child.id());
    assert_eq!(guarded.ends().code(), Some(0));
    assert!(!runs(screen));
    assert_eq!(counter.events().last(), Some(&Event::Stopped));
    // And the service knows: a day is over for it when a kiosk is turned off.
    let (_, held) = counter.runtime.block_on(counter.central.store().held()).unwrap();
    let held = held.iter().find(|one| one.kiosk.as_str() == "ps-q3").expect("something is there");
    assert_eq!(held.watermark, counter.events().len() as u64);

    // Also while it still starts.
    let mut guarded = display.kiosk(&counter.config());
    until("a screen", || guarded.child_with("--guarded").is_some());
    signal("TERM", guarded.child.id());
    assert_eq!(guarded.ends().code(), Some(0));
    assert_eq!(counter.events().last(), Some(&Event::Stopped));
}

#[test]
fn where_no_display_answers_the_kiosk_ends_and_says_what_is_wrong() {
    let counter = Counter::enrolled();
    let start = || {
        let mut kiosk = hailong(&["kiosk", "--config"]);
        let output = kiosk.arg(counter.config()).env("DISPLAY", ":unknown").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = start();
    assert_eq!(code, Some(1));
    assert!(said.starts_with("hailong: no window can be opened"), "{said}");
    counter.change("full_screen", "fulscreen");
    let (code, said) = start();
    assert_eq!(code, Some(3));
    assert!(said.contains("unknown field"), "{said}");
}
