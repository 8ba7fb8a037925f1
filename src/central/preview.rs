//! What a version of a form looks like on a kiosk: drawn by the kiosk's own screens, in a process of its own.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::Semaphore;

use super::config::Config;
use crate::domain::form::Form;
use crate::domain::ids::Hash;
use crate::domain::office::Directory;
use crate::texts::Texts;

/// Forms of which the pictures are remembered, some 500 kB each.
const REMEMBERED: usize = 12;
/// Whoever asks waits no longer, for others and for the drawing: their page is to come before their request ends.
const LONGEST: Duration = Duration::from_secs(20);
/// What is to be drawn, in the folder of the pictures.
pub const SUBJECT: &str = "subject.json";
/// Longest reason that is shown, in bytes.
const LONGEST_REASON: usize = 400;

/// What is drawn.
#[derive(Debug, Serialize, Deserialize)]
pub struct Subject {
    /// The office whose kiosk is shown.
    pub directory: Directory,
    /// What screens say, by language.
    pub texts: Vec<Texts>,
    /// The form.
    pub form: Form,
}

/// One screen.
pub struct Picture {
    /// The place of its language among the texts.
    pub language: usize,
    /// It, as PNG.
    pub png: Vec<u8>,
}

/// Pictures that were drawn, under the hash of what they show.
pub struct Previews {
    known: Mutex<VecDeque<(Hash, Arc<[Picture]>)>>,
    drawing: Semaphore,
}

impl Default for Previews {
    fn default() -> Self {
        Self { known: Mutex::default(), drawing: Semaphore::new(1) }
    }
}

impl Previews {
    /// Pictures that were drawn a while ago at most.
    pub fn known(&self, hash: Hash) -> Option<Arc<[Picture]>> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().find(|(of, _)| *of == hash).map(|(_, pictures)| Arc::clone(pictures))
    }

    /// A form as a kiosk of an office shows it, in every language.
    ///
    /// # Errors
    /// Why it could not be drawn, for people.
    pub async fn of(
        &self,
        config: &Config,
        directory: &Directory,
        form: &Form,
    ) -> Result<(Hash, Arc<[Picture]>), String> {
        let subject = Subject {
            directory: directory.for_kiosk(),
            texts: config.texts.clone(),
            form: form.clone(),
        };
        let subject = serde_json::to_vec(&subject).map_err(|error| error.to_string())?;
        let hash = Hash::of(&subject);
        if let Some(known) = self.known(hash) {
            return Ok((hash, known));
        }
        let drawn = tokio::time::timeout(LONGEST, async {
            let _one = self.drawing.acquire().await.map_err(|error| error.to_string())?;
            // Somebody else may have waited for the same.
            match self.known(hash) {
                Some(known) => Ok(known),
                None => draw(&config.drawing, &subject, &config.texts, form).await.map(Arc::from),
            }
        });
        let pictures = drawn.await.map_err(|_| format!("{} s", LONGEST.as_secs()))??;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, _)| *of != hash);
        while known.len() >= REMEMBERED {
            known.pop_front();
        }
        known.push_back((hash, Arc::clone(&pictures)));
        Ok((hash, pictures))
    }
}

/// Screens are drawn by one thread that is never given back, so this is left to a process that ends.
async fn draw(
    program: &Path,
    subject: &[u8],
    texts: &[Texts],
    form: &Form,
) -> Result<Vec<Picture>, String> {
    let why = |error: std::io::Error| error.to_string();
    let folder = tempfile::tempdir().map_err(why)?;
    std::fs::write(folder.path().join(SUBJECT), subject).map_err(why)?;
    let ended = Command::new(program)
        .arg("screens")
        .arg(folder.path())
        .arg("--of")
        .arg(folder.path().join(SUBJECT))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(why)?;
    if !ended.status.success() {
        let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        return Err(said[..said.floor_char_boundary(LONGEST_REASON)].to_owned());
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for file in std::fs::read_dir(folder.path()).map_err(why)? {
        files.push(file.map_err(why)?.path());
    }
    let picture = |file: PathBuf| {
        let name = file.file_name()?.to_str()?;
        let is_in = |texts: &Texts| name.ends_with(&format!("-{}-landscape.png", texts.language));
        let language = texts.iter().position(is_in)?;
        let shows = |code: &str| name.starts_with(&format!("reasons-{code}-"));
        let level = form.levels.iter().position(|level| shows(&level.code));
        Some(std::fs::read(&file).map(|png| (level, Picture { language, png })))
    };
    let pictures: std::io::Result<Vec<_>> = files.into_iter().filter_map(picture).collect();
    let mut pictures = pictures.map_err(why)?;
    // Whole languages, that of rest first; home, then the reasons from the best level to the worst.
    pictures.sort_by_key(|(level, picture)| (picture.language, *level));
    Ok(pictures.into_iter().map(|(_, picture)| picture).collect())
}
