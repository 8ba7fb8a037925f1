//! The service itself: what it holds, its two listeners, and the doors for kiosks.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path as UrlPath, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use ed25519_dalek::VerifyingKey;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

use super::access::account::Account;
use super::access::accounts_page::invite;
use super::access::sign_in::SignIns;
use super::address::below;
use super::config::Config;
use super::decide::{DecideError, Erasure};
use super::delivery::{self, Deliveries};
use super::directory_page::Plans;
use super::health::Meters;
use super::ingest::Intake;
use super::keys::{Keys, KeysError};
use super::known_forms::KnownForms;
use super::offices::Offices;
use super::pages::{self, Pages};
use super::preview::Previews;
use super::problem::Problem;
use super::remembered::Remembered;
use super::source::{Gate, Marks};
use super::store::mail::MailStore;
use super::store::sqlite::{Author, SqliteStore};
use super::store::{
    Admission, EnrolmentCode, Kiosk, Rebuilt, Standing, Store, StoreError, Verified,
};
use super::summary::Summaries;
use super::{
    board, check, configuration, decide, door, health, heartbeat, phone, report, roots, staff,
    upkeep,
};
use crate::clock::{Clock, SystemClock};
use crate::config::ConfigError;
use crate::domain::access::{CONSOLE, Role, Unit};
use crate::domain::batch::{Header, MAX_PACKED, Unverified, verify};
use crate::domain::condition::MOST_BYTES;
use crate::domain::decision::Decision;
use crate::domain::enrolment::{CentralKeys, Counters, Enrolled, Request, SIGNED, TICKET_KEY_INFO};
use crate::domain::form::Forms;
use crate::domain::ids::{Epoch, Hash, KioskId, OfficeCode};
use crate::domain::letter::Letter;
use crate::domain::office::Directory;
use crate::domain::receipt::Receipt;
use crate::domain::seal::key_id;
use crate::domain::system_random;
use crate::domain::ticket::TicketKey;
use crate::domain::time::At;
use crate::ending;
use crate::listener;
use crate::source::Peer;

/// How long a folder is waited for that is in use.
const ENDING: Duration = Duration::from_millis(500);
/// A mail that is on its way when the service ends is waited for.
const MAILING: Duration = Duration::from_secs(10);
/// An enrolment code is valid this long, in minutes.
pub const CODE_MINUTES: i64 = 15;
/// Most batches worked on at once; more are asked to come again.
const AT_ONCE: usize = 64;
/// A batch of so few lines is judged where it is, quicker than another thread would wake up.
const FEW: u32 = 8;
/// The way to a line of so low a number within its epoch is short.
const NEAR: u64 = 4_096;
/// Largest body of a request that is no batch, in bytes.
pub const MAX_FORM: usize = 64 * 1024;
/// Largest upload of files, in bytes.
pub const MAX_UPLOAD: usize = 4 * 1024 * 1024;
/// No request takes longer.
const LONGEST: Duration = Duration::from_secs(60);
/// Letters and digits of enrolment codes: none that are mistaken for another.
const CODE_ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
/// Marks a folder that was lived in demo time.
pub const DEMO_MARK: &str = "demo.json";

/// Why the service cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The data folder could not be used.
    #[error("{0}: {1}")]
    Folder(String, std::io::Error),
    /// Another process has the data folder.
    #[error("{0} is in use by a running hailong; stop it first, or ask it with --server")]
    InUse(String),
    /// The folder was lived in demo time.
    #[error("{0} holds a demo's invented days; give the central service a folder of its own")]
    DemoFolder(String),
    /// The secrets were drawn for a demo.
    #[error("the keys in {0} are a demo's, which others may have; begin in an empty folder")]
    DemoKeys(String),
    /// The secrets have no backup.
    #[error(
        "the key that opens answers has no backup: if this disk failed, no answer could ever be read \
         again; start once with --backup FILE, on a medium that is kept apart from this machine"
    )]
    NoBackup,
    /// The secrets could not be used.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The store could not be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of an office that is kept in the store.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A page is not one.
    #[error("a page cannot be read: {0}")]
    Pages(#[from] minijinja::Error),
    /// A listener could not be opened.
    #[error("cannot listen on {0}: {1}; stop the program that uses it, or change central.toml")]
    Listen(SocketAddr, std::io::Error),
}

