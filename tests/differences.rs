//! What is withheld does not follow from anything that is published. An invented province is lived by real series of lines;
//! then days, periods, all offices beside each other, an official's own figures and files are asked for, and it is tried
//! to work out from all of them together what a small slice answered.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{TestCentral, at, sample_config};
use hailong::demo::province::{Plan, Size, live};
use hailong::domain::access::{Role, Standing};
use hailong::domain::comparison::Comparison;
use hailong::domain::ids::OfficeCode;
use hailong::domain::rating::Key;
use hailong::domain::summary::{Row, State, Summary};
use hailong::kiosk::network::client;
use jiff::ToSpan;
use jiff::civil::{Date, date};
use serde::de::DeserializeOwned;
use serde_json::Value;

const PLAN: Plan = Plan {
    size: Size { offices: 2, kiosks: 10, ratings: 3 },
    seed: 5,
    from: date(2026, 1, 5),
    to: date(2026, 2, 6),
};
/// Fewer ratings than this point at a person.
const FEW: u64 = 5;
const PRIME: i64 = 1_000_003;

struct Door<'a> {
    central: &'a TestCentral,
    token: String,
}

impl Door<'_> {
    async fn bytes(&self, path: &str) -> Vec<u8> {
        let address = format!("http://{}/api/v1/{path}", self.central.staff);
        let reply = client().unwrap().get(address).bearer_auth(&self.token).send().await.unwrap();
        let (status, bytes) = (reply.status(), reply.bytes().await.unwrap());
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&bytes));
        bytes.to_vec()
    }

    async fn read<T: DeserializeOwned>(&self, path: &str) -> T {
        serde_json::from_slice(&self.bytes(path).await).unwrap()
    }
}

/// How many of some equations say something of their own.
fn rank(mut rows: Vec<Vec<i64>>) -> usize {
    let power = |base: i64, mut exponent: i64| {
        let (mut result, mut base) = (1, base);
        while exponent > 0 {
            if exponent % 2 == 1 {
                result = result * base % PRIME;
            }
            (base, exponent) = (base * base % PRIME, exponent / 2);
        }
        result
    };
    let mut rank = 0;
    for column in 0..rows.first().map_or(0, Vec::len) {
        let Some(found) = (rank..rows.len()).find(|row| rows[*row][column] != 0) else { continue };
        rows.swap(rank, found);
        let inverse = power(rows[rank][column], PRIME - 2);
        let pivot = rows[rank].clone();
        for row in &mut rows[rank + 1..] {
            let factor = row[column] * inverse % PRIME;
            for (one, other) in row.iter_mut().zip(&pivot) {
                *one = (*one - factor * other % PRIME + PRIME) % PRIME;
            }
        }
        rank += 1;
    }
    rank
}

/// The ratings of one official at one counter: how many, and how many of them of each level.
type Cells = BTreeMap<(String, String), (u64, BTreeMap<String, u64>)>;

/// What the service alone knows of a day.
async fn cells(central: &TestCentral, office: &OfficeCode, day: Date) -> Cells {
    let mut cells = Cells::new();
    for (key, n) in central.store().tallies(office, day).await.unwrap() {
        if let Key::Rating { counter, official, level, .. } = key {
            let official = official.map_or_else(String::new, |official| official.to_string());
            let cell = cells.entry((counter.to_string(), official)).or_default();
            cell.0 += n;
            *cell.1.entry(level).or_default() += n;
        }
    }
    cells
}

/// A slice of a day: the day, a counter, an official, or an official at a counter.
fn slice(cells: &Cells, counter: Option<&str>, official: Option<&str>) -> Vec<i64> {
    let is = |(one, other): &(String, String)| {
        counter.is_none_or(|counter| counter == one) && official.is_none_or(|id| id == other)
    };
    cells.keys().map(|cell| i64::from(is(cell))).collect()
}

fn count(cells: &Cells, slice: &[i64]) -> u64 {
    cells.values().zip(slice).filter(|(_, is)| **is == 1).map(|((n, _), _)| n).sum()
}

