//! `hailong screens`: every page, state and language on every panel, from the real components,
//! without a display: for whoever writes texts, forms or pages, and for the tests.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use image::{RgbImage, imageops};
use rand::SeedableRng;
use rand::rngs::StdRng;
use slint::{ComponentHandle, Global, Image, ModelRc, SharedPixelBuffer, SharedString, VecModel};
use tokio::sync::{Notify, mpsc, watch};

use super::clock::DemoClock;
use super::day::DemoError;
use super::folder::Folder;
use crate::central;
use crate::central::config::Config;
use crate::central::preview::Subject;
use crate::clock::Clock;
use crate::domain::Random;
use crate::domain::enrolment::{Counters, Enrolled, MOST_COUNTERS};
use crate::domain::form::Form;
use crate::domain::ids::{CounterId, OfficialId};
use crate::domain::line::By;
use crate::domain::office::Directory;
use crate::domain::procedure::Procedure;
use crate::domain::seal::OpeningKey;
use crate::domain::slow_hash::NotHex;
use crate::domain::staff_code::{Staff, StaffCodes};
use crate::domain::time::At;
use crate::kiosk::care::Care;
use crate::kiosk::condition::Condition;
use crate::kiosk::config::Calls;
use crate::kiosk::configuration::InForce;
use crate::kiosk::desk::Desk;
use crate::kiosk::headless::{Headless, save};
use crate::kiosk::identity::Identity;
use crate::kiosk::obstacle::Obstacle;
use crate::kiosk::photos::Photos;
use crate::kiosk::procedures::Procedures;
use crate::kiosk::recorder::Recorder;
use crate::kiosk::rest::{CARD_MS, QUIET_MS};
use crate::kiosk::staff;
use crate::kiosk::typing::Stroke;
use crate::kiosk::uploader::{Standing, Trouble};
use crate::kiosk::visit::{BETWEEN_MS, Input, Mode, SlipRead, TimeOuts};
use crate::kiosk::window::{Screen, Setting, WindowError, ui};
use crate::texts::Texts;

/// The panels: width, height and name.
pub const PANELS: [(u32, u32, &str); 5] = [
    (1024, 600, "landscape-small"),
    (1280, 800, "landscape"),
    (1366, 768, "landscape-wide"),
    (1920, 1080, "landscape-large"),
    (1080, 1920, "portrait"),
];

/// How a visitor may need the screen.
pub const MODES: [(Option<Mode>, &str); 4] = [
    (None, ""),
    (Some(Mode::Low), "low"),
    (Some(Mode::Large), "large"),
    (Some(Mode::Contrast), "contrast"),
];

/// A Tuesday morning, with everybody on shift; and the evening, with nobody.
const MORNING: &str = "2026-11-24T08:15:00.000+07:00";
const EVENING: &str = "2026-11-24T17:05:00.000+07:00";
const NEXT_MORNING: &str = "2026-11-25T08:15:00.000+07:00";
/// What somebody writes, as Telex has it.
const WRITTEN: &str =
    "Tooi phari chowf hown hai tieengs mowis ddeens luwowtj, quaayf khoong cos ai huwowngs daanx.";
/// The disk has answered long before this.
const LIMIT: Duration = Duration::from_secs(20);

/// One screen, as it is shown to whoever looks.
pub struct Shot<'a> {
    /// The real screen's window.
    pub window: &'a slint::Window,
    /// What it is drawn into.
    pub headless: &'a Headless,
    /// The page and its state, such as `reasons-ticked`.
    pub state: &'a str,
    /// The mode's name; none is empty.
    pub mode: &'a str,
    /// The language's code.
    pub language: &'a str,
    /// The panel's name.
    pub panel: &'a str,
}

impl Shot<'_> {
    /// `reasons-ticked-vi-portrait`, `home-low-vi-landscape`.
    pub fn name(&self) -> String {
        let dash = if self.mode.is_empty() { "" } else { "-" };
        format!("{}{dash}{}-{}-{}", self.state, self.mode, self.language, self.panel)
    }
}

