//! `hailong demo --province`: a year of a whole province, with invented offices, officials and citizens. Their answers
//! are sealed, signed and counted as those of real kiosks are; only time goes faster.

mod journal;
mod names;
mod year;

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use futures_util::StreamExt;
use jiff::ToSpan;
use jiff::civil::{Date, time};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::clock::DemoClock;
use super::folder::{Folder, FolderError};
use super::free_port;
use super::people::{self, Person};
use crate::central::config::Config;
use crate::central::keys::{Keys, KeysError};
use crate::central::offices::{Change, ChangeError};
use crate::central::roots::RootsError;
use crate::central::service::{Central, DEMO_MARK, Lock, ServiceError, serve};
use crate::central::store::{Heartbeat, StoreError};
use crate::central::upkeep;
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::domain::access::Unit;
use crate::domain::condition::Condition;
use crate::domain::ids::BadName;
use crate::domain::office::Directory;
use crate::domain::seal::SealError;
use crate::domain::time::At;
use crate::ending;

use journal::{Kiosk, KioskError};
use year::Year;

/// The first day of a province's demo: no line may be older than 2026.
const FIRST: Date = jiff::civil::date(2026, 1, 1);
/// Its last day, unless another is asked for.
const LAST: Date = jiff::civil::date(2026, 12, 31);
/// Batches on their way at once.
const AT_ONCE: usize = 48;
/// The clock goes on by so much at most between two times that a demo is looked at, in minutes.
const MOST_MINUTES: i64 = 180;
/// What a folder holds.
const MARK: &str = "province.json";

/// How large a province is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Its offices.
    pub offices: usize,
    /// Their kiosks together, at least one an office.
    pub kiosks: usize,
    /// Contacts with a rating that one kiosk has on a working day, on average.
    pub ratings: u32,
}

impl Size {
    /// As large as provinces are since the mergers of 2025.
    pub const WHOLE: Self = Self { offices: 104, kiosks: 800, ratings: 5 };
}

/// What is to be lived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// How large it is.
    pub size: Size,
    /// What all that is invented follows from.
    pub seed: u64,
    /// The first day.
    pub from: Date,
    /// The last day.
    pub to: Date,
}

impl Plan {
    /// A whole province, up to a day of 2026 or later.
    pub fn whole(seed: u64, to: Option<Date>) -> Self {
        let to = to.unwrap_or(LAST);
        let year_before = to.checked_sub(1.year()).unwrap_or(FIRST);
        Self { size: Size::WHOLE, seed, from: year_before.max(FIRST), to }
    }
}

