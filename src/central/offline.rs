//! The data folder of a central service that does not run, taken for one command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::Runtime;

use super::ingest::Intake;
use super::keys::Keys;
use super::report::{ReportError, Setting};
use super::service::{Lock, ServiceError};
use super::store::sqlite::{Author, SqliteStore};
use super::store::{Store, StoreError};
use crate::clock::{Clock, SystemClock};
use crate::domain::form::Forms;

/// Why a folder could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The folder is none of a central service.
    #[error(transparent)]
    Folder(#[from] ReportError),
    /// The folder is in use, or its secrets cannot be read.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OfflineError {
    /// Whether another folder, or stopping the service, would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Folder(_) | Self::Service(ServiceError::InUse(_)))
    }
}

/// A folder that is ours until this is dropped.
pub(super) struct Offline {
    /// The service's folder.
    pub folder: PathBuf,
    pub store: SqliteStore,
    pub keys: Keys,
    pub setting: Setting,
    pub clock: Arc<dyn Clock>,
    pub runtime: Runtime,
    _lock: Lock,
}

impl Offline {
    /// Takes `folder`, or its folder `central`.
    pub fn take(folder: &Path) -> Result<Self, OfflineError> {
        let (folder, setting) = Setting::find(folder)?;
        let lock = Lock::take(&folder)?;
        Self::open(folder, setting, lock)
    }

    /// The same folder, with the keys that are in it now.
    pub fn anew(self) -> Result<Self, OfflineError> {
        self.runtime.block_on(self.store.close())?;
        Self::open(self.folder, self.setting, self._lock)
    }

    fn open(folder: PathBuf, setting: Setting, lock: Lock) -> Result<Self, OfflineError> {
        let keys = Keys::load(&folder).map_err(ServiceError::from)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let forms = Forms::new(setting.forms.clone());
        let author = Author::of(&keys, &setting.offices, forms, Arc::clone(&clock));
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| StoreError::Refused(error.to_string()))?;
        let store = SqliteStore::open(&folder, author)?;
        Ok(Self { folder, store, keys, setting, clock, runtime, _lock: lock })
    }

    /// What judges stored batches and opens their bodies.
    pub fn reader(&self) -> Intake {
        Intake::new(self.keys.openings(), Forms::new(self.setting.forms.clone()))
    }
}
