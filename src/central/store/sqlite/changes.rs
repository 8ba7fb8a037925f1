//! Which days' figures changed since the store was opened: whoever remembers figures asks before using them again.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use jiff::ToSpan;
use jiff::civil::Date;

use crate::domain::ids::OfficeCode;

/// Of a longer time each day need not be named.
const LONG: usize = 90;

/// How often each day changed.
#[derive(Default)]
pub struct Changes {
    all: AtomicU64,
    offices: Mutex<HashMap<OfficeCode, u64>>,
    days: Mutex<HashMap<(OfficeCode, Date), u64>>,
}

/// What a transaction changes.
#[derive(Default)]
pub(super) struct Changed {
    /// Any day may be another.
    pub all: bool,
    /// Any day of these offices may be.
    pub offices: BTreeSet<OfficeCode>,
    /// These days are.
    pub days: BTreeSet<(OfficeCode, Date)>,
}

impl Changed {
    /// The days of an office from one to another.
    pub fn between(&mut self, office: &OfficeCode, from: Date, to: Date) {
        let days = from.series(1.day()).take_while(|day| *day <= to).take(LONG + 1);
        let days: Vec<Date> = days.collect();
        if days.len() > LONG {
            self.offices.insert(office.clone());
        } else {
            self.days.extend(days.into_iter().map(|day| (office.clone(), day)));
        }
    }
}

impl Changes {
    /// A number that is another one once the day's figures are.
    pub fn of(&self, office: &OfficeCode, date: Date) -> u64 {
        let days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let own = days.get(&(office.clone(), date)).copied().unwrap_or(0);
        let offices = self.offices.lock().unwrap_or_else(PoisonError::into_inner);
        let of_office = offices.get(office).copied().unwrap_or(0);
        own + of_office + self.all.load(Ordering::Acquire)
    }

    /// Notes what was committed: whoever read before it reads again.
    pub(super) fn note(&self, changed: Changed) {
        if changed.all {
            self.all.fetch_add(1, Ordering::AcqRel);
        }
        let mut days = self.days.lock().unwrap_or_else(PoisonError::into_inner);
        let mut offices = self.offices.lock().unwrap_or_else(PoisonError::into_inner);
        for office in changed.offices {
            *offices.entry(office).or_default() += 1;
        }
        for day in changed.days {
            *days.entry(day).or_default() += 1;
        }
    }
}