/// Why there is no province.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum ProvinceError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Offices(#[from] ChangeError),
    #[error(transparent)]
    Roots(#[from] RootsError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error(transparent)]
    Name(#[from] BadName),
    #[error(transparent)]
    Kiosk(#[from] KioskError),
    #[error("the system gives no thread or socket: {0}")]
    System(#[from] std::io::Error),
    #[error("a promise is broken: {0}")]
    Broken(String),
}

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The demo's folder; the province lies in a folder of its own in it.
    pub data: PathBuf,
    /// Ends when the year is lived.
    pub once: bool,
    /// What all that is invented follows from.
    pub seed: u64,
    /// The last day.
    pub date: Option<Date>,
}

/// What was lived in a folder, and by what clock.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    plan: Plan,
    /// What the demo's clock showed when the year was lived …
    shown: At,
    /// … and the machine's.
    real: At,
}

impl Mark {
    fn of(plan: Plan, central: &Central) -> Self {
        Self { plan, shown: central.now(), real: At::new(jiff::Timestamp::now()) }
    }
}

/// Lives a year, unless it was lived in this folder before; then serves it until asked to end.
pub fn run(options: &Options) -> Result<(), ProvinceError> {
    let folder = options.data.join("province");
    let _lock = Lock::take(&folder)?;
    let mut config = Config::read(&Folder::sample(&options.data)?.join("central.toml"))?;
    config.offices.clear();
    config.data = folder.clone();
    let plan = Plan::whole(options.seed, options.date);
    let worked = names::offices(&Size { offices: 1, kiosks: 1, ratings: 1 }, 1, &config.forms)?;
    if plan.to < FIRST || worked.iter().all(|office| office.open_on(plan.to).is_empty()) {
        let why = format!("--date: expected a working day from {FIRST} on, found {}", plan.to);
        return Err(FolderError::Usage(why).into());
    }
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let known = mark_of(&folder)?;
        if known.is_none() && folder.join("central.db").exists() {
            return Err(FolderError::Usage(format!(
                "{} holds a year that was not lived to its end, or is no demo's; remove it, or name another \
                 folder with --data",
                folder.display()
            ))
            .into());
        }
        if let Some(known) = known.as_ref().filter(|known| known.plan != plan) {
            return Err(FolderError::Usage(format!(
                "{} holds a year with --seed {} --date {}; remove it, or name another folder with --data",
                folder.display(),
                known.plan.seed,
                known.plan.to
            ))
            .into());
        }
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let staff = free_port(loopback, 8081).await?;
        let citizens = free_port(loopback, 8080).await?;
        let staff_at = format!("http://{}", staff.local_addr()?);
        config.public_url = format!("HTTP://{}", citizens.local_addr()?);
        let begins = At::from_civil(plan.from.at(0, 0, 0, 0));
        // It goes on from where it stood; a night that nobody looked is no longer than an evening.
        let stood = known.as_ref().map_or(begins, |known| {
            let passed = At::new(jiff::Timestamp::now()).timestamp().duration_since(known.real.timestamp());
            known.shown.plus_minutes(passed.as_mins().clamp(0, MOST_MINUTES))
        });
        let clock = Arc::new(DemoClock::standing(stood));
        std::fs::create_dir_all(&folder)?;
        Keys::load_or_create_demo(&folder)?;
        let central = Central::open(config, Arc::clone(&clock) as Arc<dyn Clock>).await?;
        if known.is_none() {
            println!(
                "{} offices, {} kiosks, {} to {}: a few minutes",
                plan.size.offices, plan.size.kiosks, plan.from, plan.to
            );
            let lived = live(&central, &clock, &plan, &mut tell()).await?;
            println!("{lived}");
            keep_mark(&folder, &Mark::of(plan, &central))?;
        }
        if options.once {
            return Ok(central.store.close().await?);
        }
        clock.run();
        let office = names::offices(&plan.size, plan.seed, &central.config.forms)?.into_iter().next();
        let people = match &office {
            Some(office) => people::invite(&central, office, &Unit::PROVINCE).await?,
            None => Vec::new(),
        };
        say_who(&central, &people, &staff_at);
        let asked_to_end = ending::listen();
        let (end, ended) = watch::channel(false);
        tokio::spawn(async move {
            asked_to_end.await;
            end.send_replace(true);
        });
        serve(Arc::clone(&central), citizens, staff, ended).await;
        keep_mark(&folder, &Mark::of(plan, &central))?;
        Ok(central.store.close().await?)
    })
}

fn say_who(central: &Central, people: &[Person], staff: &str) {
    let texts = &central.config.texts[0];
    println!("{}", texts.summary.date(central.now().date()));
    for person in people {
        println!("  {:<16}  {staff}{}", person.role, person.path);
    }
    println!("Each link signs in once. Press Ctrl-C to end.");
}

fn mark_of(folder: &Path) -> Result<Option<Mark>, ProvinceError> {
    match std::fs::read(folder.join(MARK)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn keep_mark(folder: &Path, mark: &Mark) -> Result<(), ProvinceError> {
    let bytes = serde_json::to_vec(mark).map_err(std::io::Error::other)?;
    Ok(std::fs::write(folder.join(MARK), bytes)?)
}

/// What came of a year.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lived {
    /// Days on which anybody worked.
    pub days: u64,
    /// Lines that kiosks wrote.
    pub lines: u64,
    /// Contacts opened.
    pub contacts: u64,
    /// Ratings, at kiosks and on phones.
    pub ratings: u64,
    /// How long it took, in seconds.
    pub seconds: u64,
}

impl std::fmt::Display for Lived {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { days, lines, contacts, ratings, seconds } = self;
        write!(
            to,
            "{days} working days, {lines} lines, {contacts} contacts, {ratings} ratings in {seconds} s"
        )
    }
}

/// Tells how far a year has come, a line a month.
fn tell() -> impl FnMut(Date, &Lived) {
    let mut month = 0;
    move |day, lived| {
        if day.month() != month {
            month = day.month();
            println!("  {:02}/{} · {lived}", day.month(), day.year());
        }
    }
}

