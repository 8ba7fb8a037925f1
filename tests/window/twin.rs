//! The same screen once more, in memory: laid out and drawn by the testing backend, and told what the
//! real one is told. It knows where things stand, and what the real one has to show.
//!
//! Its time is a mock. Its journal is a real one of its own.

use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hailong::clock::SystemClock;
use hailong::domain::enrolment::Enrolled;
use hailong::domain::system_random;
use hailong::kiosk::care::Care;
use hailong::kiosk::config::Config;
use hailong::kiosk::configuration::InForce;
use hailong::kiosk::desk::Desk;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::photos::Photos;
use hailong::kiosk::procedures::Procedures;
use hailong::kiosk::recorder::Recorder;
use hailong::kiosk::visit::{Input, Page};
use hailong::kiosk::window::{Screen, Setting};
use i_slint_backend_testing::{
    AccessibleRole, ElementHandle, ElementQuery, TestingBackend, TestingBackendOptions,
    get_mocked_time, mock_elapsed_time,
};
use i_slint_core::SlintContext;
use i_slint_core::window::WindowInner;
use slint::platform::{Key, PointerEventButton, WindowEvent};
use slint::{ComponentHandle, LogicalPosition, PhysicalSize, SharedString};
use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::{Notify, watch};

use crate::display::{Area, HEIGHT, Picture, WIDTH};

thread_local! {
    /// Slint belongs to one thread of a process; each test's thread has one of its own.
    static SLINT: SlintContext = SlintContext::new(Box::new(TestingBackend::new(
        TestingBackendOptions {
            mock_time: true,
            threading: true,
            renderer_name: Some("software".into()),
        },
    )));
}

/// No answer of its journal takes longer, on a slow machine.
const LIMIT: Duration = Duration::from_secs(20);

pub struct Twin {
    screen: Rc<Screen>,
    in_force: watch::Sender<InForce>,
}

impl Twin {
    /// Opens it on a folder of its own, as a kiosk with this configuration that was enrolled so.
    pub fn open(folder: &Path, config: Config, enrolled: Enrolled) -> Self {
        SLINT.with(|_| ());
        let mut identity =
            Identity::load_or_create(folder, &mut system_random()).expect("an identity");
        identity.enrolled = Some(enrolled);
        let clock = Arc::new(SystemClock::start());
        let desk = Desk::open(folder, &mut identity, clock.clone(), Box::new(system_random))
            .expect("the journal opens");
        let enrolled = Arc::clone(desk.enrolled());
        let (answered, answers) = unbounded_channel();
        let recorder = Recorder::start(desk, answered, Arc::new(Notify::new())).expect("a thread");
        let in_force = watch::Sender::new(InForce { enrolled, texts: config.texts });
        // So that it is not the first millisecond, when nothing has been shown before.
        mock_elapsed_time(Duration::from_millis(1));
        let screen = Screen::new(Setting {
            in_force: in_force.subscribe(),
            time_outs: config.time_outs,
            full_screen: config.full_screen,
            clock,
            visitor_ms: Rc::new(get_mocked_time),
            calls: config.calls,
            procedures: Procedures::fixed(Vec::new()),
            care: Care::of(folder),
            voice: None,
            photos: Photos::in_folder(folder),
            recorder,
            answers,
        })
        .expect("a screen");
        screen.app().window().set_size(PhysicalSize::new(WIDTH, HEIGHT));
        screen.app().show().expect("shown");
        let twin = Self { screen, in_force };
        twin.settle();
        twin
    }