/// Tries everything that a day's summary shows against each of its small slices: how many were tried, and how many
/// would have followed if nothing were withheld.
fn try_day(summary: &Summary, cells: &Cells) -> (usize, usize) {
    let mut shown = Vec::new();
    let mut all = vec![slice(cells, None, None)];
    if summary.levels.is_some() {
        shown.push(slice(cells, None, None));
    }
    let rows = |rows: &[Row]| -> Vec<(String, bool)> {
        rows.iter().map(|row| (row.id.clone(), row.levels.is_some())).collect()
    };
    let officials = rows(&summary.by_official).into_iter().map(|(id, is)| (None, Some(id), is));
    let counters = rows(&summary.by_counter).into_iter().map(|(id, is)| (Some(id), None, is));
    for (counter, official, is_shown) in officials.chain(counters) {
        let one = slice(cells, counter.as_deref(), official.as_deref());
        if is_shown {
            shown.push(one.clone());
        }
        all.push(one);
    }
    let counters: BTreeSet<&str> = cells.keys().map(|(counter, _)| counter.as_str()).collect();
    let officials: BTreeSet<&str> = cells.keys().map(|(_, official)| official.as_str()).collect();
    let of_counters = counters.iter().map(|id| slice(cells, Some(id), None));
    let of_officials = officials.iter().map(|id| slice(cells, None, Some(id)));
    let of_cells = cells.keys().map(|(counter, id)| slice(cells, Some(counter), Some(id)));
    let follows = |from: &[Vec<i64>], small: &Vec<i64>| {
        let with = [from, std::slice::from_ref(small)].concat();
        rank(with) == rank(from.to_vec())
    };
    let (mut tried, mut would) = (0, 0);
    for small in of_counters.chain(of_officials).chain(of_cells) {
        if count(cells, &small) >= FEW {
            continue;
        }
        assert!(
            !follows(&shown, &small),
            "{} {}: {small:?} of {cells:?}",
            summary.office,
            summary.date
        );
        tried += 1;
        would += usize::from(follows(&all, &small));
    }
    (tried, would)
}

/// Satisfied ratings by slice: the whole, officials, counters; left out where they are withheld, or where nobody rated.
fn told(summary: &Summary) -> BTreeMap<(&'static str, String), u64> {
    let whole = summary.satisfied.filter(|_| summary.n > 0);
    let whole = whole.map(|n| (("total", String::new()), n));
    let rows = |part: &'static str, rows: &[Row]| -> Vec<_> {
        let one = |row: &Row| Some(((part, row.id.clone()), row.satisfied.filter(|_| row.n > 0)?));
        rows.iter().filter_map(one).collect()
    };
    let officials = rows("official", &summary.by_official);
    whole.into_iter().chain(officials).chain(rows("counter", &summary.by_counter)).collect()
}