/// What is shown: an office, its texts, and forms.
pub struct Exhibition {
    /// The office.
    pub directory: Directory,
    /// What screens say, by language.
    pub texts: Vec<Texts>,
    /// Photos of its officials.
    pub photos: central::photo::Photos,
    /// The forms: the first in full, of the others their home and reasons.
    pub forms: Vec<Form>,
    /// The procedures that it posts.
    pub procedures: Vec<Procedure>,
    /// Of how much.
    pub breadth: Breadth,
}

/// Which panels and modes are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breadth {
    /// All of them, of everything that there is.
    Whole,
    /// One panel, as most people need it, of the forms alone.
    Forms,
}

impl Breadth {
    fn panels(self) -> &'static [(u32, u32, &'static str)] {
        match self {
            Self::Whole => &PANELS,
            Self::Forms => &PANELS[1..2],
        }
    }

    fn modes(self) -> &'static [(Option<Mode>, &'static str)] {
        match self {
            Self::Whole => &MODES,
            Self::Forms => &MODES[..1],
        }
    }
}

impl Exhibition {
    /// The first office of `config`, its form first, then the newest version of each other.
    pub fn of(config: &Config) -> Result<Self, DemoError> {
        let directory = config.offices.first().cloned();
        let directory =
            directory.ok_or_else(|| DemoError::Usage("central.toml: expected an office".into()))?;
        let today = moment(MORNING)?.date();
        let own = &directory.office.form;
        let mut codes: Vec<&str> = config.forms.iter().map(|form| form.code.as_str()).collect();
        codes.dedup();
        codes.sort_by_key(|code| *code != own);
        let in_force = codes.iter().filter_map(|code| config.forms.in_force(code, today));
        let forms = in_force.cloned().collect();
        let posted = config.procedures.get(&directory.office.code);
        let procedures = posted.map(|(_, json)| serde_json::from_slice(json));
        let procedures = procedures.transpose().map_err(|e| DemoError::Broken(e.to_string()))?;
        Ok(Self {
            directory,
            texts: config.texts.clone(),
            photos: config.photos.clone(),
            forms,
            procedures: procedures.unwrap_or_default(),
            breadth: Breadth::Whole,
        })
    }

    /// One form, as a kiosk of an office shows it.
    fn of_form(subject: Subject) -> Self {
        Self {
            directory: subject.directory,
            texts: subject.texts,
            photos: central::photo::Photos::new(),
            forms: vec![subject.form],
            procedures: Vec::new(),
            breadth: Breadth::Forms,
        }
    }

    /// What enrolment gives a kiosk at some counters, without keys.
    fn enrolled(&self, form: &Form, counters: &[CounterId]) -> Result<Enrolled, DemoError> {
        let mut directory = self.directory.clone();
        directory.office.form.clone_from(&form.code);
        Ok(Enrolled {
            kiosk: "ps-q3".parse().map_err(|error| DemoError::Broken(format!("{error}")))?,
            number: 3,
            counters: Counters::new(counters.to_vec())
                .map_err(|error| DemoError::Usage(format!("counters.csv: {error}")))?,
            opening_key: String::new(),
            receipt_key: String::new(),
            root_key: String::new(),
            public_url: "HTTPS://DANHGIA.HUNGYEN.GOV.VN".into(),
            directory,
            to_come: Vec::new(),
            forms: vec![form.clone()],
            staff_codes: codes()?,
            procedures: None,
        })
    }