    /// Runs what waits for the event loop, until the journal has answered.
    fn settle(&self) {
        let end = Instant::now() + LIMIT;
        loop {
            SLINT.with(|slint| {
                let proxy = slint.event_loop_proxy().expect("it has a queue");
                proxy.quit_event_loop().expect("it is asked");
                slint.run_event_loop().expect("it runs");
            });
            mock_elapsed_time(Duration::ZERO);
            if !self.screen.busy() {
                return;
            }
            assert!(Instant::now() < end, "the journal answers");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Time passes for whoever stands there.
    pub fn pass(&self, ms: u64) {
        // In steps, as the window's timer looks at time-outs every 250 ms.
        let mut left = ms;
        while left > 0 {
            let step = left.min(250);
            mock_elapsed_time(Duration::from_millis(step));
            self.settle();
            left -= step;
        }
    }

    pub fn touch(&self, (x, y): (f32, f32)) {
        let position = LogicalPosition::new(x, y);
        let button = PointerEventButton::Left;
        let window = self.screen.app().window();
        window.dispatch_event(WindowEvent::PointerMoved { position });
        window.dispatch_event(WindowEvent::PointerPressed { position, button });
        window.dispatch_event(WindowEvent::PointerReleased { position, button });
        window.dispatch_event(WindowEvent::PointerExited);
        self.settle();
    }

    pub fn key(&self, key: Key) {
        let text = SharedString::from(key);
        let window = self.screen.app().window();
        window.dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
        window.dispatch_event(WindowEvent::KeyReleased { text });
        self.settle();
        // An arrow leads on once the key was taken.
        self.pass(1);
    }

    /// What comes otherwise than from the screen.
    pub fn takes(&self, input: Input) {
        self.screen.take(input);
        self.settle();
    }

    /// Another configuration arrives.
    pub fn configured(&self, enrolled: Enrolled) {
        let texts = self.in_force.borrow().texts.clone();
        self.in_force.send_replace(InForce { enrolled: Arc::new(enrolled), texts });
    }

    pub fn page(&self) -> Page {
        self.screen.page()
    }

    pub fn picture(&self) -> Picture {
        let pixels = self.screen.app().window().take_snapshot().expect("a picture");
        let bytes = pixels.as_slice().iter().flat_map(|pixel| [pixel.b, pixel.g, pixel.r, 0]);
        Picture(bytes.collect())
    }

    /// What a finger can use, by its words.
    #[track_caller]
    pub fn control(&self, label: &str) -> Area {
        let label = label.replace('\n', " ");
        let labels = self.controls();
        let mut found = labels.iter().filter(|(words, _)| *words == label);
        let (Some((_, area)), None) = (found.next(), found.next()) else {
            panic!("{label:?} once among {labels:?}")
        };
        *area
    }

    fn controls(&self) -> Vec<(String, Area)> {
        ElementQuery::from_root(self.screen.app())
            .match_predicate(|element| {
                let role = element.accessible_role();
                matches!(role, Some(AccessibleRole::Button | AccessibleRole::Checkbox))
            })
            .find_all()
            .iter()
            .map(|found| (found.accessible_label().unwrap_or_default().to_string(), area(found)))
            .collect()
    }

    /// Where all elements of a component, or with an id, stand.
    pub fn areas(&self, name: &str) -> Vec<Area> {
        let app = self.screen.app();
        if name.contains("::") {
            ElementHandle::find_by_element_id(app, name).map(|one| area(&one)).collect()
        } else {
            ElementHandle::find_by_element_type_name(app, name).map(|one| area(&one)).collect()
        }
    }

    pub fn says(&self, words: &str) -> bool {
        ElementHandle::find_by_accessible_label(self.screen.app(), words).next().is_some()
    }

    /// Whether keys go to what stands there.
    pub fn focuses(&self, control: Area) -> bool {
        let window = WindowInner::from_pub(self.screen.app().window());
        let Some(item) = window.focus_item.borrow().upgrade() else { return false };
        let (at, size) = (item.geometry().origin, item.geometry().size);
        let at = item.map_to_window(at);
        let focused = Area { x: at.x, y: at.y, width: size.width, height: size.height };
        // A control may take touches a little inside of what is seen.
        let alike = |one: f32, other: f32| (one - other).abs() <= 20.0;
        alike(focused.width, control.width)
            && alike(focused.height, control.height)
            && control.holds(focused.middle())
    }
}

fn area(element: &ElementHandle) -> Area {
    let (position, size) = (element.absolute_position(), element.size());
    Area { x: position.x, y: position.y, width: size.width, height: size.height }
}
