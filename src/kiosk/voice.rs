//! Recorded voice for whoever cannot read the screen: one file a page and language, played by a program of the
//! machine's. What is said follows from the page alone, so that it is the same at every level, word and tone.
//!
//! A file that is not there is silence; nothing waits for a voice, and a page that is left falls silent.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::visit::Page;
use crate::texts::Texts;

/// How recorded voices are played.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceConfig {
    /// Where the files lie: `vi/home.wav`.
    pub folder: PathBuf,
    /// The program that plays one, and its arguments; the file comes last.
    pub player: Vec<String>,
}

/// What is said on one page of one language.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The file in the folder of voices: `vi/home.wav`.
    pub file: PathBuf,
    /// What to record.
    pub text: String,
}

/// The page's name in the folder of voices.
fn name(page: &Page) -> &'static str {
    match page {
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
    }
}

fn file(language: &str, name: &str) -> PathBuf {
    Path::new(language).join(format!("{name}.wav"))
}

/// All that can be recorded for a language, for whoever records it.
pub fn to_record(texts: &Texts, question: &str) -> Vec<Spoken> {
    let kiosk = &texts.kiosk;
    let sentence = |text: &str| {
        let text = text.replace('\n', " ");
        if text.ends_with(['.', '?', '!']) { text } else { format!("{text}.") }
    };
    let say = |name: &str, parts: &[&str]| {
        let text = parts.iter().map(|part| sentence(part)).collect::<Vec<_>>().join(" ");
        Spoken { file: file(&texts.language, name), text }
    };
    vec![
        say("who", &[&kiosk.who_title]),
        say("home", &[question, &kiosk.home_instruction, &kiosk.promise]),
        say("invited", &[&kiosk.invitation, question, &kiosk.home_instruction, &kiosk.promise]),
        say("notice", &[&texts.notice.title]),
        say("reasons", &[&kiosk.reasons_title, &kiosk.reasons_help, &kiosk.reasons_change]),
        say("words", &[&kiosk.words_title, &kiosk.words_help]),
        say("thanks", &[&kiosk.thanks_title, &kiosk.thanks_kept, &kiosk.thanks_more]),
        say("later", &[&kiosk.later_text]),
        say("slip", &[&kiosk.slip_help, &kiosk.slip_promise]),
        say("procedures", &[&kiosk.procedures_help]),
        say("not-kept", &[&kiosk.not_kept]),
    ]
}

/// Says what the page says.
pub struct Voice {
    config: VoiceConfig,
    /// What was begun last.
    said: RefCell<Option<PathBuf>>,
    playing: RefCell<Option<Child>>,
    complained: Cell<bool>,
}

impl Voice {
    /// Silent so far.
    pub fn new(config: VoiceConfig) -> Self {
        Self {
            config,
            said: RefCell::default(),
            playing: RefCell::default(),
            complained: Cell::default(),
        }
    }

    /// A page is shown in a language; none while nobody is there.
    pub fn follow(&self, page: Option<(&Page, &str)>) {
        let wanted = page.map(|(page, language)| file(language, name(page)));
        if *self.said.borrow() == wanted {
            return;
        }
        self.fall_silent();
        if let Some(file) = &wanted {
            let file = self.config.folder.join(file);
            if file.is_file() {
                self.play(&file);
            }
        }
        *self.said.borrow_mut() = wanted;
    }

    fn play(&self, file: &Path) {
        let Some((program, arguments)) = self.config.player.split_first() else { return };
        let mut command = Command::new(program);
        command.args(arguments).arg(file);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        match command.spawn() {
            Ok(child) => *self.playing.borrow_mut() = Some(child),
            Err(error) if !self.complained.replace(true) => {
                tracing::warn!(%error, program, "recorded voices cannot be played; see voice.player in kiosk.toml");
            }
            Err(_) => {}
        }
    }

    fn fall_silent(&self) {
        if let Some(mut child) = self.playing.borrow_mut().take() {
            let failed = matches!(child.try_wait(), Ok(Some(ended)) if !ended.success());
            if failed && !self.complained.replace(true) {
                tracing::warn!(
                    "the player of recorded voices fails; see voice.player in kiosk.toml"
                );
            }
            // It may have ended by itself; either way it is waited for, so that none is left behind.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.fall_silent();
    }
}
