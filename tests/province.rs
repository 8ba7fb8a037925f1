//! The invented province: what it puts into a service is as real kiosks and phones put it there, and follows from its
//! seed.

#[path = "common/archives.rs"]
mod archives;
mod common;

use archives::{ALL, Archive};
use common::{TestCentral, at, of_day, sample_config};
use hailong::demo::province::{Lived, Plan, Size, live};
use hailong::domain::form::Form;
use hailong::domain::office::Directory;
use hailong::domain::signals::Kind;
use hailong::domain::summary::{State, Summary};
use jiff::ToSpan;
use jiff::civil::{Date, date};

const PLAN: Plan = Plan {
    size: Size { offices: 4, kiosks: 24, ratings: 6 },
    seed: 3,
    from: date(2026, 1, 5),
    to: date(2026, 2, 13),
};

async fn province(plan: &Plan) -> (TestCentral, Lived) {
    let mut config = sample_config();
    config.offices.clear();
    let central = TestCentral::with_config(config, at("2026-01-05 00:00")).await;
    let mut days = Vec::new();
    let lived = live(&central.central, &central.clock, plan, &mut |day, _| days.push(day)).await;
    assert!(days.is_sorted() && days.first() == Some(&plan.from) && days.last() == Some(&plan.to));
    (central, lived.unwrap())
}

async fn summary(central: &TestCentral, place: usize, day: Date) -> Summary {
    let central = &central.central;
    central.summaries(&office(central, place)).of_day(day).await.unwrap()
}

/// The office in which the province's counter of a number stands, from 0.
fn office(central: &hailong::central::service::Central, place: usize) -> Directory {
    let kiosks: Vec<_> = central.offices().iter().map(|one| one.counters.len()).collect();
    assert_eq!(kiosks.iter().sum::<usize>(), 24);
    let runtime = tokio::runtime::Handle::current();
    let id = format!("k{}", place + 1).parse().unwrap();
    let kiosk = tokio::task::block_in_place(|| runtime.block_on(central.store.kiosk(&id)));
    Directory::clone(&central.directory(&kiosk.unwrap().unwrap().office).unwrap())
}

fn satisfied(form: &Form, summary: &Summary) -> u64 {
    let levels = summary.levels.as_ref().unwrap();
    let counts = |code: &str| form.levels.iter().any(|level| level.code == code && level.satisfied);
    levels.0.iter().filter(|(code, _)| counts(code)).map(|(_, n)| n).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rating_of_a_province_is_counted_and_whoever_checks_finds_nothing() {
    let (central, lived) = province(&PLAN).await;
    let counted = central.store().rated_contacts().await.unwrap().len() as u64;
    assert_eq!((counted, lived.days), (lived.ratings, 30));
    // Twenty-four counters, six ratings each a day, somewhat more before Tết.
    assert!((3_000..7_000).contains(&lived.ratings), "{lived:?}");
    assert!(lived.contacts > lived.ratings, "not everybody rates");
    assert!(central.store().findings().await.unwrap().is_empty());
    // What is remembered of its days is what follows from the lines.
    let service = &central.central;
    for directory in service.offices().iter() {
        for day in PLAN.from.series(1.day()).take_while(|day| *day <= PLAN.to) {
            let remembered = service.summaries(directory).of_day(day).await.unwrap();
            let (forms, now) = (&service.config.forms, service.now());
            let anew = of_day(central.store(), directory, forms, day, now).await.unwrap();
            assert_eq!(remembered, anew);
        }
    }
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, rebuilt.unread.len()), (0, 0), "{:?}", rebuilt.rows);
    let (folder, _) = central.stop().await;
    let checked = move || Archive::of(folder.path(), ALL).check(None);
    let report = tokio::task::spawn_blocking(checked).await.unwrap();
    assert_eq!(report.problems, [""; 0]);
    assert!(report.roots >= 29, "one for each night: {}", report.roots);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seed_gives_the_same_province_and_another_one_does_not() {
    let short = Plan { to: date(2026, 1, 9), ..PLAN };
    let (one, lived) = province(&short).await;
    let (again, lived_again) = province(&short).await;
    assert_eq!(lived.ratings, lived_again.ratings);
    let day = date(2026, 1, 8);
    let first = summary(&one, 0, day).await;
    assert_eq!(first.digest, summary(&again, 0, day).await.digest);
    let (other, _) = province(&Plan { seed: 4, ..short }).await;
    assert_ne!(first.office, summary(&other, 0, day).await.office);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_has_what_a_supervisor_should_find() {
    let (central, _) = province(&PLAN).await;
    // A kiosk went dark yesterday: its office's figures are provisional, and it is named.
    let dark = summary(&central, 5, PLAN.to).await;
    assert_eq!(dark.state, State::Provisional);
    assert!(dark.silent_kiosks.iter().any(|silent| silent.id.as_str() == "k6"), "{dark:?}");
    // One official taps for himself before lunch.
    let mut kinds = Vec::new();
    let mut day = PLAN.from;
    while day < PLAN.to {
        let stuffed = summary(&central, 11, day).await;
        kinds.extend(stuffed.signals.into_iter().map(|signal| signal.kind));
        day = day.tomorrow().unwrap();
    }
    for kind in [Kind::Burst, Kind::Even] {
        assert!(kinds.contains(&kind), "{kind:?} is not among {kinds:?}");
    }
    // Where waiting is complained of ever more, satisfaction falls in the last fortnight.
    let service = &central.central;
    let directory = office(service, 3);
    let form = service.config.forms.in_force(&directory.office.form, PLAN.to).unwrap();
    let rate = async |period: &str| {
        let period = period.parse().unwrap();
        let of = service.summaries(&directory).of_period(period).await.unwrap();
        satisfied(form, &of) as f64 / of.n as f64
    };
    let (before, after) = (rate("2026-01").await, rate("2026-02-02..2026-02-13").await);
    assert!(after < before - 0.02, "{before} and {after}");
}