/// Lives the plan's days in a service that was opened at their beginning; `tell` hears of each day before it is lived.
/// The clock then stands at five past five on the last day.
pub async fn live(
    central: &Arc<Central>,
    clock: &Arc<DemoClock>,
    plan: &Plan,
    tell: &mut (dyn FnMut(Date, &Lived) + Send),
) -> Result<Lived, ProvinceError> {
    let begun = Instant::now();
    std::fs::write(central.config.data.join(DEMO_MARK), "{}")?;
    clock.set(At::from_civil(plan.from.at(0, 30, 0, 0)));
    let offices = names::offices(&plan.size, plan.seed, &central.config.forms)?;
    let from = central.now().date();
    let new = |office: &Directory| Change { from, before: None, directory: office.clone() };
    let new = offices.iter().map(new).collect();
    central.change_offices(new, crate::domain::access::CONSOLE.to_owned()).await?;
    let year = Year::new(plan, &offices, &central.config.forms);
    let mut kiosks = admitted(central, &year).await?;
    let (mut lived, mut erased) = (Lived::default(), None);
    let mut day = plan.from;
    while day <= plan.to {
        if !year.is_worked(day) {
            day = day.saturating_add(1.day());
            continue;
        }
        lived.seconds = begun.elapsed().as_secs();
        tell(day, &lived);
        // In the night the root of the day before, and what is over is erased.
        clock.set(At::from_civil(day.at(0, 30, 0, 0)));
        upkeep::look(central, &mut erased).await;
        clock.set(At::from_civil(day.to_datetime(time(17, 5, 0, 0))));
        day_of(central, &year, &mut kiosks, day, &mut lived).await?;
        day = day.saturating_add(1.day());
    }
    hear(central, &year, &kiosks, plan.to).await?;
    central.store.gather_codes().await?;
    lived.seconds = begun.elapsed().as_secs();
    Ok(lived)
}

/// Admits all kiosks, as technicians would before the first day.
async fn admitted(central: &Arc<Central>, year: &Year<'_>) -> Result<Vec<Kiosk>, ProvinceError> {
    let mut kiosks = Vec::new();
    for place in year.places() {
        kiosks.push(Kiosk::admit(central, place).await?);
    }
    Ok(kiosks)
}

/// One working day: what each kiosk wrote is sent at closing time, and in the evening phones answer.
async fn day_of(
    central: &Arc<Central>,
    year: &Year<'_>,
    kiosks: &mut [Kiosk],
    day: Date,
    lived: &mut Lived,
) -> Result<(), ProvinceError> {
    lived.days += 1;
    let mut sent = Vec::new();
    let mut answers = Vec::new();
    std::thread::scope(|scope| {
        let each = kiosks.len().div_ceil(threads()).max(1);
        let working: Vec<_> = kiosks
            .chunks_mut(each)
            .map(|some| {
                scope.spawn(move || {
                    some.iter_mut().map(|kiosk| kiosk.day(year, day)).collect::<Result<Vec<_>, _>>()
                })
            })
            .collect();
        for one in working {
            let days = one.join().map_err(|_| ProvinceError::Broken("a kiosk's day".into()))??;
            for of_kiosk in days {
                lived.lines += of_kiosk.lines;
                lived.contacts += of_kiosk.contacts;
                lived.ratings += of_kiosk.ratings + of_kiosk.answers.len() as u64;
                sent.extend(of_kiosk.batches);
                answers.extend(of_kiosk.answers);
            }
        }
        Ok::<(), ProvinceError>(())
    })?;
    let sending = sent.into_iter().map(|batch| async move {
        let received = central.receive(Bytes::from(batch.request), batch.signature).await;
        received.map(drop).map_err(|problem| ProvinceError::Broken(problem.to_string()))
    });
    let mut sending = futures_util::stream::iter(sending).buffer_unordered(AT_ONCE);
    while let Some(done) = sending.next().await {
        done?;
    }
    let answering = answers.into_iter().map(|answer| central.store.answer(answer));
    let mut answering = futures_util::stream::iter(answering).buffer_unordered(AT_ONCE);
    while let Some(done) = answering.next().await {
        done?;
    }
    Ok(())
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get)
}

/// The last word of each kiosk: those that went dark said theirs on their last day.
async fn hear(
    central: &Central,
    year: &Year<'_>,
    kiosks: &[Kiosk],
    last: Date,
) -> Result<(), ProvinceError> {
    for kiosk in kiosks {
        let day = kiosk.last_day().unwrap_or(last);
        let heard = At::from_civil(day.to_datetime(time(17, 2, 0, 0)));
        let condition = Condition {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            since: At::from_civil(day.to_datetime(time(7, 15, 0, 0))),
            queue: 0,
            oldest_unsent: None,
            last_receipt: Some(heard),
            trouble: None,
            disk_free: Some(year.disk_free(kiosk.place())),
            clock_offset_ms: Some(year.clock_offset_ms(kiosk.place())),
        };
        let heartbeat = Heartbeat { received: heard, condition };
        central.store.hear(kiosk.id().clone(), heartbeat).await?;
    }
    Ok(())
}
