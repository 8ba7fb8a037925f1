//! The guardian's edge: processes, the line to each, signals and the clock.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::future::pending;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};

use super::{Do, Ending, Guardian, Happened};
use crate::ending;
use crate::kiosk::config::Config;
use crate::kiosk::lifeline::{Word, one_line};
use crate::kiosk::run::RunError;

/// No word of a child is longer, in bytes.
const LONGEST_WORD: usize = 16_384;
/// The longest sleep, which ends for nothing: the clock cannot be told to wait for ever.
const LONGEST_SLEEP: Duration = Duration::from_secs(3_600);

/// Why a guardian ended other than in good order.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// What its screen said.
    #[error("{why}")]
    Ended {
        /// The exit code.
        code: u8,
        /// Why.
        why: String,
    },
    /// It could not even begin.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// Whether `kiosk.toml` asks for a guardian. One that cannot be read does, too: who stands at the
/// counter is told then, not whoever might look at a terminal.
pub fn is_wanted(config: &Path) -> bool {
    let windowed = |line: &str| {
        let said = line.split('#').next().unwrap_or_default();
        said.split_whitespace().collect::<String>() == "full_screen=false"
    };
    let text = std::fs::read(config).unwrap_or_default();
    !String::from_utf8_lossy(&text).lines().any(windowed)
}

/// Keeps the screen of the kiosk of `config` going, with the arguments `first` at its first start,
/// whose failure ends this; returns once it is asked to end.
pub fn keep(config: &Path, first: Vec<OsString>) -> Result<(), KeepError> {
    let _lock = lock(config)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::from)?;
    let program = std::env::current_exe().map_err(RunError::from)?;
    let keeper = Keeper { program, config, first, screen: None, page: None };
    let kept = runtime.block_on(keeper.keep()).map_err(RunError::from)?;
    kept.map_err(|(code, why)| KeepError::Ended { code, why })
}

/// Takes the kiosk's folder for this guardian, beside the lock that its screen takes: between two
/// screens nobody else begins there. Where the folder cannot be found or taken, the screen will say so.
fn lock(config: &Path) -> Result<Option<std::fs::File>, RunError> {
    let Ok(Config { data, .. }) = Config::read(config) else { return Ok(None) };
    let Ok(folder) = std::fs::create_dir_all(&data).and_then(|()| std::fs::File::open(&data))
    else {
        return Ok(None);
    };
    match folder.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => Err(RunError::InUse(data.display().to_string())),
        _ => Ok(Some(folder)),
    }
}

struct Keeper<'a> {
    program: PathBuf,
    config: &'a Path,
    /// More arguments for the first start.
    first: Vec<OsString>,
    screen: Option<Process>,
    page: Option<Process>,
}

impl Keeper<'_> {
    async fn keep(mut self) -> io::Result<Result<(), (u8, String)>> {
        let mut gone = signal(SignalKind::child())?;
        let (mut asked, mut listening) = (pin!(ending::listen()), true);
        let begun = Instant::now();
        let mut guardian = Guardian::new(!self.first.is_empty());
        let mut waiting = VecDeque::from([Happened::Passed]);
        loop {
            while let Some(happened) = waiting.pop_front() {
                for deed in guardian.step(begun.elapsed(), happened) {
                    match deed {
                        Do::End(ended) => {
                            if let Some(page) = self.page.take() {
                                page.end();
                            }
                            return Ok(ended);
                        }
                        deed => waiting.extend(self.carry_out(deed)),
                    }
                }
            }
            let left = guardian.due().saturating_sub(begun.elapsed()).min(LONGEST_SLEEP);
            // Whoever lives is heard before time is up: after a stall of the whole machine both come at once.
            tokio::select! {
                biased;
                () = &mut asked, if listening => {
                    listening = false;
                    waiting.push_back(Happened::Asked);
                }
                () = beat(&mut self.screen) => waiting.push_back(Happened::Beat),
                _ = gone.recv() => {
                    waiting.extend(ended(&mut self.screen).map(Happened::Ended));
                    waiting.extend(ended(&mut self.page).map(Happened::PageEnded));
                }
                () = tokio::time::sleep(left) => waiting.push_back(Happened::Passed),
            }
        }
    }

    /// Does it; what comes of it at once, if something does.
    fn carry_out(&mut self, deed: Do) -> Option<Happened> {
        match deed {
            Do::Start => {
                let first = std::mem::take(&mut self.first);
                match self.spawn("--guarded", first) {
                    Ok(process) => self.screen = Some(process),
                    Err(error) => return Some(Happened::Ended(not_started(&error))),
                }
            }
            Do::LetGo => self.screen.as_mut()?.line = None,
            Do::Kill => self.screen.as_mut()?.kill(),
            Do::Page(why) => {
                tracing::warn!(%why, "the screen is paused");
                if self.page.is_none() {
                    match self.spawn("--paused", Vec::new()) {
                        Ok(process) => self.page = Some(process),
                        Err(error) => return Some(Happened::PageEnded(not_started(&error))),
                    }
                }
                self.page.as_mut()?.tell(&why);
            }
            Do::NoPage => {
                tracing::warn!("the screen works again");
                self.page.take()?.end();
            }
            Do::End(_) => {}
        }
        None
    }

    fn spawn(&self, role: &str, more: Vec<OsString>) -> io::Result<Process> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let line = Some(Line { heard: tokio::net::UnixStream::from_std(ours.try_clone()?)?, ours });
        let child = Command::new(&self.program)
            .args(["kiosk", "--config"])
            .arg(self.config)
            .arg(role)
            .args(more)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()?;
        Ok(Process { child, line, read: Vec::new(), last: None })
    }
}

