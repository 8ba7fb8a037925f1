//! Whatever the order, repetition and cutting in which a kiosk's journal arrives: the service ends
//! up where a plain delivery in order would have left it, and where a small model written here,
//! straight from what happened, says it must be.
//!
//! Each case lives a history at a real desk, sends its journal over real HTTP to two services with
//! the same keys (one in disorder, one in order), and gives phone answers over HTTP in between.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::{TestCentral, TestKiosk, batch, for_all, twins};
use hailong::clock::Clock;
use hailong::domain::Random;
use hailong::domain::batch::Packed;
use hailong::domain::form::Form;
use hailong::domain::ids::Hash;
use hailong::domain::line::{By, How};
use hailong::domain::receipt::Receipt;
use hailong::domain::time::At;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::visit::Record;
use proptest::prelude::*;
use proptest::sample::Index;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

// ---- What may happen ----------------------------------------------------------------------------

/// One thing that happens at the kiosk. Numbers choose among what there is at that moment.
#[derive(Debug, Clone)]
enum Step {
    Open { by: By, level: Option<usize> },
    Change { which: Index, level: usize },
    Close { which: Index, how: How, reasons: u32 },
    Pass { minutes: i64 },
    Restart { clean: bool },
}

/// A phone's answer, and after which share of the deliveries it comes.
#[derive(Debug, Clone)]
struct Phone {
    which: Index,
    level: usize,
    reasons: u32,
    when: Index,
}

#[derive(Debug, Clone)]
struct Case {
    steps: Vec<Step>,
    /// Where the journal is cut, besides at its epochs.
    cuts: Vec<Index>,
    /// Stretches that are sent once more, cut anew: from where, how many lines.
    again: Vec<(Index, u64)>,
    phones: Vec<Phone>,
    /// 0: in order; 1: some neighbours change places; 2: any order.
    disorder: u8,
    seed: u64,
}

fn step() -> impl Strategy<Value = Step> {
    let how = prop_oneof![
        Just(How::Sent),
        Just(How::Skipped),
        Just(How::TimedOut),
        Just(How::Left),
        Just(How::Declined),
        Just(How::Interrupted),
    ];
    let without_level =
        prop_oneof![Just(By::Later), Just(By::Invitation), Just(By::Slip), Just(By::Queue)];
    prop_oneof![
        3 => (0..5_usize).prop_map(|level| Step::Open { by: By::Touch, level: Some(level) }),
        3 => without_level.prop_map(|by| Step::Open { by, level: None }),
        2 => (any::<Index>(), 0..5_usize).prop_map(|(which, level)| Step::Change { which, level }),
        4 => (any::<Index>(), how, any::<u32>())
            .prop_map(|(which, how, reasons)| Step::Close { which, how, reasons }),
        2 => (0..120_i64).prop_map(|minutes| Step::Pass { minutes }),
        1 => any::<bool>().prop_map(|clean| Step::Restart { clean }),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let phone = (any::<Index>(), 0..5_usize, any::<u32>(), any::<Index>())
        .prop_map(|(which, level, reasons, when)| Phone { which, level, reasons, when });
    (
        prop::collection::vec(step(), 5..45),
        prop::collection::vec(any::<Index>(), 0..8),
        prop::collection::vec((any::<Index>(), 1..12_u64), 0..6),
        prop::collection::vec(phone, 0..5),
        0..3_u8,
        any::<u64>(),
    )
        .prop_map(|(steps, cuts, again, phones, disorder, seed)| Case {
            steps,
            cuts,
            again,
            phones,
            disorder,
            seed,
        })
}

// ---- The model ----------------------------------------------------------------------------------

/// One citizen's service, as it truly was.
#[derive(Debug, Clone)]
struct Visit {
    seq: u64,
    at: At,
    epoch: usize,
    by: By,
    level: Option<String>,
    closed: Option<(How, Vec<String>)>,
    ticket: String,
    phone: Option<(String, Vec<String>)>,
}

/// What happened at the kiosk.
#[derive(Debug, Default)]
struct History {
    visits: Vec<Visit>,
    /// First and last line of each epoch.
    epochs: Vec<(u64, u64)>,
}

/// Who serves at counter q3 by the sample roster.
fn official(at: At) -> &'static str {
    let civil = at.civil();
    let working = civil.date().weekday().to_monday_one_offset() <= 5;
    let minute = i32::from(civil.hour()) * 60 + i32::from(civil.minute());
    if working && (450..1_020).contains(&minute) { "cb07" } else { "-" }
}

