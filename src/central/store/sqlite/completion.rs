//! How far a journal has come, and which days of its office that completes.

use jiff::civil::Date;
use rusqlite::params;

use super::reading;
use super::writing::{KioskState, Writer};
use crate::central::store::{Held, StoreError, Verified};
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::line::{Event, Line};
use crate::domain::time::{At, Day};

impl Writer {
    /// The place of the last batch, and how far each journal is here by then.
    pub(super) fn held(&mut self) -> Result<(i64, Vec<Held>), StoreError> {
        let last = "SELECT coalesce(max(id), 0) FROM segment";
        let last = self.db.query_row(last, [], |row| row.get(0))?;
        let kiosks = reading::kiosks(&self.db)?.into_iter().map(|kiosk| kiosk.id);
        let mut held = Vec::new();
        for kiosk in kiosks.chain([KioskId::central()]) {
            let branches = self.state(&kiosk)?.branches;
            for (place, branch) in branches.0.iter().enumerate() {
                if branch.superseded {
                    continue;
                }
                let (watermark, holder) = branches.watermark(place);
                let line = holder.map(|id| self.line_and_when(id, watermark)).transpose()?;
                held.push(Held {
                    kiosk: kiosk.clone(),
                    epoch: branch.epoch,
                    watermark,
                    head: line.flatten().map_or(Hash::NONE, |(bytes, _)| Hash::of(&bytes)),
                    holes: branches.holes(place),
                });
            }
            if held.last().is_none_or(|last| last.kiosk != kiosk) {
                let (epoch, head) = (Epoch(0), Hash::NONE);
                held.push(Held { kiosk, epoch, watermark: 0, head, holes: Vec::new() });
            }
        }
        Ok((last, held))
    }

    /// How far the kiosk's journal has come, and which days that completes.
    pub(super) fn progress(
        &mut self,
        batch: &Verified,
        state: &mut KioskState,
        watermark: u64,
        head: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        let Some(office) = state.office.clone() else { return Ok(()) };
        let here = batch.entries.iter().filter(|entry| entry.seq <= watermark);
        let at_mark: Option<Line> = head.and_then(|bytes| serde_json::from_slice(bytes).ok());
        let passed = here
            .filter_map(|entry| entry.line.as_ref().ok())
            .chain(at_mark.as_ref())
            .filter_map(|line| self.passes(state, line, batch.received))
            .max()
            .max(state.passed);
        self.db
            .prepare_cached("UPDATE kiosk SET passed = ?, last_heard = ? WHERE id = ?")?
            .execute(params![
                passed.map(|date| date.to_string()),
                batch.received.to_string(),
                batch.header.kiosk.as_str()
            ])?;
        if passed != state.passed {
            state.passed = passed;
            self.complete(&office)?;
        }
        Ok(())
    }

    /// The day that is over by a line of a kiosk.
    pub(super) fn passes(&self, state: &KioskState, line: &Line, received: At) -> Option<Date> {
        let Day::On(date) = Day::of(line.at, received) else { return None };
        let office = state.office.as_ref()?;
        let closes = self.author.closing.on(office, line.at.date());
        let closed = closes.is_some_and(|closes| line.at.civil().time() >= closes);
        match line.event {
            // Its own calendar says so, which may close earlier than the office does on other days.
            Event::DayEnded => Some(date),
            Event::Stopped if closed => Some(date),
            _ => date.yesterday().ok(),
        }
    }

    /// Notes how far the order of placing had come when a day became complete.
    pub(super) fn complete(&mut self, office: &OfficeCode) -> Result<(), StoreError> {
        let from: Option<String> = self.db.query_row(
            "SELECT coalesce(
                 (SELECT max(day) FROM completion WHERE office = ?1),
                 (SELECT min(day) FROM placed WHERE office = ?1))",
            [office.as_str()],
            |row| row.get(0),
        )?;
        let Some(mut day) = from.and_then(|text| text.parse::<Date>().ok()) else { return Ok(()) };
        loop {
            let passed: bool = self.db.query_row(
                "SELECT max(passed) >= ?2
                        AND total(substr(enrolled, 1, 10) <= ?2 AND coalesce(passed, '') < ?2
                                  AND coalesce(retired > ?2, 1)) = 0
                 FROM kiosk WHERE office = ?1",
                params![office.as_str(), day.to_string()],
                |row| Ok(row.get::<_, Option<bool>>(0)?.unwrap_or(false)),
            )?;
            if !passed {
                break;
            }
            self.db.execute(
                "INSERT OR IGNORE INTO completion (office, day, ord) VALUES (?, ?, ?)",
                params![office.as_str(), day.to_string(), self.last_ord],
            )?;
            day = day.tomorrow().map_err(|error| StoreError::Damaged(error.to_string()))?;
        }
        Ok(())
    }
}
