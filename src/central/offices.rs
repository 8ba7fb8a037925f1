//! The offices as they are now: those of central.toml, which change with a start of the service, and those that are
//! kept in the store, which people change while it runs.

use std::sync::{Arc, PoisonError, RwLock};

use super::config::Config;
use super::report;
use super::service::Central;
use super::store::StoreError;
use crate::domain::ids::{Hash, OfficeCode};
use crate::domain::office::Directory;

/// All offices, each under its code.
pub type All = Arc<[Arc<Directory>]>;

/// What is known of offices.
pub struct Offices {
    now: RwLock<All>,
    in_files: Vec<OfficeCode>,
    changing: tokio::sync::Mutex<()>,
}

/// Why offices are as they were.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// Somebody else was quicker.
    #[error("the directory was changed meanwhile; look again at what would change")]
    Meanwhile,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Offices {
    /// Those of the configuration, then those that are kept.
    pub fn new(config: &Config, kept: Vec<Directory>) -> Self {
        let in_files: Vec<OfficeCode> =
            config.offices.iter().map(|directory| directory.office.code.clone()).collect();
        let kept = kept.into_iter().filter(|one| !in_files.contains(&one.office.code));
        let all: Vec<Arc<Directory>> =
            config.offices.iter().cloned().chain(kept).map(Arc::new).collect();
        Self { now: RwLock::new(all.into()), in_files, changing: tokio::sync::Mutex::default() }
    }

    /// All of them.
    pub fn all(&self) -> All {
        Arc::clone(&self.now.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Those that are kept in files.
    pub fn in_files(&self) -> &[OfficeCode] {
        &self.in_files
    }

    /// Whoever has this changes what is in force, alone.
    pub(super) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    fn put(&self, changed: Vec<Directory>) {
        let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
        let mut all = now.to_vec();
        for directory in changed {
            match all.iter_mut().find(|one| one.office.code == directory.office.code) {
                Some(one) => *one = Arc::new(directory),
                None => all.push(Arc::new(directory)),
            }
        }
        let (files, kept) = all.split_at_mut(self.in_files.len());
        debug_assert_eq!(files.len(), self.in_files.len());
        kept.sort_by(|one, other| one.office.code.cmp(&other.office.code));
        *now = all.into();
    }
}

impl Central {
    /// All offices.
    pub fn offices(&self) -> All {
        self.offices.all()
    }

    /// The directory of an office.
    pub fn directory(&self, office: &OfficeCode) -> Option<Arc<Directory>> {
        self.offices().iter().find(|directory| directory.office.code == *office).cloned()
    }

    /// Puts other states of offices in force, all of them or none, if each still is what the change was made
    /// for: the digest of what it was, or nothing for a new one.
    ///
    /// # Errors
    /// When one was changed meanwhile, or the store refuses.
    pub async fn change_offices(
        self: &Arc<Self>,
        changed: Vec<(Option<Hash>, Directory)>,
        person: String,
    ) -> Result<(), ChangeError> {
        let central = Arc::clone(self);
        // To its end, even if nobody waits for it any more.
        let done = tokio::spawn(async move {
            let _one = central.offices.changing().await;
            let is_as_it_was = |(before, directory): &(Option<Hash>, Directory)| {
                central.directory(&directory.office.code).map(|now| now.digest()) == *before
            };
            if !changed.iter().all(is_as_it_was) {
                return Err(ChangeError::Meanwhile);
            }
            let changed: Vec<Directory> = changed.into_iter().map(|(_, one)| one).collect();
            let _placing = central.placing.read().await;
            central.store.redirect(changed.clone(), person).await?;
            central.offices.put(changed);
            if let Err(error) =
                report::keep_setting(&central.config, &central.forms(), &central.offices())
            {
                tracing::error!(%error, "the setting beside the store is not of now");
            }
            Ok(())
        });
        done.await.map_err(|error| StoreError::Refused(error.to_string()))?
    }
}