/// A data folder that is ours until this is dropped.
pub struct Lock(#[allow(dead_code)] std::fs::File);

impl Lock {
    /// Takes the folder, making it if need be.
    pub fn take(folder: &Path) -> Result<Self, ServiceError> {
        let name = folder.display().to_string();
        let failed = |error| ServiceError::Folder(name.clone(), error);
        std::fs::create_dir_all(folder).map_err(failed)?;
        let file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(folder.join("lock"))
            .map_err(failed)?;
        // Whoever had it may be about to end, or has a child that has not become itself yet.
        let give_up = Instant::now() + ENDING;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(std::fs::TryLockError::WouldBlock) if Instant::now() < give_up => {
                    std::thread::sleep(Duration::from_millis(10));
                }
                Err(std::fs::TryLockError::WouldBlock) => return Err(ServiceError::InUse(name)),
                Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

/// Kiosks as the store had them when they were asked for last.
#[derive(Default)]
struct Known {
    kiosks: HashMap<KioskId, Arc<Kiosk>>,
    /// How often one was admitted or decided about.
    changes: u64,
}

/// Everything that a request may need.
pub struct Central {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The secrets.
    pub keys: Keys,
    /// The configuration.
    pub config: Config,
    /// The source of time.
    pub clock: Arc<dyn Clock>,
    /// Citizens' pages.
    pub pages: Pages,
    /// Staff's pages.
    pub staff_pages: Pages,
    intake: Intake,
    days: Remembered,
    admitted: RwLock<Known>,
    at_once: Semaphore,
    rebuilding: Semaphore,
    /// Keeps every source from trying check codes.
    pub(super) checking: Gate,
    /// Keeps every source from trying enrolment codes.
    enrolling: Gate,
    /// Who proves to be whom at the staff's doors.
    pub sign_ins: SignIns,
    /// Marks answers by phone that come from one source.
    pub marks: Marks,
    /// What is counted since the start.
    pub(super) meters: Meters,
    /// What is known of offices.
    pub(super) offices: Offices,
    /// What is known of forms.
    pub(super) known_forms: KnownForms,
    /// What forms look like on kiosks.
    pub(super) previews: Previews,
    /// Changes of offices that somebody was shown and has not decided about.
    pub(super) plans: Plans,
    /// All offices over a long time, once at a time: whoever comes second finds what is remembered.
    pub(super) comparing: Semaphore,
    /// One step in handling a report at a time.
    pub(super) handling: tokio::sync::Mutex<()>,
    /// One proof at a time.
    pub(super) proving: Semaphore,
    /// Whoever makes a root has it alone: batches and answers wait for a moment, so that lines,
    /// figures and findings under it are of one state.
    pub(super) placing: tokio::sync::RwLock<()>,
    /// What is remembered of what goes out.
    pub(super) deliveries: Deliveries,
    /// Whether all roots lie where they are handed to.
    pub(super) handed: AtomicBool,
    /// As many as there are processors: each may unpack 8 MiB.
    unpacking: Arc<Semaphore>,
}

impl Central {
    /// Opens the service's folder, which the caller has [locked](Lock::take).
    pub async fn open(
        mut config: Config,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, ServiceError> {
        let keys = Keys::load_or_create(&config.data)?;
        let known_forms = KnownForms::from(config.forms.clone());
        let author = Author::of(&keys, &config.offices, known_forms.clone(), Arc::clone(&clock));
        let store = Arc::new(SqliteStore::open(&config.data, author)?);
        for directory in &config.offices {
            store.direct(directory).await?;
        }
        store.mail_left_off().await?;
        known_forms.add(store.kept_forms().await?.into_iter().map(|kept| kept.form));
        let today = At::new(clock.now()).date();
        let offices = Offices::open(&config, store.as_ref(), today).await?;
        config.add_folders_of(&offices.on(today))?;
        report::keep_setting(&config, &known_forms.now(), &offices.on(today))
            .map_err(|error| ServiceError::Folder(config.data.display().to_string(), error))?;
        Ok(Arc::new(Self {
            intake: Intake::new(keys.openings(), known_forms.clone()),
            known_forms,
            store,
            keys,
            pages: Pages::new(config.citizens_base())?,
            staff_pages: Pages::new(config.staff_base())?,
            checking: Gate::new(check::PACE, config.citizens_approach.proxied),
            enrolling: Gate::new(check::PACE, config.citizens_approach.proxied),
            sign_ins: SignIns::new(config.staff_approach.proxied),
            marks: Marks::new(config.citizens_approach.proxied),
            meters: Meters::default(),
            offices,
            plans: Plans::default(),
            previews: Previews::default(),
            config,
            clock,
            days: Remembered::default(),
            admitted: RwLock::default(),
            at_once: Semaphore::new(AT_ONCE),
            rebuilding: Semaphore::new(1),
            comparing: Semaphore::new(1),
            handling: tokio::sync::Mutex::default(),
            proving: Semaphore::new(1),
            placing: tokio::sync::RwLock::default(),
            deliveries: Deliveries::default(),
            handed: AtomicBool::new(false),
            unpacking: Arc::new(Semaphore::new(
                std::thread::available_parallelism().map_or(1, NonZeroUsize::get),
            )),
        }))
    }

    /// The clock's now.
    pub fn now(&self) -> At {
        At::new(self.clock.now())
    }

    /// All forms.
    pub fn forms(&self) -> Arc<Forms> {
        self.known_forms.now()
    }

    /// An office's summaries as of now.
    pub fn summaries<'a>(&'a self, directory: &'a Directory) -> Summaries<'a> {
        self.summaries_at(directory, self.now())
    }

    /// The same as of another moment.
    pub(super) fn summaries_at<'a>(&'a self, directory: &'a Directory, now: At) -> Summaries<'a> {
        let store = self.store.as_ref();
        let versions = self.offices.versions(&directory.office.code);
        Summaries::new(store, &self.days, directory, self.forms(), now).with_versions(versions)
    }

    /// An admitted kiosk.
    pub async fn kiosk(&self, id: &KioskId) -> Result<Option<Arc<Kiosk>>, StoreError> {
        let (changes, known) = {
            let admitted = self.admitted.read().unwrap_or_else(PoisonError::into_inner);
            (admitted.changes, admitted.kiosks.get(id).cloned())
        };
        if known.is_some() {
            return Ok(known);
        }
        let kiosk = self.store.kiosk(id).await?.map(Arc::new);
        if let Some(kiosk) = &kiosk {
            let mut admitted = self.admitted.write().unwrap_or_else(PoisonError::into_inner);
            // What was read while it changed may be what it was before.
            if admitted.changes == changes {
                admitted.kiosks.insert(id.clone(), Arc::clone(kiosk));
            }
        }
        Ok(kiosk)
    }

    /// A ticket key that was sealed to an opening key.
    pub fn ticket_key(&self, sealed: &[u8]) -> Option<TicketKey> {
        let opened = self.keys.open_small(TICKET_KEY_INFO, sealed)?;
        opened.as_slice().try_into().ok()
    }

    /// Makes ratings and tallies anew from the journals, while serving; none when that is under way
    /// already.
    pub async fn rebuild(&self) -> Result<Option<Rebuilt>, StoreError> {
        let Ok(_one) = self.rebuilding.try_acquire() else { return Ok(None) };
        // With ratchets of its own: those in use stay where kiosks are.
        let reader = Intake::new(self.keys.openings(), self.known_forms.clone());
        self.store.rebuild(Arc::new(reader)).await.map(Some)
    }

    /// Takes a decision about what is a unit's, which holds from now on.
    pub async fn decide(
        self: &Arc<Self>,
        decision: Decision,
        unit: Unit,
    ) -> Result<(Epoch, u64), DecideError> {
        let central = Arc::clone(self);
        self.change_kiosks(async move {
            let _placing = central.placing.read().await;
            let (store, offices) = (central.store.as_ref(), central.offices());
            decide::take(store, &offices, decision, central.now().date(), &unit).await
        })
        .await?
    }

    /// Does what changes kiosks to its end, even if nobody waits for it any more, and forgets what
    /// is remembered of them.
    async fn change_kiosks<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let central = Arc::clone(self);
        let changed = tokio::spawn(async move {
            let changed = change.await;
            central.forget_kiosks();
            changed
        });
        changed.await.map_err(|error| StoreError::Refused(error.to_string()))
    }

    /// Erases an answer by its check code, if it is a unit's.
    pub async fn erase(&self, asked: Erasure, unit: &Unit) -> Result<(Epoch, u64), DecideError> {
        let _placing = self.placing.read().await;
        decide::erase(self.store.as_ref(), asked, unit).await
    }

    /// Takes a step in handling a report of a violation: the way of whoever reads them, and of nobody else.
    pub(super) async fn handle_report(&self, step: Decision) -> Result<(), StoreError> {
        let _placing = self.placing.read().await;
        self.store.decide(step).await.map(drop)
    }

    /// The path of a link for the first administrator, in the place of one that was made before; none
    /// when there is an administrator of the province.
    pub async fn first_link(&self) -> Result<Option<String>, StoreError> {
        let accounts = self.store.accounts().await?;
        let is_first = |account: &Account| {
            let (role, unit) = (account.standing.role, &account.standing.unit);
            role == Role::Administrator && *unit == Unit::PROVINCE && !account.closed
        };
        if accounts.iter().any(is_first) {
            return Ok(None);
        }
        let store = self.store.as_ref();
        invite(store, None, CONSOLE.to_owned(), self.now()).await.map(Some)
    }

    /// What is remembered of kiosks has changed.
    fn forget_kiosks(&self) {
        let mut admitted = self.admitted.write().unwrap_or_else(PoisonError::into_inner);
        admitted.changes += 1;
        admitted.kiosks.clear();
    }

    /// Takes a kiosk's batch: verifies it, stores and counts what is in it, and signs a receipt.
    ///
    /// # Errors
    /// When many are on their way, when the kiosk is not in use or did not sign it, when it is damaged, or when the
    /// store refuses.
    pub async fn receive(
        self: &Arc<Self>,
        request: Bytes,
        signature: String,
    ) -> Result<Letter, Problem> {
        let Ok(_working) = self.at_once.try_acquire() else {
            return Err(Problem::busy("many kiosks are sending at once", 2));
        };
        let unverified = Unverified::read(&request)?;
        let kiosk = in_use(self.kiosk(&unverified.header.kiosk).await?)?;
        let received = self.now();
        let receipt_key = kiosk.receipt_key.clone();
        let Header { start, first, count, .. } = unverified.header;
        let verified = if count <= FEW && first - start < NEAR {
            self.intake.verify(unverified, &signature, &kiosk.key, received)?
        } else {
            let (working, bytes) = (Arc::clone(self), request.clone());
            let turn = Arc::clone(&self.unpacking).acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let _turn = turn;
                let unverified = Unverified::read(&bytes)?;
                working.intake.verify(unverified, &signature, &kiosk.key, received)
            })
            .await
            .map_err(|_| Problem::busy("the batch could not be worked on", 5))??
        };
        let _placing = self.placing.read().await;
        take(self.store.as_ref(), &self.keys, receipt_key.as_deref(), verified)
            .await
            .map_err(Problem::from)
    }

    /// Makes a one-time code that admits one kiosk within [`CODE_MINUTES`].
    pub async fn offer(
        &self,
        kiosk: KioskId,
        office: OfficeCode,
        counters: Counters,
    ) -> Result<String, StoreError> {
        let mut random = system_random();
        let mut bytes = [0; 10];
        random.fill_bytes(&mut bytes);
        let code: String =
            bytes.iter().map(|byte| char::from(CODE_ALPHABET[usize::from(byte % 32)])).collect();
        let expires = self.now().plus_minutes(CODE_MINUTES);
        let hash = Hash::of(code.as_bytes());
        self.store.offer(EnrolmentCode { code: hash, kiosk, office, counters, expires }).await?;
        Ok(code)
    }
}

/// Serves until `end` says so and requests under way are answered.
pub async fn serve(
    central: Arc<Central>,
    citizens: TcpListener,
    staff: TcpListener,
    end: watch::Receiver<bool>,
) {
    let config = &central.config;
    let keeping = upkeep::keep(Arc::clone(&central));
    let delivering = tokio::spawn(delivery::keep(Arc::clone(&central), end.clone()));
    let routes = citizens_routes(Arc::clone(&central));
    let routes = door::before(routes, &central, config.citizens_approach, phone::refusal);
    let routes = below(config.citizens_base(), routes);
    let one = listener::serve(citizens, config.citizens.clone(), routes, end.clone());
    let routes = staff::routes(Arc::clone(&central));
    let routes = door::before(routes, &central, config.staff_approach, staff::refusal);
    let routes = below(config.staff_base(), routes);
    let other = listener::serve(staff, config.staff.clone(), routes, end.clone());
    // Answers under way are waited for, a phone that keeps its connection open is not.
    let mut late = end;
    let last = async move {
        let _ = late.wait_for(|ended| *ended).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    tokio::select! {
        _ = async { tokio::join!(one, other) } => {}
        () = last => {}
        never = keeping => match never {},
    }
    // Of a mail that is cut off nobody would know whether it arrived.
    let _ = tokio::time::timeout(MAILING, delivering).await;
}

/// `hailong central`: serves until it is asked to end (Ctrl-C or SIGTERM), after the secrets were
/// backed up into a new file, if one is named.
pub fn run(config: Config, backup: Option<&Path>) -> Result<(), ServiceError> {
    let folder = config.data.clone();
    let failed = |error| ServiceError::Folder(folder.display().to_string(), error);
    let _lock = Lock::take(&folder)?;
    if folder.join(DEMO_MARK).exists() {
        return Err(ServiceError::DemoFolder(folder.display().to_string()));
    }
    if let Some(file) = backup {
        Keys::back_up(&folder, file)?;
    }
    if !Keys::are_backed_up(&folder) {
        return Err(ServiceError::NoBackup);
    }
    if Keys::load(&folder)?.demo {
        return Err(ServiceError::DemoKeys(folder.display().to_string()));
    }
    let runtime = tokio::runtime::Runtime::new().map_err(failed)?;
    runtime.block_on(async {
        let listen = async |address| {
            TcpListener::bind(address).await.map_err(|error| ServiceError::Listen(address, error))
        };
        let citizens = listen(config.citizens.address).await?;
        let staff = listen(config.staff.address).await?;
        let at = staff.local_addr().map_err(failed)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
        let central = Central::open(config, clock).await?;
        let asked_to_end = ending::listen();
        println!("citizens and kiosks  {}", central.config.public_url);
        let staff_url = central.config.staff_url.clone().unwrap_or_else(|| format!("http://{at}"));
        println!("staff                {staff_url}");
        if let Some(path) = central.first_link().await? {
            println!(
                "nobody can sign in yet: whoever opens this link first becomes the administrator"
            );
            println!("                     {staff_url}{path}");
        }
        let (end, ended) = watch::channel(false);
        tokio::spawn(async move {
            asked_to_end.await;
            end.send_replace(true);
        });
        serve(Arc::clone(&central), citizens, staff, ended).await;
        central.store.close().await?;
        Ok(())
    })
}

fn citizens_routes(central: Arc<Central>) -> Router {
    let kiosks = Router::new()
        .route("/api/v1/journal", axum::routing::post(journal))
        .layer(DefaultBodyLimit::max(MAX_PACKED));
    let heartbeats = Router::new()
        .route("/api/v1/heartbeat/{kiosk}", axum::routing::post(heartbeat::post))
        .layer(DefaultBodyLimit::max(MOST_BYTES));
    Router::new()
        .route("/", get(phone::welcome))
        .route("/R/{ticket}", get(phone::form).post(phone::send))
        .route("/api/v1/enrol", get(enrolment_keys).post(enrol))
        .route("/api/v1/configuration/{kiosk}", get(configuration::get))
        .route("/photo/{name}", get(photo))
        .route("/procedures/{name}", get(procedures))
        .route("/api/v1/roots", get(roots::list))
        .route("/api/v1/proof/{code}", get(roots::proof))
        .route("/board/{office}", get(board::page))
        .route("/roots", get(roots::page))
        .route("/check", get(check::page).post(check::answer))
        .route("/CHECK", get(check::page))
        .route("/style.css", get(|| async { file("style.css") }))
        .route(
            "/fonts/{name}",
            get(|UrlPath(name): UrlPath<String>| async move { file(&format!("fonts/{name}")) }),
        )
        .layer(DefaultBodyLimit::max(MAX_FORM))
        .merge(kiosks)
        .merge(heartbeats)
        .merge(for_everybody())
        .layer(time_limit())
        .layer(middleware::from_fn_with_state(Arc::clone(&central), health::count_citizens))
        .with_state(central)
}

/// What either listener answers to everybody.
pub(super) fn for_everybody() -> Router<Arc<Central>> {
    Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/api/v1/openapi.json", get(description))
}

/// The doors for programs, as an OpenAPI document; a test holds it against what they do.
async fn description() -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, include_str!("../../docs/openapi.json")).into_response()
}

