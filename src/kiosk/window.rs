//! The adapter between the visit and its Slint screens: it moves values, and decides nothing.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use slint::{CloseRequestResponse, ComponentHandle, Global, ModelRc, SharedString, VecModel};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::care::Care;
use super::config::Calls;
use super::configuration::InForce;
use super::keypad;
use super::photos::{Album, Photos};
use super::procedures::Procedures;
use super::qr;
use super::recorder::Recorder;
use super::rest::Resting;
use super::scanner::{PACE_MS, Pressed, Scanner};
use super::slip::{self, Slip};
use super::staff::{self, Staff};
use super::typing::Stroke;
use super::visit::{Input, Mode, Page, Record, TimeOuts, Visit};
use super::voice::Voice;
use crate::clock::Clock;
use crate::domain::enrolment::Enrolled;
use crate::domain::form::{Form, Forms};
use crate::domain::ids::{CounterId, FormRef, OfficialId};
use crate::domain::line::By;
use crate::domain::procedure::Procedure;
use crate::domain::staff_code::BADGE;
use crate::domain::system_random;
use crate::domain::time::At;
use crate::texts::Texts;

mod drawing;
mod look_up;
mod staff_side;
mod state;
pub(super) mod wording;

/// What the Slint compiler makes of `ui/kiosk/app.slint`.
#[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic)]
pub mod ui {
    slint::include_modules!();
}

/// How often time-outs and bar are looked at while somebody is there.
const TICK: Duration = Duration::from_millis(250);
/// How often clock, roster and photos are looked at while nobody is.
const IDLE_TICK: Duration = Duration::from_secs(2);

/// So long without a touch, nobody is at the screen any more; whoever touches it next has just come. In milliseconds.
const ALONE_MS: u64 = 30_000;

/// What a screen shows and whom it asks.
pub struct Setting {
    /// Office, roster, forms and texts, now and later.
    pub in_force: watch::Receiver<InForce>,
    /// How long pages wait.
    pub time_outs: TimeOuts,
    /// Whether it fills the screen and hides the pointer.
    pub full_screen: bool,
    /// The day's clock, for the header and the roster.
    pub clock: Arc<dyn Clock>,
    /// Milliseconds as the visitor lives them, for time-outs. In a demo that hurries through the
    /// day, people at the screen still live at their own pace.
    pub visitor_ms: Rc<dyn Fn() -> u64>,
    /// How else than by touch a visit begins.
    pub calls: Calls,
    /// Photos of officials.
    pub photos: Photos,
    /// What the office posts.
    pub procedures: Procedures,
    /// What a technician looks after.
    pub care: Care,
    /// Recorded voices, where there are any.
    pub voice: Option<Voice>,
    /// Keeps records.
    pub recorder: Recorder,
    /// What became of them.
    pub answers: UnboundedReceiver<Input>,
}

