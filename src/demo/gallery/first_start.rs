//! The pages and failures of a kiosk's first start.

use super::*;
use crate::kiosk::obstacle::Obstacle;
use crate::kiosk::setup::kept::{Kept, Step};
use crate::kiosk::setup::window::{Setting, SetupScreen};
use crate::kiosk::setup::{Admitted, Button, Failure, Input, Setup, Stage};

const ADDRESS: &str = "https://motcua.hungyen.gov.vn/DANHGIA";
const CODE: &str = "H7KQ2MXA9R";
/// Of the words that a key may have, the longest.
const WORDS: &str = "nghêu phượng trứng chuối thuyền giường";

/// Every failure, by a name of its own, with values as long as they come.
fn failures() -> Result<Vec<(&'static str, Failure)>, DemoError> {
    let host = || "motcua.hungyen.gov.vn:443".to_owned();
    let proxy = || "proxy.hungyen.gov.vn:3128".to_owned();
    let today = || "2026-11-24".to_owned();
    let unreachable = [
        ("name", Obstacle::Name(host())),
        ("way", Obstacle::NoWay(host())),
        ("refused", Obstacle::Refused(host())),
        ("late", Obstacle::Late(host())),
        ("cut", Obstacle::Cut(host())),
        ("scheme", Obstacle::NoTls(host())),
        ("untrusted", Obstacle::Untrusted(host())),
        (
            "other-name",
            Obstacle::OtherName {
                host: host(),
                names: "dichvucong.hungyen.gov.vn, www.dichvucong.hungyen.gov.vn".into(),
            },
        ),
        ("expired", Obstacle::Expired { host: host(), end: "2026-06-30".into(), now: today() }),
        ("not-yet", Obstacle::NotYet { host: host(), begin: "2026-11-25".into(), now: today() }),
        ("certificate", Obstacle::Certificate { host: host(), why: "unsupported version".into() }),
        ("proxy-password", Obstacle::ProxyPassword(proxy())),
        ("proxy", Obstacle::Proxy { proxy: proxy(), host: host() }),
        ("other", Obstacle::Other("connection error: timed out while waiting".into())),
    ];
    let (machine, service) = (moment(MORNING)?, moment(MORNING)?.plus_minutes(40));
    let own = [
        ("stranger", Failure::Stranger),
        ("busy", Failure::Busy { wait: Some(5) }),
        ("code", Failure::Code),
        ("too-often", Failure::TooOften { wait: 42 }),
        ("clock", Failure::Clock { machine, service }),
        ("service-older", Failure::ServiceOlder),
        ("service-newer", Failure::ServiceNewer),
        ("refuses", Failure::Refused("403 Forbidden: this kiosk is suspended".into())),
        ("disk", Failure::Disk("Read-only file system (os error 30)".into())),
    ];
    let unreachable = unreachable.map(|(name, obstacle)| (name, Failure::Unreachable(obstacle)));
    Ok(unreachable.into_iter().chain(own).collect())
}

/// A first start at a page, before a window.
struct Posed<'a> {
    exhibition: &'a Exhibition,
    headless: &'a Headless,
    screen: Rc<SetupScreen>,
}

impl<'a> Posed<'a> {
    fn begin(
        exhibition: &'a Exhibition,
        headless: &'a Headless,
        step: Step,
        admitted: Option<Admitted>,
    ) -> Result<Self, DemoError> {
        let languages = exhibition.texts.iter().map(|texts| texts.language.clone()).collect();
        let service = (step > Step::Address).then(|| ADDRESS.to_owned());
        let kept = Kept { step, language: None, service };
        let screen = SetupScreen::new(Setting {
            setup: Setup::begin(languages, None, Some(kept), admitted),
            texts: exhibition.texts.clone(),
            full_screen: false,
            clock: Arc::new(DemoClock::standing(moment(MORNING)?)),
            outside: None,
        });
        let screen = screen.map_err(WindowError::from)?;
        screen.app().show().map_err(WindowError::from)?;
        Ok(Self { exhibition, headless, screen })
    }