    /// Shows every screen to `look`, drawn into `headless`, with a journal in `folder`.
    ///
    /// # Errors
    /// Of the journal, of Slint, or of `look`.
    pub fn show(
        &self,
        headless: &Headless,
        folder: &Path,
        look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        let counters = |count| self.directory.counters.iter().map(|c| c.id.clone()).take(count);
        let one = self.directory.counters.get(2).or(self.directory.counters.first());
        let one: Vec<CounterId> = one.map(|counter| counter.id.clone()).into_iter().collect();
        let hall: Vec<CounterId> = counters(MOST_COUNTERS).collect();
        for (place, form) in self.forms.iter().enumerate() {
            let stage =
                Stage::open(self, headless, &folder.join(format!("{place}")), form, &one, false)?;
            let is_whole = place == 0 && self.breadth == Breadth::Whole;
            stage.show(if is_whole { Part::Whole } else { Part::Form }, look)?;
        }
        if self.breadth == Breadth::Forms {
            return Ok(());
        }
        if hall.len() > 1
            && let Some(form) = self.forms.first()
        {
            let stage = Stage::open(self, headless, &folder.join("hall"), form, &hall, false)?;
            stage.show(Part::Hall, look)?;
            let stage = Stage::open(self, headless, &folder.join("slips"), form, &hall, true)?;
            stage.show_slips("hall-slips", look)?;
        }
        if let Some(form) = self.forms.first() {
            let stage = Stage::open(self, headless, &folder.join("slip"), form, &one, true)?;
            stage.show_slips("slips", look)?;
        }
        if let Some(form) = self.forms.first() {
            let folder = folder.join("staff");
            let counters = if hall.len() > 1 { &hall } else { &one };
            Stage::open(self, headless, &folder, form, counters, false)?.show_staff(look)?;
        }
        first_start::show(self, headless, &hall, look)
    }
}

mod first_start;

/// Which states of a kiosk are shown.
#[derive(Clone, Copy, PartialEq)]
enum Part {
    Whole,
    Form,
    Hall,
}

/// One kiosk before its onlookers.
struct Stage<'a> {
    headless: &'a Headless,
    screen: Rc<Screen>,
    clock: Arc<DemoClock>,
    visitor_ms: Rc<std::cell::Cell<u64>>,
    texts: &'a [Texts],
    breadth: Breadth,
    form: &'a Form,
    /// How many procedures are posted, and the place of the longest.
    posted: usize,
    longest: usize,
    official: Option<OfficialId>,
}

impl<'a> Stage<'a> {
    fn open(
        exhibition: &'a Exhibition,
        headless: &'a Headless,
        folder: &Path,
        form: &'a Form,
        counters: &[CounterId],
        slips: bool,
    ) -> Result<Self, DemoError> {
        let mut identity = Identity::load_or_create(folder, &mut drawn())?;
        let (opening, _) = OpeningKey::generate(&mut drawn());
        let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
        identity.enrolled = Some(Enrolled {
            opening_key: hex(&opening.sealing_key().to_bytes()),
            receipt_key: hex(identity.signing_key.verifying_key().as_bytes()),
            ..exhibition.enrolled(form, counters)?
        });
        let demo_clock = Arc::new(DemoClock::standing(moment(MORNING)?));
        let clock: Arc<dyn Clock> = Arc::clone(&demo_clock) as _;
        let random = Box::new(drawn);
        let desk = Desk::open(folder, &mut identity, Arc::clone(&clock), random)?;
        let enrolled = Arc::clone(desk.enrolled());
        let (answered, answers) = mpsc::unbounded_channel();
        let recorder = Recorder::start(desk, answered, Arc::new(Notify::new()))?;
        let photos = Photos::in_folder(folder);
        for (name, bytes) in &exhibition.photos {
            photos.keep(*name, bytes).map_err(|e| DemoError::File(folder.to_owned(), e))?;
        }
        let visitor_ms = Rc::new(std::cell::Cell::new(1));
        let now = Rc::clone(&visitor_ms);
        let screen = Screen::new(Setting {
            in_force: InForce::fixed(enrolled, exhibition.texts.clone()),
            time_outs: TimeOuts::default(),
            full_screen: false,
            clock,
            visitor_ms: Rc::new(move || now.get()),
            procedures: Procedures::fixed(exhibition.procedures.clone()),
            care: Care {
                condition: Some(condition()?),
                standing: Some(watch::channel(standing()).1),
                ..Care::of(folder)
            },
            voice: None,
            calls: Calls { slips, ..Calls::default() },
            photos,
            recorder,
            answers,
        })?;
        screen.app().show().map_err(WindowError::from)?;
        let texts = &exhibition.texts;
        let length = |one: &Procedure| one.papers.iter().map(String::len).sum::<usize>();
        let longest = exhibition.procedures.iter().enumerate().max_by_key(|(_, one)| length(one));
        Ok(Self {
            headless,
            screen,
            clock: demo_clock,
            visitor_ms,
            texts,
            breadth: exhibition.breadth,
            form,
            posted: exhibition.procedures.len(),
            longest: longest.map_or(0, |(place, _)| place),
            official: exhibition.directory.officials.first().map(|official| official.id.clone()),
        })
    }

