//! One office's day, or several: from the store's tallies to the published summary.

use std::sync::{Arc, OnceLock};

use jiff::ToSpan;
use jiff::civil::Date;

use super::remembered::{Made, Remembered};
use super::store::{DayRecord, Gap, Passage, Progress, Store, StoreError};
use crate::domain::calendar::{ms_within, quiet_minutes};
use crate::domain::comparison::Line;
use crate::domain::form::{Form, Forms};
use crate::domain::ids::Hash;
use crate::domain::office::Directory;
use crate::domain::period::{Kind, Period, Sum};
use crate::domain::signals::{self, Signal, Thresholds};
use crate::domain::summary::{
    Available, Down, Figures, Rise, Setting, Shown, Silent, State, Summary, USUAL_DAYS, USUAL_GAP,
    Usuals, publish,
};
use crate::domain::ticket::VALID_MINUTES;
use crate::domain::time::At;
use crate::domain::versions::Versions;

/// A kiosk not heard of for so many minutes of opening hours is dark.
pub const DARK_MINUTES: u64 = 60;
/// A shorter gap in opening hours is a restart, not a down-time, in minutes.
const DOWN_MINUTES: i64 = 5;

/// Why there is no summary.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// The store could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No form of the office is in force on the day.
    #[error("no version of the form {0} is in force on {1}; add one to central.toml")]
    NoForm(String, Date),
}

/// An office's summaries as of a moment.
pub struct Summaries<'a> {
    store: &'a dyn Store,
    days: &'a Remembered,
    directory: &'a Directory,
    forms: Arc<Forms>,
    now: At,
    /// The directory's digest, once it was asked for.
    digest: OnceLock<Hash>,
    /// Which directory held when, by its digest; where nothing is told it is the one that there is.
    versions: Versions<Hash>,
}

impl<'a> Summaries<'a> {
    /// From what a store holds, by a directory and forms, as of `now`: for all days, unless versions of it are
    /// [told](Self::with_versions).
    pub fn new(
        store: &'a dyn Store,
        days: &'a Remembered,
        directory: &'a Directory,
        forms: Arc<Forms>,
        now: At,
    ) -> Self {
        let (digest, versions) = (OnceLock::new(), Versions::default());
        Self { store, days, directory, forms, now, digest, versions }
    }

    /// Each day by the directory that was in force then, as far as the store has it.
    pub fn with_versions(self, versions: Versions<Hash>) -> Self {
        Self { versions, ..self }
    }

    /// The digest of the directory that was in force on a day.
    fn digest_on(&self, date: Date) -> Hash {
        self.versions.on(date).copied().unwrap_or_else(|| self.digest())
    }

    fn digest(&self) -> Hash {
        *self.digest.get_or_init(|| self.directory.digest())
    }

    /// The directory that was in force on a day.
    async fn directory_on(&self, date: Date) -> Result<Arc<Directory>, StoreError> {
        let digest = self.digest_on(date);
        if let Some(known) = self.days.directory(digest) {
            return Ok(known);
        }
        let found = if digest == self.digest() {
            Some(self.directory.clone())
        } else {
            self.store.directory(digest).await?
        };
        // A store of an earlier version did not keep all of them.
        let Some(found) = found.map(Arc::new) else { return Ok(Arc::new(self.directory.clone())) };
        self.days.keep_directory(digest, Arc::clone(&found));
        Ok(found)
    }

    /// The directory that was in force on the last day of a period that has begun.
    pub async fn directory(&self, period: Period) -> Result<Arc<Directory>, StoreError> {
        self.directory_on(self.last_day(period)).await
    }

    /// The last day of a period that has begun, or the first one if none has.
    fn last_day(&self, period: Period) -> Date {
        period.to().min(self.now.date()).max(period.from())
    }

    /// The summary of a day.
    pub async fn of_day(&self, date: Date) -> Result<Summary, SummaryError> {
        self.of_period(Period::day(date)).await
    }

