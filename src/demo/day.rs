//! `hailong demo`: one central service, six kiosks of an invented office, and a day of invented
//! visitors.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use jiff::civil::{Date, time};
use slint::ComponentHandle;
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::central::address::check_public_url;
use crate::central::config::Config as CentralConfig;
use crate::central::keys::Keys;
use crate::central::service::{Central, Lock, ServiceError, serve};
use crate::central::store::StoreError;
use crate::central::summary::SummaryError;
use crate::central::table;
use crate::clock::Clock;
use crate::config::ConfigError;
use crate::domain::access::Unit;
use crate::domain::ids::KioskId;
use crate::domain::office::Directory;
use crate::domain::summary::{State, Summary};
use crate::domain::system_random;
use crate::domain::time::At;
use crate::kiosk::desk::DeskError;
use crate::kiosk::enrolment::{EnrolmentError, enrol};
use crate::kiosk::identity::{Identity, IdentityError};
use crate::kiosk::network::Unreachable;
use crate::kiosk::run::{choose_backend, close_when_asked, has_display};
use crate::kiosk::uploader::UploadError;
use crate::kiosk::visit::TimeOuts;
use crate::kiosk::window::WindowError;
use crate::source::is_local;

use super::check;
use super::clock::DemoClock;
use super::folder::{Folder, FolderError};
use super::free_port;
use super::front::{self, Front};
use super::neighbour::Neighbour;
use super::people::{self, Person};
use super::plan::{self, Action, Event};

/// With a window, the day until 16:30 is hurried through at this speed.
const SPEED: f64 = 2_700.0;
/// The counter in front of which the visitor at the screen stands.
const FRONT: &str = "q3";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Where everything is kept.
    pub data: PathBuf,
    /// No window; pictures; the day ended.
    pub once: bool,
    /// Visitors for each neighbour counter.
    pub visitors: usize,
    /// What the invented visitors follow from.
    pub seed: u64,
    /// The day to live.
    pub date: Option<Date>,
    /// How many times faster than real the day goes until 16:30.
    pub speed: Option<f64>,
    /// A private address to listen on for phones in the hall.
    pub listen: Option<IpAddr>,
}