    /// What a visitor does, a moment after the page has settled; the disk answers.
    fn take(&self, input: Input) -> Result<(), DemoError> {
        self.visitor_ms.set(self.visitor_ms.get() + BETWEEN_MS);
        self.screen.take(input);
        self.settle()
    }

    fn counter(&self) -> Option<CounterId> {
        self.screen.counters().first().cloned()
    }

    fn settle(&self) -> Result<(), DemoError> {
        if self.headless.turn_until(LIMIT, || !self.screen.busy()) {
            Ok(())
        } else {
            Err(DemoError::Broken("the disk has not answered within 20 seconds".into()))
        }
    }

    /// Every mode, language and panel of a state, untouched for so long.
    fn every(
        &self,
        state: &str,
        untouched_ms: u64,
        look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        for &(mode, name) in self.breadth.modes() {
            for (place, texts) in self.texts.iter().enumerate() {
                mode.map_or(Ok(()), |mode| self.take(Input::Mode(mode)))?;
                self.take(Input::Language(place))?;
                self.visitor_ms.set(self.visitor_ms.get() + untouched_ms);
                self.screen.tick();
                for &(width, height, panel) in self.breadth.panels() {
                    self.headless.resize(width, height);
                    self.settle()?;
                    let language = texts.language.as_str();
                    let (window, headless) = (self.screen.app().window(), self.headless);
                    look(&Shot { window, headless, state, mode: name, language, panel })?;
                }
                mode.map_or(Ok(()), |mode| self.take(Input::Mode(mode)))?;
            }
        }
        Ok(())
    }

    /// Every panel of a state that no visitor is at.
    fn alone(
        &self,
        state: &str,
        look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        for (width, height, panel) in PANELS {
            self.headless.resize(width, height);
            self.headless.turn();
            let language = self.texts.first().map_or("vi", |texts| &texts.language);
            let (window, headless) = (self.screen.app().window(), self.headless);
            look(&Shot { window, headless, state, mode: "", language, panel })?;
        }
        Ok(())
    }

    /// What is there besides where appointment slips are taken.
    fn show_slips(
        &self,
        name: &str,
        look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        let hall = self.screen.counters().len() > 1;
        if hall {
            self.take(Input::Slip(SlipRead::Fresh))?;
            self.every("who-slip", 0, look)?;
            // Nobody chooses.
            self.visitor_ms.set(self.visitor_ms.get() + TimeOuts::default().reasons_ms);
            self.screen.tick();
            self.settle()?;
            self.take(Input::Counter(0))?;
        }
        self.every(&format!("home-{name}"), 0, look)?;
        if hall {
            return Ok(());
        }
        self.take(Input::EnterSlip)?;
        self.every("slip", 0, look)?;
        for digit in "2610080975123".chars() {
            self.take(Input::Type(Stroke::Character(digit)))?;
        }
        self.every("slip-typed", 0, look)?;
        self.take(Input::Slip(SlipRead::Used))?;
        self.every("slip-used", 0, look)?;
        self.take(Input::Slip(SlipRead::Unreadable))?;
        self.every("slip-unreadable", 0, look)
    }