impl History {
    /// The tallies of each day that this history must come to.
    fn tallies(&self, form: &Form) -> BTreeMap<String, u64> {
        let mut tallies = BTreeMap::new();
        let newest = self.epochs.len() - 1;
        for visit in &self.visits {
            let mut add = |key: String| {
                *tallies.entry(format!("{} {key}", visit.at.date())).or_insert(0) += 1;
            };
            add("contacts/opened".into());
            if visit.by == By::Invitation {
                add("contacts/invited".into());
            }
            if matches!(visit.by, By::Slip | By::Queue) {
                add("contacts/called".into());
            }
            let over = visit.closed.is_some() || visit.epoch < newest;
            let no_reasons = Vec::new();
            let rating = match (&visit.level, &visit.phone) {
                (Some(level), _) => {
                    let reasons = visit.closed.as_ref().map_or(&no_reasons, |(_, kept)| kept);
                    Some(("counter", level, reasons))
                }
                (None, Some((level, reasons))) if over => Some(("phone", level, reasons)),
                _ => None,
            };
            if let Some((channel, level, reasons)) = rating {
                let (hour, official) = (visit.at.civil().hour(), official(visit.at));
                add(format!("rating/q3/{official}/{hour}/{channel}/nam-muc@2/{level}"));
                add("contacts/rated".into());
                for reason in reasons {
                    add(format!("reason/nam-muc@2/{reason}"));
                }
            } else if over {
                let how = visit.closed.as_ref().map_or(How::Interrupted, |(how, _)| *how);
                add(match how {
                    How::Interrupted => "contacts/interrupted".into(),
                    How::Declined => "contacts/declined".into(),
                    _ if visit.by == By::Later => "contacts/later".into(),
                    _ => "contacts/timed_out".to_owned(),
                });
            }
            match (&visit.phone, &visit.level) {
                (Some(_), _) if !over => add("phone/waiting".into()),
                (Some((phone, _)), Some(counter)) => {
                    let place = |code: &String| {
                        form.levels.iter().position(|level| level.code == *code).unwrap()
                    };
                    add(match place(phone).cmp(&place(counter)) {
                        std::cmp::Ordering::Less => "beside/higher".into(),
                        std::cmp::Ordering::Equal => "beside/same".into(),
                        std::cmp::Ordering::Greater => "beside/lower".to_owned(),
                    });
                }
                _ => {}
            }
        }
        tallies
    }

    fn last(&self) -> u64 {
        self.epochs.last().unwrap().1
    }

    fn epoch_of(&self, seq: u64) -> usize {
        self.epochs.iter().position(|(first, last)| (*first..=*last).contains(&seq)).unwrap()
    }

    /// What a receipt must say after a batch of epoch `of`, when `here` was received.
    fn standing(&self, here: &BTreeSet<u64>, of: usize) -> (u64, Vec<(u64, u64)>) {
        let (start, end) = self.epochs[of];
        let highest = *here.range(start..=end).next_back().unwrap();
        // Without the first line of an epoch it is not known what came before.
        let known = self.epochs[..=of].iter().all(|(first, _)| here.contains(first));
        let is_here = |seq: &u64| here.contains(seq) && (known || *seq >= start);
        let mut holes: Vec<(u64, u64)> = Vec::new();
        for missing in (1..=highest).filter(|seq| !is_here(seq)) {
            match holes.last_mut() {
                Some((_, last)) if *last + 1 == missing => *last = missing,
                _ => holes.push((missing, missing)),
            }
        }
        let watermark = match holes.first() {
            _ if !known => 0,
            Some((missing, _)) => missing - 1,
            None => highest,
        };
        (watermark, holes)
    }
}

/// The codes that the bits of `mask` choose.
fn chosen<'a>(codes: impl Iterator<Item = &'a String>, mask: u32) -> Vec<String> {
    codes
        .enumerate()
        .filter(|(place, _)| mask >> (place % 32) & 1 == 1)
        .map(|(_, code)| code.clone())
        .collect()
}

// ---- Living it ----------------------------------------------------------------------------------

fn open(kiosk: &mut TestKiosk, seed: u64) -> Desk {
    let clock: Arc<dyn Clock> = Arc::clone(&kiosk.clock) as _;
    let random = move || -> Random { Box::new(StdRng::seed_from_u64(seed)) };
    Desk::open(kiosk.folder.path(), &mut kiosk.identity, clock, Box::new(random)).unwrap()
}