fn not_started(error: &io::Error) -> Ending {
    Ending::Silent(format!("cannot be started: {error}"))
}

/// The guardian's end of the line to a child.
struct Line {
    ours: UnixStream,
    /// The same, to be woken by.
    heard: tokio::net::UnixStream,
}

/// A child, and the line to it.
struct Process {
    child: Child,
    line: Option<Line>,
    /// Of a word that is not whole yet.
    read: Vec<u8>,
    last: Option<Word>,
}

impl Process {
    /// Takes what was read; whether a sign of life was in it.
    fn take(&mut self, some: &[u8]) -> bool {
        let mut beat = false;
        self.read.extend_from_slice(some);
        while let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
            let word = self.read.drain(..=end).collect::<Vec<_>>();
            match Word::read(String::from_utf8_lossy(&word[..end]).as_ref()) {
                Some(Word::Beat) => beat = true,
                Some(last) => self.last = Some(last),
                None => {}
            }
        }
        self.read.truncate(LONGEST_WORD);
        beat
    }

    fn tell(&mut self, why: &str) {
        let Some(Line { ours, .. }) = &mut self.line else { return };
        // A page that does not listen has ended, and its next one is told.
        let _ = ours.write_all(format!("{}\n", one_line(why)).as_bytes());
    }

    fn kill(&mut self) {
        if let Err(error) = self.child.kill() {
            tracing::error!(%error, "the screen cannot be ended");
        }
    }

    /// Ends a process that has nothing to keep.
    fn end(mut self) {
        self.kill();
        let _ = self.child.wait();
    }

    /// How a process ended that is gone.
    fn ending(mut self, status: ExitStatus) -> Ending {
        if let Some(Line { mut ours, .. }) = self.line.take() {
            let mut rest = Vec::new();
            // What was said is there, whatever comes after it.
            let _ = ours.read_to_end(&mut rest);
            self.take(&rest);
        }
        match self.last.take() {
            Some(Word::Last { code, why, hopeless }) => Ending::Told { code, why, hopeless },
            _ if status.success() => Ending::InGoodOrder,
            _ => Ending::Silent(format!("ended by itself ({status})")),
        }
    }
}

/// Waits for a sign of life.
async fn beat(process: &mut Option<Process>) {
    let Some(process) = process else { return pending().await };
    let mut some = [0; 512];
    loop {
        let Some(Line { heard, .. }) = &process.line else { return pending().await };
        let read = match heard.readable().await {
            Ok(()) => heard.try_read(&mut some),
            Err(error) => Err(error),
        };
        match read {
            Ok(read) if read > 0 => {
                if process.take(&some[..read]) {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            // It is about to end, which is noticed apart.
            _ => process.line = None,
        }
    }
}

/// How the process ended, if it is gone.
fn ended(process: &mut Option<Process>) -> Option<Ending> {
    let status = match process.as_mut()?.child.try_wait() {
        Ok(status) => status?,
        Err(error) => {
            tracing::error!(%error, "a process cannot be waited for");
            return None;
        }
    };
    let ending = process.take()?.ending(status);
    if ending != Ending::InGoodOrder {
        tracing::warn!(?ending, "a process of the kiosk has ended");
    }
    Some(ending)
}
