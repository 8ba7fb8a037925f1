//! Builders for tests: a real central service on loopback, and real kiosks enrolled by the call.
#![allow(dead_code)] // Each test file uses its part.

pub mod board;
pub mod golden;
pub mod reports;
pub mod web;

use std::cell::Cell;
use std::io::Write;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hailong::central::access::account_page::draw_token;
use hailong::central::access::accounts_page::new_account;
use hailong::central::access::sign_in::begin;
use hailong::central::access::who::SESSION;
use hailong::central::config::Config;
use hailong::central::remembered::Remembered;
use hailong::central::service::{Central, serve};
use hailong::central::store::{Answered, PhoneForm, Store};
use hailong::central::summary::{Summaries, SummaryError};
use hailong::clock::Clock;
use hailong::demo::clock::DemoClock;
use hailong::domain::access::{CONSOLE, Right, Role, Standing, Unit};
use hailong::domain::batch::{Packed, Parts, pack};
use hailong::domain::check::CheckCode;
use hailong::domain::enrolment::Counters;
use hailong::domain::form::{Form, Forms};
use hailong::domain::ids::{CounterId, Hash, KioskId, Login};
use hailong::domain::line::{By, Event, How, Line};
use hailong::domain::office::Directory;
use hailong::domain::procedure::Procedure;
use hailong::domain::seal::Answer;
use hailong::domain::summary::Summary;
use hailong::domain::system_random;
use hailong::domain::ticket::Claims;
use hailong::domain::time::At;
use hailong::kiosk::calls::{open, token};
use hailong::kiosk::care::Care;
use hailong::kiosk::config::Calls;
use hailong::kiosk::configuration::InForce;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::Network;
use hailong::kiosk::photos::Photos;
use hailong::kiosk::procedures::Procedures;
use hailong::kiosk::recorder::Recorder;
use hailong::kiosk::sender::Sender;
use hailong::kiosk::transport::{Http, Transport};
use hailong::kiosk::uploader::{Standing as Sent, Uploader};
use hailong::kiosk::visit::{Input, Record, TimeOuts};
use hailong::kiosk::window::{Screen, Setting};
use hailong::listener::{Bounds, Listener, Tls};
use hailong::texts::Texts;
use jiff::civil::Date;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config as Cases, RngAlgorithm, TestRng, TestRunner};
use slint::ComponentHandle;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// A moment in Viet Nam, such as `2026-11-24 08:15`.
pub fn at(text: &str) -> At {
    let civil = text.replace(' ', "T").parse().expect("a date and a time of day");
    At::from_civil(civil)
}

/// A folder and all below it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).expect("copied");
        }
    }
}

/// A copy of the sample configuration, to be changed.
pub fn sample_folder() -> TempDir {
    let folder = TempDir::new().expect("a folder");
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config"), folder.path());
    folder
}

/// The project's own sample configuration.
pub fn sample_config() -> Config {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config/central.toml");
    Config::read(&file).expect("the sample configuration is right")
}

/// The form that the sample office shows.
pub fn sample_form() -> Form {
    let config = sample_config();
    let form = config.forms.in_force("nam-muc", "2026-11-24".parse().expect("a day"));
    form.expect("a form in force").clone()
}

/// Says that something was not tested, past the harness, which keeps what tests print to itself.
pub fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// A component that a test needs. Missing by hand: skipped loudly. Missing in CI: a failure.
pub fn has(program: &str) -> bool {
    let there = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    assert!(there || std::env::var_os("CI").is_none(), "CI needs {program}");
    if !there {
        skipped(&format!("{program} is not installed"));
    }
    there
}

