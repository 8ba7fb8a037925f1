//! The kiosk in front of the visitor: in a window, or drawn into memory with a scripted visitor.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::mpsc;

use super::day::{DemoError, Hall, real_ms};
use super::neighbour::Sending;
use crate::clock::Clock;
use crate::domain::system_random;
use crate::domain::time::At;
use crate::kiosk::care::Care;
use crate::kiosk::config::Calls;
use crate::kiosk::configuration::InForce;
use crate::kiosk::desk::Desk;
use crate::kiosk::headless::Headless;
use crate::kiosk::identity::Identity;
use crate::kiosk::network::client;
use crate::kiosk::network::{Network, Unreachable};
use crate::kiosk::obstacle::Obstacle;
use crate::kiosk::photos::Photos;
use crate::kiosk::procedures::Procedures;
use crate::kiosk::recorder::Recorder;
use crate::kiosk::visit::{Page, TimeOuts};
use crate::kiosk::window::{Screen, Setting, WindowError};
use crate::texts::Texts;

/// The pictures' size.
const SIZE: (u32, u32) = (1280, 800);
/// The disk has answered long before this.
const LIMIT: Duration = Duration::from_secs(20);

/// What the kiosk in front is opened with.
pub struct Seat {
    /// Its folder.
    pub folder: PathBuf,
    /// Its identity.
    pub identity: Identity,
    /// What it says, by language.
    pub texts: Vec<Texts>,
    /// How long its pages wait.
    pub time_outs: TimeOuts,
}

/// What the scripted visitor does.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Touches the screen at a point.
    Tap(f32, f32),
    /// Looks at the screen: a picture under this name.
    Look(&'static str),
    /// Time passes.
    Wait,
    /// Scans the code and answers on the phone: a level's place.
    Phone(usize),
}

/// Where things stand on the screen of 1280 × 800.
const FACE: [(f32, f32); 5] =
    [(152.0, 420.0), (396.0, 420.0), (640.0, 420.0), (884.0, 420.0), (1128.0, 420.0)];
const LATER: (f32, f32) = (315.0, 738.0);
const REASON: [(f32, f32); 6] = [
    (232.0, 360.0),
    (640.0, 360.0),
    (1048.0, 360.0),
    (232.0, 470.0),
    (640.0, 470.0),
    (1048.0, 470.0),
];
const SEND: (f32, f32) = (945.0, 675.0);
const SKIP: (f32, f32) = (335.0, 675.0);
const PAPER: (f32, f32) = (60.0, 300.0);
const DONE: (f32, f32) = (365.0, 600.0);

/// The scripted visitors of the day, one after the other.
pub fn script(date: Date) -> Vec<(At, Step)> {
    let mut script = Vec::new();
    let mut visit = |hour, minute, steps: &[(i64, Step)]| {
        let mut second = 0;
        for (wait, step) in steps {
            second += wait;
            let at = date.at(hour, minute, 0, 0).saturating_add(jiff::Span::new().seconds(second));
            script.push((At::from_civil(at), *step));
        }
    };
    let tap = |(x, y)| Step::Tap(x, y);
    visit(
        8,
        15,
        &[
            (0, Step::Look("01-home")),
            (1, tap(FACE[3])),
            (2, Step::Look("02-reasons")),
            (1, tap(REASON[1])),
            (2, tap(REASON[4])),
            (3, Step::Look("03-reasons-ticked")),
            (1, tap(SEND)),
            (2, Step::Look("04-thanks")),
            (3, tap(PAPER)),
            (1, Step::Look("05-home-again")),
        ],
    );
    visit(9, 20, &[(0, tap(FACE[0])), (4, tap(REASON[0])), (2, tap(SEND)), (22, Step::Wait)]);
    visit(
        10,
        5,
        &[(0, tap(LATER)), (3, Step::Look("06-later")), (9, Step::Phone(1)), (4, tap(DONE))],
    );
    // Called away after the first touch: the screen goes home by itself, the rating stays.
    visit(11, 0, &[(0, tap(FACE[1])), (31, Step::Wait)]);
    visit(14, 10, &[(0, tap(FACE[2])), (5, tap(SKIP)), (22, Step::Wait)]);
    visit(15, 45, &[(0, tap(FACE[0])), (3, tap(REASON[2])), (2, tap(SEND)), (22, Step::Wait)]);
    visit(17, 5, &[(0, Step::Look("07-home-nobody-on-shift"))]);
    script
}

/// The kiosk in front.
pub struct Front {
    screen: Rc<Screen>,
    headless: Option<(Headless, PathBuf)>,
    folder: PathBuf,
    sending: Sending,
    pictures: usize,
}

impl Front {
    /// Opens it in a window.
    pub fn window(hall: &Hall, seat: Seat) -> Result<Self, DemoError> {
        Self::open(hall, seat, None, real_ms())
    }