/// The kiosk's window.
pub struct Screen {
    app: ui::AppWindow,
    visit: RefCell<Visit>,
    form: RefCell<Arc<Form>>,
    forms: RefCell<Forms>,
    /// What is said beside the form in force, and what is said usually.
    texts: RefCell<Vec<Rc<Texts>>>,
    usual_texts: RefCell<Vec<Texts>>,
    enrolled: RefCell<Arc<Enrolled>>,
    in_force: RefCell<watch::Receiver<InForce>>,
    clock: Arc<dyn Clock>,
    visitor_ms: Rc<dyn Fn() -> u64>,
    album: Rc<Album>,
    recorder: Recorder,
    calls: Calls,
    scanner: RefCell<Scanner>,
    slips: RefCell<slip::Used>,
    time_outs: TimeOuts,
    procedures: Procedures,
    /// Those that visitors see, and the places of those found, for what was typed.
    posted: RefCell<Arc<Vec<Procedure>>>,
    found: RefCell<(String, Vec<usize>)>,
    care: Care,
    voice: Option<Voice>,
    staff: RefCell<Staff>,
    /// Who was called while staff were at the screen.
    called: RefCell<Vec<Input>>,
    me: Weak<Screen>,
    /// The contact that is being opened is a slip's.
    slip_opens: Cell<bool>,
    /// Somebody has come to a screen that nobody was at.
    woken: Cell<bool>,
    rested: Cell<Option<Resting>>,
    shown_ticket: RefCell<Option<String>>,
    shown_words: RefCell<Option<Shown>>,
    on_shift: RefCell<Vec<Option<OfficialId>>>,
    /// The minute on the clock in the header.
    minute_shown: Cell<Option<i64>>,
    /// The minute, and how many photos had arrived, when roster and forms were last looked at.
    followed: Cell<Option<(i64, u64)>>,
    timer: slint::Timer,
    _filling: Option<slint::Timer>,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// Slint or the display refused.
    #[error("no window can be opened: {0}")]
    Platform(#[from] slint::PlatformError),
    /// No language was given.
    #[error("no texts were given")]
    NoTexts,
    /// No form is in force.
    #[error("no form of this office is in force today; the central service must give one")]
    NoForm,
}

/// Makes the window one that fills the screen, has no pointer and cannot be closed, for as long as
/// the timer is kept.
pub(super) fn lock_down(app: &ui::AppWindow) -> slint::Timer {
    app.set_hide_pointer(true);
    fill_screen(app)
}

/// Makes the window one that fills the screen and cannot be closed, for as long as the timer is kept.
pub(super) fn fill_screen<C: ComponentHandle + 'static>(app: &C) -> slint::Timer {
    app.window().on_close_requested(|| CloseRequestResponse::KeepWindowShown);
    app.window().set_fullscreen(true);
    // A Wayland compositor answers only after the first frame, and Slint takes its silence until then
    // for a no; a window manager may have a wish of its own at any time.
    let screen = app.as_weak();
    let fill = move || {
        if let Some(app) = screen.upgrade()
            && !app.window().is_fullscreen()
        {
            app.window().set_fullscreen(true);
        }
    };
    for soon in [0, 50, 100, 200, 400, 800] {
        slint::Timer::single_shot(Duration::from_millis(soon), fill.clone());
    }
    let timer = slint::Timer::default();
    timer.start(slint::TimerMode::Repeated, IDLE_TICK, fill);
    timer
}

/// What the words on the screen depend on, apart from the page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    language: usize,
    counter: Option<CounterId>,
    on_shift: Vec<Option<OfficialId>>,
    form: FormRef,
    photos: u64,
}

impl Screen {
    /// Makes the window, at home. It lives until the returned handle is dropped.
    pub fn new(setting: Setting) -> Result<Rc<Self>, WindowError> {
        let app = ui::AppWindow::new()?;
        let mut in_force = setting.in_force;
        let InForce { enrolled, texts } = in_force.borrow_and_update().clone();
        if texts.is_empty() {
            return Err(WindowError::NoTexts);
        }
        let forms = Forms::new(enrolled.forms.iter().cloned());
        let today = At::new(setting.clock.now()).date();
        let enrolled = enrolled.as_of(today).map_or(enrolled, Arc::new);
        let office = &enrolled.directory.office;
        let form = Arc::new(forms.to_show(&office.form, today).ok_or(WindowError::NoForm)?.clone());
        let filling = setting.full_screen.then(|| lock_down(&app));
        let counters = enrolled.counters.to_vec();
        let attempts = setting.recorder.attempts().clone();
        let screen = Rc::new_cyclic(|me| Self {
            visit: RefCell::new(begin(&form, counters, setting.time_outs, (setting.visitor_ms)())),
            app,
            forms: RefCell::new(forms),
            texts: RefCell::new(beside(&texts, &form)),
            usual_texts: RefCell::new(texts),
            form: RefCell::new(form),
            enrolled: RefCell::new(enrolled),
            in_force: RefCell::new(in_force),
            clock: setting.clock,
            visitor_ms: setting.visitor_ms,
            album: Rc::new(Album::of(setting.photos)),
            recorder: setting.recorder,
            calls: setting.calls,
            scanner: RefCell::default(),
            slips: RefCell::new(slip::Used::new(system_random)),
            time_outs: setting.time_outs,
            procedures: setting.procedures,
            posted: RefCell::default(),
            found: RefCell::default(),
            care: setting.care,
            voice: setting.voice,
            staff: RefCell::new(Staff::new(attempts)),
            called: RefCell::default(),
            me: me.clone(),
            slip_opens: Cell::default(),
            woken: Cell::default(),
            rested: Cell::default(),
            shown_ticket: RefCell::new(None),
            shown_words: RefCell::new(None),
            on_shift: RefCell::default(),
            minute_shown: Cell::default(),
            followed: Cell::default(),
            timer: slint::Timer::default(),
            _filling: filling,
        });
        screen.name_all();
        screen.connect(setting.answers)?;
        screen.follow_day();
        screen.show();
        Ok(screen)
    }

