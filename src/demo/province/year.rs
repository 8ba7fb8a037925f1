//! What happens at each counter on each day: a pure function of the plan. Officials differ a little, weeks and
//! seasons more; a few counters are bad, one reason becomes more frequent, one official stuffs, two kiosks go dark.

use jiff::ToSpan;
use jiff::civil::{Date, Weekday};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Plan;
use super::names::HOURS;
use crate::domain::form::{Form, Forms, Pole};
use crate::domain::ids::{BadName, KioskId, OfficialId};
use crate::domain::line::{By, How};
use crate::domain::office::{Counter, Directory};
use crate::domain::time::At;

/// One in so many counters is a bad one.
const BAD: usize = 67;
/// Where one official stuffs: the place of the counter, and on how many days of a hundred.
const STUFFED: (usize, u32) = (11, 40);
/// The counter whose kiosk went dark some weeks ago, and the one that did yesterday, with so many days of silence.
const DARK: [(usize, i64); 2] = [(17, 26), (5, 1)];
/// Where waiting is complained of ever more, from so many days before the end on.
const WAITING: (usize, i64) = (3, 14);

/// What people write.
const WORDS: [&str; 12] = [
    "Cán bộ hướng dẫn rất dễ hiểu, tôi cảm ơn.",
    "Chờ hơi lâu vì đông người.",
    "Nên có thêm ghế ngồi chờ.",
    "Cán bộ nhiệt tình, giải thích từng mục trong tờ khai.",
    "Lần trước phải đi lại hai lần, lần này nhanh hơn.",
    "Máy lấy số hay bị kẹt.",
    "Đề nghị niêm yết rõ các giấy tờ cần mang theo.",
    "Rất hài lòng với cách phục vụ.",
    "Tôi lớn tuổi, được cán bộ giúp điền tờ khai, xin cảm ơn.",
    "Bãi gửi xe chật.",
    "Trả kết quả đúng hẹn.",
    "Mong giải quyết hồ sơ đất đai nhanh hơn.",
];

/// How a contact went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// Rated here: the level, how long the reasons took, and how it ended.
    Rated { level: String, reasons: Vec<String>, words: Option<String>, seconds: u64, how: How },
    /// Invited, and nobody touched the screen.
    Untouched,
    /// Invited, and declined.
    Declined,
    /// The code was scanned; on the phone this was answered, or nothing.
    Scanned(Option<(String, Vec<String>)>),
}

/// A contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    pub at: At,
    pub official: Option<OfficialId>,
    pub by: By,
    pub went: Went,
}

/// A counter of the province.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Its number in the province, from 0.
    pub number: usize,
    pub directory: &'a Directory,
    pub counter: &'a Counter,
}

impl Place<'_> {
    /// The kiosk that stands there.
    pub fn kiosk(&self) -> Result<KioskId, BadName> {
        format!("k{}", self.number + 1).parse()
    }
}

/// A year.
pub struct Year<'a> {
    plan: &'a Plan,
    offices: &'a [Directory],
    forms: &'a Forms,
    places: Vec<Place<'a>>,
}

impl<'a> Year<'a> {
    pub fn new(plan: &'a Plan, offices: &'a [Directory], forms: &'a Forms) -> Self {
        let counters = offices.iter().flat_map(|directory| {
            directory.counters.iter().map(move |counter| (directory, counter))
        });
        let places = counters
            .enumerate()
            .map(|(number, (directory, counter))| Place { number, directory, counter })
            .collect();
        Self { plan, offices, forms, places }
    }

    /// All counters, in order.
    pub fn places(&self) -> &[Place<'a>] {
        &self.places
    }

    /// Whether anybody works on a day.
    pub fn is_worked(&self, day: Date) -> bool {
        self.offices.iter().any(|directory| !directory.open_on(day).is_empty())
    }

