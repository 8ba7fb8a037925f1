//! A display of a test's own: Xvfb, what it shows, and a finger and keys in front of it by xdotool.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use hailong::kiosk::headless::save;
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use crate::common::{has, skipped};

/// The panel, in pixels.
pub const WIDTH: u32 = 1280;
pub const HEIGHT: u32 = 800;

/// A rectangle on the screen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    pub x: f32,
    pub y: f32,
    pub width: f32,
    pub height: f32,
}

impl Area {
    /// The whole pixel in its middle.
    pub fn middle(self) -> (f32, f32) {
        ((self.x + self.width / 2.0).floor(), (self.y + self.height / 2.0).floor())
    }

    pub fn holds(self, (x, y): (f32, f32)) -> bool {
        (self.x..self.x + self.width).contains(&x) && (self.y..self.y + self.height).contains(&y)
    }

    /// A little more to every side.
    pub fn and_around(self, more: f32) -> Self {
        let (x, y) = (self.x - more, self.y - more);
        Self { x, y, width: self.width + 2.0 * more, height: self.height + 2.0 * more }
    }
}

/// What is on a screen: blue, green, red and a byte without meaning for each pixel.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture(pub Vec<u8>);

/// In so many pixels two pictures of one page may differ: where only a part of a page was drawn anew, the
/// edge of that part may cut through a rounded corner. A caret of the keyboard has more.
const MOST_OFF: usize = 24;

impl Picture {
    /// The pixels that are not the same outside of `but`, if they are more than drawing in parts explains:
    /// how many, and the first by lines.
    pub fn differs(&self, other: &Self, but: &[Area]) -> Option<(usize, (usize, usize))> {
        let line = WIDTH as usize * 4;
        let (mut off, mut first) = (0, None);
        for (y, (here, there)) in self.0.chunks(line).zip(other.0.chunks(line)).enumerate() {
            if here == there {
                continue;
            }
            for (x, (here, there)) in here.chunks(4).zip(there.chunks(4)).enumerate() {
                let covered = || but.iter().any(|area| area.holds((x as f32, y as f32)));
                if here[..3] != there[..3] && !covered() {
                    off += 1;
                    first.get_or_insert((x, y));
                }
            }
        }
        first.filter(|_| off > MOST_OFF).map(|first| (off, first))
    }

    /// Writes it beside the tests' other output.
    pub fn keep(&self, name: &str) -> PathBuf {
        // A test's thread has its name.
        let test = std::thread::current().name().unwrap_or_default().replace("::", "-");
        let file = format!("window-{test}-{name}.png");
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
            let at = ((y * WIDTH + x) * 4) as usize;
            Rgb([self.0[at + 2], self.0[at + 1], self.0[at]])
        });
        save(&picture, &file).expect("a picture");
        file
    }
}

/// An X server in memory. Dropped, it ends.
pub struct Display {
    server: Child,
    /// As programs are told it, such as `:99`.
    pub name: String,
    /// What it shows, which it keeps in a file.
    memory: File,
    _folder: TempDir,
    // Held open, so that it can go on printing.
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Display {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Display {
    /// Starts one under a number that is free. None where a component is missing: skipped loudly by
    /// hand, a failure in CI.
    pub fn start() -> Option<Self> {
        if !has("Xvfb") || !has("xdotool") {
            skipped("to touch the real window, apt-get install xvfb xdotool");
            return None;
        }
        let folder = TempDir::new().expect("a folder");
        let screen = format!("{WIDTH}x{HEIGHT}x24");
        let mut server = Command::new("Xvfb")
            // It finds a free number and tells it on its standard output.
            .args(["-displayfd", "1", "-screen", "0", &screen, "-nocursor", "-nolisten", "tcp"])
            // Nor does it begin anew when the last program has gone.
            .args(["-noreset", "-fbdir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts");
        let mut stdout = BufReader::new(server.stdout.take().expect("piped"));
        let mut number = String::new();
        assert!(stdout.read_line(&mut number).expect("readable") > 0, "Xvfb finds a free number");
        let memory = File::open(folder.path().join("Xvfb_screen0")).expect("its memory");
        let name = format!(":{}", number.trim());
        Some(Self { server, name, memory, _folder: folder, _stdout: stdout })
    }

    /// What it shows now.
    pub fn picture(&self) -> Picture {
        let mut pixels = vec![0; (WIDTH * HEIGHT * 4) as usize];
        let whole = self.memory.metadata().expect("its memory").len();
        // A header comes first.
        let header = whole - pixels.len() as u64;
        self.memory.read_exact_at(&mut pixels, header).expect("its memory");
        Picture(pixels)
    }

    fn does(&self, arguments: &[&str]) -> bool {
        let done = Command::new("xdotool").args(arguments).env("DISPLAY", &self.name).output();
        done.expect("xdotool starts").status.success()
    }

    /// Gives keys to the one window, as a window manager would. Says whether there is one.
    pub fn focus(&self) -> bool {
        self.does(&["search", "--onlyvisible", "--class", "hailong", "windowfocus", "--sync"])
    }

    /// Touches a point.
    pub fn touch(&self, point: (f32, f32)) {
        self.hammer(point, 1);
    }

    /// Touches a point so many times, as fast as a hand can and faster than anybody reads.
    pub fn hammer(&self, (x, y): (f32, f32), times: u32) {
        let (x, y, times) = (x.to_string(), y.to_string(), times.to_string());
        assert!(self.does(&[
            "mousemove",
            &x,
            &y,
            "click",
            "--delay",
            "25",
            "--repeat",
            &times,
            "1"
        ]));
    }

    /// Presses a key, as X names it.
    pub fn key(&self, name: &str) {
        assert!(self.does(&["key", name]));
    }
}