    /// The Slint component, for the event loop and for tests.
    pub fn app(&self) -> &ui::AppWindow {
        &self.app
    }

    /// What the visit shows now.
    pub fn page(&self) -> Page {
        self.visit.borrow().page().clone()
    }

    /// The counters that it serves.
    pub fn counters(&self) -> Vec<CounterId> {
        self.enrolled.borrow().counters.to_vec()
    }

    /// Whether a record is on its way to the disk.
    pub fn busy(&self) -> bool {
        self.visit.borrow().busy()
    }

    /// Ends the visit as interrupted, if there is one, and the journal in good order.
    pub fn stop(&self) {
        self.timer.stop();
        let last = self.visit.borrow_mut().cut_off();
        self.recorder.stop(last);
    }

    /// Office and languages, which no visit changes.
    fn name_all(&self) {
        ui::Office::get(&self.app).set_slips(self.calls.slips);
        ui::Office::get(&self.app)
            .set_name(self.enrolled.borrow().directory.office.name.as_str().into());
        let (names, codes): (Vec<SharedString>, Vec<SharedString>) = (self.texts.borrow().iter())
            .map(|texts| (texts.name.as_str().into(), texts.language.to_uppercase().into()))
            .unzip();
        let languages = ui::Languages::get(&self.app);
        languages.set_names(ModelRc::new(VecModel::from(names)));
        languages.set_codes(ModelRc::new(VecModel::from(codes)));
    }

    /// Puts another configuration into force, if one has come, or what its office is from today on; nobody is at the
    /// screen.
    fn configure(&self) {
        let today = At::new(self.clock.now()).date();
        let has_come = self.in_force.borrow().has_changed().unwrap_or(false);
        // Of what was told, not of what is in force: a clock that was ahead may have gone back.
        let InForce { enrolled, texts } = if has_come {
            self.in_force.borrow_mut().borrow_and_update().clone()
        } else {
            let in_force = self.in_force.borrow();
            let told = in_force.borrow();
            let told_of_days = !told.enrolled.to_come.is_empty();
            if !told_of_days
                || *told.enrolled.directory_on(today) == self.enrolled.borrow().directory
            {
                return;
            }
            told.clone()
        };
        let enrolled = enrolled.as_of(today).map_or(enrolled, Arc::new);
        let forms = Forms::new(enrolled.forms.iter().cloned());
        let Some(form) = forms.to_show(&enrolled.directory.office.form, today) else {
            tracing::warn!("the configuration has no form for today; the last one stays");
            return;
        };
        let form = Arc::new(form.clone());
        *self.form.borrow_mut() = Arc::clone(&form);
        let now = (self.visitor_ms)();
        *self.visit.borrow_mut() = begin(&form, enrolled.counters.to_vec(), self.time_outs, now);
        *self.forms.borrow_mut() = forms;
        *self.texts.borrow_mut() = beside(&texts, &form);
        *self.usual_texts.borrow_mut() = texts;
        *self.enrolled.borrow_mut() = Arc::clone(&enrolled);
        *self.shown_words.borrow_mut() = None;
        self.followed.set(None);
        self.name_all();
        self.recorder.configure(enrolled);
        self.show();
    }

