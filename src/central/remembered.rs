//! Days whose journals are all here and months that are final, remembered as they are published: a year's summary is made
//! of them, and so is what is usual.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::civil::Date;

use crate::domain::ids::{Hash, OfficeCode};
use crate::domain::office::Directory;
use crate::domain::period::Sum;
use crate::domain::signals::Signal;
use crate::domain::summary::{Shown, State, Summary};

/// Most whole days that are remembered, some 10 kB each.
const WHOLE: usize = 5_000;
/// Most months that are remembered, some 20 kB each.
const MONTHS: usize = 4_000;
/// Most days of which the sums are remembered that make up what is usual, some 2 kB each.
const SHOWN: usize = 40_000;

/// Most directories that are remembered, some 20 kB each.
const DIRECTORIES: usize = 400;

/// An office's day, and what it was made from: see [`Store::changes`](super::store::Store::changes).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The office.
    pub office: OfficeCode,
    /// The day.
    pub date: Date,
    /// The number of its figures.
    pub changes: u64,
    /// The directory, where it matters.
    pub directory: Hash,
}

/// What is remembered; those that came first are forgotten first.
pub struct Remembered {
    whole: Mutex<Memory<Summary>>,
    months: Mutex<Memory<Sum>>,
    shown: Mutex<Memory<Shown>>,
    /// Also of days that are complete: each state has its own.
    signals: Mutex<Memory<(State, Vec<Signal>)>>,
    /// Directories of then.
    directories: Mutex<HashMap<Hash, Arc<Directory>>>,
}

impl Default for Remembered {
    fn default() -> Self {
        Self {
            whole: Mutex::new(Memory::new(WHOLE)),
            months: Mutex::new(Memory::new(MONTHS)),
            shown: Mutex::new(Memory::new(SHOWN)),
            signals: Mutex::new(Memory::new(WHOLE)),
            directories: Mutex::default(),
        }
    }
}

impl Remembered {
    /// A day's summary, if it was made from the same.
    pub fn whole(&self, made: &Made) -> Option<Arc<Summary>> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner).get(made)
    }

    /// Remembers a day's summary.
    pub fn keep_whole(&self, made: Made, summary: Arc<Summary>) {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner).keep(made, summary);
    }

    /// The days of a month that are final added up, if they were made from the same.
    pub fn month(&self, made: &Made) -> Option<Arc<Sum>> {
        self.months.lock().unwrap_or_else(PoisonError::into_inner).get(made)
    }

    /// Remembers the days of a month that are final added up.
    pub fn keep_month(&self, made: Made, sum: Arc<Sum>) {
        self.months.lock().unwrap_or_else(PoisonError::into_inner).keep(made, sum);
    }

    /// What a day shows, if it was made from the same.
    pub fn shown(&self, made: &Made) -> Option<Arc<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).get(made)
    }

    /// Remembers what a day shows.
    pub fn keep_shown(&self, made: Made, shown: Arc<Shown>) {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).keep(made, shown);
    }

    /// A directory by its digest.
    pub fn directory(&self, digest: Hash) -> Option<Arc<Directory>> {
        let known = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&digest).map(Arc::clone)
    }

    /// Remembers a directory.
    pub fn keep_directory(&self, digest: Hash, directory: Arc<Directory>) {
        let mut known = self.directories.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= DIRECTORIES {
            known.clear();
        }
        known.insert(digest, directory);
    }

    /// A day's signals in a state, if they were made from the same.
    pub fn signals(&self, made: &Made, state: State) -> Option<Vec<Signal>> {
        let known = self.signals.lock().unwrap_or_else(PoisonError::into_inner).get(made)?;
        (known.0 == state).then(|| known.1.clone())
    }

    /// Remembers a day's signals in a state.
    pub fn keep_signals(&self, made: Made, state: State, signals: Vec<Signal>) {
        let value = Arc::new((state, signals));
        self.signals.lock().unwrap_or_else(PoisonError::into_inner).keep(made, value);
    }
}

struct Memory<V> {
    most: usize,
    known: HashMap<(Date, OfficeCode), (Made, Arc<V>)>,
    order: VecDeque<(Date, OfficeCode)>,
}

impl<V> Memory<V> {
    fn new(most: usize) -> Self {
        Self { most, known: HashMap::new(), order: VecDeque::new() }
    }

    fn get(&self, made: &Made) -> Option<Arc<V>> {
        let (from, value) = self.known.get(&(made.date, made.office.clone()))?;
        (from == made).then(|| Arc::clone(value))
    }

    fn keep(&mut self, made: Made, value: Arc<V>) {
        let key = (made.date, made.office.clone());
        if self.known.insert(key.clone(), (made, value)).is_none() {
            self.order.push_back(key);
        }
        while self.known.len() > self.most {
            let Some(first) = self.order.pop_front() else { break };
            self.known.remove(&first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(day: i8, changes: u64) -> Made {
        let date = Date::constant(2026, 11, day);
        Made { office: "phu-sa".parse().unwrap(), date, changes, directory: Hash::NONE }
    }

    #[test]
    fn a_day_is_known_as_long_as_nothing_of_it_changed_and_the_first_ones_are_forgotten() {
        let mut memory = Memory::new(2);
        memory.keep(made(1, 0), Arc::new("one"));
        assert_eq!(memory.get(&made(1, 0)).as_deref(), Some(&"one"));
        assert_eq!(memory.get(&made(1, 1)), None, "it is another day since");
        memory.keep(made(1, 1), Arc::new("another"));
        memory.keep(made(2, 0), Arc::new("two"));
        memory.keep(made(3, 0), Arc::new("three"));
        assert_eq!((memory.get(&made(1, 1)), memory.known.len()), (None, 2));
        assert_eq!(memory.get(&made(3, 0)).as_deref(), Some(&"three"));
    }
}
