//! The adapter between the first start and its Slint screens, and what it is done with: the network on a
//! thread of its own, `setup.json` on the disk. It moves values, and decides nothing.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use slint::platform::Key;
use slint::{Global, Model, ModelRc, SharedString, VecModel};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

use super::connection::{admitted, connect};
use super::kept::Kept;
use super::words::{Verdict, shown};
use super::{Button, Effect, Failure, Input, POINTS, Page, Setup};
use crate::clock::Clock;
use crate::domain::time::At;
use crate::kiosk::config::Config;
use crate::kiosk::identity::Identity;
use crate::kiosk::keypad;
use crate::kiosk::network::Way;
use crate::kiosk::obstacle::Obstacle;
use crate::kiosk::window::{fill_screen, ui};
use crate::texts::{Texts, fill};

/// What a first start is shown with.
pub struct Setting {
    /// Where it begins.
    pub setup: Setup,
    /// What it says, by language, as [`Setup::begin`] was told.
    pub texts: Vec<Texts>,
    /// Whether it fills the screen.
    pub full_screen: bool,
    /// This machine's clock, to be compared with the service's.
    pub clock: Arc<dyn Clock>,
    /// What it acts on; nothing for pictures.
    pub outside: Option<Outside>,
}

/// What a first start acts on.
pub struct Outside {
    /// The kiosk's folder.
    pub folder: PathBuf,
    /// By whom and through what services are reached.
    pub way: Way,
    /// Where connections are made.
    pub runtime: Handle,
}

/// The window of the first start.
pub struct SetupScreen {
    app: ui::SetupWindow,
    setup: RefCell<Setup>,
    texts: Vec<Texts>,
    clock: Arc<dyn Clock>,
    outside: Option<Outside>,
    kept: RefCell<Option<Kept>>,
    connection: RefCell<Option<JoinHandle<()>>>,
    heard: UnboundedSender<Input>,
    /// Arrows or Tab were used last: Enter is the control's that has the place of keys.
    moving: Cell<bool>,
    finished: Cell<bool>,
    rows: Rows,
    _filling: Option<slint::Timer>,
}

/// Lists on the screen, changed in place: a list that is made anew takes the place of keys away.
#[derive(Default)]
struct Rows {
    items: Rc<VecModel<SharedString>>,
    facts: Rc<VecModel<ui::SetupFact>>,
    buttons: Rc<VecModel<SharedString>>,
    hit: Rc<VecModel<bool>>,
    points: Rc<VecModel<SharedString>>,
}

fn put<T: Clone + PartialEq + 'static>(rows: &VecModel<T>, now: Vec<T>) {
    if rows.row_count() != now.len() {
        rows.set_vec(now);
        return;
    }
    for (place, row) in now.into_iter().enumerate() {
        if rows.row_data(place).as_ref() != Some(&row) {
            rows.set_row_data(place, row);
        }
    }
}

fn strings(words: Vec<String>) -> Vec<SharedString> {
    words.into_iter().map(SharedString::from).collect()
}

