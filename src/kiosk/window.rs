//! The adapter between the visit and its Slint screens: it moves values, and decides nothing.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use slint::{ComponentHandle, Global, Model, ModelRc, SharedString, VecModel};
use tokio::sync::mpsc::UnboundedReceiver;

use super::config::Texts;
use super::qr;
use super::recorder::Recorder;
use super::visit::{Input, Page, TimeOuts, Visit};
use crate::clock::Clock;
use crate::domain::enrolment::Enrolled;
use crate::domain::form::{Form, Forms, in_language};
use crate::domain::time::At;

/// What the Slint compiler makes of `ui/kiosk/app.slint`.
#[allow(missing_docs, unsafe_code, clippy::all, clippy::pedantic)]
pub mod ui {
    slint::include_modules!();
}

/// How often time-outs, bar and clock are looked at.
const TICK: Duration = Duration::from_millis(250);

/// What a screen shows and whom it asks.
pub struct Setting {
    /// What enrolment gave.
    pub enrolled: Arc<Enrolled>,
    /// What the screens say.
    pub texts: Texts,
    /// How long pages wait.
    pub time_outs: TimeOuts,
    /// Whether it fills the screen and hides the pointer.
    pub full_screen: bool,
    /// The day's clock, for the header and the roster.
    pub clock: Arc<dyn Clock>,
    /// Milliseconds as the visitor lives them, for time-outs. In a demo that hurries through the
    /// day, people at the screen still live at their own pace.
    pub visitor_ms: Rc<dyn Fn() -> u64>,
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
    forms: Forms,
    enrolled: Arc<Enrolled>,
    clock: Arc<dyn Clock>,
    visitor_ms: Rc<dyn Fn() -> u64>,
    recorder: Recorder,
    time_outs: TimeOuts,
    shown_ticket: RefCell<Option<String>>,
    on_shift: RefCell<Option<String>>,
    timer: slint::Timer,
}

/// Why there is no window.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// Slint or the display refused.
    #[error("no window can be opened: {0}")]
    Platform(#[from] slint::PlatformError),
    /// No form is in force.
    #[error("no form of this office is in force today; the central service must give one")]
    NoForm,
}

