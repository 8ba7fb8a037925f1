//! What is in force from which day on.

use jiff::civil::Date;

/// States of one thing, each from a day on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions<T>(Vec<(Date, T)>);

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Versions<T> {
    /// It is so from a day on: of several of one day the one told last.
    pub fn tell(&mut self, from: Date, what: T) {
        let at = self.0.partition_point(|(other, _)| *other < from);
        match self.0.get_mut(at) {
            Some((other, there)) if *other == from => *there = what,
            _ => self.0.insert(at, (from, what)),
        }
    }

    /// What it is on a day: of days before the first one told, what that is. Nothing if nothing was told.
    pub fn on(&self, day: Date) -> Option<&T> {
        let at = self.0.partition_point(|(from, _)| *from <= day);
        self.0.get(at.saturating_sub(1)).map(|(_, what)| what)
    }

    /// What was told to begin on a day.
    pub fn told_on(&self, day: Date) -> Option<&T> {
        self.0.iter().find(|(from, _)| *from == day).map(|(_, what)| what)
    }

    /// What begins after a day, the first first.
    pub fn after(&self, day: Date) -> impl Iterator<Item = (Date, &T)> {
        let at = self.0.partition_point(|(from, _)| *from <= day);
        self.0[at..].iter().map(|(from, what)| (*from, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(day: i8) -> Date {
        Date::constant(2026, 11, day)
    }

    #[test]
    fn each_day_has_what_was_in_force_then_whenever_it_was_told() {
        let mut versions = Versions::default();
        assert_eq!(versions.on(day(1)), None);
        for (from, what) in [(10, "first"), (20, "to come"), (12, "later"), (12, "mended")] {
            versions.tell(day(from), what);
        }
        let on = |at: i8| *versions.on(day(at)).unwrap();
        assert_eq!([on(1), on(10), on(11)], ["first"; 3], "the first holds for days before it");
        assert_eq!([on(12), on(19), on(20), on(30)], ["mended", "mended", "to come", "to come"]);
        assert_eq!(versions.after(day(12)).collect::<Vec<_>>(), [(day(20), &"to come")]);
        assert_eq!(versions.after(day(20)).count(), 0);
    }
}