    /// The staff's side.
    fn show_staff(
        &self,
        look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        let staff = |input| {
            self.visitor_ms.set(self.visitor_ms.get() + BETWEEN_MS);
            self.screen.staff(input);
        };
        let types = |code: &str| {
            code.chars().for_each(|digit| staff(staff::Input::Type(Stroke::Character(digit))));
        };
        staff(staff::Input::Open);
        self.alone("staff-code", look)?;
        types("12345");
        self.alone("staff-code-typed", look)?;
        types("678");
        for place in 0..4 {
            // The answer to the code typed, and to some that are not.
            staff(staff::Input::Checked(None, None));
            if place == 0 {
                self.alone("staff-code-wrong", look)?;
            }
            types("12345678");
        }
        self.alone("staff-code-wait", look)?;
        staff(staff::Input::Done);
        // Half an hour later a technician comes.
        self.clock.set(moment("2026-11-24T08:45:00.000+07:00")?);
        staff(staff::Input::Open);
        types("12345678");
        staff(staff::Input::Checked(Some(Staff::Technician), None));
        self.alone("staff-maintenance", look)?;
        staff(staff::Input::Exported(
            self.texts.first().map_or_else(String::new, |t| t.kiosk.staff_export_none.clone()),
        ));
        self.alone("staff-exported", look)?;
        staff(staff::Input::Touch);
        [0, 1, 5].into_iter().for_each(|place| staff(staff::Input::Hit(place)));
        self.alone("staff-touch", look)?;
        staff(staff::Input::Done);
        staff(staff::Input::Leave);
        self.alone("staff-leave", look)?;
        staff(staff::Input::Done);
        staff(staff::Input::Done);
        let Some(official) = self.official.clone() else { return Ok(()) };
        if self.screen.counters().len() > 1 {
            staff(staff::Input::Open);
            types("12345678");
            staff(staff::Input::Checked(Some(Staff::Official(official.clone())), None));
            self.alone("staff-counter", look)?;
            staff(staff::Input::Done);
        }
        staff(staff::Input::Open);
        types("12345678");
        staff(staff::Input::Checked(Some(Staff::Official(official)), self.counter()));
        self.alone("staff-confirmed", look)?;
        staff(staff::Input::Confirmed(Err("database or disk is full".into())));
        self.alone("staff-failed", look)?;
        staff(staff::Input::Done);
        Ok(())
    }

    fn show(
        &self,
        part: Part,
        look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        let state = |name: &str| match part {
            Part::Whole => name.to_owned(),
            Part::Form => format!("{name}-{}", self.form.code),
            Part::Hall => format!("{name}-hall"),
        };
        if part == Part::Hall {
            self.every("who", 0, look)?;
            self.take(Input::Counter(0))?;
        }
        self.every(&state("home"), 0, look)?;
        if part == Part::Hall {
            return Ok(());
        }
        // The reasons of every pole: the longest words are not always the worst's.
        let mut poles = Vec::new();
        for (place, level) in self.form.levels.iter().enumerate() {
            if poles.contains(&level.pole) {
                continue;
            }
            poles.push(level.pole);
            self.take(Input::Rate(place))?;
            self.every(&state(&format!("reasons-{}", level.code)), 0, look)?;
            if poles.len() == 1 && part == Part::Whole {
                for reason in 0..crate::domain::form::MOST_OFFERED {
                    self.take(Input::Toggle(reason))?;
                }
                self.every("reasons-ticked", 0, look)?;
                // Nobody has touched it for a while.
                let untouched_ms = TimeOuts::default().reasons_ms * 2 / 3;
                self.every("reasons-more-time", untouched_ms, look)?;
            }
            self.take(Input::Send)?;
            if poles.len() == 1 && part == Part::Whole {
                self.every("words-empty", 0, look)?;
                for key in WRITTEN.chars() {
                    self.take(Input::Type(Stroke::Character(key)))?;
                }
                self.every("words", 0, look)?;
                self.take(Input::Send)?;
                self.every("thanks", 0, look)?;
                self.take(Input::ShowCode)?;
                self.every("thanks-code", 0, look)?;
            }
            self.take(Input::Done)?;
        }
        if part == Part::Form {
            return Ok(());
        }
        self.take(Input::Later)?;
        self.every("later", 0, look)?;
        self.take(Input::Done)?;
        if let Some(counter) = self.counter() {
            self.take(Input::Call(By::Invitation, counter))?;
            self.every("invited", 0, look)?;
            self.take(Input::Decline)?;
        }
        self.take(Input::Notice)?;
        self.every("notice", 0, look)?;
        self.take(Input::Done)?;
        // The refusal overtakes the answer of the real disk, which then is a stray one.
        self.visitor_ms.set(self.visitor_ms.get() + BETWEEN_MS);
        self.screen.take(Input::Rate(0));
        self.screen.take(Input::Refused("Ổ đĩa đã đầy: database or disk is full".into()));
        self.every("not-kept", 0, look)?;
        self.take(Input::Done)?;
        self.clock.set(moment(EVENING)?);
        self.visitor_ms.set(self.visitor_ms.get() + 600_000);
        self.screen.tick();
        self.every("home-nobody", 0, look)?;
        self.take(Input::Language(0))?;
        self.visitor_ms.set(self.visitor_ms.get() + QUIET_MS);
        self.screen.tick();
        self.alone("rest-closed", look)?;
        self.clock.set(moment(NEXT_MORNING)?);
        let cards = self.texts.first().map_or(0, |texts| texts.rest.len());
        for place in 0..cards {
            self.take(Input::Touched)?;
            self.visitor_ms.set(self.visitor_ms.get() + QUIET_MS + place as u64 * CARD_MS);
            self.screen.tick();
            self.alone(&format!("rest-{}", place + 1), look)?;
        }
        if self.posted > 0 {
            self.take(Input::Touched)?;
            self.visitor_ms.set(self.visitor_ms.get() + QUIET_MS + cards as u64 * CARD_MS);
            self.screen.tick();
            self.alone("rest-procedures", look)?;
            self.take(Input::LookUp)?;
            self.every("procedures", 0, look)?;
            for letter in "ho tich".chars() {
                self.take(Input::Type(Stroke::Character(letter)))?;
            }
            self.every("procedures-found", 0, look)?;
            for letter in "zzz".chars() {
                self.take(Input::Type(Stroke::Character(letter)))?;
            }
            self.every("procedures-none", 0, look)?;
            self.take(Input::Choose(self.longest))?;
            self.every("procedures-whole", 0, look)?;
            self.take(Input::Done)?;
            self.take(Input::Done)?;
            self.take(Input::Language(0))?;
        }
        self.take(Input::Touched)?;
        // No visit leads there.
        ui::Visit::get(self.screen.app()).set_page(ui::Page::Paused);
        self.alone("paused", look)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        self.screen.stop();
    }
}