/// Lives the steps at a real desk.
fn live(kiosk: &mut TestKiosk, form: &Form, case: &Case) -> History {
    let mut history = History::default();
    let mut starts = vec![1];
    let mut desk = open(kiosk, case.seed);
    for step in &case.steps {
        let now = At::new(kiosk.clock.now());
        let epoch = starts.len() - 1;
        let mut open_visits: Vec<&mut Visit> = history
            .visits
            .iter_mut()
            .filter(|visit| visit.epoch == epoch && visit.closed.is_none())
            .collect();
        match step {
            Step::Open { by, level } => {
                let level = level.map(|place| form.levels[place].code.clone());
                let counter = common::first_counter(&desk);
                let open = Record::Open { by: *by, counter, level: level.clone() };
                let kept = desk.keep(&open).unwrap();
                history.visits.push(Visit {
                    seq: kept.seq,
                    at: now,
                    epoch,
                    by: *by,
                    level,
                    closed: None,
                    ticket: kept.ticket.unwrap().rsplit_once('/').unwrap().1.to_owned(),
                    phone: None,
                });
            }
            Step::Change { which, level } if !open_visits.is_empty() => {
                let place = which.index(open_visits.len());
                let visit = &mut *open_visits[place];
                let level = form.levels[*level].code.clone();
                let change = Record::Change { contact: visit.seq, level: level.clone() };
                desk.keep(&change).unwrap();
                visit.level = Some(level);
            }
            Step::Close { which, how, reasons } if !open_visits.is_empty() => {
                let place = which.index(open_visits.len());
                let visit = &mut *open_visits[place];
                // At most six, as a form offers.
                let reasons = chosen(form.reasons.iter().take(6).map(|r| &r.code), *reasons);
                let record =
                    Record::Close { contact: visit.seq, how: *how, reasons: reasons.clone() };
                desk.keep(&record).unwrap();
                visit.closed = Some((*how, reasons));
            }
            Step::Change { .. } | Step::Close { .. } => {}
            Step::Pass { minutes } => kiosk.clock.set(now.plus_minutes(*minutes)),
            Step::Restart { clean } => {
                if *clean {
                    desk.stop().unwrap();
                } else {
                    drop(desk);
                }
                let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
                starts.push(last + 1);
                desk = open(kiosk, case.seed.wrapping_add(starts.len() as u64));
            }
        }
    }
    drop(desk);
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    let ends = starts[1..].iter().map(|next| next - 1).chain([last]);
    history.epochs = starts.iter().copied().zip(ends).collect();
    history
}

// ---- Delivering it ------------------------------------------------------------------------------

/// Stretches that cover every line at least once, in the order of sending.
fn deliveries(case: &Case, history: &History) -> Vec<(u64, u64)> {
    let last = history.last();
    let mut starts: BTreeSet<u64> = history.epochs.iter().map(|(first, _)| *first).collect();
    starts.extend(case.cuts.iter().map(|cut| cut.index(last as usize) as u64 + 1));
    let ends = starts.iter().skip(1).map(|next| next - 1).chain([last]);
    let mut sent: Vec<(u64, u64)> = starts.iter().copied().zip(ends).collect();
    for (from, count) in &case.again {
        let first = from.index(last as usize) as u64 + 1;
        let (_, end) = history.epochs[history.epoch_of(first)];
        sent.push((first, (first + count - 1).min(end)));
    }
    let mut random = StdRng::seed_from_u64(case.seed);
    match case.disorder {
        0 => sent.sort(),
        1 => {
            sent.sort();
            for place in 1..sent.len() {
                if random.random_bool(0.4) {
                    sent.swap(place - 1, place);
                }
            }
        }
        _ => sent.shuffle(&mut random),
    }
    sent
}

async fn deliver(http: &Http, batch: &Packed) -> Receipt {
    let reply = http.post(batch).await.unwrap();
    assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    serde_json::from_slice(&reply.body).unwrap()
}