/// Checks what holds for each of so many cases, the same in every run; `PROPTEST_CASES` asks for more.
pub fn for_all<S: Strategy, F: Future<Output = ()>>(
    cases: u32,
    of: &S,
    check: impl Fn(S::Value) -> F,
) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let config = Cases {
        cases: asked.unwrap_or(cases),
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Cases::default()
    };
    let random = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let result = TestRunner::new_with_rng(config, random).run(of, |case| {
        runtime.block_on(check(case));
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// A central service on loopback with a store of its own. The clock stands until it is set.
pub struct TestCentral {
    pub folder: TempDir,
    pub central: Arc<Central>,
    pub clock: Arc<DemoClock>,
    pub citizens: SocketAddr,
    pub staff: SocketAddr,
    end: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl TestCentral {
    /// Starts on Tuesday, 24 November 2026, at 07:30.
    pub async fn start() -> Self {
        Self::start_at(at("2026-11-24 07:30")).await
    }

    pub async fn start_at(now: At) -> Self {
        let folder = TempDir::new().expect("a folder");
        Self::start_in(folder, Arc::new(DemoClock::standing(now))).await
    }

    /// Starts on a folder that was used before.
    pub async fn start_in(folder: TempDir, clock: Arc<DemoClock>) -> Self {
        Self::start_as(sample_config(), folder, clock).await
    }

    /// Starts another office than the sample.
    pub async fn with_config(config: Config, now: At) -> Self {
        let folder = TempDir::new().expect("a folder");
        Self::start_as(config, folder, Arc::new(DemoClock::standing(now))).await
    }

    /// The same service under another configuration, at another address.
    pub async fn again_with(self, config: Config) -> Self {
        let (folder, clock) = self.stop().await;
        Self::start_as(config, folder, clock).await
    }

    async fn start_as(config: Config, folder: TempDir, clock: Arc<DemoClock>) -> Self {
        Self::start_at_address("127.0.0.1:0", config, folder, clock, |_| {}).await
    }

    /// Starts at any free ports of an address, with a configuration that knows them.
    pub async fn start_at_address(
        address: &str,
        mut config: Config,
        folder: TempDir,
        clock: Arc<DemoClock>,
        change: impl FnOnce(&mut Config),
    ) -> Self {
        let listen = async || TcpListener::bind(address).await.expect("a free port");
        let (citizens, staff) = (listen().await, listen().await);
        let (citizens_at, staff_at) =
            (citizens.local_addr().expect("bound"), staff.local_addr().expect("bound"));
        config.data = folder.path().to_owned();
        config.public_url = format!("HTTP://{citizens_at}");
        // Here this program is a test.
        if let Some(program) = option_env!("CARGO_BIN_EXE_hailong") {
            config.drawing = program.into();
        }
        change(&mut config);
        let as_clock: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let central = Central::open(config, as_clock).await.expect("the service opens");
        let (end, ended) = watch::channel(false);
        let serving = tokio::spawn(serve(Arc::clone(&central), citizens, staff, ended));
        Self { folder, central, clock, citizens: citizens_at, staff: staff_at, end, serving }
    }

    /// Ends in good order; gives the folder back.
    pub async fn stop(self) -> (TempDir, Arc<DemoClock>) {
        self.end.send_replace(true);
        self.serving.await.expect("served");
        self.central.store.close().await.expect("closed");
        (self.folder, self.clock)
    }

    pub fn store(&self) -> &dyn Store {
        self.central.store.as_ref()
    }

    /// An account of a standing, which is added unless it is there.
    pub async fn account(&self, standing: Standing) -> Login {
        let unit = standing.unit.0.as_ref().map_or("tinh", |office| office.as_str());
        let login: Login = format!("{}-{unit}", standing.role).parse().expect("a login");
        let account = new_account(login.clone(), "Trần Thị Mận", standing, self.central.now());
        self.store().add_account(account, CONSOLE.to_owned()).await.expect("added");
        login
    }

    /// What a browser sends in which somebody of the whole province signed in.
    pub async fn cookie(&self, role: Role) -> String {
        self.cookie_of(Standing::new(role, Unit::PROVINCE)).await
    }

    pub async fn cookie_of(&self, standing: Standing) -> String {
        let login = self.account(standing).await;
        let secret = begin(&self.central, &login).await.expect("signed in");
        format!("{SESSION}={}", *secret)
    }

    /// A link that signs a browser in.
    pub async fn link(&self, role: Role) -> String {
        let login = self.account(Standing::new(role, Unit::PROVINCE)).await;
        self.central.sign_ins.open_door(login)
    }

    /// A token with all rights of somebody of the whole province.
    pub async fn token(&self, role: Role) -> String {
        self.token_of(Standing::new(role, Unit::PROVINCE)).await
    }

    pub async fn token_of(&self, standing: Standing) -> String {
        let may = |right: &Right| right.is_for_tokens() && standing.may(*right);
        let rights = Right::ALL.into_iter().filter(may).collect();
        let login = self.account(standing.clone()).await;
        let name = self.store().tokens(&login).await.expect("tokens").len().to_string();
        let (token, text) = draw_token(self.central.now(), login, &name, rights, 366);
        self.store().keep_token(token).await.expect("kept");
        text
    }

    /// What a command is told to ask as somebody of the whole province.
    pub async fn asked_as(&self, role: Role) -> [String; 4] {
        let token = self.token(role).await;
        let base = format!("http://{}", self.staff);
        ["--server".to_owned(), base, "--token".to_owned(), self.token_file(&token)]
    }

    /// All lines that are here, of the service's own series and of kiosks' journals.
    pub async fn lines(&self) -> Vec<Line> {
        let segments = self.store().segments(0, 100_000).await.expect("segments");
        let mut found = Vec::new();
        for (_, segment) in segments {
            let mut rest = segment.line_part.as_slice();
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                let (line, after) = after.split_at(u32::from_be_bytes(*length) as usize);
                found.push(serde_json::from_slice(line).expect("a line"));
                rest = after;
            }
        }
        found
    }

    /// A file that holds a token.
    pub fn token_file(&self, token: &str) -> String {
        let file = self.folder.path().join(format!("token-{}", Hash::of(token.as_bytes())));
        std::fs::write(&file, token).expect("written");
        file.to_str().expect("a path in UTF-8").to_owned()
    }

    /// Where kiosks and phones find it.
    pub fn service(&self) -> String {
        format!("http://{}", self.citizens)
    }

    pub fn form(&self) -> Form {
        sample_form()
    }

    /// A kiosk enrolled at a counter by the real call.
    pub async fn kiosk(&self, counter: &str) -> TestKiosk {
        self.kiosk_by(counter, Network::to(&self.service())).await
    }

    /// A kiosk enrolled over a way of its own.
    pub async fn kiosk_by(&self, counter: &str, network: Network) -> TestKiosk {
        let folder = TempDir::new().expect("a folder");
        let mut identity =
            Identity::load_or_create(folder.path(), &mut system_random()).expect("an identity");
        let kiosk: KioskId = format!("ps-{counter}").parse().expect("a name");
        let office = self.central.config.offices[0].office.code.clone();
        let counter: Counters = counter.parse().expect("a counter");
        let code = self.central.offer(kiosk, office, counter).await.expect("a code");
        enrol(&network, &code, &mut identity).await.expect("enrolled");
        TestKiosk { folder, identity, clock: Arc::clone(&self.clock), service: self.service() }
    }
}

/// Two services with the same keys, and a kiosk enrolled at both.
pub async fn twins() -> (TestCentral, TestCentral, TestKiosk) {
    let one = TestCentral::start_at(at("2026-11-24 07:00")).await;
    let folder = TempDir::new().expect("a folder");
    let keys = "keys.json";
    std::fs::copy(one.folder.path().join(keys), folder.path().join(keys)).expect("copied");
    let other = TestCentral::start_in(folder, Arc::clone(&one.clock)).await;
    let mut kiosk = one.kiosk("q3").await;
    let office = other.central.config.offices[0].office.code.clone();
    let (id, counter) = ("ps-q3".parse().expect("a name"), "q3".parse().expect("a counter"));
    let code = other.central.offer(id, office, counter).await.expect("a code");
    enrol(&other.service(), &code, &mut kiosk.identity).await.expect("enrolled");
    (one, other, kiosk)
}

/// An enrolled kiosk.
pub struct TestKiosk {
    pub folder: TempDir,
    pub identity: Identity,
    pub clock: Arc<DemoClock>,
    pub service: String,
}

impl TestKiosk {
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// A second machine with a copy of its disk.
    pub fn copied(&self) -> Self {
        let folder = TempDir::new().expect("a folder");
        copy(self.folder.path(), folder.path());
        let identity = Identity::load_or_create(folder.path(), &mut system_random());
        let (clock, service) = (Arc::clone(&self.clock), self.service.clone());
        Self { folder, identity: identity.expect("an identity"), clock, service }
    }

    /// Opens its journal: a new epoch.
    pub fn desk(&mut self) -> Desk {
        let clock = Arc::clone(&self.clock) as _;
        self.desk_at(clock)
    }

    /// As [`TestKiosk::desk`], by a clock of its own.
    pub fn desk_at(&mut self, clock: Arc<dyn Clock>) -> Desk {
        Desk::open(self.folder.path(), &mut self.identity, clock, Box::new(system_random))
            .expect("the journal opens")
    }

    /// Its screen with the sample's Vietnamese words, on whatever platform is set. Visitors live by
    /// `visitor_ms`.
    pub fn screen(&mut self, visitor_ms: &Rc<Cell<u64>>) -> Rc<Screen> {
        let clock = Arc::clone(&self.clock) as _;
        self.screen_at(clock, visitor_ms)
    }

    /// As [`TestKiosk::screen`], by a clock of its own.
    pub fn screen_at(&mut self, clock: Arc<dyn Clock>, visitor_ms: &Rc<Cell<u64>>) -> Rc<Screen> {
        let desk = self.desk_at(Arc::clone(&clock));
        let enrolled = Arc::clone(desk.enrolled());
        let (answered, answers) = unbounded_channel();
        let recorder = Recorder::start(desk, answered, Arc::new(Notify::new())).expect("a thread");
        let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config/texts/vi.toml");
        let lived = Rc::clone(visitor_ms);
        let screen = Screen::new(Setting {
            in_force: InForce::fixed(
                enrolled,
                vec![Texts::read(&texts).expect("the sample texts")],
            ),
            time_outs: TimeOuts::default(),
            full_screen: false,
            clock,
            visitor_ms: Rc::new(move || lived.get()),
            procedures: Procedures::fixed(vec![procedure()]),
            care: Care::of(&self.path()),
            voice: None,
            calls: Calls { slips: true, ..Calls::default() },
            photos: Photos::in_folder(self.folder.path()),
            recorder,
            answers,
        })
        .expect("a screen");
        screen.app().show().expect("shown");
        screen
    }

    pub fn sender(&self) -> Sender {
        Sender::of(&self.identity).expect("enrolled")
    }

    /// Starts its real uploader over real HTTP. The journal must have been opened once.
    pub fn send(&self) -> Sending {
        self.send_by(Http::new(&self.service).expect("a client"))
    }

    pub fn send_by<T: Transport>(&self, transport: T) -> Sending {
        self.send_at(transport, Arc::clone(&self.clock) as _)
    }

    /// Sends by a clock of its own, on which it hears what receipts tell.
    pub fn send_at<T: Transport>(&self, transport: T, clock: Arc<dyn Clock>) -> Sending {
        let uploader = Uploader::open(self.folder.path(), self.sender(), transport, clock)
            .expect("the uploader opens");
        let more = Arc::new(Notify::new());
        let standing = uploader.standing();
        let task = tokio::spawn(uploader.run(Arc::clone(&more)));
        Sending { more, standing, clock: Arc::clone(&self.clock), task }
    }

    /// Sends all lines up to `last`, and ends with every file closed.
    pub async fn sent(&self, last: u64) {
        let mut sending = self.send();
        sending.drained(last).await;
        sending.task.abort();
        let _ = (&mut sending.task).await;
    }
}

/// The door for calls of a kiosk, opened for itself.
pub struct TestDoor {
    pub address: SocketAddr,
    pub token: String,
    pub screen: UnboundedReceiver<Input>,
    serving: JoinHandle<()>,
}

impl TestDoor {
    /// Opens it at a free port of this machine.
    pub async fn open(kiosk: &TestKiosk, tls: Option<Tls>, bounds: Bounds) -> Self {
        let token = token(&kiosk.path(), &mut system_random()).expect("a token");
        let (to_screen, screen) = unbounded_channel();
        let enrolled = Arc::new(kiosk.identity.enrolled.clone().expect("enrolled"));
        let in_force = InForce::fixed(enrolled, Vec::new());
        let how = Listener { address: "127.0.0.1:0".parse().expect("an address"), tls, bounds };
        let (address, door) = open(how, &token, in_force, to_screen).await.expect("it opens");
        Self { address, token, screen, serving: tokio::spawn(door) }
    }
}

impl Drop for TestDoor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// An uploader at work; ended when dropped.
pub struct Sending {
    pub more: Arc<Notify>,
    pub standing: watch::Receiver<Sent>,
    clock: Arc<DemoClock>,
    task: JoinHandle<std::convert::Infallible>,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Sending {
    /// Waits until lines up to `last` are receipted. The clock goes on meanwhile, so that
    /// back-offs pass.
    pub async fn drained(&mut self, last: u64) {
        self.more.notify_one();
        let clock = Arc::clone(&self.clock);
        let reached = async {
            self.standing.wait_for(|standing| standing.watermark >= last).await.map(|_| ())
        };
        let pass = async {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                clock.set(At::new(clock.now()).plus_minutes(1));
            }
        };
        tokio::select! {
            reached = tokio::time::timeout(Duration::from_secs(60), reached) => {
                reached.expect("sent within a minute").expect("the uploader lives");
            }
            () = pass => {}
        }
    }
}

/// One visitor at a desk: a level, then reasons. Gives the contact's number.
pub fn rate(desk: &mut Desk, level: &str, reasons: &[&str]) -> u64 {
    let counter = first_counter(desk);
    let open = Record::Open { by: By::Touch, counter, level: Some(level.to_owned()) };
    let contact = desk.keep(&open).expect("kept").seq;
    close(desk, contact, How::Sent, reasons);
    contact
}

/// A day at counter q3, where two officials sign in by turns and somebody types a wrong code: cb02 rates
/// 3 times well and once badly, cb08 6 times well, and nobody once. Gives the last line's number.
pub fn signed_in(central: &TestCentral, kiosk: &mut TestKiosk) -> u64 {
    let mut desk = kiosk.desk();
    let counter = Some(first_counter(&desk));
    let form = desk.form().map(Form::reference);
    let mut tell = |line: Line, answer: &[Answer]| {
        Some(desk.journal().append(line, answer).expect("kept").seq)
    };
    let wrong = Line { counter: counter.clone(), ..Line::draft(Event::WrongCode) };
    let turns = [("08:10", "cb02", 2, 0), ("09:00", "cb08", 4, 0), ("10:00", "cb02", 1, 1)];
    let turns = turns.into_iter().chain([("11:00", "", 1, 0), ("11:30", "cb08", 2, 0)]);
    let mut last = None;
    for (time, who, well, badly) in turns {
        central.clock.set(at(&format!("2026-11-24 {time}")));
        let official = who.parse().ok();
        let signed_in = official.is_some().then_some(true);
        let (to, by) = (counter.clone(), official.clone());
        tell(wrong.clone(), &[]);
        tell(Line { counter: to, official: by, signed_in, ..Line::draft(Event::Shift) }, &[]);
        for level in [vec!["rat_hai_long"; well], vec!["khong_hai_long"; badly]].concat() {
            let (counter, official, form) = (counter.clone(), official.clone(), form.clone());
            let by = Some(By::Touch);
            let contact = Line { counter, official, form, by, ..Line::draft(Event::Contact) };
            let level = [Answer::Level(level.to_owned())];
            let contact = tell(contact, &level);
            let closed = Line { contact, how: Some(How::Sent), ..Line::draft(Event::Closed) };
            last = tell(closed, &[Answer::Reasons(vec![])]);
        }
    }
    last.unwrap_or_default()
}

/// A contact that is left for later; gives its ticket.
pub fn left(kiosk: &mut TestKiosk) -> String {
    let mut desk = kiosk.desk();
    let open = Record::Open { by: By::Later, counter: first_counter(&desk), level: None };
    let opened = desk.keep(&open).unwrap();
    close(&mut desk, opened.seq, How::Left, &[]);
    opened.ticket.unwrap().rsplit_once('/').unwrap().1.to_owned()
}

/// Answers by phone; gives the code of the answer.
pub async fn by_phone(
    central: &TestCentral,
    kiosk: &TestKiosk,
    ticket: &str,
    level: &str,
    words: Option<&str>,
) -> CheckCode {
    let id = kiosk.sender().kiosk;
    let known = central.central.kiosk(&id).await.unwrap().unwrap();
    let claims = Claims::read(ticket, |_| central.central.ticket_key(&known.ticket_key)).unwrap();
    let (level, words) = (level.to_owned(), words.map(str::to_owned));
    let form = PhoneForm { claims, kiosk: id, level, reasons: Vec::new(), words, source: None };
    match central.store().answer(form).await.unwrap() {
        Answered::Kept(line) => CheckCode::of(0, line),
        Answered::Used => panic!("a ticket is used once"),
    }
}

/// A contact that is left for later and answered by phone at once; gives the code of the answer.
pub async fn answered(
    central: &TestCentral,
    kiosk: &mut TestKiosk,
    level: &str,
    words: Option<&str>,
) -> CheckCode {
    let ticket = left(kiosk);
    by_phone(central, kiosk, &ticket, level, words).await
}

/// The counter that a desk serves, or the first of them.
pub fn first_counter(desk: &Desk) -> CounterId {
    desk.enrolled().counters.iter().next().expect("a counter").clone()
}

/// Closes a contact; gives the line's number.
pub fn close(desk: &mut Desk, contact: u64, how: How, reasons: &[&str]) -> u64 {
    let reasons = reasons.iter().map(|code| (*code).to_owned()).collect();
    desk.keep(&Record::Close { contact, how, reasons }).expect("kept").seq
}

/// Lines of one epoch of a journal as a signed batch.
pub fn batch(kiosk: &TestKiosk, journal: &JournalReader, lines: RangeInclusive<u64>) -> Packed {
    let (first, last) = lines.into_inner();
    let span = journal.epoch_of(first).expect("readable").expect("a line");
    assert!(last <= span.last);
    let prev = if first == span.start {
        span.before
    } else {
        Hash::of(&journal.line(first - 1).expect("readable").expect("a line"))
    };
    let lines = journal.lines(first, last).expect("all lines");
    let bodies = journal.bodies(first, last).expect("readable");
    let parts = Parts {
        kiosk: &kiosk.sender().kiosk,
        epoch: span.epoch,
        start: span.start,
        enc: span.enc,
        key: &span.key,
        first,
        prev,
        lines: &lines,
        bodies: &bodies,
    };
    pack(&parts, &kiosk.identity.signing_key).expect("packed")
}

/// What an office posts.
pub fn procedure() -> Procedure {
    Procedure {
        name: "Đăng ký khai sinh".into(),
        field: "Hộ tịch".into(),
        time_limit: "Trong ngày".into(),
        fee: "Miễn phí".into(),
        papers: vec!["Tờ khai".into(), "Giấy chứng sinh".into()],
    }
}

/// The summary of a day, with nothing remembered.
pub async fn of_day(
    store: &dyn Store,
    directory: &Directory,
    forms: &Forms,
    date: Date,
    now: At,
) -> Result<Summary, SummaryError> {
    Summaries::new(store, &Remembered::default(), directory, Arc::new(forms.clone()), now)
        .of_day(date)
        .await
}