    fn connect(
        self: &Rc<Self>,
        mut answers: UnboundedReceiver<Input>,
    ) -> Result<(), slint::PlatformError> {
        let visit = ui::Visit::get(&self.app);
        let on = |input: fn(usize) -> Input| {
            let screen = Rc::downgrade(self);
            move |place: i32| {
                if let (Some(screen), Ok(place)) = (screen.upgrade(), usize::try_from(place)) {
                    screen.take(input(place));
                }
            }
        };
        let when = |input: Input| {
            let on = on_input(self);
            move || on(input.clone())
        };
        let screen = Rc::downgrade(self);
        ui::Keys::get(&self.app).on_pressed(move |text| {
            let key = text.chars().next();
            screen.upgrade().zip(key).is_some_and(|(screen, key)| screen.pressed(key))
        });
        ui::Languages::get(&self.app).on_choose(on(Input::Language));
        let switch = on_input(self);
        ui::Modes::get(&self.app).on_switch(move |mode| {
            switch(Input::Mode(match mode {
                ui::Mode::Low => Mode::Low,
                ui::Mode::Large => Mode::Large,
                ui::Mode::Contrast => Mode::Contrast,
            }));
        });
        visit.on_choose_counter(on(Input::Counter));
        visit.on_notice(when(Input::Notice));
        visit.on_rate(on(Input::Rate));
        visit.on_toggle(on(Input::Toggle));
        let stroke = on_input(self);
        visit.on_type_key(move |key| {
            let key = key.chars().next().map_or(Stroke::Back, Stroke::Character);
            stroke(Input::Type(key));
        });
        let screen = Rc::downgrade(self);
        visit.on_send(move || {
            if let Some(screen) = screen.upgrade() {
                screen.send();
            }
        });
        visit.on_enter_slip(when(Input::EnterSlip));
        visit.on_look_up(when(Input::LookUp));
        visit.on_turn(on(Input::Turn));
        let screen = Rc::downgrade(self);
        visit.on_choose_procedure(move |row| {
            if let (Some(screen), Ok(row)) = (screen.upgrade(), usize::try_from(row)) {
                screen.choose_procedure(row);
            }
        });
        visit.on_skip(when(Input::Skip));
        visit.on_later(when(Input::Later));
        visit.on_decline(when(Input::Decline));
        visit.on_show_code(when(Input::ShowCode));
        visit.on_done(when(Input::Done));
        visit.on_touched(when(Input::Touched));
        self.connect_staff();
        let album = Rc::clone(&self.album);
        ui::Office::get(&self.app)
            .on_photo(move |name, side| album.picture(&name, side.unsigned_abs()));
        visit.on_enlarge(|picture, factor| qr::enlarge(&picture, factor.unsigned_abs()));
        let screen = Rc::downgrade(self);
        self.timer.start(slint::TimerMode::Repeated, IDLE_TICK, move || {
            if let Some(screen) = screen.upgrade() {
                screen.tick();
            }
        });
        let screen = Rc::downgrade(self);
        slint::spawn_local(async move {
            while let Some(input) = answers.recv().await {
                let Some(screen) = screen.upgrade() else { return };
                screen.take(input);
            }
        })
        .map_err(|error| slint::PlatformError::Other(error.to_string()))?;
        Ok(())
    }

    fn connect_staff(self: &Rc<Self>) {
        let side = ui::Staff::get(&self.app);
        let on = |input: staff::Input| {
            let screen = Rc::downgrade(self);
            move || {
                if let Some(screen) = screen.upgrade() {
                    screen.staff(input.clone());
                }
            }
        };
        side.on_open(on(staff::Input::Open));
        side.on_touch(on(staff::Input::Touch));
        side.on_export(on(staff::Input::Export));
        side.on_leave(on(staff::Input::Leave));
        side.on_elsewhere(on(staff::Input::Elsewhere));
        side.on_done(on(staff::Input::Done));
        side.on_touched(on(staff::Input::Touched));
        let screen = Rc::downgrade(self);
        side.on_type_key(move |key| {
            let Some(screen) = screen.upgrade() else { return };
            let stroke = key.chars().next().map_or(Stroke::Back, Stroke::Character);
            screen.staff(staff::Input::Type(stroke));
        });
        let screen = Rc::downgrade(self);
        side.on_hit_point(move |place| {
            if let (Some(screen), Ok(place)) = (screen.upgrade(), usize::try_from(place)) {
                screen.staff(staff::Input::Hit(place));
            }
        });
        let screen = Rc::downgrade(self);
        side.on_choose_counter(move |place| {
            let Some(screen) = screen.upgrade() else { return };
            let counter =
                usize::try_from(place).ok().and_then(|at| screen.counters().into_iter().nth(at));
            if let Some(counter) = counter {
                screen.staff(staff::Input::Counter(counter));
            }
        });
    }