    /// Opens it in memory; pictures go into a folder.
    pub fn headless(hall: &Hall, seat: Seat, pictures: PathBuf) -> Result<Self, DemoError> {
        let headless = Headless::start(SIZE.0, SIZE.1).map_err(WindowError::from)?;
        let clock = Arc::clone(&hall.clock);
        let visitor_ms: Rc<dyn Fn() -> u64> = Rc::new(move || clock.mono_ms());
        Self::open(hall, seat, Some((headless, pictures)), visitor_ms)
    }

    fn open(
        hall: &Hall,
        mut seat: Seat,
        headless: Option<(Headless, PathBuf)>,
        visitor_ms: Rc<dyn Fn() -> u64>,
    ) -> Result<Self, DemoError> {
        let clock: Arc<dyn Clock> = Arc::clone(&hall.clock) as _;
        let random = Box::new(system_random);
        let desk = Desk::open(&seat.folder, &mut seat.identity, Arc::clone(&clock), random)?;
        let in_force = InForce::fixed(Arc::clone(desk.enrolled()), seat.texts);
        let runtime = hall.runtime.handle();
        let sending = Sending::start(
            &seat.folder,
            &seat.identity,
            &hall.service,
            Arc::clone(&hall.clock),
            runtime,
        )?;
        let (answered, answers) = mpsc::unbounded_channel();
        let recorder = Recorder::start(desk, answered, Arc::clone(&sending.more))?;
        let (network, by) = (Network::to(&hall.service), Arc::clone(&clock));
        let photos = Photos::follow(&seat.folder, in_force.clone(), network, by, runtime);
        let (network, by) = (Network::to(&hall.service), Arc::clone(&clock));
        let procedures = Procedures::follow(&seat.folder, in_force.clone(), network, by, runtime);
        let screen = Screen::new(Setting {
            in_force,
            time_outs: seat.time_outs,
            full_screen: false,
            clock,
            visitor_ms,
            procedures,
            care: Care::of(&seat.folder),
            voice: None,
            calls: Calls::default(),
            photos,
            recorder,
            answers,
        })?;
        if headless.is_some() {
            slint::ComponentHandle::show(screen.app()).map_err(WindowError::from)?;
        }
        Ok(Self { screen, headless, folder: seat.folder, sending, pictures: 0 })
    }

    /// The screen.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// How many pictures were written.
    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// Plays a step of the script at the clock's moment.
    pub fn play(&mut self, hall: &Hall, step: Step) -> Result<(), DemoError> {
        let Some((headless, pictures)) = &self.headless else { return Ok(()) };
        self.screen.tick();
        headless.turn();
        settle(headless, &self.screen)?;
        match step {
            Step::Tap(x, y) => {
                headless.tap(x, y);
                settle(headless, &self.screen)?;
            }
            Step::Look(name) => {
                let file = pictures.join(format!("{name}-vi-landscape.png"));
                headless.save(&file).map_err(|error| DemoError::File(file, error))?;
                self.pictures += 1;
            }
            Step::Wait => {}
            Step::Phone(level) => {
                if let Page::Later(contact) | Page::Thanks { contact, .. } = self.screen.page()
                    && let Some(address) = contact.ticket
                {
                    let form = &hall.directory.office.form;
                    let form = hall.central.config.forms.in_force(form, hall.date);
                    let code = form.and_then(|form| form.levels.get(level)).map(|l| &l.code);
                    if let Some(code) = code {
                        hall.runtime.block_on(answer_by_phone(&address, code, &[]))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Ends visit and journal in good order; gives back what still has to be sent.
    pub fn stop(self) -> (PathBuf, Sending) {
        self.screen.stop();
        (self.folder, self.sending)
    }
}

/// Lets the disk answer what was tapped.
fn settle(headless: &Headless, screen: &Screen) -> Result<(), DemoError> {
    if headless.turn_until(LIMIT, || !screen.busy()) {
        Ok(())
    } else {
        Err(DemoError::Broken("the disk has not answered a tap within 20 seconds".into()))
    }
}

/// What a citizen's phone does with a code: opens the page, chooses, sends.
pub async fn answer_by_phone(
    address: &str,
    level: &str,
    reasons: &[String],
) -> Result<(), DemoError> {
    let lost = |error: reqwest::Error| Unreachable(Obstacle::Other(error.to_string()));
    let client = client()?;
    let reply = client.get(address).send().await.map_err(lost)?;
    if !reply.status().is_success() {
        return Err(DemoError::Broken(format!("a fresh ticket's page answers {}", reply.status())));
    }
    let page = reply.text().await.map_err(lost)?;
    let token = page
        .split_once("name=\"token\" value=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map(|(token, _)| token)
        .ok_or_else(|| DemoError::Broken("the phone's page has no token".into()))?;
    // Token and codes are letters, digits, - and _: nothing to escape.
    let mut form = format!("token={token}&level={level}");
    for reason in reasons {
        form.push_str("&reason=");
        form.push_str(reason);
    }
    let reply = client
        .post(address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form)
        .send()
        .await
        .map_err(lost)?;
    if reply.status().is_success() {
        Ok(())
    } else {
        Err(DemoError::Broken(format!("a phone's answer was refused with {}", reply.status())))
    }
}
