//! A kiosk's backlog, written and signed beforehand as the kiosk itself does it, with what a bare
//! store would keep of the same bytes.

use std::collections::BTreeMap;

use hailong::domain::batch::{Packed, Parts, pack};
use hailong::domain::line::{By, Event, How, Line};
use hailong::domain::seal::Answer;
use hailong::domain::series::{Before, SealedBody, Series, Written};
use hailong::domain::system_random;
use hailong::domain::time::At;
use hailong::kiosk::identity::central_keys;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::common::{TestKiosk, at};

/// The levels of the sample form, the most given first.
const LEVELS: [&str; 5] =
    ["rat_hai_long", "hai_long", "binh_thuong", "khong_hai_long", "rat_khong_hai_long"];
const REASONS: [&str; 4] = ["niem_no", "huong_dan_ro", "lang_nghe", "giup_do"];
/// Visitors a day at one counter.
const A_DAY: u64 = 120;

/// A batch, and what is in it.
pub struct Batch {
    pub packed: Packed,
    pub lines: Vec<Written>,
    pub tallies: BTreeMap<(String, String), i64>,
}

/// Cuts the backlog of one kiosk into `batches` of `count` lines: visitors who rate and send.
pub fn backlog(kiosk: &TestKiosk, batches: usize, count: usize) -> Vec<Batch> {
    let enrolled = kiosk.identity.enrolled.as_ref().expect("enrolled");
    let (sealing_key, _) = central_keys(enrolled).expect("keys");
    let counter = enrolled.counters.iter().next().expect("a counter").clone();
    let form = enrolled.forms[0].reference();
    let mut random = StdRng::seed_from_u64(7);
    let mut visitor = 0;
    let morning = at("2026-01-05 07:30");
    let (mut series, started) = Series::begin(
        enrolled.kiosk.clone(),
        &sealing_key,
        Before::Nothing,
        morning,
        0,
        system_random(),
    )
    .expect("an epoch");
    let mut waiting = Some(started);
    let mut open: Option<(u64, At)> = None;
    let mut prev = series.before();
    let mut cut = Vec::with_capacity(batches);
    for _ in 0..batches {
        let mut lines: Vec<Written> = Vec::with_capacity(count);
        let mut tallies: BTreeMap<(String, String), i64> = BTreeMap::new();
        while lines.len() < count {
            if let Some(started) = waiting.take() {
                lines.push(started);
                continue;
            }
            let mut tally = |now: At, key: String| {
                *tallies.entry((now.date().to_string(), key)).or_default() += 1;
            };
            let (line, answer, now) = match open.take() {
                None => {
                    let minutes = (visitor / A_DAY) * 24 * 60 + (visitor % A_DAY) * 9 * 60 / A_DAY;
                    visitor += 1;
                    let now = morning.plus_minutes(minutes as i64);
                    let level = LEVELS[random.random_range(0..25_usize).isqrt().abs_diff(4)];
                    let hour = now.civil().hour();
                    tally(now, "contacts/opened".into());
                    tally(now, "contacts/rated".into());
                    tally(now, format!("rating/{counter}/cb07/{hour}/counter/{form}/{level}"));
                    open = Some((series.next(), now));
                    let line = Line {
                        counter: Some(counter.clone()),
                        official: Some("cb07".parse().expect("a name")),
                        form: Some(form.clone()),
                        by: Some(By::Touch),
                        ..Line::draft(Event::Contact)
                    };
                    (line, Answer::Level(level.into()), now)
                }
                Some((contact, now)) => {
                    let reasons: Vec<String> = REASONS
                        .iter()
                        .filter(|_| random.random_bool(0.3))
                        .map(|code| (*code).to_owned())
                        .collect();
                    for code in &reasons {
                        tally(now, format!("reason/{form}/{code}"));
                    }
                    let line = Line {
                        contact: Some(contact),
                        how: Some(How::Sent),
                        ..Line::draft(Event::Closed)
                    };
                    (line, Answer::Reasons(reasons), now)
                }
            };
            let mono_ms = series.next() * 20_000;
            lines.push(series.write(line, &[answer], now, mono_ms).expect("written"));
        }
        let bytes: Vec<Vec<u8>> = lines.iter().map(|line| line.bytes.clone()).collect();
        let bodies: Vec<SealedBody> = lines.iter().flat_map(|line| line.bodies.clone()).collect();
        let parts = Parts {
            kiosk: series.kiosk(),
            epoch: series.epoch(),
            start: series.start(),
            enc: series.enc(),
            key: &sealing_key.id(),
            first: lines[0].seq,
            prev,
            lines: &bytes,
            bodies: &bodies,
        };
        let packed = pack(&parts, &kiosk.identity.signing_key).expect("packed");
        prev = packed.header.head;
        cut.push(Batch { packed, lines, tallies });
    }
    cut
}