    /// Takes what happened, as a touch would bring it.
    pub fn take(&self, input: Input) {
        if self.with_staff() {
            match input {
                Input::Call(..) if self.staff.borrow().is_technician() => {
                    return self.called.borrow_mut().push(input);
                }
                // A visitor is asked before an official has said who they are.
                Input::Call(..) => {
                    self.staff.borrow_mut().leave();
                    self.show_staff();
                }
                // Hands on the staff's side are no visitor's.
                Input::Touched => return,
                _ => {}
            }
        }
        let now = (self.visitor_ms)();
        if matches!(input, Input::Touched) {
            let quiet = self.visit.borrow().quiet_ms(now);
            self.woken.set(self.woken.get() || quiet.is_some_and(|quiet| quiet >= ALONE_MS));
        }
        let answered = matches!(input, Input::Kept(..) | Input::Refused(_));
        let kept = matches!(input, Input::Kept(..));
        let record = self.visit.borrow_mut().step(input, now);
        if answered && self.slip_opens.replace(false) && kept {
            self.slips.borrow_mut().keep();
        }
        if let Some(record) = record {
            if matches!(record, Record::Open { by: By::Slip, .. }) {
                self.slip_opens.set(true);
            }
            self.recorder.keep(record);
        }
        self.show();
        if !self.slip_opens.get() && !self.visit.borrow().slip_waits() {
            self.slips.borrow_mut().leave();
        }
        self.pace();
    }

    /// Looks often while somebody is there, and seldom while nobody is.
    fn pace(&self) {
        let idle = self.visit.borrow().idle() && !self.with_staff();
        let tick = if idle { IDLE_TICK } else { TICK };
        if self.timer.interval() != tick {
            self.timer.set_interval(tick);
            if idle {
                // What had to wait for the visitor's end.
                self.follow_day();
            }
        }
    }

    /// Takes a key before the page does: whether it was one of the whole screen's.
    fn pressed(&self, key: char) -> bool {
        use slint::platform::Key;
        let now = (self.visitor_ms)();
        self.release_keys();
        let pressed = self.scanner.borrow_mut().take(key, now);
        match pressed {
            Pressed::Held => {
                let screen = self.me.clone();
                let wait = Duration::from_millis(PACE_MS + 10);
                slint::Timer::single_shot(wait, move || {
                    if let Some(screen) = screen.upgrade() {
                        screen.release_keys();
                    }
                });
                return true;
            }
            Pressed::Scan(text) => {
                self.scanned(&text);
                return true;
            }
            Pressed::Other => {
                let typed = self.scanner.borrow_mut().let_go();
                self.type_keys(&typed);
            }
        }
        // Where words are looked up, a blank is typed rather than presses a control.
        if key == ' ' && matches!(self.page(), Page::Procedures { .. }) {
            return self.type_key(Stroke::Character(' '));
        }
        if key == char::from(Key::Backspace) {
            return self.type_key(Stroke::Back);
        }
        if Some(key) == self.calls.key {
            // In a hall nobody knows whose key it is.
            if let [counter] = &self.counters()[..] {
                self.take(Input::Call(By::Invitation, counter.clone()));
            }
            return true;
        }
        let Some(forward) = keypad::forward(key) else { return false };
        self.take(Input::Moved);
        keypad::move_on(&self.app, forward);
        true
    }

    /// Types what has shown to be a hand's and no scanner's.
    fn release_keys(&self) {
        let typed = self.scanner.borrow_mut().typed((self.visitor_ms)());
        self.type_keys(&typed);
    }

    fn type_keys(&self, typed: &str) {
        for character in typed.chars() {
            self.type_key(Stroke::Character(character));
        }
    }

    /// Takes a key of a keypad, where something is typed; whether it is.
    fn type_key(&self, stroke: Stroke) -> bool {
        if self.with_staff() {
            self.staff(staff::Input::Type(stroke));
            return true;
        }
        let typed = matches!(self.page(), Page::Slip { .. } | Page::Procedures { .. });
        if typed {
            self.take(Input::Type(stroke));
        }
        typed
    }