    /// The summary of a period: of its days that have begun, or of the first one if none has. Days before there was a
    /// form in force are passed over.
    pub async fn of_period(&self, period: Period) -> Result<Summary, SummaryError> {
        Ok(self.with_rises(period).await?.0)
    }

    /// The same, with the complaints that are given far more often than usual.
    pub async fn with_rises(&self, period: Period) -> Result<(Summary, Vec<Rise>), SummaryError> {
        let (summary, rises) = self.unsealed(period).await?;
        Ok((summary.sealed(), rises))
    }

    /// The same without its digest.
    async fn unsealed(&self, period: Period) -> Result<(Summary, Vec<Rise>), SummaryError> {
        let passage = self.store.passage(&self.directory.office.code).await?;
        let usuals = self.usuals(period.from(), &passage).await?;
        let summary = self.before_usual(period, &passage).await?.beside(&usuals);
        let last = self.last_day(period);
        let rises = match self.form(&*self.directory_on(last).await?, last) {
            Ok(form) => usuals.rising(&summary, form),
            Err(_) => Vec::new(),
        };
        Ok((summary, rises))
    }

    /// The office's line in a period among all offices, under its form; none before there was a form in force, for then
    /// there is nothing to compare.
    pub async fn line(&self, period: Period) -> Result<Option<(String, Line)>, SummaryError> {
        let directory = self.directory(period).await?;
        let office = &directory.office;
        match self.unsealed(period).await {
            Ok((summary, rises)) => {
                Ok(Some((office.form.clone(), Line::of(office.name.clone(), &summary, rises))))
            }
            Err(SummaryError::NoForm(..)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn before_usual(
        &self,
        period: Period,
        passage: &Passage,
    ) -> Result<Summary, SummaryError> {
        if period.kind() == Kind::Day {
            return Ok(Arc::unwrap_or_clone(self.plain(period.from(), passage).await?));
        }
        let last = self.last_day(period);
        let days: Vec<Date> = period.days().take_while(|date| *date <= last).collect();
        let none = || SummaryError::NoForm(self.directory.office.form.clone(), period.from());
        Ok(self.sum(&days, passage).await?.ok_or_else(none)?.over(period))
    }

    /// The summary of those days of a period that are final, beside nothing that is usual; none when none is.
    pub async fn of_final_days(&self, period: Period) -> Result<Option<Summary>, SummaryError> {
        let passage = self.store.passage(&self.directory.office.code).await?;
        let days: Vec<Date> = period.days().filter(|date| self.is_final(*date, &passage)).collect();
        Ok(self.sum(&days, &passage).await?.map(|sum| sum.over(period).sealed()))
    }

    /// Days in order, added up; those before there was a form in force are passed over.
    async fn sum(&self, days: &[Date], passage: &Passage) -> Result<Option<Sum>, SummaryError> {
        let mut all: Option<Sum> = None;
        for month in days.chunk_by(|one, next| one.first_of_month() == next.first_of_month()) {
            let Some(sum) = self.sum_of_month(month, passage).await? else { continue };
            match &mut all {
                Some(all) => all.add(&sum),
                None => all = Some(Arc::unwrap_or_clone(sum)),
            }
        }
        Ok(all)
    }

    /// The same of days of one month. As much of a month as is final is remembered.
    async fn sum_of_month(
        &self,
        days: &[Date],
        passage: &Passage,
    ) -> Result<Option<Arc<Sum>>, SummaryError> {
        let are_final = days.iter().take_while(|date| self.is_final(**date, passage)).count();
        let (first, others) = days.split_at(are_final);
        // From the first of the month on without a gap: a kiosk that was retired leaves days that are not final between others.
        let is_all = first.last().is_some_and(|last| {
            let next = last.tomorrow().unwrap_or(*last);
            usize::try_from(last.day()) == Ok(first.len())
                && (*last == last.last_of_month() || !self.is_final(next, passage))
        });
        let mut all = if is_all {
            self.final_days_of_month(first).await?
        } else {
            self.added_up(None, first, passage).await?.map(Arc::new)
        };
        if !others.is_empty() {
            let first = all.map(Arc::unwrap_or_clone);
            all = self.added_up(first, others, passage).await?.map(Arc::new);
        }
        Ok(all)
    }

    async fn added_up(
        &self,
        mut all: Option<Sum>,
        days: &[Date],
        passage: &Passage,
    ) -> Result<Option<Sum>, SummaryError> {
        for date in days {
            match self.plain(*date, passage).await {
                Ok(day) => put(&mut all, &day),
                Err(SummaryError::NoForm(..)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Those days are not remembered each.
    async fn final_days_of_month(&self, days: &[Date]) -> Result<Option<Arc<Sum>>, SummaryError> {
        let made = self.month_made_from(days);
        if let Some(known) = self.days.month(&made) {
            return Ok(Some(known));
        }
        let mut all = None;
        for date in days {
            match self.days.whole(&self.made_from(*date)) {
                Some(day) => put(&mut all, &day),
                None => match self.made(*date).await {
                    Ok(day) => put(&mut all, &day),
                    Err(SummaryError::NoForm(..)) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        let all = all.map(Arc::new);
        if let Some(all) = all.as_ref().filter(|all| all.is_settled()) {
            self.days.keep_month(made, Arc::clone(all));
        }
        Ok(all)
    }

    /// What a month is made from: its first day stands for it.
    fn month_made_from(&self, days: &[Date]) -> Made {
        let mut made = self.made_from(days[0]);
        let mut directories = vec![made.directory];
        for date in &days[1..] {
            let Made { changes, directory, .. } = self.made_from(*date);
            // No number of a day's ever falls.
            made.changes += changes;
            directories.push(directory);
        }
        // Of each day: how many there are is told with it.
        let all: Vec<&[u8]> = directories.iter().map(|digest| digest.0.as_slice()).collect();
        made.directory = Hash::of(&all.concat());
        made
    }

    /// What is usual before a day.
    async fn usuals(&self, date: Date, passage: &Passage) -> Result<Usuals, SummaryError> {
        let mut usuals = Usuals::default();
        for back in USUAL_GAP..USUAL_GAP + USUAL_DAYS {
            let Ok(day) = date.checked_sub(i64::from(back).days()) else { break };
            if self.is_final(day, passage)
                && self.form(&*self.directory_on(day).await?, day).is_ok()
            {
                usuals.add(&*self.shown(day).await?);
            }
        }
        Ok(usuals)
    }

    /// What a final day shows.
    async fn shown(&self, date: Date) -> Result<Arc<Shown>, SummaryError> {
        // It follows from what was counted alone.
        let made = Made { directory: Hash::NONE, ..self.made_from(date) };
        if let Some(known) = self.days.shown(&made) {
            return Ok(known);
        }
        let tallies = self.store.tallies(&made.office, date).await?;
        let shown = Arc::new(Shown::of(&Figures::of_tallies(tallies, &self.forms)));
        self.days.keep_shown(made, Arc::clone(&shown));
        Ok(shown)
    }

    /// Read before the figures are: what changes meanwhile is noticed the next time.
    fn made_from(&self, date: Date) -> Made {
        let office = self.directory.office.code.clone();
        let changes = self.store.changes(&office, date);
        Made { office, date, changes, directory: self.digest_on(date) }
    }

    fn form(&self, directory: &Directory, date: Date) -> Result<&Form, SummaryError> {
        let code = &directory.office.form;
        self.forms.in_force(code, date).ok_or_else(|| SummaryError::NoForm(code.clone(), date))
    }

    /// Whether nothing of a day can change any more: all journals have passed it and its tickets have expired.
    fn is_final(&self, date: Date, passage: &Passage) -> bool {
        passage.is_erased(date) || (tickets_expired(date, self.now) && passage.has_passed(date))
    }

    /// The state of a day that all journals have passed: nothing of it changes unless the store says so.
    fn settled(&self, date: Date, passage: &Passage) -> Option<State> {
        if self.is_final(date, passage) {
            return Some(State::Final);
        }
        (date <= self.now.date() && passage.has_passed(date)).then_some(State::Complete)
    }

    /// The summary of a day, before anything is usual.
    async fn plain(&self, date: Date, passage: &Passage) -> Result<Arc<Summary>, SummaryError> {
        let Some(state) = self.settled(date, passage) else {
            return self.made(date).await.map(Arc::new);
        };
        let made = self.made_from(date);
        if let Some(known) = self.days.whole(&made).filter(|known| known.state == state) {
            return Ok(known);
        }
        let summary = Arc::new(self.made(date).await?);
        // A day that was erased before all journals passed it names kiosks that may be heard of again.
        if summary.state == state && summary.silent_kiosks.is_empty() {
            self.days.keep_whole(made, Arc::clone(&summary));
        }
        Ok(summary)
    }

    /// What somebody should look at again of a day whose journals are all here.
    async fn signals(
        &self,
        date: Date,
        state: State,
        open: &[(At, At)],
        thresholds: &Thresholds,
    ) -> Result<Vec<Signal>, SummaryError> {
        let made = self.made_from(date);
        if let Some(known) = self.days.signals(&made, state) {
            return Ok(known);
        }
        let ratings = self.store.timed(&made.office, date).await?;
        let signals = signals::of(&ratings, open, state == State::Final, thresholds);
        self.days.keep_signals(made, state, signals.clone());
        Ok(signals)
    }

    /// How long each of the office's kiosks was running while it was open, on days from one to another: those that its
    /// journal has passed, for of the others nobody can know yet.
    pub async fn running(&self, from: Date, to: Date) -> Result<Vec<Available>, StoreError> {
        let office = &self.directory.office.code;
        let (progress, gaps) = self.store.running(office, from, to).await?;
        let mut sums: Vec<Available> = Vec::new();
        for date in from.series(1.day()).take_while(|date| *date <= to) {
            let after = date.tomorrow().unwrap_or(date);
            let of_day = |gap: &&Gap| gap.from.date() < after && gap.to.date() >= date;
            let gaps: Vec<Gap> = gaps.iter().filter(of_day).cloned().collect();
            let has_passed = |one: &&Progress| one.passed.is_some_and(|passed| passed >= date);
            let progress: Vec<Progress> = progress.iter().filter(has_passed).cloned().collect();
            for one in
                available(&self.directory_on(date).await?.open_on(date), &progress, &gaps, date)
            {
                match sums.iter_mut().find(|sum| sum.kiosk == one.kiosk) {
                    Some(sum) => {
                        sum.minutes += one.minutes;
                        sum.open_minutes += one.open_minutes;
                    }
                    None => sums.push(one),
                }
            }
        }
        Ok(sums)
    }

    async fn made(&self, date: Date) -> Result<Summary, SummaryError> {
        let Self { store, now, .. } = *self;
        let (directory, forms) = (&*self.directory_on(date).await?, &*self.forms);
        let office = &directory.office;
        let form = self.form(directory, date)?;
        let record = store.day(&office.code, date).await?;
        let state = state(directory, &record, date, now);
        let all = Figures::of_tallies(record.tallies.iter().cloned(), forms);
        let figures = match state {
            State::Final => all,
            _ => {
                let ratings = store.ratings(&office.code, date).await?;
                let in_fives = matches!(state, State::Open | State::Provisional);
                all.in_steps(&ratings, forms, in_fives)
            }
        };
        let open = directory.open_on(date);
        let signals = match (&directory.signals, state) {
            // Where nothing was counted there is no pattern.
            (Some(thresholds), State::Complete | State::Final) if !record.tallies.is_empty() => {
                self.signals(date, state, &open, thresholds).await?
            }
            _ => Vec::new(),
        };
        let setting = Setting {
            directory,
            form,
            forms,
            date,
            state,
            down: down(&open, &record),
            available: match (&directory.calendar, state) {
                (Some(_), State::Complete | State::Final) => {
                    available(&open, &record.progress, &record.gaps, date)
                }
                _ => Vec::new(),
            },
            signals,
            silent: silent(directory, &record, date, state, now),
        };
        Ok(publish(&figures, setting))
    }
}

fn put(all: &mut Option<Sum>, day: &Summary) {
    match all {
        Some(all) => all.add(&Sum::of(day)),
        None => *all = Some(Sum::of(day)),
    }
}

fn state(directory: &Directory, record: &DayRecord, date: Date, now: At) -> State {
    if record.erased {
        return State::Final;
    }
    if now < At::from_civil(date.to_datetime(directory.closes_on(date))) {
        return State::Open;
    }
    let passed = |progress: &Progress| {
        progress.enrolled.date() > date || progress.passed.is_some_and(|passed| passed >= date)
    };
    if !record.progress.iter().all(passed) {
        return State::Provisional;
    }
    if tickets_expired(date, now) { State::Final } else { State::Complete }
}

/// Whether no ticket of a day is valid any more.
fn tickets_expired(date: Date, now: At) -> bool {
    now > At::from_civil(date.at(23, 59, 59, 0)).plus_minutes(VALID_MINUTES)
}

/// Gaps in opening hours, long enough to matter.
fn down(open: &[(At, At)], record: &DayRecord) -> Vec<Down> {
    let within = |gap: &Gap| {
        let (kiosk, from, to) = (gap.kiosk.clone(), gap.from, gap.to);
        open.iter().filter_map(move |(opens, closes)| {
            let (from, to) = (from.max(*opens), to.min(*closes));
            let long = from.plus_minutes(DOWN_MINUTES) <= to;
            long.then(|| Down { kiosk: kiosk.clone(), from, to })
        })
    };
    record.gaps.iter().flat_map(within).collect()
}

/// How long each kiosk that was admitted by the day's end was running: not before it was admitted
/// and first started, and not in any gap.
fn available(open: &[(At, At)], progress: &[Progress], gaps: &[Gap], date: Date) -> Vec<Available> {
    let (Some((opens, _)), Some((_, closes))) = (open.first(), open.last()) else {
        return Vec::new();
    };
    let open_minutes = ms_within((*opens, *closes), open) / 60_000;
    let of = |progress: &Progress| {
        let here = progress.first_started.map_or(progress.enrolled, |at| at.max(progress.enrolled));
        let mut away: Vec<(At, At)> = vec![(*opens, here)];
        let gaps = gaps.iter().filter(|gap| gap.kiosk == progress.kiosk);
        away.extend(gaps.map(|gap| (gap.from, gap.to)));
        // Gaps of two runs may overlap when a disk was restored.
        away.sort();
        let mut running = Vec::new();
        let mut since = *opens;
        for (from, to) in away {
            running.push((since, from));
            since = since.max(to);
        }
        running.push((since, *closes));
        let ms: u64 = running.into_iter().map(|span| ms_within(span, open)).sum();
        Available { kiosk: progress.kiosk.clone(), minutes: ms / 60_000, open_minutes }
    };
    progress.iter().filter(|one| one.enrolled.date() <= date).map(of).collect()
}

fn silent(
    directory: &Directory,
    record: &DayRecord,
    date: Date,
    state: State,
    now: At,
) -> Vec<Silent> {
    let open = directory.open_on(date);
    let is_dark = |heard| quiet_minutes(heard, now, &open) >= DARK_MINUTES;
    record
        .progress
        .iter()
        .filter(|progress| progress.enrolled.date() <= date)
        .filter(|progress| progress.passed.is_none_or(|passed| passed < date))
        .map(|progress| Silent {
            id: progress.kiosk.clone(),
            last_heard: progress.last_heard,
            // Before it was admitted nobody waited for it.
            dark: is_dark(progress.last_heard.max(Some(progress.enrolled))),
        })
        // While the office is open nobody has told of the whole day.
        .filter(|silent| state != State::Open || silent.dark)
        .collect()
}
