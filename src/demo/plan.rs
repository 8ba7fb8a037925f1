//! A day of invented visitors at the neighbour counters: a pure function of seed and date.

use jiff::civil::{Date, Time};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::domain::form::Form;
use crate::domain::office::Directory;
use crate::domain::time::At;
use crate::kiosk::visit::{Input, TimeOuts};

/// Most visitors that one counter can have between 07:35 and 16:25.
pub const MOST_VISITORS: usize = 300;

/// What happens at a moment of the day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A visitor does something, or time passes, at a kiosk.
    Visitor(Input),
    /// A visitor scans the code on the screen.
    Scan(usize),
    /// The visitor who scanned answers on their phone.
    Phone {
        /// Which visitor.
        visitor: usize,
        /// The level's place in the form.
        level: usize,
        /// The reasons' codes.
        reasons: Vec<String>,
    },
    /// The roster is looked at, and life noted.
    Look,
    /// The network cable is pulled or put back.
    Cable(bool),
    /// The power fails at a kiosk.
    PowerOff,
    /// It comes back.
    PowerOn,
}

/// An action at a kiosk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: At,
    /// Which of the neighbour kiosks.
    pub kiosk: usize,
    /// What.
    pub action: Action,
}

/// Plans the day of `kiosks` neighbour counters with `visitors` each.
pub fn day(
    date: Date,
    seed: u64,
    kiosks: usize,
    visitors: usize,
    form: &Form,
    directory: &Directory,
    time_outs: TimeOuts,
) -> Vec<Event> {
    let mut events = Vec::new();
    for kiosk in 0..kiosks {
        let day = i64::from(date.year()) * 512 + i64::from(date.day_of_year());
        let mixed = seed.wrapping_mul(1_000_003).wrapping_add(day as u64 * 64 + kiosk as u64);
        let mut random = StdRng::seed_from_u64(mixed);
        let mut at = |ms: i64, action| {
            let moment = At::from_civil(date.at(0, 0, 0, 0)).timestamp().as_millisecond() + ms;
            let at = At::new(jiff::Timestamp::from_millisecond(moment).unwrap_or_default());
            events.push(Event { at, kiosk, action });
        };
        for shift in &directory.roster {
            for time in [shift.from, shift.to] {
                at(of_day(time) + 1_000, Action::Look);
            }
        }
        for half_hour in 15..34 {
            at(half_hour * 1_800_000 + 500, Action::Look);
        }
        // The last counter's power fails over the early afternoon; the second one's cable is
        // pulled for an hour.
        let power = (kiosk + 1 == kiosks).then(|| {
            (of_day(jiff::civil::time(13, 42, 0, 0)), of_day(jiff::civil::time(15, 10, 0, 0)))
        });
        if let Some((off, on)) = power {
            at(off, Action::PowerOff);
            at(on, Action::PowerOn);
        }
        if kiosk == 1 {
            at(of_day(jiff::civil::time(10, 0, 0, 0)), Action::Cable(false));
            at(of_day(jiff::civil::time(11, 0, 0, 0)), Action::Cable(true));
        }
        let (from, to) =
            (of_day(jiff::civil::time(7, 35, 0, 0)), of_day(jiff::civil::time(16, 24, 0, 0)));
        let slot = (to - from) / visitors.max(1) as i64;
        let (reasons_ms, thanks_ms) = (time_outs.reasons_ms as i64, time_outs.thanks_ms as i64);
        for visitor in 0..visitors {
            // Each has a slot of the day, and comes at some moment in its first part.
            let free = (slot - 100_000).max(1);
            let mut now = from + visitor as i64 * slot + random.random_range(0..free);
            if power.is_some_and(|(off, on)| now > off - 100_000 && now < on + 5_000) {
                continue;
            }
            let mut wait = |low: i64, high: i64, random: &mut StdRng| {
                now += random.random_range(low..high);
                now
            };
            let kind = random.random_range(0..100);
            let level = level(&mut random, kiosk, form);
            if kind < 6 {
                // Looks, and goes.
                continue;
            }
            if kind < 14 {
                // Rates later, most of them really.
                at(wait(0, 1_000, &mut random), Action::Visitor(Input::Later));
                at(wait(8_000, 20_000, &mut random), Action::Scan(visitor));
                let done = wait(1_000, 4_000, &mut random);
                at(done, Action::Visitor(Input::Done));
                if random.random_range(0..100) < 70 {
                    let reasons = some_reasons(&mut random, form, level);
                    at(
                        done + random.random_range(30_000..90_000),
                        Action::Phone { visitor, level, reasons },
                    );
                }
                continue;
            }
            at(wait(0, 1_000, &mut random), Action::Visitor(Input::Rate(level)));
            if kind < 19 && level + 1 < form.levels.len() {
                at(wait(2_000, 5_000, &mut random), Action::Visitor(Input::Rate(level + 1)));
            }
            let offered = offered(form, level).len();
            for place in 0..offered {
                if random.random_range(0..100) < 28 {
                    at(wait(900, 2_500, &mut random), Action::Visitor(Input::Toggle(place)));
                }
            }
            if kind < 29 {
                // Called away: the screen goes home by itself.
                at(
                    wait(reasons_ms + 1, reasons_ms + 2_000, &mut random),
                    Action::Visitor(Input::Tick),
                );
                continue;
            }
            let end = if kind < 40 { Input::Skip } else { Input::Send };
            at(wait(1_500, 4_000, &mut random), Action::Visitor(end));
            if kind > 93 {
                // Has more to say, on the phone.
                at(wait(3_000, 8_000, &mut random), Action::Scan(visitor));
                // Most say the same again.
                let other = self::level(&mut random, kiosk, form);
                let level = if kind > 97 { other } else { level };
                at(
                    wait(1_000, 2_000, &mut random) + 15_000,
                    Action::Phone { visitor, level, reasons: Vec::new() },
                );
            }
            at(wait(thanks_ms + 1, thanks_ms + 900, &mut random), Action::Visitor(Input::Tick));
        }
    }
    // From 16:30 on the day goes at real pace, without invented visitors.
    let end = At::from_civil(date.at(16, 30, 0, 0));
    events.retain(|event| event.at < end);
    events.sort_by_key(|event| (event.at, event.kiosk));
    events
}

fn of_day(time: Time) -> i64 {
    (i64::from(time.hour()) * 60 + i64::from(time.minute())) * 60_000
}

fn offered(form: &Form, level: usize) -> Vec<&str> {
    let Some(level) = form.levels.get(level) else { return Vec::new() };
    form.reasons_of(level.pole).map(|reason| reason.code.as_str()).collect()
}

fn some_reasons(random: &mut StdRng, form: &Form, level: usize) -> Vec<String> {
    offered(form, level)
        .into_iter()
        .filter(|_| random.random_range(0..100) < 30)
        .map(str::to_owned)
        .collect()
}

/// Most people are satisfied; some counters have a harder day.
fn level(random: &mut StdRng, kiosk: usize, form: &Form) -> usize {
    let harder = [0, 4, 0, 10, 2][kiosk % 5];
    let drawn = random.random_range(0..100);
    let place = match drawn {
        _ if drawn < 56 - harder => 0,
        _ if drawn < 85 - harder => 1,
        _ if drawn < 93 - harder / 2 => 2,
        _ if drawn < 97 => 3,
        _ => 4,
    };
    place.min(form.levels.len().saturating_sub(1))
}