/// The same from a file.
fn told_in_csv(bytes: &[u8]) -> BTreeMap<(&'static str, String), u64> {
    let text = std::str::from_utf8(bytes).unwrap().trim_start_matches('\u{feff}');
    let mut table = csv::Reader::from_reader(text.as_bytes());
    let heads = table.headers().unwrap().clone();
    let column = |name: &str| heads.iter().position(|head| head == name).unwrap();
    let (part, code, satisfied) = (column("part"), column("code"), column("satisfied"));
    let rated = |row: &csv::StringRecord| row[column("n")] != *"0";
    let mut told = BTreeMap::new();
    for row in table.records().map(Result::unwrap).filter(rated) {
        let known = ["total", "official", "counter"].into_iter().find(|one| *one == &row[part]);
        if let (Some(part), Ok(n)) = (known, row[satisfied].parse()) {
            let code = if part == "total" { "" } else { &row[code] };
            told.insert((part, code.to_owned()), n);
        }
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_published_gives_what_is_withheld() {
    let mut config = sample_config();
    config.offices.clear();
    let central = TestCentral::with_config(config, at("2026-01-05 00:00")).await;
    live(&central.central, &central.clock, &PLAN, &mut |_, _| {}).await.unwrap();
    let door = Door { central: &central, token: central.token(Role::Supervisor).await };
    let offices: Vec<OfficeCode> =
        central.central.offices().iter().map(|one| one.office.code.clone()).collect();
    let days: Vec<Date> = PLAN.from.series(1.day()).take_while(|day| *day <= PLAN.to).collect();
    let mut published: BTreeMap<(OfficeCode, Date), Summary> = BTreeMap::new();
    let (mut tried, mut would, mut shown) = (0, 0, 0);
    for office in &offices {
        for day in &days {
            let summary: Summary = door.read(&format!("summary/{office}/{day}")).await;
            let file = door.bytes(&format!("summary/{office}/{day}?format=csv")).await;
            assert_eq!(told_in_csv(&file), told(&summary), "{office} {day}");
            if summary.state == State::Final {
                let (more, of_all) = try_day(&summary, &cells(&central, office, *day).await);
                (tried, would) = (tried + more, would + of_all);
                shown += told(&summary).len();
            }
            published.insert((office.clone(), *day), summary);
        }
    }
    // There was something to find, and to find it in.
    assert!(tried > 200 && would > 200 && shown > 100, "{tried} {would} {shown}");

    // Every longer period tells the sums of what its days tell, in every form, and nothing else.
    let periods = [
        "2026-W02",
        "2026-W03",
        "2026-01",
        "2026-Q1",
        "2026",
        "2026-01-05..2026-01-06",
        "2026-01-06..2026-02-05",
    ];
    for period in periods {
        let days: BTreeSet<Date> =
            period.parse::<hailong::domain::period::Period>().unwrap().days().collect();
        let mut of_offices = BTreeMap::new();
        for office in &offices {
            let mut sums: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
            for (_, day) in
                published.iter().filter(|((of, day), _)| of == office && days.contains(day))
            {
                told(day).into_iter().for_each(|(slice, n)| *sums.entry(slice).or_default() += n);
            }
            let summary: Summary = door.read(&format!("summary/{office}/{period}")).await;
            assert_eq!(told(&summary), sums, "{office} {period}");
            let file = door.bytes(&format!("summary/{office}/{period}?format=csv")).await;
            assert_eq!(told_in_csv(&file), sums, "{office} {period}");
            of_offices.insert(office.clone(), summary.satisfied);
        }
        let all: Comparison = door.read(&format!("offices/{period}")).await;
        for group in &all.groups {
            for line in &group.offices {
                assert_eq!(line.satisfied, of_offices[&line.office], "{period}");
            }
            let sum: u64 = group.offices.iter().filter_map(|line| line.satisfied).sum();
            assert_eq!(group.satisfied, sum, "{period}");
        }
    }

    // What is usual is the sum of what ninety days tell, those that are final.
    let (mut usual_told, last) = (0, PLAN.to);
    for office in &offices {
        let summary = &published[&(office.clone(), last)];
        let window = |day: Date| {
            day <= last.saturating_sub(8.days()) && day > last.saturating_sub(98.days())
        };
        let mut sums: BTreeMap<(&'static str, String), u64> = BTreeMap::new();
        for ((of, day), one) in &published {
            if of == office && window(*day) && one.state == State::Final {
                told(one).into_iter().for_each(|(slice, n)| *sums.entry(slice).or_default() += n);
            }
        }
        let whole = (("total", String::new()), &summary.usual);
        let officials =
            summary.by_official.iter().map(|row| (("official", row.id.clone()), &row.usual));
        let counters =
            summary.by_counter.iter().map(|row| (("counter", row.id.clone()), &row.usual));
        for (slice, usual) in std::iter::once(whole).chain(officials).chain(counters) {
            let Some(rate) = usual.rate else { continue };
            let satisfied = (rate * usual.n as f64).round() as u64;
            assert_eq!(Some(&satisfied), sums.get(&slice), "{office} {slice:?}");
            usual_told += 1;
        }
    }
    assert!(usual_told > 2, "{usual_told}");

    // An official is told of their own what others are, and no more.
    let withheld = |summary: &&Summary| {
        summary.by_official.iter().any(|row| row.n > 0 && row.levels.is_none())
    };
    let summary = published.values().filter(|one| one.levels.is_some()).find(withheld).unwrap();
    let mut rows = summary.by_official.iter();
    let row = rows.find(|row| row.n > 0 && row.levels.is_none()).unwrap();
    let (office, official) = (summary.office.clone(), row.id.parse().unwrap());
    let token = central.token_of(Standing::official(office, official)).await;
    let path = format!("own/{}", summary.date);
    let own: Value = Door { central: &central, token }.read(&path).await;
    assert_eq!(own["figures"], serde_json::to_value(row).unwrap());
}