    /// The form in force at a place.
    pub fn form(&self, place: &Place<'_>, day: Date) -> Option<&'a Form> {
        self.forms.in_force(&place.directory.office.form, day)
    }

    /// The last day of a kiosk that went dark.
    pub fn dark_after(&self, place: usize) -> Option<Date> {
        let (_, days) = DARK.into_iter().find(|(dark, _)| *dark == place)?;
        self.plan.to.checked_sub(days.days()).ok()
    }

    /// Bytes free on the disk of a kiosk; one of them is nearly full.
    pub fn disk_free(&self, place: usize) -> u64 {
        if place == 23 { 180_000_000 } else { 9_000_000_000 + place as u64 * 7_919_000 }
    }

    /// How wrong the clock of a kiosk is; one of them much.
    pub fn clock_offset_ms(&self, place: usize) -> i64 {
        if place == 31 { 412_000 } else { (place as i64 * 37) % 1_900 - 950 }
    }

    /// What happens at a place on a day, in order.
    pub fn visits(&self, place: &Place<'_>, day: Date) -> Vec<Visit> {
        let Some(form) = self.form(place, day) else { return Vec::new() };
        let open = place.directory.open_on(day);
        if open.is_empty() {
            return Vec::new();
        }
        let mut random = self.random(place.number as u64, day);
        // Some counters are busy, some are not; the same ones every day.
        let mut own = self.random(place.number as u64, Date::MIN);
        let busy: f64 = 0.4 + 1.2 * own.random::<f64>();
        let mut unhappy = 0.04 + 0.08 * own.random::<f64>();
        if place.number % BAD == BAD / 2 {
            unhappy = 0.34;
        }
        // Of four who are served, three rate.
        let mean = f64::from(self.plan.size.ratings) / 0.75 * busy * weekday(day) * season(day);
        let many = poisson(mean, &mut random);
        let mut seconds: Vec<i64> = (0..many).map(|_| moment(&mut random)).collect();
        seconds.sort_unstable();
        let mut visits = Vec::new();
        let mut free = 0;
        for second in seconds {
            let second = second.max(free);
            let at = moment_of(day, second, &mut random);
            // Whoever is still waiting at noon or closing is not served by this counter.
            if !open.iter().any(|(from, to)| *from <= at && at.plus_minutes(2) <= *to) {
                continue;
            }
            let official = place.directory.on_shift(&place.counter.id, at.civil());
            let went = self.went(place, form, day, unhappy, &mut random);
            free = second + 75;
            let by = match went {
                Went::Untouched | Went::Declined => By::Invitation,
                Went::Scanned(_) => By::Later,
                Went::Rated { .. } if random.random_bool(0.7) => By::Invitation,
                Went::Rated { .. } => By::Touch,
            };
            visits.push(Visit { at, official: official.map(|one| one.id.clone()), by, went });
        }
        if place.number == STUFFED.0 && random.random_ratio(STUFFED.1, 100) {
            self.stuff(place, form, day, &mut random, &mut visits);
        }
        visits
    }

    fn random(&self, place: u64, day: Date) -> StdRng {
        let day = i64::from(day.year()) * 512 + i64::from(day.day_of_year());
        let mixed = self
            .plan
            .seed
            .wrapping_mul(1_000_003)
            .wrapping_add((day as u64).wrapping_mul(100_003))
            .wrapping_add(place);
        StdRng::seed_from_u64(mixed)
    }

    fn went(
        &self,
        place: &Place<'_>,
        form: &Form,
        day: Date,
        unhappy: f64,
        random: &mut StdRng,
    ) -> Went {
        match random.random_range(0..100) {
            0..13 => return Went::Untouched,
            13..18 => return Went::Declined,
            18..25 => {
                let answers = random.random_bool(0.55);
                let answer = answers.then(|| self.answer(place, form, day, unhappy * 1.5, random));
                return Went::Scanned(answer);
            }
            _ => {}
        }
        let (level, reasons) = self.answer(place, form, day, unhappy, random);
        let how = match random.random_range(0..10) {
            0..5 => How::Sent,
            5..8 => How::Skipped,
            _ => How::TimedOut,
        };
        let reasons = if how == How::Sent { reasons } else { Vec::new() };
        let words = (how == How::Sent && random.random_bool(0.03))
            .then(|| WORDS[random.random_range(0..WORDS.len())].to_owned());
        Went::Rated { level, reasons, words, seconds: random.random_range(4..28), how }
    }

    fn answer(
        &self,
        place: &Place<'_>,
        form: &Form,
        day: Date,
        unhappy: f64,
        random: &mut StdRng,
    ) -> (String, Vec<String>) {
        let waits = place.number == WAITING.0
            && self.plan.to.checked_sub(WAITING.1.days()).is_ok_and(|from| day > from);
        let unhappy = if waits { unhappy.max(0.3) } else { unhappy };
        let drawn: f64 = random.random();
        let pole = match drawn {
            _ if drawn < unhappy * 0.55 => Pole::Bad,
            _ if drawn < unhappy => Pole::Middle,
            _ => Pole::Good,
        };
        let levels: Vec<_> = form.levels.iter().filter(|level| level.pole == pole).collect();
        let levels = if levels.is_empty() { form.levels.iter().collect() } else { levels };
        // Two in three of the content are very content; the bad are seldom the worst.
        let first = random.random_bool(0.66);
        let level = levels[if first { 0 } else { levels.len() - 1 }];
        let offered = form.reasons.iter().filter(|reason| reason.pole == level.pole);
        let share = |code: &str| if waits && code.starts_with("cho_") { 0.85 } else { 0.3 };
        let reasons: Vec<String> = offered
            .filter(|reason| random.random_bool(share(&reason.code)))
            .map(|reason| reason.code.clone())
            .collect();
        (level.code.clone(), reasons)
    }

    /// Shortly before noon somebody taps the best face again and again.
    fn stuff(
        &self,
        place: &Place<'_>,
        form: &Form,
        day: Date,
        random: &mut StdRng,
        visits: &mut Vec<Visit>,
    ) {
        let Some(best) = form.levels.first() else { return };
        let many = random.random_range(8..14);
        let begin = i64::from(HOURS[0].1.hour()) * 3_600 - 12 * 60;
        visits.retain(|visit| {
            let time = visit.at.civil().time();
            let second = i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60;
            !(begin - 120..begin + 600).contains(&second)
        });
        for one in 0..many {
            let at = moment_of(day, begin + one * 9, random);
            let official = place.directory.on_shift(&place.counter.id, at.civil());
            visits.push(Visit {
                at,
                official: official.map(|one| one.id.clone()),
                by: By::Touch,
                went: Went::Rated {
                    level: best.code.clone(),
                    reasons: Vec::new(),
                    words: None,
                    seconds: 1,
                    how: How::Skipped,
                },
            });
        }
        visits.sort_by_key(|visit| visit.at);
    }
}

/// Mondays are full, Wednesdays are not.
fn weekday(day: Date) -> f64 {
    match day.weekday() {
        Weekday::Monday => 1.25,
        Weekday::Tuesday => 1.05,
        Weekday::Wednesday => 0.9,
        Weekday::Thursday => 0.95,
        _ => 1.0,
    }
}

/// Before Tết there is much to do, in the weeks after it little; in summer papers for schools.
fn season(day: Date) -> f64 {
    match (day.month(), day.day()) {
        (1, 12..) | (2, ..=13) => 1.3,
        (2, 21..) | (3, ..=10) => 0.7,
        (6 | 7, _) | (8, ..=20) => 1.2,
        (12, 15..) => 1.1,
        _ => 0.95,
    }
}

fn poisson(mean: f64, random: &mut StdRng) -> u32 {
    let limit = (-mean).exp();
    let (mut many, mut product) = (0, random.random::<f64>());
    while product > limit {
        many += 1;
        product *= random.random::<f64>();
    }
    many
}

/// A second of the day: three in five come in the morning, most of them early.
fn moment(random: &mut StdRng) -> i64 {
    let [(from, noon), (after, to)] = HOURS;
    let second =
        |time: jiff::civil::Time| i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60;
    let (from, to) = if random.random_bool(0.6) {
        (second(from), second(noon))
    } else {
        (second(after), second(to))
    };
    let early = random.random::<f64>().min(random.random::<f64>());
    from + (early * (to - from) as f64) as i64
}

fn moment_of(day: Date, second: i64, random: &mut StdRng) -> At {
    let midnight = At::from_civil(day.at(0, 0, 0, 0)).timestamp().as_millisecond();
    let ms = midnight + second * 1_000 + random.random_range(0..200);
    At::new(jiff::Timestamp::from_millisecond(ms).unwrap_or_default())
}