/// Why a demo cannot go on.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // The messages say it.
pub enum DemoError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Summary(#[from] SummaryError),
    #[error(transparent)]
    Desk(#[from] DeskError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    #[error(transparent)]
    Upload(#[from] UploadError),
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    #[error(transparent)]
    Window(#[from] WindowError),
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("the system gives no thread or socket: {0}")]
    System(#[from] std::io::Error),
    #[error("{0}")]
    Usage(String),
    #[error("a promise is broken: {0}")]
    Broken(String),
}

/// Everything that runs beside the visitors.
pub(super) struct Hall {
    pub(super) runtime: Runtime,
    pub(super) central: Arc<Central>,
    pub(super) clock: Arc<DemoClock>,
    pub(super) directory: Directory,
    pub(super) date: Date,
    end: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
    pub(super) service: String,
    staff: String,
    people: Vec<Person>,
}

/// Lives a day.
pub fn run(options: &Options) -> Result<(), DemoError> {
    if options.visitors > plan::MOST_VISITORS {
        let most = plan::MOST_VISITORS;
        return Err(DemoError::Usage(format!("--visitors: expected at most {most}")));
    }
    if let Some(speed) = options.speed
        && !(speed.is_finite() && speed > 0.0)
    {
        return Err(DemoError::Usage("--speed: expected a number above 0".into()));
    }
    let headless = options.once || !has_display();
    let _lock = Lock::take(&options.data)?;
    let folder = Folder::open(&options.data)?;
    let mut config = CentralConfig::read(&folder.config().join("central.toml"))?;
    let directory = config
        .offices
        .first()
        .cloned()
        .ok_or_else(|| DemoError::Usage("central.toml: expected an office".into()))?;
    let date = folder.next_day(options.date, &directory)?;
    folder.note_lived(date)?;

    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let clock = Arc::new(DemoClock::standing(At::from_civil(date.at(7, 30, 0, 0))));
    config.data = options.data.join("central");
    std::fs::create_dir_all(&config.data)
        .map_err(|error| DemoError::File(config.data.clone(), error))?;
    let hall = open_hall(options, config, directory, date, runtime, clock)?;
    let texts = &hall.central.config.texts[0];
    println!("Ngày {} · {}", texts.summary.date(date), hall.directory.office.name);
    println!("  citizens' phones  {}", hall.central.config.public_url);
    for person in &hall.people {
        println!("  {:<16}  {}{}", person.role, hall.staff, person.path);
    }
    if options.listen.is_some_and(|ip| !ip.is_loopback()) {
        println!("  Phones in the hall reach this machine without TLS: a trial, not an office.");
    }

    let time_outs = TimeOuts::default();
    let mut neighbours = Vec::new();
    let mut front = None;
    for counter in &hall.directory.counters {
        let (folder, identity) = enrolled(&hall, &options.data, counter.id.as_str())?;
        if counter.id.as_str() == FRONT || (front.is_none() && neighbours.len() == 5) {
            front = Some((folder, identity));
        } else {
            let clock = Arc::clone(&hall.clock);
            let handle = hall.runtime.handle();
            let neighbour =
                Neighbour::open(folder, identity, &hall.service, clock, time_outs, handle)?;
            neighbours.push(neighbour);
        }
    }
    let (folder, identity) =
        front.ok_or_else(|| DemoError::Usage("counters.csv: expected a counter".into()))?;
    let form = hall
        .central
        .config
        .forms
        .in_force(&hall.directory.office.form, date)
        .ok_or_else(|| SummaryError::NoForm(hall.directory.office.form.clone(), date))?;
    let events = plan::day(
        date,
        options.seed,
        neighbours.len(),
        options.visitors,
        form,
        &hall.directory,
        time_outs,
    );
    let speed = match options.speed {
        Some(speed) => Some(speed),
        None => (!headless).then_some(SPEED),
    };
    if headless && !options.once {
        println!(
            "No display found: the screens are drawn into {}.",
            options.data.join("screens").display()
        );
    }
    let texts = hall.central.config.texts.clone();
    let seat = front::Seat { folder, identity, texts, time_outs };
    if headless {
        without_window(options, hall, neighbours, seat, events, speed)
    } else {
        with_window(hall, neighbours, seat, events, speed)
    }
}

/// Starts the central service on the next free ports.
fn open_hall(
    options: &Options,
    mut config: CentralConfig,
    directory: Directory,
    date: Date,
    runtime: Runtime,
    clock: Arc<DemoClock>,
) -> Result<Hall, DemoError> {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let address = options.listen.unwrap_or(loopback);
    // The brackets of IPv6 do not fit an alphanumeric QR code.
    if !(address.is_ipv4() && is_local(address)) {
        return Err(DemoError::Usage(format!(
            "--listen: expected a loopback or private address such as 192.168.1.20, found {address}"
        )));
    }
    let citizens = runtime.block_on(free_port(address, 8080))?;
    let staff = runtime.block_on(free_port(loopback, 8081))?;
    let (citizens_at, staff_at) = (citizens.local_addr()?, staff.local_addr()?);
    config.public_url = format!("HTTP://{citizens_at}");
    check_public_url(&config.public_url).map_err(DemoError::Usage)?;
    let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
    Keys::load_or_create_demo(&config.data).map_err(ServiceError::from)?;
    let central = runtime.block_on(Central::open(config, as_clock))?;
    let (end, ended) = watch::channel(false);
    let serving = runtime.spawn(serve(Arc::clone(&central), citizens, staff, ended));
    let people = runtime.block_on(people::invite(
        &central,
        &directory,
        &Unit(Some(directory.office.code.clone())),
    ))?;
    Ok(Hall {
        service: format!("http://{citizens_at}"),
        runtime,
        central,
        clock,
        directory,
        date,
        end,
        serving,
        staff: format!("http://{staff_at}"),
        people,
    })
}

/// The kiosk of a counter, enrolled by the real call if it is new.
fn enrolled(hall: &Hall, data: &Path, counter: &str) -> Result<(PathBuf, Identity), DemoError> {
    let bad = |error: &dyn std::fmt::Display| DemoError::Usage(format!("counters.csv: {error}"));
    let kiosk: KioskId = format!("ps-{counter}").parse().map_err(|error| bad(&error))?;
    let folder = data.join("kiosks").join(kiosk.as_str());
    let mut identity = Identity::load_or_create(&folder, &mut system_random())?;
    if let Some(enrolled) = &mut identity.enrolled {
        // The port may be another one today.
        enrolled.public_url = hall.central.config.public_url.clone();
        identity.keep()?;
    } else {
        let office = hall.directory.office.code.clone();
        let counter = counter.parse().map_err(|error| bad(&error))?;
        let offered = hall.central.offer(kiosk, office, counter);
        let code = hall.runtime.block_on(offered)?;
        hall.runtime.block_on(enrol(&hall.service, &code, &mut identity))?;
    }
    Ok((folder, identity))
}

/// Runs one event of the neighbours' day.
fn live(hall: &Hall, neighbours: &mut [Neighbour], event: Event) -> Result<(), DemoError> {
    hall.clock.set(event.at);
    let Some(neighbour) = neighbours.get_mut(event.kiosk) else { return Ok(()) };
    match event.action {
        Action::Visitor(input) => neighbour.take(input),
        Action::Scan(visitor) => {
            neighbour.scan(visitor);
            Ok(())
        }
        Action::Phone { visitor, level, reasons } => match neighbour.scanned.remove(&visitor) {
            Some(address) => {
                let form =
                    hall.central.config.forms.in_force(&hall.directory.office.form, hall.date);
                let code = form.and_then(|form| form.levels.get(level)).map(|level| &level.code);
                let Some(code) = code else { return Ok(()) };
                hall.runtime.block_on(front::answer_by_phone(&address, code, &reasons))
            }
            None => Ok(()),
        },
        Action::Look => neighbour.look(),
        Action::Cable(whole) => {
            let what = if whole { "has its network again" } else { "loses its network" };
            println!("  {} · {} {what}", hour_and_minute(event.at), neighbour.name());
            neighbour.sending.cable.store(whole, Ordering::Release);
            Ok(())
        }
        Action::PowerOff => {
            println!("  {} · {} loses its power", hour_and_minute(event.at), neighbour.name());
            neighbour.power_off()
        }
        Action::PowerOn => {
            println!("  {} · {} starts again", hour_and_minute(event.at), neighbour.name());
            neighbour.power_on()
        }
    }
}

fn hour_and_minute(at: At) -> String {
    let time = at.civil();
    format!("{:02}:{:02}", time.hour(), time.minute())
}

/// Waits in real time until the moment `at` is due, unless told to hurry.
fn pace(begun: Instant, from: At, at: At, speed: Option<f64>, hurry: &AtomicBool) {
    let Some(speed) = speed else { return };
    let passed = at.timestamp().as_millisecond() - from.timestamp().as_millisecond();
    let due = begun + Duration::from_secs_f64((passed.max(0) as f64 / 1_000.0) / speed);
    while !hurry.load(Ordering::Acquire) {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}

/// Tells how far the day has come, once an hour.
struct Progress {
    hour: i8,
}

impl Progress {
    fn tell(&mut self, at: At, done: usize, all: usize) {
        let hour = at.civil().hour();
        if hour != self.hour {
            self.hour = hour;
            println!("  {hour:02}:00 · {}%", done * 100 / all.max(1));
        }
    }
}

fn without_window(
    options: &Options,
    hall: Hall,
    mut neighbours: Vec<Neighbour>,
    seat: front::Seat,
    events: Vec<Event>,
    speed: Option<f64>,
) -> Result<(), DemoError> {
    let pictures = options.data.join("screens");
    std::fs::create_dir_all(&pictures).map_err(|error| DemoError::File(pictures.clone(), error))?;
    let mut front = Front::headless(&hall, seat, pictures)?;
    let from = At::from_civil(hall.date.at(7, 30, 0, 0));
    let (begun, calm) = (Instant::now(), AtomicBool::new(false));
    let mut script = front::script(hall.date).into_iter().peekable();
    let mut progress = Progress { hour: 7 };
    let all = events.len();
    for (done, event) in events.into_iter().enumerate() {
        while let Some((at, step)) = script.next_if(|(at, _)| *at <= event.at) {
            hall.clock.set(at);
            front.play(&hall, step)?;
        }
        pace(begun, from, event.at, speed, &calm);
        progress.tell(event.at, done, all);
        live(&hall, &mut neighbours, event)?;
    }
    hall.clock.set(At::from_civil(hall.date.to_datetime(time(16, 30, 0, 0))));
    print_summary(&hall)?;
    for (at, step) in script {
        hall.clock.set(at);
        front.play(&hall, step)?;
    }
    if !options.once {
        println!("{} pictures in {}.", front.pictures(), options.data.join("screens").display());
    }
    end_day(hall, neighbours, front)
}

fn with_window(
    hall: Hall,
    neighbours: Vec<Neighbour>,
    seat: front::Seat,
    events: Vec<Event>,
    speed: Option<f64>,
) -> Result<(), DemoError> {
    choose_backend().map_err(WindowError::from)?;
    let front = Front::window(&hall, seat)?;
    close_when_asked(hall.runtime.handle());
    let hurry = Arc::new(AtomicBool::new(false));
    let hurried = Arc::clone(&hurry);
    let (lived, was_lived) = mpsc::channel();
    let day = std::thread::Builder::new().name("day".into()).spawn(move || {
        let mut neighbours = neighbours;
        let lived_day = live_day(&hall, &mut neighbours, events, speed, &hurried);
        let _ = lived.send(());
        (hall, neighbours, lived_day)
    })?;
    front.screen().app().run().map_err(WindowError::from)?;
    hurry.store(true, Ordering::Release);
    let _ = was_lived.recv();
    let (hall, neighbours, lived_day) =
        day.join().map_err(|_| DemoError::Broken("the day's thread has ended early".into()))?;
    lived_day?;
    end_day(hall, neighbours, front)
}

fn live_day(
    hall: &Hall,
    neighbours: &mut [Neighbour],
    events: Vec<Event>,
    speed: Option<f64>,
    hurry: &AtomicBool,
) -> Result<(), DemoError> {
    let from = At::from_civil(hall.date.at(7, 30, 0, 0));
    let begun = Instant::now();
    let mut progress = Progress { hour: 7 };
    let all = events.len();
    for (done, event) in events.into_iter().enumerate() {
        pace(begun, from, event.at, speed, hurry);
        progress.tell(event.at, done, all);
        live(hall, neighbours, event)?;
    }
    hall.clock.set(At::from_civil(hall.date.to_datetime(time(16, 30, 0, 0))));
    hall.clock.run();
    print_summary(hall)?;
    if !hurry.load(Ordering::Acquire) {
        println!(
            "It is 16:30 and the clock runs as yours does. Rate at the window, scan its code,"
        );
        if let Some(supervisor) = hall.people.first() {
            println!("look at the day at {}{}", hall.staff, supervisor.path);
        }
        println!("Close the window (or press Ctrl-C) to end the day.");
    }
    Ok(())
}

/// After midnight: every kiosk ends in good order and sends what it has; the day is complete.
fn end_day(hall: Hall, mut neighbours: Vec<Neighbour>, front: Front) -> Result<(), DemoError> {
    let midnight = hall.date.tomorrow().unwrap_or(hall.date).at(0, 5, 0, 0);
    hall.clock.set(At::from_civil(midnight));
    let mut folders = Vec::new();
    let (folder, mut sending) = front.stop();
    let mut senders = vec![(folder.clone(), &mut sending)];
    folders.push(folder);
    for neighbour in &mut neighbours {
        neighbour.stop()?;
        folders.push(neighbour.folder.clone());
        senders.push((neighbour.folder.clone(), &mut neighbour.sending));
    }
    for (folder, sending) in senders {
        let last = check::last_line(&folder)?;
        if !hall.runtime.block_on(sending.drained(last)) {
            return Err(DemoError::Broken(format!(
                "{} was not sent within 30 seconds: {}",
                folder.display(),
                sending
                    .standing
                    .borrow()
                    .trouble
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            )));
        }
    }
    let summary = print_summary(&hall)?;
    let checked = check::nothing_is_missing(&hall, &folders, &summary);
    let Hall { runtime, central, end, serving, .. } = hall;
    end.send_replace(true);
    runtime.block_on(async {
        let _ = serving.await;
        central.store.close().await
    })?;
    checked?;
    if summary.state != State::Complete {
        return Err(DemoError::Broken(format!("the day is {:?}, not complete", summary.state)));
    }
    Ok(())
}

fn print_summary(hall: &Hall) -> Result<Summary, DemoError> {
    let central = &hall.central;
    let (directory, forms) = (&hall.directory, &central.config.forms);
    let summaries = central.summaries(directory);
    let summary = hall.runtime.block_on(summaries.of_day(hall.date))?;
    println!("\n{}", table::of(&summary, directory, forms, &central.config.texts[0]));
    Ok(summary)
}

/// Milliseconds of the visitor at a window: real ones.
pub(super) fn real_ms() -> Rc<dyn Fn() -> u64> {
    let origin = Instant::now();
    Rc::new(move || origin.elapsed().as_millis() as u64)
}