/// An official's photo, as it hangs in the hall. Its name says its content, so it never changes.
async fn photo(State(central): State<Arc<Central>>, UrlPath(name): UrlPath<String>) -> Response {
    let hash = name.strip_suffix(".jpg").and_then(|hex| hex.parse::<Hash>().ok());
    by_content(hash.and_then(|hash| central.config.photos.get(&hash)), "image/jpeg")
}

/// The procedures that an office posts, likewise.
async fn procedures(
    State(central): State<Arc<Central>>,
    UrlPath(name): UrlPath<String>,
) -> Response {
    let hash = name.strip_suffix(".json").and_then(|hex| hex.parse::<Hash>().ok());
    let mut posted = central.config.procedures.values();
    let list = posted.find(|(named, _)| hash == Some(*named)).map(|(_, bytes)| bytes);
    by_content(list, "application/json")
}

fn by_content(found: Option<&Arc<[u8]>>, kind: &'static str) -> Response {
    match found {
        Some(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, kind),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, Bytes::from_owner(Arc::clone(bytes))).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Bounds every request in time.
pub fn time_limit() -> tower_http::timeout::TimeoutLayer {
    tower_http::timeout::TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, LONGEST)
}

/// A file of the pages, or 404.
pub fn file(name: &str) -> Response {
    pages::file(name).unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
}

