//! The line between a process of the kiosk's and its guardian: the child's end.
//!
//! The guardian hands it over as the child's standard input, a socket. Upwards go signs of life, from
//! the event loop itself, and last words; downwards why the page is shown. Whoever finds it closed
//! has lost its guardian, or is asked to end, and ends in good order: no screen is left behind.

use std::io::{self, BufRead, BufReader, Write};
#[cfg(not(unix))]
use std::net::TcpStream as UnixStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::guardian::FAREWELL;

/// How often a process whose event loop turns says so. It wakes an idle processor, so not oftener
/// than the screen itself does.
pub const BEAT: Duration = Duration::from_secs(2);
/// How long a word may wait for a guardian that does not listen.
const PATIENCE: Duration = Duration::from_millis(10);

/// What goes up the line, each in a line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// The event loop turns.
    Beat,
    /// Why the process ends.
    Last {
        /// The exit code.
        code: u8,
        /// Why, for staff.
        why: String,
        /// Whether no page helps.
        hopeless: bool,
    },
}

impl Word {
    fn write(&self) -> String {
        match self {
            Self::Beat => "beat\n".to_owned(),
            Self::Last { code, why, hopeless } => {
                let kind = if *hopeless { "hopeless" } else { "trouble" };
                format!("{kind} {code} {}\n", one_line(why))
            }
        }
    }

    /// Reads a line, without its end.
    pub fn read(line: &str) -> Option<Self> {
        if line == "beat" {
            return Some(Self::Beat);
        }
        let (kind, rest) = line.split_once(' ')?;
        let hopeless = match kind {
            "hopeless" => true,
            "trouble" => false,
            _ => return None,
        };
        let (code, why) = rest.split_once(' ')?;
        Some(Self::Last { code: code.parse().ok()?, why: why.to_owned(), hopeless })
    }
}

/// A text as one line.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The child's end of the line.
#[derive(Debug)]
pub struct Lifeline {
    stream: UnixStream,
}

impl Lifeline {
    /// Takes the line that a guardian has made this process's standard input.
    ///
    /// # Errors
    /// When that is no such line: nobody but a guardian starts a process this way.
    #[cfg(unix)]
    pub fn of_stdin() -> io::Result<Self> {
        use std::os::fd::AsFd;
        let stream = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// There is no guardian here.
    #[cfg(not(unix))]
    pub fn of_stdin() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives signs of life from this thread's event loop, from its first turn on, for as long as the
    /// timer is kept.
    pub fn beat(&self) -> io::Result<slint::Timer> {
        let (first, stream) = (self.stream.try_clone()?, self.stream.try_clone()?);
        slint::Timer::single_shot(Duration::ZERO, move || say(&first, &Word::Beat));
        let timer = slint::Timer::default();
        timer.start(slint::TimerMode::Repeated, BEAT, move || say(&stream, &Word::Beat));
        Ok(timer)
    }

    /// Says why this process is about to end.
    pub fn last_words(&self, code: u8, why: &str, hopeless: bool) {
        say(&self.stream, &Word::Last { code, why: why.to_owned(), hopeless });
    }

    /// Listens from now on: `told` has each line that the guardian says, and when it is gone, the
    /// event loop is ended, and the process if that does not help.
    pub fn listen(&self, mut told: impl FnMut(String) + Send + 'static) -> io::Result<()> {
        let stream = self.stream.try_clone()?;
        std::thread::Builder::new().name("guardian".into()).spawn(move || {
            BufReader::new(stream).lines().map_while(Result::ok).for_each(&mut told);
            let gone = Instant::now();
            // While the process still starts, it has no event loop that could be ended.
            while gone.elapsed() < FAREWELL && quit().is_err() {
                std::thread::sleep(Duration::from_millis(50));
            }
            std::thread::sleep(FAREWELL.saturating_sub(gone.elapsed()));
            std::process::exit(1);
        })?;
        Ok(())
    }
}

fn quit() -> Result<(), slint::EventLoopError> {
    slint::invoke_from_event_loop(|| {
        // It cannot be ended twice.
        let _ = slint::quit_event_loop();
    })
}

fn say(mut stream: &UnixStream, word: &Word) {
    // A guardian that is gone is noticed by whoever listens.
    let _ = stream.write_all(word.write().as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_they_were_written() {
        let last = |why: &str, hopeless| Word::Last { code: 3, why: why.to_owned(), hopeless };
        for word in [Word::Beat, last("kiosk.toml:1:1: no", false), last("", true)] {
            assert_eq!(Word::read(word.write().trim_end_matches('\n')), Some(word));
        }
        let two = last("one\nbeat\n", false).write();
        assert_eq!(two.matches('\n').count(), 1, "a reason says nothing beside itself");
        for rubbish in ["", "beat ", "trouble", "trouble x y", "hopeless 999 x"] {
            assert_eq!(Word::read(rubbish), None, "{rubbish}");
        }
    }
}
