//! The adapter between the visit and its Slint screens: it moves values, and decides nothing.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use slint::platform::WindowEvent;
use slint::{ComponentHandle, Global, Model, ModelRc, SharedString, VecModel};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::watch;

use super::configuration::InForce;
use super::photos::{Album, Photos};
use super::qr;
use super::recorder::Recorder;
use super::rest::{Resting, resting};
use super::typing::Stroke;
use super::visit::{Input, Mode, Page, TimeOuts, Visit};
use crate::clock::Clock;
use crate::domain::enrolment::Enrolled;
use crate::domain::form::{Form, Forms, Offered, in_language};
use crate::domain::ids::{CounterId, FormRef, OfficialId};
use crate::domain::line::By;
use crate::domain::office::Counter;
use crate::domain::time::At;
use crate::texts::{KioskTexts, Texts, fill};

/// What the Slint compiler makes of `ui/kiosk/app.slint`.
#[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic)]
pub mod ui {
    slint::include_modules!();
}

/// How often time-outs and bar are looked at while somebody is there.
const TICK: Duration = Duration::from_millis(250);
/// How often clock, roster and photos are looked at while nobody is.
const IDLE_TICK: Duration = Duration::from_secs(2);

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
    /// The key by which the official invites, as Slint names it.
    pub invite_key: Option<char>,
    /// Photos of officials.
    pub photos: Photos,
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
    texts: RefCell<Vec<Rc<Texts>>>,
    enrolled: RefCell<Arc<Enrolled>>,
    in_force: RefCell<watch::Receiver<InForce>>,
    clock: Arc<dyn Clock>,
    visitor_ms: Rc<dyn Fn() -> u64>,
    album: Rc<Album>,
    recorder: Recorder,
    invite_key: Option<char>,
    time_outs: TimeOuts,
    rested: Cell<Option<Resting>>,
    shown_ticket: RefCell<Option<String>>,
    shown_words: RefCell<Option<Shown>>,
    on_shift: RefCell<Vec<Option<OfficialId>>>,
    /// The minute on the clock in the header.
    minute_shown: Cell<Option<i64>>,
    /// The minute, and how many photos had arrived, when roster and forms were last looked at.
    followed: Cell<Option<(i64, u64)>>,
    timer: slint::Timer,
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
        let office = &enrolled.directory.office;
        let form = Arc::new(forms.to_show(&office.form, today).ok_or(WindowError::NoForm)?.clone());
        app.set_hide_pointer(setting.full_screen);
        app.window().set_fullscreen(setting.full_screen);
        let counters = enrolled.counters.to_vec();
        let screen = Rc::new(Self {
            visit: RefCell::new(begin(&form, counters, setting.time_outs, (setting.visitor_ms)())),
            form: RefCell::new(form),
            app,
            forms: RefCell::new(forms),
            texts: RefCell::new(texts.into_iter().map(Rc::new).collect()),
            enrolled: RefCell::new(enrolled),
            in_force: RefCell::new(in_force),
            clock: setting.clock,
            visitor_ms: setting.visitor_ms,
            album: Rc::new(Album::of(setting.photos)),
            recorder: setting.recorder,
            invite_key: setting.invite_key,
            time_outs: setting.time_outs,
            rested: Cell::default(),
            shown_ticket: RefCell::new(None),
            shown_words: RefCell::new(None),
            on_shift: RefCell::default(),
            minute_shown: Cell::default(),
            followed: Cell::default(),
            timer: slint::Timer::default(),
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
        ui::Office::get(&self.app)
            .set_name(self.enrolled.borrow().directory.office.name.as_str().into());
        let (names, codes): (Vec<SharedString>, Vec<SharedString>) = (self.texts.borrow().iter())
            .map(|texts| (texts.name.as_str().into(), texts.language.to_uppercase().into()))
            .unzip();
        let languages = ui::Languages::get(&self.app);
        languages.set_names(ModelRc::new(VecModel::from(names)));
        languages.set_codes(ModelRc::new(VecModel::from(codes)));
    }

    /// Puts another configuration into force, if one has come; nobody is at the screen.
    fn configure(&self) {
        if !self.in_force.borrow().has_changed().unwrap_or(false) {
            return;
        }
        let InForce { enrolled, texts } = self.in_force.borrow_mut().borrow_and_update().clone();
        let forms = Forms::new(enrolled.forms.iter().cloned());
        let today = At::new(self.clock.now()).date();
        let Some(form) = forms.to_show(&enrolled.directory.office.form, today) else {
            tracing::warn!("the configuration has no form for today; the last one stays");
            return;
        };
        let form = Arc::new(form.clone());
        *self.form.borrow_mut() = Arc::clone(&form);
        let now = (self.visitor_ms)();
        *self.visit.borrow_mut() = begin(&form, enrolled.counters.to_vec(), self.time_outs, now);
        *self.forms.borrow_mut() = forms;
        *self.texts.borrow_mut() = texts.into_iter().map(Rc::new).collect();
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
        visit.on_send(when(Input::Send));
        visit.on_skip(when(Input::Skip));
        visit.on_later(when(Input::Later));
        visit.on_decline(when(Input::Decline));
        visit.on_show_code(when(Input::ShowCode));
        visit.on_done(when(Input::Done));
        visit.on_touched(when(Input::Touched));
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

    /// Takes what happened, as a touch would bring it.
    pub fn take(&self, input: Input) {
        let now = (self.visitor_ms)();
        let record = self.visit.borrow_mut().step(input, now);
        if let Some(record) = record {
            self.recorder.keep(record);
        }
        self.show();
        let idle = self.visit.borrow().idle();
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
        if Some(key) == self.invite_key {
            // In a hall nobody knows whose key it is.
            if let [counter] = &self.counters()[..] {
                self.take(Input::Call(By::Invitation, counter.clone()));
            }
            return true;
        }
        // A keypad has arrows and Enter, and no Tab.
        let forward = [Key::RightArrow, Key::DownArrow].map(char::from).contains(&key);
        if !forward && ![Key::LeftArrow, Key::UpArrow].map(char::from).contains(&key) {
            return false;
        }
        self.take(Input::Moved);
        let app = self.app.as_weak();
        slint::Timer::single_shot(Duration::ZERO, move || {
            let Some(app) = app.upgrade() else { return };
            let text = SharedString::from(if forward { Key::Tab } else { Key::Backtab });
            app.window().dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
            app.window().dispatch_event(WindowEvent::KeyReleased { text });
        });
        true
    }

    /// What passes by itself: time-outs, the bar, the clock, the roster, a new form.
    pub fn tick(&self) {
        let idle = self.visit.borrow().idle();
        if !idle {
            self.take(Input::Tick);
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
            let counters = enrolled.counters.to_vec();
            let now = (self.visitor_ms)();
            *self.visit.borrow_mut() = begin(&form, counters, self.time_outs, now);
        }
        let official = |counter| directory.on_shift(counter, time).map(|who| who.id.clone());
        let on_shift: Vec<_> = enrolled.counters.iter().map(official).collect();
        *self.on_shift.borrow_mut() = on_shift;
        self.recorder.follow_roster();
        self.show_words();
    }

    /// The texts of the visitor's language.
    fn texts(&self) -> Rc<Texts> {
        let texts = self.texts.borrow();
        // There is one at least, and the visit is only told places of the switch.
        Rc::clone(texts.get(self.visit.borrow().language()).unwrap_or(&texts[0]))
    }

    /// Brings all words that no page changes to the language, the form and who is rated.
    fn show_words(&self) {
        let visit = self.visit.borrow();
        let form = self.form.borrow();
        let shown = Shown {
            language: visit.language(),
            counter: visit.counter().cloned(),
            on_shift: self.on_shift.borrow().clone(),
            form: form.reference(),
            photos: self.album.photos().arrived(),
        };
        if self.shown_words.borrow().as_ref() == Some(&shown) {
            return;
        }
        let texts = self.texts();
        ui::Languages::get(&self.app).set_chosen(i32::try_from(shown.language).unwrap_or_default());
        let enrolled = Arc::clone(&self.enrolled.borrow());
        let directory = &enrolled.directory;
        let office = ui::Office::get(&self.app);
        fill_texts(&self.app, &texts.kiosk, &texts.notice.title);
        let address = typed(&enrolled.public_url);
        let help = fill(&texts.kiosk.thanks_code_help, &[("address", &address)]);
        ui::Texts::get(&self.app).set_thanks_code_help(help.into());
        let parts = texts.notice_of(&directory.office.name).into_iter();
        let parts: Vec<ui::NoticePart> = parts
            .map(|part| ui::NoticePart { title: part.title.into(), text: part.text.into() })
            .collect();
        office.set_notice(ModelRc::new(VecModel::from(parts)));
        let stations: Vec<ui::Station> = enrolled
            .counters
            .iter()
            .zip(&shown.on_shift)
            .map(|(counter, official)| {
                let counter = directory.counter(counter);
                let official = official.as_ref().and_then(|id| directory.official(id));
                ui::Station {
                    counter: counter.map(|c| texts.counter_of(c.number)).unwrap_or_default().into(),
                    serves: counter.map_or("", |counter| &counter.name).into(),
                    name: official.map_or("", |official| &official.name).into(),
                    initials: official.map(|o| o.initials()).unwrap_or_default().into(),
                    photo: official
                        .and_then(|official| official.photo)
                        .filter(|photo| self.album.photos().has(*photo))
                        .map_or_else(SharedString::default, |photo| photo.to_string().into()),
                }
            })
            .collect();
        let label = |counter: &Counter| {
            SharedString::from(format!("{} · {}", texts.counter_of(counter.number), counter.name))
        };
        let counter = visit.counter().and_then(|counter| directory.counter(counter));
        let hall = stations.len() > 1;
        let here = counter.map(label).unwrap_or_default();
        office.set_counter(if hall { SharedString::default() } else { here.clone() });
        let place = enrolled.counters.iter().position(|c| Some(c) == visit.counter());
        let station = place.and_then(|place| stations.get(place)).cloned().unwrap_or_default();
        let official = ui::Official::get(&self.app);
        official.set_present(!station.name.is_empty());
        official.set_name(station.name);
        official.set_initials(station.initials);
        official.set_photo(station.photo);
        official.set_counter(if hall { here } else { SharedString::default() });
        office.set_stations(ModelRc::new(VecModel::from(if hall { stations } else { vec![] })));
        let screen = ui::Visit::get(&self.app);
        screen.set_question(in_language(&form.question, &texts.language).into());
        let levels: Vec<ui::Level> = form
            .levels
            .iter()
            .map(|level| ui::Level {
                label: in_language(&level.label, &texts.language).into(),
                face: i32::from(level.face),
            })
            .collect();
        screen.set_levels(ModelRc::new(VecModel::from(levels)));
        *self.shown_words.borrow_mut() = Some(shown);
    }

    /// Brings the screen to what the visit says.
    fn show(&self) {
        self.show_words();
        let state = self.visit.borrow();
        let visit = ui::Visit::get(&self.app);
        let ticket = match state.page() {
            Page::Who | Page::Home | Page::Notice(None) | Page::NotKept { .. } => None,
            // Nobody scans while they type.
            Page::Words { .. } => None,
            Page::Reasons { contact, .. }
            | Page::Thanks { contact, .. }
            | Page::Later(contact)
            | Page::Invited(contact)
            | Page::Notice(Some(contact)) => contact.ticket.clone(),
        };
        if *self.shown_ticket.borrow() != ticket {
            visit.set_qr(ticket.as_deref().and_then(qr::picture).unwrap_or_default());
            *self.shown_ticket.borrow_mut() = ticket;
        }
        if let Page::Reasons { ticked, .. } = state.page() {
            self.show_reasons(&visit, &state.offered(), ticked);
        } else if visit.get_reasons().row_count() > 0 {
            visit.set_reasons(ModelRc::default());
        }
        let written = match state.page() {
            Page::Words { writing, .. } => SharedString::from(writing.text().as_str()),
            _ => SharedString::default(),
        };
        if visit.get_written() != written {
            visit.set_written(written);
        }
        if let Page::NotKept { trouble } = state.page() {
            visit.set_trouble(trouble.as_str().into());
        } else {
            visit.set_trouble(SharedString::default());
        }
        let code = match state.page() {
            Page::Thanks { code, code_shown, .. } => code.as_ref().map(|code| (code, *code_shown)),
            _ => None,
        };
        visit.set_has_code(code.is_some());
        let shown = code.filter(|(_, shown)| *shown).map_or("", |(code, _)| code);
        visit.set_code(shown.into());
        let (theme, modes) = (ui::Theme::get(&self.app), state.modes());
        theme.set_low(modes.low);
        theme.set_large(modes.large);
        theme.set_contrast(modes.contrast);
        visit.set_chosen(state.chosen().map_or(-1, |level| level as i32));
        visit.set_wishes_words(state.wishes_words());
        visit.set_busy(state.busy());
        let now = (self.visitor_ms)();
        visit.set_time_left(state.time_left(now));
        visit.set_asks_for_time(state.asks_for_time(now));
        self.show_rest(state.quiet_ms(now));
        visit.set_page(match state.page() {
            Page::Who => ui::Page::Who,
            Page::Home => ui::Page::Home,
            Page::Invited(_) => ui::Page::Invited,
            Page::Notice(_) => ui::Page::Notice,
            Page::Reasons { .. } => ui::Page::Reasons,
            Page::Words { .. } => ui::Page::Words,
            Page::Thanks { .. } => ui::Page::Thanks,
            Page::Later(_) => ui::Page::Later,
            Page::NotKept { .. } => ui::Page::NotKept,
        });
    }

    /// What covers the first page once nobody has touched it for a while.
    fn show_rest(&self, quiet_ms: Option<u64>) {
        let (enrolled, texts) = (Arc::clone(&self.enrolled.borrow()), self.texts());
        let office = &enrolled.directory.office;
        let now = At::new(self.clock.now()).civil();
        let cards = texts.rest.len();
        let resting = quiet_ms.and_then(|quiet| resting(quiet, cards, &enrolled.directory, now));
        if self.rested.replace(resting) == resting {
            return;
        }
        let rest = ui::Rest::get(&self.app);
        rest.set_shown(resting.is_some());
        rest.set_closed(matches!(resting, Some(Resting::Closed(_))));
        let (title, text) = match resting {
            None => return,
            Some(Resting::Card(place)) => {
                let card = texts.rest_of(office).into_iter().nth(place);
                card.map(|card| (card.title, card.text)).unwrap_or_default()
            }
            Some(Resting::Closed(opens)) => {
                let time = opens.strftime("%-H:%M");
                let date = opens.strftime("%d/%m/%Y");
                let today = opens.date() == now.date();
                let words = &texts.kiosk;
                let when = if today { &words.rest_opens_today } else { &words.rest_opens };
                (words.rest_closed.clone(), fill(when, &[("time", &time), ("date", &date)]))
            }
        };
        rest.set_title(title.into());
        rest.set_text(text.into());
    }

    fn show_reasons(&self, visit: &ui::Visit<'_>, offered: &[Offered<'_>], ticked: &[bool]) {
        let texts = self.texts();
        let language = &texts.language;
        let reasons: Vec<ui::Reason> = offered
            .iter()
            .zip(ticked)
            .map(|(offered, ticked)| {
                let text = in_language(offered.text, language).into();
                ui::Reason { text, ticked: *ticked }
            })
            .collect();
        let shown = visit.get_reasons();
        let same = shown.row_count() == reasons.len()
            && shown.iter().zip(&reasons).all(|(shown, reason)| shown.text == reason.text);
        if same {
            // Only what changed is told, so that a finger's toggle is not built anew under it.
            for (row, reason) in reasons.into_iter().enumerate() {
                if shown.row_data(row).as_ref() != Some(&reason) {
                    shown.set_row_data(row, reason);
                }
            }
        } else {
            visit.set_reasons(ModelRc::new(VecModel::from(reasons)));
        }
    }
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

/// Where codes are checked, as people type it: what they need not type is left out, and a host is
/// easier to read in small letters.
fn typed(public_url: &str) -> String {
    let address = public_url.split_once("://").map_or(public_url, |(_, address)| address);
    let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
    format!("{}{path}/check", host.to_lowercase())
}

fn fill_texts(app: &ui::AppWindow, texts: &KioskTexts, notice: &str) {
    let shown = ui::Texts::get(app);
    let text = |text: &String| SharedString::from(text.as_str());
    shown.set_home_instruction(text(&texts.home_instruction));
    shown.set_official_label(text(&texts.official_label));
    shown.set_promise(text(&texts.promise));
    shown.set_later_button(text(&texts.later_button));
    shown.set_notice_button(text(&texts.notice_button));
    shown.set_notice_title(notice.into());
    shown.set_who_title(text(&texts.who_title));
    shown.set_who_nobody(text(&texts.who_nobody));
    shown.set_back(text(&texts.back));
    shown.set_reasons_title(text(&texts.reasons_title));
    shown.set_reasons_help(text(&texts.reasons_help));
    shown.set_reasons_change(text(&texts.reasons_change));
    shown.set_reasons_timeout(text(&texts.reasons_timeout));
    shown.set_reasons_words(text(&texts.reasons_words));
    shown.set_more_time(text(&texts.more_time));
    shown.set_more_time_button(text(&texts.more_time_button));
    shown.set_invitation(text(&texts.invitation));
    shown.set_decline(text(&texts.decline));
    shown.set_mode_large(text(&texts.mode_large));
    shown.set_mode_contrast(text(&texts.mode_contrast));
    shown.set_mode_low(text(&texts.mode_low));
    shown.set_words_title(text(&texts.words_title));
    shown.set_words_help(text(&texts.words_help));
    shown.set_words_phone(text(&texts.words_phone));
    shown.set_words_back(text(&texts.words_back));
    shown.set_words_space(text(&texts.words_space));
    shown.set_words_delete(text(&texts.words_delete));
    shown.set_words_capitals(text(&texts.words_capitals));
    shown.set_rest_touch(text(&texts.rest_touch));
    shown.set_skip(text(&texts.skip));
    shown.set_send(text(&texts.send));
    shown.set_thanks_title(text(&texts.thanks_title));
    shown.set_thanks_kept(text(&texts.thanks_kept));
    shown.set_thanks_code_button(text(&texts.thanks_code_button));
    shown.set_thanks_code_title(text(&texts.thanks_code_title));
    shown.set_thanks_more_title(text(&texts.thanks_more_title));
    shown.set_thanks_more(text(&texts.thanks_more));
    shown.set_later_title(text(&texts.later_title));
    shown.set_later_text(text(&texts.later_text));
    shown.set_later_done(text(&texts.later_done));
    shown.set_not_kept(text(&texts.not_kept));
    shown.set_paused(text(&texts.paused));
    shown.set_staff_note(text(&texts.staff_note));
}