    /// “Gửi”, or “Tiếp tục” once a slip's numbers are typed.
    fn send(&self) {
        let Page::Slip { digits, .. } = self.page() else { return self.take(Input::Send) };
        let today = At::new(self.clock.now()).date();
        self.take_slip(Slip::typed(&digits, today));
    }

    /// Takes what the scanner read.
    fn scanned(&self, text: &str) {
        if text.get(..BADGE.len()).is_some_and(|start| start.eq_ignore_ascii_case(BADGE)) {
            return self.staff(staff::Input::Badge(Zeroizing::new(text.to_owned())));
        }
        if self.calls.slips && !self.with_staff() {
            self.take_slip(Slip::scanned(text, At::new(self.clock.now()).date()));
        }
    }

    fn take_slip(&self, slip: Option<Slip>) {
        let now = At::new(self.clock.now()).civil();
        let closes = self.enrolled.borrow().directory.closes_on(now.date());
        let read = {
            let mut slips = self.slips.borrow_mut();
            slips.follow(now, closes);
            slips.read(slip)
        };
        self.take(Input::Slip(read));
    }

    /// What passes by itself: time-outs, the bar, the clock, the roster, a new form.
    pub fn tick(&self) {
        let idle = self.visit.borrow().idle();
        if !idle {
            self.take(Input::Tick);
        }
        if self.with_staff() {
            self.staff(staff::Input::Tick);
        }
        self.follow_day();
        let quiet = self.visit.borrow().quiet_ms((self.visitor_ms)());
        self.show_rest(quiet);
    }

    fn follow_day(&self) {
        let now = At::new(self.clock.now());
        let time = now.civil();
        let minute = now.timestamp().as_second().div_euclid(60);
        if self.minute_shown.replace(Some(minute)) != Some(minute) {
            let text = format!("{:02}:{:02}", time.hour(), time.minute());
            ui::Office::get(&self.app).set_clock(text.into());
        }
        if self.visit.borrow().idle() {
            self.configure();
            let closes = self.enrolled.borrow().directory.closes_on(time.date());
            self.slips.borrow_mut().follow(time, closes);
            self.follow_procedures();
        }
        // Shifts and days begin with a minute: in between only a photo can be new. Nothing changes
        // under a visitor's hands.
        let seen = Some((minute, self.album.photos().arrived()));
        if self.followed.get() == seen || !self.visit.borrow().idle() {
            return;
        }
        self.followed.set(seen);
        let enrolled = Arc::clone(&self.enrolled.borrow());
        let directory = &enrolled.directory;
        if let Some(form) = self.forms.borrow().to_show(&directory.office.form, now.date())
            && *form != **self.form.borrow()
        {
            let form = Arc::new(form.clone());
            *self.form.borrow_mut() = Arc::clone(&form);
            *self.texts.borrow_mut() = beside(&self.usual_texts.borrow(), &form);
            *self.shown_words.borrow_mut() = None;
            let counters = enrolled.counters.to_vec();
            let now = (self.visitor_ms)();
            *self.visit.borrow_mut() = begin(&form, counters, self.time_outs, now);
        }
        let duty = self.recorder.duty();
        let official = |counter| duty.who(directory, counter, time).map(|who| who.id.clone());
        let on_shift: Vec<_> = enrolled.counters.iter().map(official).collect();
        *self.on_shift.borrow_mut() = on_shift;
        self.recorder.follow_roster();
        self.show_words();
    }
}

fn beside(usual: &[Texts], form: &Form) -> Vec<Rc<Texts>> {
    usual.iter().map(|texts| Rc::new(texts.beside(form))).collect()
}

/// A visit at rest, quiet from now on.
fn begin(form: &Arc<Form>, counters: Vec<CounterId>, time_outs: TimeOuts, now_ms: u64) -> Visit {
    let mut visit = Visit::new(Arc::clone(form), counters, time_outs);
    visit.step(Input::Moved, now_ms);
    visit
}

fn on_input(screen: &Rc<Screen>) -> impl Fn(Input) + use<> {
    let screen = Rc::downgrade(screen);
    move |input| {
        if let Some(screen) = screen.upgrade() {
            screen.take(input);
        }
    }
}