/// Answers on a phone; gives the status.
async fn answer(
    phone: &reqwest::Client,
    central: &TestCentral,
    ticket: &str,
    level: &str,
    reasons: &[String],
) -> u16 {
    let address = format!("{}/R/{ticket}", central.service());
    let page = phone.get(&address).send().await.unwrap().text().await.unwrap();
    let Some(token) = page.split("name=\"token\" value=\"").nth(1) else { return 0 };
    let token = token.split('"').next().unwrap();
    let mut body = format!("token={token}&level={level}");
    for reason in reasons {
        body.push_str(&format!("&reason={reason}"));
    }
    let post =
        phone.post(address).header("content-type", "application/x-www-form-urlencoded").body(body);
    post.send().await.unwrap().status().as_u16()
}

/// The service's tallies of each day.
async fn tallies(central: &TestCentral) -> BTreeMap<String, u64> {
    let office = central.central.config.offices[0].office.code.clone();
    let mut all = BTreeMap::new();
    let mut day: jiff::civil::Date = "2026-11-23".parse().unwrap();
    for _ in 0..10 {
        for (key, n) in central.store().day(&office, day).await.unwrap().tallies {
            all.insert(format!("{day} {}", key.text()), n);
        }
        day = day.tomorrow().unwrap();
    }
    all
}

async fn check(case: Case) {
    let (disordered, plain, mut kiosk) = twins().await;
    let form = disordered.form();
    let mut history = live(&mut kiosk, &form, &case);
    let journal = JournalReader::open(&kiosk.path()).unwrap();
    let sent = deliveries(&case, &history);

    // One answer a contact at most; the reasons are those of the level's pole.
    let mut phones: BTreeMap<usize, (usize, String, Vec<String>)> = BTreeMap::new();
    for phone in case.phones.iter().filter(|_| !history.visits.is_empty()) {
        let visit = phone.which.index(history.visits.len());
        let level = &form.levels[phone.level];
        let of_pole = form.reasons.iter().filter(|reason| reason.pole == level.pole);
        let reasons = chosen(of_pole.map(|reason| &reason.code), phone.reasons);
        let when = phone.when.index(sent.len() + 1);
        phones.entry(visit).or_insert((when, level.code.clone(), reasons));
    }

    let (http, client) = (Http::new(&disordered.service()).unwrap(), client().unwrap());
    let mut here = BTreeSet::new();
    for place in 0..=sent.len() {
        for (visit, (when, level, reasons)) in &phones {
            if *when == place {
                let ticket = &history.visits[*visit].ticket;
                let status = answer(&client, &disordered, ticket, level, reasons).await;
                assert_eq!(status, 200, "phone for line {}", history.visits[*visit].seq);
            }
        }
        let Some((first, last)) = sent.get(place).copied() else { break };
        let receipt = deliver(&http, &batch(&kiosk, &journal, first..=last)).await;
        here.extend(first..=last);
        let (watermark, holes) = history.standing(&here, history.epoch_of(first));
        assert_eq!((receipt.watermark, receipt.holes), (watermark, holes), "{first}..={last}");
        assert_eq!((receipt.quarantined, receipt.conflicts), (vec![], vec![]));
        if watermark > 0 {
            let head = Hash::of(&journal.line(watermark).unwrap().unwrap());
            assert_eq!(receipt.head, head);
        }
    }
    let end = history.last();
    let receipt = deliver(&http, &batch(&kiosk, &journal, end..=end)).await;
    assert_eq!((receipt.watermark, receipt.holes), (end, vec![]), "all of it is here");

    let http = Http::new(&plain.service()).unwrap();
    for epoch in &history.epochs {
        let receipt = deliver(&http, &batch(&kiosk, &journal, epoch.0..=epoch.1)).await;
        assert_eq!((receipt.watermark, receipt.holes), (epoch.1, vec![]));
    }
    for (visit, (_, level, reasons)) in phones {
        let ticket = history.visits[visit].ticket.clone();
        assert_eq!(answer(&client, &plain, &ticket, &level, &reasons).await, 200);
        history.visits[visit].phone = Some((level, reasons));
    }

    assert_eq!(tallies(&disordered).await, history.tallies(&form), "against the model");
    assert_eq!(disordered.store().findings().await.unwrap(), []);
    assert_eq!(plain.store().findings().await.unwrap(), []);
    assert_eq!(
        disordered.store().canonical_digest().await.unwrap(),
        plain.store().canonical_digest().await.unwrap(),
        "against a plain delivery"
    );
}

#[test]
fn any_order_repetition_and_cutting_comes_to_the_tallies_of_the_history() {
    for_all(48, &case(), check);
}
