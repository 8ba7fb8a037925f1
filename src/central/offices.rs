//! The offices as they are now: those of central.toml, which change with a start of the service, and those that are
//! kept in the store, which people change while it runs.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use jiff::civil::Date;

use super::config::Config;
use super::report;
use super::service::Central;
use super::store::{Store, StoreError};
use crate::domain::ids::{Hash, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::versions::Versions;

/// All offices, each under its code.
pub type All = Arc<[Arc<Directory>]>;

/// An office whose states are told from one day to another.
#[derive(Debug, Clone)]
struct Office {
    code: OfficeCode,
    versions: Versions<Arc<Directory>>,
}

/// What is known of offices.
pub struct Offices {
    /// Those of files first, then those that are kept, by code; with the states that hold today or will hold.
    offices: RwLock<Vec<Office>>,
    /// Those of the day that was asked for last.
    now: RwLock<(Date, All)>,
    /// Which states held when, by their digests.
    versions: RwLock<BTreeMap<OfficeCode, Versions<Hash>>>,
    in_files: Vec<OfficeCode>,
    changing: tokio::sync::Mutex<()>,
}

/// An office's state from a day on, and the digest of what it takes the place of, or nothing for a new office.
#[derive(Debug, Clone)]
pub struct Change {
    /// The first day, today or one to come.
    pub from: Date,
    /// What was in force on that day when the change was made.
    pub before: Option<Hash>,
    /// What it becomes.
    pub directory: Directory,
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
    /// Those of the configuration, then those that a store keeps, as of a day.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn open(config: &Config, store: &dyn Store, today: Date) -> Result<Self, StoreError> {
        let versions = store.directory_versions().await?;
        let in_files: Vec<OfficeCode> =
            config.offices.iter().map(|directory| directory.office.code.clone()).collect();
        let mut offices = Vec::new();
        for directory in &config.offices {
            let mut of_files = Versions::default();
            of_files.tell(today, Arc::new(directory.clone()));
            offices.push(Office { code: directory.office.code.clone(), versions: of_files });
        }
        for code in store.kept_offices().await? {
            if in_files.contains(&code) {
                continue;
            }
            let Some(told) = versions.get(&code) else { continue };
            let mut kept = Versions::default();
            let now = told.on(today).map(|digest| (today, digest));
            for (from, digest) in now.into_iter().chain(told.after(today)) {
                let directory = store.directory(*digest).await?.ok_or_else(|| {
                    StoreError::Damaged(format!("the directory of {code} from {from} on"))
                })?;
                kept.tell(from, Arc::new(directory));
            }
            offices.push(Office { code, versions: kept });
        }
        let all = on(&offices, today);
        Ok(Self {
            offices: RwLock::new(offices),
            now: RwLock::new((today, all)),
            versions: RwLock::new(versions),
            in_files,
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// All of them as of a day, today or later.
    pub fn on(&self, day: Date) -> All {
        let known = self.now.read().unwrap_or_else(PoisonError::into_inner);
        if known.0 == day {
            return Arc::clone(&known.1);
        }
        drop(known);
        on(&self.offices.read().unwrap_or_else(PoisonError::into_inner), day)
    }

    /// All of them today, which is remembered.
    fn today(&self, today: Date) -> All {
        let known = self.now.read().unwrap_or_else(PoisonError::into_inner);
        if known.0 == today {
            return Arc::clone(&known.1);
        }
        drop(known);
        // Whoever changes them waits: what is remembered is never of before.
        let offices = self.offices.read().unwrap_or_else(PoisonError::into_inner);
        let all = on(&offices, today);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = (today, Arc::clone(&all));
        all
    }

    /// From which days to come on an office changes.
    pub fn to_come(&self, office: &OfficeCode, today: Date) -> Vec<(Date, Arc<Directory>)> {
        let mut before = self.on(today).iter().find(|one| one.office.code == *office).cloned();
        let mut to_come = self.told_after(office, today);
        // A change that was dropped leaves nothing to come.
        to_come.retain(|(_, directory)| {
            let before = before.replace(Arc::clone(directory));
            before.as_ref() != Some(directory)
        });
        to_come
    }

    /// All that was told of days after one.
    fn told_after(&self, office: &OfficeCode, day: Date) -> Vec<(Date, Arc<Directory>)> {
        let offices = self.offices.read().unwrap_or_else(PoisonError::into_inner);
        let one = offices.iter().find(|one| one.code == *office);
        let after = one.into_iter().flat_map(|one| one.versions.after(day));
        after.map(|(from, directory)| (from, Arc::clone(directory))).collect()
    }

    /// Which states of an office held when.
    pub fn versions(&self, office: &OfficeCode) -> Versions<Hash> {
        let versions = self.versions.read().unwrap_or_else(PoisonError::into_inner);
        versions.get(office).cloned().unwrap_or_default()
    }

    /// Those that are kept in files.
    pub fn in_files(&self) -> &[OfficeCode] {
        &self.in_files
    }

    /// Whoever has this changes what is in force, alone.
    pub(super) async fn changing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.changing.lock().await
    }

    fn put(&self, today: Date, changed: Vec<(Date, Directory)>) {
        let mut offices = self.offices.write().unwrap_or_else(PoisonError::into_inner);
        let mut versions = self.versions.write().unwrap_or_else(PoisonError::into_inner);
        for (from, directory) in changed {
            let code = directory.office.code.clone();
            versions.entry(code.clone()).or_default().tell(from, directory.digest());
            let directory = Arc::new(directory);
            match offices.iter_mut().find(|one| one.code == code) {
                Some(one) => one.versions.tell(from, directory),
                None => {
                    let mut first = Versions::default();
                    first.tell(from, directory);
                    offices.push(Office { code, versions: first });
                }
            }
        }
        let (files, kept) = offices.split_at_mut(self.in_files.len());
        debug_assert_eq!(files.len(), self.in_files.len());
        kept.sort_by(|one, other| one.code.cmp(&other.code));
        let all = on(&offices, today);
        *self.now.write().unwrap_or_else(PoisonError::into_inner) = (today, all);
    }
}

fn on(offices: &[Office], day: Date) -> All {
    offices.iter().filter_map(|office| office.versions.on(day).cloned()).collect()
}

impl Central {
    /// All offices.
    pub fn offices(&self) -> All {
        self.offices.today(self.now().date())
    }

    /// The directory of an office.
    pub fn directory(&self, office: &OfficeCode) -> Option<Arc<Directory>> {
        self.offices().iter().find(|directory| directory.office.code == *office).cloned()
    }

    /// The directory of an office as of a day, today or later.
    pub fn directory_on(&self, office: &OfficeCode, day: Date) -> Option<Arc<Directory>> {
        let all = self.offices.on(day.max(self.now().date()));
        all.iter().find(|directory| directory.office.code == *office).cloned()
    }

    /// Puts other states of offices in force, all of them or none, if what they take the place of is what it was when
    /// they were made.
    ///
    /// # Errors
    /// When one was changed meanwhile, or the store refuses.
    pub async fn change_offices(
        self: &Arc<Self>,
        changes: Vec<Change>,
        person: String,
    ) -> Result<(), ChangeError> {
        let central = Arc::clone(self);
        // To its end, even if nobody waits for it any more.
        let done = tokio::spawn(async move {
            let _one = central.offices.changing().await;
            let today = central.now().date();
            let is_as_it_was = |change: &Change| {
                let there = central.directory_on(&change.directory.office.code, change.from);
                there.map(|now| now.digest()) == change.before
            };
            if !changes.iter().all(is_as_it_was) {
                return Err(ChangeError::Meanwhile);
            }
            let mut changed: Vec<(Date, Directory)> = Vec::new();
            for Change { from, before, directory } in changes {
                // A new office is there at once: its kiosks are set up before its first day.
                let from = if before.is_none() { today } else { from.max(today) };
                let code = &directory.office.code;
                if let Some(before) = central.directory_on(code, from) {
                    // What is to come later was made of what it was before.
                    for (later, to_come) in central.offices.told_after(code, from) {
                        let carried = to_come.carrying(&before, &directory);
                        if carried != *to_come {
                            changed.push((later, carried));
                        }
                    }
                }
                changed.push((from, directory));
            }
            let _placing = central.placing.read().await;
            let held = central.store.redirect(changed.clone(), person).await?;
            let changed = held.into_iter().zip(changed);
            let changed = changed.filter_map(|(from, (_, directory))| Some((from?, directory)));
            central.offices.put(today, changed.collect());
            let kept = report::keep_setting(&central.config, &central.forms(), &central.offices());
            if let Err(error) = kept {
                tracing::error!(%error, "the setting beside the store is not of now");
            }
            Ok(())
        });
        done.await.map_err(|error| StoreError::Refused(error.to_string()))?
    }
}
