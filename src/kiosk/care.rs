//! What the technician's page looks after: where the kiosk keeps its data, how it stands, and the sticks that are
//! plugged in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::by_hand::{ExportError, Exported, export};
use super::condition::Condition;
use super::uploader::Standing;

/// Where systems put what is plugged in.
const MEDIA: [&str; 2] = ["/media", "/run/media"];
/// The folder on a stick: named so that whoever finds it knows whose it is.
const FOLDER: &str = "hailong";

/// Finds the folders that a stick can be written in.
pub type Sticks = Arc<dyn Fn() -> Vec<PathBuf> + Send + Sync>;

/// What there is to look after.
#[derive(Clone)]
pub struct Care {
    /// The kiosk's data.
    pub folder: PathBuf,
    /// Which sticks are plugged in.
    pub sticks: Sticks,
    /// How the kiosk stands, where it is looked at.
    pub condition: Option<watch::Receiver<Condition>>,
    /// How its uploader stands, where there is one.
    pub standing: Option<watch::Receiver<Standing>>,
}

impl Care {
    /// Of a kiosk's folder, and the sticks that the system has mounted.
    pub fn of(folder: &Path) -> Self {
        let (folder, sticks) = (folder.to_owned(), Arc::new(mounted));
        Self { folder, sticks, condition: None, standing: None }
    }

    /// Writes what the central service does not have onto the first stick, and takes the receipts that came
    /// back on it; none without a stick. Slow: not for the thread that draws the screen.
    ///
    /// # Errors
    /// As [`export`] has them.
    pub fn export(&self) -> Option<Result<(PathBuf, Exported), ExportError>> {
        let out = (self.sticks)().into_iter().next()?.join(FOLDER);
        let exported = std::fs::create_dir_all(&out)
            .map_err(|error| ExportError::Stick { file: out.clone(), error, batches: 0 })
            .and_then(|()| export(&self.folder, &out, |_| {}));
        Some(exported.map(|exported| (out, exported)))
    }
}

/// The mounted file systems below the folders for them.
fn mounted() -> Vec<PathBuf> {
    let children = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
        found.sort();
        found
    };
    // /media/NAME, or /media/USER/NAME.
    let one = MEDIA.iter().flat_map(|media| children(Path::new(media)));
    let all = one.flat_map(|folder| [vec![folder.clone()], children(&folder)].concat());
    all.filter(|folder| is_mounted(folder)).collect()
}

#[cfg(unix)]
fn is_mounted(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).map(|found| found.dev()).ok();
    folder.parent().is_some_and(|parent| device(folder) != device(parent))
}

#[cfg(not(unix))]
fn is_mounted(_: &Path) -> bool {
    false
}