/// The same keys and codes at every run, so that pictures can be compared. They open nothing.
fn drawn() -> Random {
    Box::new(StdRng::seed_from_u64(1))
}

/// A kiosk that has not reached the central service since last evening.
fn condition() -> Result<watch::Receiver<Condition>, DemoError> {
    let condition = Condition {
        version: env!("CARGO_PKG_VERSION").into(),
        since: moment("2026-11-20T07:12:00.000+07:00")?,
        queue: 214,
        oldest_unsent: Some(moment("2026-11-23T16:52:00.000+07:00")?),
        last_receipt: Some(moment("2026-11-23T16:51:00.000+07:00")?),
        trouble: standing().trouble.map(|trouble| trouble.to_string()),
        disk_free: Some(23_400_000_000),
        clock_offset_ms: Some(-2_300),
    };
    Ok(watch::channel(condition).1)
}

/// An uploader whose batches get no answer.
fn standing() -> Standing {
    let trouble = Trouble::Way(Obstacle::Late("danhgia.hungyen.gov.vn:443".into()));
    Standing { trouble: Some(trouble), ..Standing::default() }
}

/// A code that nobody knows, so that there is one to ask for.
fn codes() -> Result<StaffCodes, DemoError> {
    let broken = |error: NotHex| DemoError::Broken(error.to_string());
    let salt = "0".repeat(32).parse().map_err(broken)?;
    let hash = "0".repeat(64).parse().map_err(broken)?;
    Ok(StaffCodes::new(salt, BTreeMap::from([(Staff::Technician, hash)])))
}

fn moment(text: &str) -> Result<At, DemoError> {
    At::try_from(text.to_owned()).map_err(|error| DemoError::Broken(format!("{text}: {error}")))
}

/// `hailong screens DIR`: writes every screen whose name has `only` in it as a PNG, and a sheet of
/// them for each mode.
pub fn write(folder: &Path, config: Option<&Path>, only: &str) -> Result<usize, DemoError> {
    let (headless, journals) = begin(folder)?;
    let config = match config {
        Some(file) => Config::read(file)?,
        None => Config::read(&Folder::sample(&journals)?.join("central.toml"))?,
    };
    let mut sheets: BTreeMap<String, Vec<(String, RgbImage)>> = BTreeMap::new();
    let written =
        Exhibition::of(&config)?.write(&headless, folder, &journals, only, |shot, picture| {
            let sheet = sheets.entry(shot.mode.to_owned()).or_default();
            sheet.push((shot.name(), thumbnail(picture)));
        })?;
    for (mode, sheet) in &sheets {
        let dash = if mode.is_empty() { "" } else { "-" };
        contact_sheet(&headless, &folder.join(format!("contact-sheet{dash}{mode}.png")), sheet)?;
    }
    Ok(written)
}

