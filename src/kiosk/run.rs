//! `hailong kiosk`: one counter's kiosk, with a window.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slint::ComponentHandle;
use tokio::sync::{Notify, mpsc};

use super::calls;
use super::care::Care;
use super::condition::{self, Heart};
use super::config::Config;
use super::configuration::Follower;
use super::desk::{Desk, DeskError};
use super::enrolment::{EnrolmentError, enrol};
use super::identity::{Identity, IdentityError};
use super::journal_reader::JournalReader;
use super::lifeline::Lifeline;
use super::network::Unreachable;
use super::photos::Photos;
use super::procedures::Procedures;
use super::recorder::Recorder;
use super::sender::Sender;
use super::setup::Setup;
use super::setup::kept::{Kept, Step};
use super::setup::window::SetupScreen;
use super::transport::Http;
use super::uploader::{Standing, UploadError, Uploader};
use super::voice::Voice;
use super::window::{Screen, Setting, WindowError};
use super::witness::Witness;
use crate::clock::{Clock, PutForward, SystemClock};
use crate::config::ConfigError;
use crate::domain::fingerprint::fingerprint;
use crate::domain::root::verifying_key;
use crate::domain::system_random;
use crate::ending;

/// A kiosk that ends waits so long for its last lines to be received, if the service is there.
const LAST_LINES: Duration = Duration::from_secs(3);

/// Why a kiosk cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Enrolment.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// Identity.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The first start has no window.
    #[error(
        "this kiosk is not set up, and there is no window to do it in: {0}; start it where it has a \
         display, or enrol it with --enrol CODE"
    )]
    NoFirstStart(slint::PlatformError),
    /// Nobody has told an address.
    #[error(
        "no address of the central service is known; name it with service in kiosk.toml, or start \
         without --enrol and choose it on the screen"
    )]
    NoService,
    /// What was chosen at the first start.
    #[error(transparent)]
    Setup(#[from] ConfigError),
    /// The counter's journal.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// The uploader.
    #[error(transparent)]
    Upload(#[from] UploadError),
    /// The network client.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// The window.
    #[error(transparent)]
    Window(#[from] WindowError),
    /// A thread or a runtime.
    #[error("the system gives no thread: {0}")]
    Thread(#[from] std::io::Error),
    /// Another kiosk uses the folder.
    #[error(
        "{0} is in use by a running kiosk; stop it first, or give this one a folder of its own"
    )]
    InUse(String),
}

impl RunError {
    /// Whether no page on this screen helps: there is no display, or it is another kiosk's.
    pub fn is_hopeless(&self) -> bool {
        matches!(
            self,
            Self::InUse(_) | Self::NoFirstStart(_) | Self::Window(WindowError::Platform(_))
        )
    }
}

/// Whether the machine offers a display to open a window on.
pub fn has_display() -> bool {
    cfg!(feature = "display")
        && (!cfg!(target_os = "linux")
            || ["WAYLAND_DISPLAY", "DISPLAY"]
                .iter()
                .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty())))
}

/// Chooses the renderer that every machine has: the processor.
pub fn choose_backend() -> Result<(), slint::PlatformError> {
    slint::BackendSelector::new().renderer_name("software".into()).select()
}

/// Closes the window when the process is asked to end, so that the journal ends in good order.
pub fn close_when_asked(runtime: &tokio::runtime::Handle) {
    let _within = runtime.enter();
    let asked_to_end = ending::listen();
    runtime.spawn(async {
        asked_to_end.await;
        let closed = slint::invoke_from_event_loop(|| {
            // It cannot be closed twice.
            let _ = slint::quit_event_loop();
        });
        if let Err(error) = closed {
            tracing::warn!(%error, "the window could not be closed");
        }
    });
}