/// `POST /api/v1/journal`: the way of a batch, from a kiosk or by the staff's hand.
pub(super) async fn journal(
    State(central): State<Arc<Central>>,
    headers: HeaderMap,
    request: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let signature = headers
        .get("hailong-signature")
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let receipt = central.receive(request?, signature).await?;
    let headers = [
        (header::CONTENT_TYPE.as_str(), "application/json".to_owned()),
        ("hailong-signature", receipt.signature),
        ("hailong-key", receipt.key),
    ];
    Ok((headers, receipt.body).into_response())
}

/// Stores a batch, and signs a receipt for it.
pub(super) async fn take(
    store: &dyn Store,
    keys: &Keys,
    receipt_key: Option<&str>,
    batch: Verified,
) -> Result<Letter, StoreError> {
    let (kiosk, epoch, at) = (batch.header.kiosk.clone(), batch.header.epoch, batch.received);
    let placed = store.place(batch).await?;
    let receipt = Receipt {
        kiosk,
        epoch,
        watermark: placed.watermark,
        head: placed.head,
        holes: placed.holes,
        quarantined: placed.quarantined,
        conflicts: placed.conflicts,
        at,
    };
    receipt
        .signed(keys.receipt_for(receipt_key))
        .map_err(|error| StoreError::Refused(format!("no receipt could be written: {error}")))
}