impl Screen {
    /// Makes the window, at home. It lives until the returned handle is dropped.
    pub fn new(setting: Setting) -> Result<Rc<Self>, WindowError> {
        let app = ui::AppWindow::new()?;
        let forms = Forms::new(setting.enrolled.forms.iter().cloned());
        let today = At::new(setting.clock.now()).date();
        let office = &setting.enrolled.directory.office;
        let form =
            Arc::new(forms.in_force(&office.form, today).ok_or(WindowError::NoForm)?.clone());
        app.set_hide_pointer(setting.full_screen);
        app.window().set_fullscreen(setting.full_screen);
        fill_texts(&app, &setting.texts);
        let counter = setting.enrolled.directory.counter(&setting.enrolled.counter);
        let place = ui::Office::get(&app);
        place.set_name(office.name.as_str().into());
        place.set_counter(counter.map(|counter| counter.label()).unwrap_or_default().into());
        let screen = Rc::new(Self {
            visit: RefCell::new(Visit::new(Arc::clone(&form), setting.time_outs)),
            form: RefCell::new(form),
            app,
            forms,
            enrolled: setting.enrolled,
            clock: setting.clock,
            visitor_ms: setting.visitor_ms,
            recorder: setting.recorder,
            time_outs: setting.time_outs,
            shown_ticket: RefCell::new(None),
            on_shift: RefCell::new(None),
            timer: slint::Timer::default(),
        });
        screen.connect(setting.answers)?;
        screen.show_form();
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
        visit.on_rate(on(Input::Rate));
        visit.on_toggle(on(Input::Toggle));
        visit.on_send(when(Input::Send));
        visit.on_skip(when(Input::Skip));
        visit.on_later(when(Input::Later));
        visit.on_done(when(Input::Done));
        visit.on_touched(when(Input::Touched));
        visit.on_enlarge(|picture, factor| qr::enlarge(&picture, factor.unsigned_abs()));
        let screen = Rc::downgrade(self);
        self.timer.start(slint::TimerMode::Repeated, TICK, move || {
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

    fn take(&self, input: Input) {
        let now = (self.visitor_ms)();
        let record = self.visit.borrow_mut().step(input, now);
        if let Some(record) = record {
            self.recorder.keep(record);
        }
        self.show();
    }

    /// What passes by itself: time-outs, the bar, the clock, the roster, a new form.
    pub fn tick(&self) {
        let idle = self.visit.borrow().idle();
        if !idle {
            self.take(Input::Tick);
        }
        self.follow_day();
    }

    fn follow_day(&self) {
        let now = At::new(self.clock.now());
        let time = now.civil();
        let text = SharedString::from(format!("{:02}:{:02}", time.hour(), time.minute()));
        let place = ui::Office::get(&self.app);
        if place.get_clock() != text {
            place.set_clock(text);
        }
        if !self.visit.borrow().idle() {
            return;
        }
        let directory = &self.enrolled.directory;
        if let Some(form) = self.forms.in_force(&directory.office.form, now.date())
            && *form != **self.form.borrow()
        {
            let form = Arc::new(form.clone());
            *self.form.borrow_mut() = Arc::clone(&form);
            *self.visit.borrow_mut() = Visit::new(form, self.time_outs);
            self.show_form();
        }
        let official = directory.on_shift(&self.enrolled.counter, time);
        let id = official.map_or_else(String::new, |official| official.id.to_string());
        if self.on_shift.borrow().as_ref() != Some(&id) {
            *self.on_shift.borrow_mut() = Some(id);
            let shown = ui::Official::get(&self.app);
            shown.set_present(official.is_some());
            shown.set_name(official.map_or("", |official| &official.name).into());
            shown.set_initials(
                official.map(|official| official.initials()).unwrap_or_default().into(),
            );
            self.recorder.follow_roster();
        }
    }

    fn show_form(&self) {
        let form = self.form.borrow();
        let visit = ui::Visit::get(&self.app);
        visit.set_question(in_language(&form.question, "vi").into());
        let levels: Vec<ui::Level> = form
            .levels
            .iter()
            .map(|level| ui::Level {
                label: in_language(&level.label, "vi").into(),
                face: i32::from(level.face),
            })
            .collect();
        visit.set_levels(ModelRc::new(VecModel::from(levels)));
    }

    /// Brings the screen to what the visit says.
    fn show(&self) {
        let state = self.visit.borrow();
        let visit = ui::Visit::get(&self.app);
        let ticket = match state.page() {
            Page::Home | Page::NotKept { .. } => None,
            Page::Reasons { contact, .. } | Page::Thanks(contact) | Page::Later(contact) => {
                contact.ticket.clone()
            }
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
        if let Page::NotKept { trouble } = state.page() {
            visit.set_trouble(trouble.as_str().into());
        } else {
            visit.set_trouble(SharedString::default());
        }
        visit.set_chosen(state.chosen().map_or(-1, |level| level as i32));
        visit.set_busy(state.busy());
        visit.set_time_left(state.time_left((self.visitor_ms)()));
        visit.set_page(match state.page() {
            Page::Home => ui::Page::Home,
            Page::Reasons { .. } => ui::Page::Reasons,
            Page::Thanks(_) => ui::Page::Thanks,
            Page::Later(_) => ui::Page::Later,
            Page::NotKept { .. } => ui::Page::NotKept,
        });
    }

    fn show_reasons(&self, visit: &ui::Visit<'_>, offered: &[&str], ticked: &[bool]) {
        let form = self.form.borrow();
        let reasons: Vec<ui::Reason> = offered
            .iter()
            .zip(ticked)
            .map(|(code, ticked)| {
                let reason = form.reasons.iter().find(|reason| reason.code == *code);
                let text = reason.map_or("", |reason| in_language(&reason.text, "vi"));
                ui::Reason { text: text.into(), ticked: *ticked }
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

fn on_input(screen: &Rc<Screen>) -> impl Fn(Input) + use<> {
    let screen = Rc::downgrade(screen);
    move |input| {
        if let Some(screen) = screen.upgrade() {
            screen.take(input);
        }
    }
}

fn fill_texts(app: &ui::AppWindow, texts: &Texts) {
    let shown = ui::Texts::get(app);
    let text = |text: &String| SharedString::from(text.as_str());
    shown.set_home_instruction(text(&texts.home_instruction));
    shown.set_official_label(text(&texts.official_label));
    shown.set_promise(text(&texts.promise));
    shown.set_later_button(text(&texts.later_button));
    shown.set_reasons_title(text(&texts.reasons_title));
    shown.set_reasons_help(text(&texts.reasons_help));
    shown.set_reasons_change(text(&texts.reasons_change));
    shown.set_reasons_timeout(text(&texts.reasons_timeout));
    shown.set_skip(text(&texts.skip));
    shown.set_send(text(&texts.send));
    shown.set_thanks_title(text(&texts.thanks_title));
    shown.set_thanks_kept(text(&texts.thanks_kept));
    shown.set_thanks_more_title(text(&texts.thanks_more_title));
    shown.set_thanks_more(text(&texts.thanks_more));
    shown.set_later_title(text(&texts.later_title));
    shown.set_later_text(text(&texts.later_text));
    shown.set_later_done(text(&texts.later_done));
    shown.set_not_kept(text(&texts.not_kept));
    shown.set_paused(text(&texts.paused));
    shown.set_staff_note(text(&texts.staff_note));
}
