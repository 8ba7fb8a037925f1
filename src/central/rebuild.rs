//! Ratings and tallies made anew in a data folder in which no service runs.

use std::path::Path;
use std::sync::Arc;

use super::ingest::Intake;
use super::keys::Keys;
use super::report::{ReportError, Setting};
use super::service::{Lock, ServiceError};
use super::store::sqlite::{Author, SqliteStore};
use super::store::{Rebuilt, Store, StoreError};
use crate::clock::SystemClock;
use crate::domain::form::Forms;

/// Why nothing was made anew.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
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

/// Makes ratings and tallies anew from the journals in `folder` (or in its folder `central`).
pub fn of_folder(folder: &Path) -> Result<Rebuilt, RebuildError> {
    let (folder, setting) = Setting::find(folder)?;
    let _lock = Lock::take(&folder)?;
    let keys = Keys::load(&folder).map_err(ServiceError::from)?;
    let forms = Forms::new(setting.forms);
    let reader = Intake::new(keys.opening.clone(), forms.clone());
    let author = Author::of(&keys, &setting.offices, forms, Arc::new(SystemClock::start()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    runtime.block_on(async {
        let store = SqliteStore::open(&folder, author)?;
        let rebuilt = store.rebuild(Arc::new(reader)).await?;
        store.close().await?;
        Ok(rebuilt)
    })
}