/// Takes the kiosk's folder for this process.
pub fn lock(folder: &Path) -> Result<std::fs::File, RunError> {
    std::fs::create_dir_all(folder)?;
    let file = std::fs::OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(folder.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => {
            Err(RunError::InUse(folder.display().to_string()))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Guides a technician through the first start, on the screen; whether it came to its end.
fn first_start(
    config: &Config,
    kept: Option<Kept>,
    identity: &Identity,
    runtime: &tokio::runtime::Runtime,
) -> Result<bool, RunError> {
    let clock = Arc::new(SystemClock::start());
    let screen = SetupScreen::of(config, kept, identity, clock, runtime.handle().clone());
    let screen = screen.map_err(RunError::NoFirstStart)?;
    screen.app().run().map_err(RunError::NoFirstStart)?;
    Ok(screen.finished())
}

/// Runs a kiosk until its window is closed. Without an enrolment it guides through the first start on
/// the screen; under a `code` it is enrolled before, with a `new_key` if that is wished and it had one.
/// Its guardian, if it has one, hears that it lives.
pub fn run(
    mut config: Config,
    code: Option<&str>,
    new_key: bool,
    guarded: Option<&Lifeline>,
) -> Result<(), RunError> {
    let _lock = lock(&config.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("network")
        .enable_all()
        .build()?;
    let mut identity = Identity::load_or_create(&config.data, &mut system_random())?;
    if let Some(code) = code {
        if new_key && identity.enrolled.is_some() {
            identity.draw_next(&mut system_random())?;
        }
        let network = config.network.as_ref().ok_or(RunError::NoService)?;
        runtime.block_on(enrol(network, code, &mut identity))?;
        Follower::forget(&config.data)?;
        // Nothing is left of a first start that was begun on the screen.
        if let Some(kept) = config.follow_setup()? {
            Kept { step: Step::Done, ..kept }.write(&config.data)?;
        }
        let name = identity.enrolled.as_ref().map(|enrolled| enrolled.kiosk.to_string());
        let words = fingerprint(identity.signing_key.verifying_key().as_bytes());
        println!("Enrolled as {}.", name.unwrap_or_default());
        println!("Read these words to whoever made the code: {words}");
    }
    let kept = config.follow_setup()?;
    let guides =
        Setup::needed(kept.as_ref(), config.network.is_some(), identity.enrolled.is_some());
    let mut beating = None;
    if guides {
        choose_backend().map_err(RunError::NoFirstStart)?;
        close_when_asked(runtime.handle());
        beating = guarded.map(Lifeline::beat).transpose()?;
        if !first_start(&config, kept, &identity, &runtime)? {
            return Ok(());
        }
        config.follow_setup()?;
        identity = Identity::load_or_create(&config.data, &mut system_random())?;
    }
    let network = config.network.ok_or(RunError::NoService)?;
    let clock: Arc<dyn Clock> = Arc::new(PutForward::new(SystemClock::start()));
    let follower = Follower::open(&config.data, &identity, config.texts);
    let follower = follower.ok_or(DeskError::NotEnrolled)?;
    let in_force = follower.in_force();
    identity.enrolled = Some((*in_force.borrow().enrolled).clone());
    let desk =
        Desk::open(&config.data, &mut identity, Arc::clone(&clock), Box::new(system_random))?;
    let enrolled = Arc::clone(desk.enrolled());
    let more = Arc::new(Notify::new());
    let (answered, answers) = mpsc::unbounded_channel();
    let calling = answered.clone();
    let recorder = Recorder::start(desk, answered, Arc::clone(&more))?;

    let sender = Sender::of(&identity)?;
    let transport = Http::new(&network)?;
    let uploader = Uploader::open(&config.data, sender, transport, Arc::clone(&clock))?;
    let by = Arc::clone(&clock);
    let standing = uploader.standing();
    let mut sent = standing.clone();
    let condition = condition::follow(&config.data, standing.clone(), by, runtime.handle());
    let heart = Heart::of(&Sender::of(&identity)?, condition.clone());
    runtime.spawn(heart.follow(network.clone(), Arc::clone(&clock)));
    runtime.spawn(uploader.run(more));

    let (way, by) = (network.clone(), Arc::clone(&clock));
    let photos = Photos::follow(&config.data, in_force.clone(), way, by, runtime.handle());
    let (way, by) = (network.clone(), Arc::clone(&clock));
    let procedures = Procedures::follow(&config.data, in_force.clone(), way, by, runtime.handle());
    runtime.spawn(follower.follow(network.clone(), Arc::clone(&clock)));

    let witness = Witness::open(&config.data, verifying_key(&enrolled.root_key));
    let (by, journal) = (Arc::clone(&clock), recorder.clone());
    runtime.spawn(witness.follow(network, by, move |seen| journal.note_root(seen)));

    if let Some(how) = config.calls.listen.clone() {
        runtime.spawn(calls::keep_open(how, config.data.clone(), in_force.clone(), calling));
    }

    if !guides {
        choose_backend().map_err(WindowError::from)?;
    }
    let origin = Instant::now();
    let screen = Screen::new(Setting {
        in_force,
        time_outs: config.time_outs,
        full_screen: config.full_screen,
        clock,
        visitor_ms: Rc::new(move || origin.elapsed().as_millis() as u64),
        procedures,
        care: Care {
            condition: Some(condition),
            standing: Some(standing),
            ..Care::of(&config.data)
        },
        voice: config.voice.map(Voice::new),
        calls: config.calls,
        photos,
        recorder,
        answers,
    })?;
    if !guides {
        close_when_asked(runtime.handle());
        beating = guarded.map(Lifeline::beat).transpose()?;
    }
    let shown = screen.app().run();
    drop(beating);
    // Also when the display has gone: the journal is there.
    screen.stop();
    // Its last line may say that the day is over: unsent it would wait for the next start.
    if let Ok(last) = JournalReader::open(&config.data).and_then(|journal| journal.last()) {
        let sent = async move {
            let is_sent = |now: &Standing| now.watermark >= last || now.failures > 0;
            let _ = tokio::time::timeout(LAST_LINES, sent.wait_for(is_sent)).await;
        };
        runtime.block_on(sent);
    }
    Ok(shown.map_err(WindowError::from)?)
}
