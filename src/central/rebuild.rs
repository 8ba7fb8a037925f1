//! Ratings and tallies made anew in a data folder in which no service runs.

use std::path::Path;
use std::sync::Arc;

use super::offline::{Offline, OfflineError};
use super::store::{Rebuilt, Store};

/// Makes ratings and tallies anew from the journals in `folder` (or in its folder `central`).
pub fn of_folder(folder: &Path) -> Result<Rebuilt, OfflineError> {
    let here = Offline::take(folder)?;
    here.runtime.block_on(async {
        let rebuilt = here.store.rebuild(Arc::new(here.reader())).await?;
        here.store.close().await?;
        Ok(rebuilt)
    })
}