/// `hailong screens DIR --of FILE`: writes a form as one kiosk shows it, for whoever puts it in force.
pub fn write_form(folder: &Path, subject: &Path) -> Result<usize, DemoError> {
    let (headless, journals) = begin(folder)?;
    let bytes = std::fs::read(subject).map_err(|e| DemoError::File(subject.to_owned(), e))?;
    let wrong = |error| DemoError::Usage(format!("{}: {error}", subject.display()));
    let subject = serde_json::from_slice(&bytes).map_err(wrong)?;
    Exhibition::of_form(subject).write(&headless, folder, &journals, "", |_, _| {})
}

/// A screen in memory, and an empty folder for journals below that of the pictures.
fn begin(folder: &Path) -> Result<(Headless, PathBuf), DemoError> {
    let journals = folder.join(".journals");
    let failed = |error| DemoError::File(journals.clone(), error);
    std::fs::create_dir_all(folder).map_err(failed)?;
    if journals.exists() {
        std::fs::remove_dir_all(&journals).map_err(failed)?;
    }
    let headless = Headless::start(1280, 800).map_err(WindowError::from)?;
    Ok((headless, journals))
}

impl Exhibition {
    /// Writes each screen whose name has `only` in it into a file of its own; `each` sees it, too.
    fn write(
        &self,
        headless: &Headless,
        folder: &Path,
        journals: &Path,
        only: &str,
        mut each: impl FnMut(&Shot<'_>, &RgbImage),
    ) -> Result<usize, DemoError> {
        let mut written = 0;
        self.show(headless, journals, &mut |shot| {
            if !shot.name().contains(only) {
                return Ok(());
            }
            let file = folder.join(format!("{}.png", shot.name()));
            let picture = shot.headless.picture();
            save(&picture, &file).map_err(|error| DemoError::File(file, error))?;
            each(shot, &picture);
            written += 1;
            Ok(())
        })?;
        let failed = |error| DemoError::File(journals.to_owned(), error);
        std::fs::remove_dir_all(journals).map_err(failed)?;
        Ok(written)
    }
}

/// Height of a picture on the sheet.
const THUMBNAIL: u32 = 240;
/// Width of a place on the sheet.
const PLACE: u32 = 400;

fn thumbnail(picture: &RgbImage) -> RgbImage {
    let width = picture.width() * THUMBNAIL / picture.height();
    let (width, height) = if width > PLACE {
        (PLACE, picture.height() * PLACE / picture.width())
    } else {
        (width, THUMBNAIL)
    };
    imageops::resize(picture, width, height, imageops::FilterType::Triangle)
}

fn contact_sheet(
    headless: &Headless,
    file: &Path,
    pictures: &[(String, RgbImage)],
) -> Result<(), DemoError> {
    let columns = PANELS.len() as u32;
    let rows = (pictures.len() as u32).div_ceil(columns);
    headless.resize(columns * (PLACE + 20) + 20, rows * (THUMBNAIL + 54) + 20);
    let sheet = ui::ContactSheet::new().map_err(WindowError::from)?;
    let tiles: Vec<ui::Tile> = pictures
        .iter()
        .map(|(name, picture)| {
            let (width, height) = picture.dimensions();
            let buffer = SharedPixelBuffer::clone_from_slice(picture.as_raw(), width, height);
            ui::Tile { name: SharedString::from(name.as_str()), picture: Image::from_rgb8(buffer) }
        })
        .collect();
    sheet.set_tiles(ModelRc::new(VecModel::from(tiles)));
    sheet.set_columns(columns as i32);
    sheet.show().map_err(WindowError::from)?;
    headless.save(file).map_err(|error| DemoError::File(file.to_owned(), error))
}