impl SetupScreen {
    /// The first start of a kiosk, from its beginning or where it was interrupted.
    pub fn of(
        config: &Config,
        kept: Option<Kept>,
        identity: &Identity,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Result<Rc<Self>, slint::PlatformError> {
        let languages = config.texts.iter().map(|texts| texts.language.clone()).collect();
        let (service, admitted) = (config.service.clone(), admitted(identity));
        let (folder, way) = (config.data.clone(), config.way.clone());
        Self::new(Setting {
            setup: Setup::begin(languages, service, kept, admitted),
            texts: config.texts.clone(),
            full_screen: config.full_screen,
            clock,
            outside: Some(Outside { folder, way, runtime }),
        })
    }

    /// Makes the window. It lives until the returned handle is dropped.
    pub fn new(setting: Setting) -> Result<Rc<Self>, slint::PlatformError> {
        let app = ui::SetupWindow::new()?;
        let filling = setting.full_screen.then(|| fill_screen(&app));
        let (heard, mut hears) = unbounded_channel();
        let screen = Rc::new(Self {
            app,
            setup: RefCell::new(setting.setup),
            texts: setting.texts,
            clock: setting.clock,
            outside: setting.outside,
            kept: RefCell::default(),
            connection: RefCell::default(),
            heard,
            moving: Cell::new(false),
            _filling: filling,
            finished: Cell::new(false),
            rows: Rows::default(),
        });
        screen.name_all();
        screen.listen();
        let weak = Rc::downgrade(&screen);
        slint::spawn_local(async move {
            while let Some(input) = hears.recv().await {
                let Some(screen) = weak.upgrade() else { return };
                screen.take(input);
            }
        })
        .map_err(|error| slint::PlatformError::Other(error.to_string()))?;
        screen.show();
        Ok(screen)
    }

    /// The Slint component, for the event loop and for tests.
    pub fn app(&self) -> &ui::SetupWindow {
        &self.app
    }

    /// The page.
    pub fn page(&self) -> Page {
        self.setup.borrow().page().clone()
    }

    /// Whether all is done, and the rating screen may come.
    pub fn finished(&self) -> bool {
        self.finished.get()
    }

    fn name_all(&self) {
        let languages = ui::Languages::get(&self.app);
        let names = self.texts.iter().map(|texts| texts.name.clone()).collect();
        let codes = self.texts.iter().map(|texts| texts.language.to_uppercase()).collect();
        languages.set_names(ModelRc::new(VecModel::from(strings(names))));
        languages.set_codes(ModelRc::new(VecModel::from(strings(codes))));
        let screen = ui::Setup::get(&self.app);
        screen.set_items(ModelRc::from(Rc::clone(&self.rows.items)));
        screen.set_facts(ModelRc::from(Rc::clone(&self.rows.facts)));
        screen.set_buttons(ModelRc::from(Rc::clone(&self.rows.buttons)));
        screen.set_hit(ModelRc::from(Rc::clone(&self.rows.hit)));
        screen.set_points(ModelRc::from(Rc::clone(&self.rows.points)));
    }

    fn listen(self: &Rc<Self>) {
        let on = |input: fn(usize) -> Input| {
            let screen = Rc::downgrade(self);
            move |place: i32| {
                if let (Some(screen), Ok(place)) = (screen.upgrade(), usize::try_from(place)) {
                    screen.take(input(place));
                }
            }
        };
        let when = |input: Input| {
            let screen = Rc::downgrade(self);
            move || {
                if let Some(screen) = screen.upgrade() {
                    screen.take(input.clone());
                }
            }
        };
        ui::Languages::get(&self.app).on_choose(on(Input::Language));
        let shown = ui::Setup::get(&self.app);
        shown.on_choose(on(Input::Choose));
        shown.on_hit_point(on(Input::Hit));
        shown.on_erase_one(when(Input::Erase));
        shown.on_clear_all(when(Input::Clear));
        let screen = Rc::downgrade(self);
        shown.on_type(move |text| {
            if let Some(screen) = screen.upgrade() {
                screen.take(Input::Type(text.into()));
            }
        });
        let screen = Rc::downgrade(self);
        shown.on_press(move |place| {
            let Some(screen) = screen.upgrade() else { return };
            let buttons = screen.setup.borrow().buttons();
            if let Some(button) = usize::try_from(place).ok().and_then(|place| buttons.get(place)) {
                screen.take(Input::Press(*button));
            }
        });
        let screen = Rc::downgrade(self);
        shown.on_key(move |text| {
            let key = text.chars().next();
            let of = screen.upgrade().zip(key).map(|(screen, key)| screen.pressed(key));
            of.unwrap_or(ui::SetupKey::Passed)
        });
    }

    /// Takes a key of a keyboard or a scanner, before any control has it.
    fn pressed(&self, key: char) -> ui::SetupKey {
        if let Some(forward) = keypad::forward(key) {
            self.moving.set(true);
            keypad::move_on(&self.app, forward);
            return ui::SetupKey::Moved;
        }
        if [Key::Tab, Key::Backtab].map(char::from).contains(&key) {
            self.moving.set(true);
            return ui::SetupKey::Passed;
        }
        let erases = [Key::Backspace, Key::Delete].map(char::from).contains(&key);
        let enters = key == char::from(Key::Return);
        // Enter and space are the control's that has the place of keys.
        let moved = self.moving.get() && (enters || key == ' ');
        if !self.setup.borrow().types() || moved || !(erases || enters || matches!(key, ' '..='~'))
        {
            return ui::SetupKey::Passed;
        }
        self.moving.set(false);
        self.take(match (erases, enters) {
            (true, _) => Input::Erase,
            (_, true) => Input::Enter,
            _ => Input::Type(key.into()),
        });
        ui::SetupKey::Typed
    }

    /// Takes what happened.
    pub fn take(&self, input: Input) {
        let effect = self.setup.borrow_mut().take(input);
        self.keep();
        match effect {
            Some(Effect::Connect { attempt, service, code }) => {
                self.connect(attempt, service, code.map(|code| code.to_string()));
            }
            Some(Effect::GiveUp) => self.give_up(),
            Some(Effect::Finish) if !self.finished.replace(true) => {
                if let Err(error) = slint::quit_event_loop() {
                    // Whoever turns by hand looks at it.
                    tracing::debug!(%error, "no event loop to end");
                }
            }
            Some(Effect::Finish) | None => {}
        }
        self.show();
    }

    fn keep(&self) {
        let Some(outside) = &self.outside else { return };
        let kept = self.setup.borrow().kept();
        if self.kept.borrow().as_ref() == Some(&kept) {
            return;
        }
        match kept.write(&outside.folder) {
            Ok(()) => *self.kept.borrow_mut() = Some(kept),
            Err(error) => {
                tracing::error!(%error, "the set-up could not be kept");
                self.setup.borrow_mut().take(Input::NotKept(error.to_string()));
            }
        }
    }

    fn give_up(&self) {
        if let Some(connection) = self.connection.take() {
            connection.abort();
        }
    }

    fn connect(&self, attempt: u32, service: String, code: Option<String>) {
        let Some(outside) = &self.outside else { return };
        self.give_up();
        let heard = self.heard.clone();
        let network = outside.way.to(&service);
        let (folder, clock) = (outside.folder.clone(), Arc::clone(&self.clock));
        let connection = outside.runtime.spawn(async move {
            // The window may be gone: then nobody asks any more.
            let tell = |input| drop(heard.send(input));
            let result = match network {
                Ok(network) => {
                    let reached = |stage| tell(Input::Reached { attempt, stage });
                    connect(&network, code.as_deref(), &folder, &*clock, reached).await
                }
                Err(bad) => Err(Failure::Unreachable(Obstacle::Other(bad.to_string()))),
            };
            if let Err(failure) = &result {
                tracing::warn!(?failure, "the first start could not connect");
            }
            tell(Input::Ended { attempt, result: result.map(Box::new) });
        });
        *self.connection.borrow_mut() = Some(connection);
    }

    /// Brings the screen to what the first start says.
    fn show(&self) {
        let setup = self.setup.borrow();
        let texts: Vec<&Texts> = self.texts.iter().collect();
        let Some(t) = texts.get(setup.language()).map(|texts| &texts.setup) else { return };
        let now = shown(&setup, &texts, At::new(self.clock.now()));
        let languages = ui::Languages::get(&self.app);
        languages.set_chosen(i32::try_from(setup.language()).unwrap_or_default());
        let screen = ui::Setup::get(&self.app);
        if screen.get_title() != now.title.as_str() {
            self.moving.set(false);
        }
        let count = |number: usize| i32::try_from(number).unwrap_or_default();
        screen.set_heading(t.heading.as_str().into());
        screen.set_place(now.place.into());
        screen.set_step(count(now.step.0));
        screen.set_steps(count(now.step.1));
        screen.set_text(now.text.into());
        screen.set_code(matches!(setup.page(), Page::Code));
        screen.set_typed(now.typed.into());
        let (hint, verdict) = now.hint;
        screen.set_hint(hint.into());
        screen.set_verdict(match verdict {
            Verdict::Open => ui::SetupVerdict::Open,
            Verdict::Good => ui::SetupVerdict::Good,
            Verdict::Wrong => ui::SetupVerdict::Wrong,
        });
        screen.set_under_way(count(now.under_way));
        screen.set_landscape(t.landscape.as_str().into());
        screen.set_portrait(t.portrait.as_str().into());
        screen.set_clear(t.clear.as_str().into());
        screen.set_erase(t.erase.as_str().into());
        screen.set_capitals(t.capitals.as_str().into());
        put(&self.rows.items, strings(now.items));
        let fact = |(name, value): (String, String)| ui::SetupFact {
            name: name.into(),
            value: value.into(),
        };
        put(&self.rows.facts, now.facts.into_iter().map(fact).collect());
        let last = setup.buttons().last().copied();
        screen.set_goes_on(!matches!(last, Some(Button::Stop | Button::Skip)));
        put(&self.rows.buttons, strings(now.buttons));
        if let Page::Touch(hit) = setup.page() {
            put(&self.rows.hit, hit.to_vec());
        }
        let points = (1..=POINTS).map(|number| fill(&t.point, &[("n", &number)])).collect();
        put(&self.rows.points, strings(points));
        screen.set_page(match setup.page() {
            Page::Language => ui::SetupPage::Language,
            Page::Address | Page::Code => ui::SetupPage::Typing,
            Page::Connecting(_) => ui::SetupPage::Connecting,
            Page::Failed(_) => ui::SetupPage::Failed,
            Page::Words => ui::SetupPage::Words,
            Page::Orientation { .. } => ui::SetupPage::Orientation,
            Page::Touch(_) | Page::Done => ui::SetupPage::Touch,
        });
        // Last: by it the place of keys is found anew.
        screen.set_title(now.title.into());
    }
}

impl Drop for SetupScreen {
    fn drop(&mut self) {
        self.give_up();
    }
}