/// Whether batches of a kiosk are taken. What one keeps that is not in use is kept there until the
/// decision is withdrawn.
pub(super) fn in_use<K: Borrow<Kiosk>>(kiosk: Option<K>) -> Result<K, Problem> {
    let admitted = kiosk.filter(|kiosk| !kiosk.borrow().id.is_central());
    let stranger = || Problem::new(StatusCode::UNAUTHORIZED, "no such kiosk is admitted here");
    let kiosk = admitted.ok_or_else(stranger)?;
    let why = match kiosk.borrow().standing {
        Standing::InUse => return Ok(kiosk),
        Standing::Suspended => "this kiosk is suspended",
        Standing::Retired { .. } => "this kiosk is no longer in use",
    };
    let what = "what it holds stays on its disk; ask whoever runs the central service";
    Err(Problem::new(StatusCode::FORBIDDEN, format!("{why}; {what}")))
}

async fn enrolment_keys(State(central): State<Arc<Central>>) -> Json<CentralKeys> {
    Json(central_keys(&central))
}

fn central_keys(central: &Central) -> CentralKeys {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    CentralKeys {
        opening_key: hex(&central.keys.opening.sealing_key().to_bytes()),
        receipt_key: hex(central.keys.receipt.verifying_key().as_bytes()),
        root_key: hex(central.keys.root.verifying_key().as_bytes()),
    }
}