    fn every(
        &self,
        state: &str,
        look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
    ) -> Result<(), DemoError> {
        let state = &format!("setup-{state}");
        for (place, texts) in self.exhibition.texts.iter().enumerate() {
            self.screen.take(Input::Language(place));
            for (width, height, panel) in PANELS {
                self.headless.resize(width, height);
                self.headless.turn();
                let (window, headless) = (self.screen.app().window(), self.headless);
                let language = texts.language.as_str();
                look(&Shot { window, headless, state, mode: "", language, panel })?;
            }
        }
        Ok(())
    }
}

pub(super) fn show(
    exhibition: &Exhibition,
    headless: &Headless,
    hall: &[CounterId],
    look: &mut dyn FnMut(&Shot<'_>) -> Result<(), DemoError>,
) -> Result<(), DemoError> {
    let begin = |step, admitted| Posed::begin(exhibition, headless, step, admitted);
    let admitted = |counters: &[CounterId]| -> Result<Option<Admitted>, DemoError> {
        let Some(form) = exhibition.forms.first() else { return Ok(None) };
        let enrolled = exhibition.enrolled(form, counters)?;
        Ok(Some(Admitted { words: WORDS.into(), enrolled, in_use: false }))
    };
    let one = exhibition.directory.counters.first().map(|counter| counter.id.clone());
    let one = admitted(one.as_slice())?;

    let posed = begin(Step::Language, None)?;
    posed.every("language", look)?;
    posed.screen.take(Input::Choose(0));
    posed.every("address-empty", look)?;
    posed.screen.take(Input::Type("https://motcua".into()));
    posed.screen.take(Input::Press(Button::Next));
    posed.every("address-wrong", look)?;
    posed.screen.take(Input::Type(".hungyen.gov.vn/DANHGIA".into()));
    posed.every("address", look)?;
    posed.screen.take(Input::Press(Button::Next));
    posed.every("code-empty", look)?;
    posed.screen.take(Input::Type(CODE[..4].into()));
    posed.screen.take(Input::Press(Button::Next));
    posed.every("code-wrong", look)?;
    posed.screen.take(Input::Type(CODE[4..].into()));
    posed.every("code", look)?;
    let mut attempt = 0;
    for stage in [Stage::Reaching, Stage::Enrolling] {
        attempt += 1;
        posed.screen.take(Input::Press(Button::Next));
        posed.screen.take(Input::Reached { attempt, stage });
        let name = if stage == Stage::Reaching { "connecting" } else { "enrolling" };
        posed.every(name, look)?;
        posed.screen.take(Input::Press(Button::Stop));
        attempt += 1;
    }
    for (name, failure) in failures()? {
        let posed = begin(Step::Code, None)?;
        posed.screen.take(Input::Type(CODE.into()));
        posed.screen.take(Input::Press(Button::Next));
        posed.screen.take(Input::Ended { attempt: 1, result: Err(failure) });
        posed.every(&format!("failed-{name}"), look)?;
    }
    if hall.len() > 1 {
        begin(Step::Words, admitted(hall)?)?.every("words-hall", look)?;
    }
    let posed = begin(Step::Words, one)?;
    posed.every("words", look)?;
    posed.screen.take(Input::Press(Button::Agree));
    posed.every("orientation", look)?;
    posed.screen.take(Input::Press(Button::Turned));
    posed.every("turned", look)?;
    posed.screen.take(Input::Press(Button::Next));
    for point in [0, 1, 4, 8] {
        posed.screen.take(Input::Hit(point));
    }
    posed.every("touch", look)?;
    for point in 0..crate::kiosk::setup::POINTS {
        posed.screen.take(Input::Hit(point));
    }
    posed.every("touched", look)
}