async fn enrol(
    State(central): State<Arc<Central>>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    request: Result<Bytes, BytesRejection>,
) -> Result<Json<Enrolled>, Problem> {
    let request = request?;
    let bad = |detail: &str| Problem::new(StatusCode::BAD_REQUEST, detail);
    let asked: Request = serde_json::from_slice(&request)
        .map_err(|error| bad(&format!("the request is not an enrolment: {error}")))?;
    let key = data_encoding::HEXLOWER
        .decode(asked.key.as_bytes())
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .and_then(|bytes| VerifyingKey::from_bytes(&bytes).ok())
        .ok_or_else(|| bad("key is not an Ed25519 key of 64 hex digits"))?;
    let signature =
        headers.get("hailong-signature").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !verify(&key, SIGNED, &request, signature) {
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "the request is not signed by the key that it brings",
        ));
    }
    let sealed = data_encoding::BASE64URL_NOPAD
        .decode(asked.ticket_key.as_bytes())
        .map_err(|_| bad("ticket_key is not base64url"))?;
    let opened = central.keys.opening.open_small(TICKET_KEY_INFO, &sealed);
    if !opened.is_ok_and(|key| key.len() == 32) {
        return Err(bad("ticket_key is not sealed to this service's opening key"));
    }
    let receipt_key = key_id(central.keys.receipt.verifying_key().as_bytes());
    central.enrolling.ask(peer, &headers).map_err(Problem::too_often)?;
    let code = Hash::of(asked.code.trim().to_ascii_uppercase().as_bytes());
    let by_former = asked.by_former;
    let store = Arc::clone(&central.store);
    let admission = async move { store.admit(code, key, by_former, sealed, receipt_key).await };
    let kiosk = match central.change_kiosks(admission).await?? {
        Admission::Admitted(kiosk) => kiosk,
        Admission::WrongCode => {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "the code is wrong, used or older than 15 minutes, or for a kiosk with another key; ask \
                 for a new one",
            ));
        }
    };
    let configuration = configuration::of(&central, &kiosk)
        .ok_or_else(|| bad("the kiosk's office is no longer here"))?;
    let keys = central_keys(&central);
    tracing::info!(kiosk = %kiosk.id, number = kiosk.number, "kiosk enrolled");
    Ok(Json(Enrolled {
        kiosk: kiosk.id,
        number: kiosk.number,
        counters: configuration.counters,
        opening_key: keys.opening_key,
        receipt_key: keys.receipt_key,
        root_key: keys.root_key,
        public_url: configuration.public_url,
        directory: configuration.directory,
        to_come: configuration.to_come,
        forms: configuration.forms,
        staff_codes: configuration.staff_codes,
        procedures: configuration.procedures,
    }))
}
