//! What the screen says at the first start: a pure function of its state.

use jiff::SignedDuration;
use jiff::civil::Date;

use super::{Button, Failure, Page, Setup, Stage};
use crate::domain::time::At;
use crate::kiosk::network::Network;
use crate::kiosk::obstacle::Obstacle;
use crate::texts::{SetupTexts, Texts, fill};

/// How many steps are counted.
const STEPS: usize = 7;

/// The words of one page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// Which step it is, from 1, and of how many.
    pub step: (usize, usize),
    /// “Bước 2/7 · Địa chỉ hệ thống”.
    pub place: String,
    /// The heading.
    pub title: String,
    /// What to do.
    pub text: String,
    /// What is typed.
    pub typed: String,
    /// What is to be said about it, and whether it is right or wrong so far.
    pub hint: (String, Verdict),
    /// Names and values, such as the office.
    pub facts: Vec<(String, String)>,
    /// The stages of a connection, or the words to compare.
    pub items: Vec<String>,
    /// Which of the stages is under way.
    pub under_way: usize,
    /// The words of the buttons.
    pub buttons: Vec<String>,
}

/// What is said about something typed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    #[default]
    Open,
    /// It may be right.
    Good,
    /// It is wrong.
    Wrong,
}

/// What a page says in one of `languages`; `now` is this machine's clock.
pub fn shown(setup: &Setup, languages: &[&Texts], now: At) -> Shown {
    let Some(texts) = languages.get(setup.language()).or(languages.first()) else {
        return Shown::default();
    };
    let t = &texts.setup;
    let host = setup.service().map(|service| Network::to(&service).host()).unwrap_or_default();
    let (number, name, title, text) = match setup.page() {
        Page::Language => (1, &t.name_language, &t.language_title, t.language_text.clone()),
        Page::Address => (2, &t.name_address, &t.address_title, t.address_text.clone()),
        Page::Code => (3, &t.name_code, &t.code_title, t.code_text.clone()),
        Page::Connecting(_) => (4, &t.name_connect, &t.connect_title, t.connect_text.clone()),
        Page::Failed(failure) => {
            let (title, text) = failed(t, failure, &host);
            (4, &t.name_connect, title, text)
        }
        Page::Words => (5, &t.name_words, &t.words_title, t.words_text.clone()),
        Page::Orientation { turned: false } => {
            (6, &t.name_orientation, &t.orientation_title, t.orientation_text.clone())
        }
        Page::Orientation { turned: true } => {
            (6, &t.name_orientation, &t.turned_title, t.turned_text.clone())
        }
        Page::Touch(hit) => {
            let count = hit.iter().filter(|hit| **hit).count();
            let all = count == hit.len();
            let text = if all { &t.touch_done } else { &t.touch_text };
            (7, &t.name_touch, &t.touch_title, fill(text, &[("n", &count), ("of", &hit.len())]))
        }
        Page::Done => (7, &t.name_touch, &t.touch_title, String::new()),
    };
    let place = fill(&t.step, &[("n", &number), ("of", &STEPS), ("name", name)]);
    let mut shown = Shown {
        step: (number, STEPS),
        place,
        title: title.clone(),
        text,
        buttons: setup.buttons().into_iter().map(|button| of_button(t, button)).collect(),
        ..Shown::default()
    };
    match setup.page() {
        Page::Address => {
            setup.typed_address().clone_into(&mut shown.typed);
            shown.hint = match (setup.service(), setup.tried()) {
                (Some(_), _) => (fill(&t.address_good, &[("host", &host)]), Verdict::Good),
                (None, false) => (t.address_example.clone(), Verdict::Open),
                (None, true) => (t.address_wrong.clone(), Verdict::Wrong),
            };
        }
        Page::Code => {
            setup.typed_code().clone_into(&mut shown.typed);
            shown.hint = match (setup.has_code(), setup.tried()) {
                (true, _) => (fill(&t.code_good, &[("host", &host)]), Verdict::Good),
                (false, false) => (t.code_hint.clone(), Verdict::Open),
                (false, true) => (t.code_wrong.clone(), Verdict::Wrong),
            };
        }
        Page::Connecting(stage) => {
            let reach = fill(&t.connect_reach, &[("host", &host)]);
            shown.items = vec![reach, t.connect_clock.clone(), t.connect_enrol.clone()];
            shown.under_way = match stage {
                Stage::Reaching => 0,
                Stage::Clock => 1,
                Stage::Enrolling => 2,
            };
        }
        Page::Failed(failure) => shown.facts = facts_of(t, failure, setup, now),
        Page::Words => {
            if let Some(admitted) = setup.admitted() {
                shown.items = admitted.words.split(' ').map(str::to_owned).collect();
                shown.facts = place_of(texts, admitted);
            }
        }
        _ => {}
    }
    shown
}

fn of_button(t: &SetupTexts, button: Button) -> String {
    match button {
        Button::Back => &t.back,
        Button::Next => &t.next,
        Button::Stop => &t.stop,
        Button::Retry => &t.retry,
        Button::ChangeAddress => &t.change_address,
        Button::ChangeCode => &t.change_code,
        Button::Differ => &t.differ,
        Button::Agree => &t.agree,
        Button::Turned => &t.turned,
        Button::Upright => &t.upright,
        Button::Skip => &t.skip_touch,
        Button::Begin => &t.begin,
    }
    .clone()
}

/// Where the kiosk stands now. Counters of a hall by their numbers alone: they are many.
fn place_of(texts: &Texts, admitted: &super::Admitted) -> Vec<(String, String)> {
    let (t, enrolled) = (&texts.setup, &admitted.enrolled);
    let directory = &enrolled.directory;
    let known: Vec<_> = enrolled.counters.iter().filter_map(|id| directory.counter(id)).collect();
    let counters = match known[..] {
        [one] => texts.counter_and_name(one),
        _ => {
            let names: Vec<String> = known.iter().map(|one| texts.counter_of(one.number)).collect();
            names.join(", ")
        }
    };
    vec![
        (t.fact_office.clone(), directory.office.name.clone()),
        (t.fact_counter.clone(), counters),
        (t.fact_kiosk.clone(), enrolled.kiosk.to_string()),
    ]
}

/// What keeps from the central service, and what to do.
pub fn obstacle<'a>(t: &'a SetupTexts, obstacle: &Obstacle) -> (&'a String, String) {
    let of = |text: &str, host: &String| fill(text, &[("host", host)]);
    match obstacle {
        Obstacle::Name(host) => (&t.no_name, of(&t.no_name_text, host)),
        Obstacle::NoWay(host) => (&t.no_way, of(&t.no_way_text, host)),
        Obstacle::Refused(host) => (&t.refused, of(&t.refused_text, host)),
        Obstacle::Late(host) => (&t.late, of(&t.late_text, host)),
        Obstacle::Cut(host) => (&t.cut, of(&t.cut_text, host)),
        Obstacle::NoTls(host) | Obstacle::NoHttp(host) => (&t.scheme, of(&t.scheme_text, host)),
        Obstacle::Untrusted(host) => (&t.untrusted, of(&t.untrusted_text, host)),
        Obstacle::OtherName { host, names } => {
            (&t.other_name, fill(&t.other_name_text, &[("host", host), ("names", names)]))
        }
        Obstacle::Expired { host, end, .. } => {
            (&t.see_clock, fill(&t.expired_text, &[("host", host), ("day", &day(end))]))
        }
        Obstacle::NotYet { host, begin, .. } => {
            (&t.see_clock, fill(&t.not_yet_text, &[("host", host), ("day", &day(begin))]))
        }
        Obstacle::Certificate { host, why } => {
            (&t.certificate, fill(&t.certificate_text, &[("host", host), ("why", why)]))
        }
        Obstacle::ProxyPassword(proxy) => {
            (&t.proxy_password, fill(&t.proxy_password_text, &[("proxy", proxy)]))
        }
        Obstacle::Proxy { proxy, host } => {
            (&t.proxy, fill(&t.proxy_text, &[("proxy", proxy), ("host", host)]))
        }
        Obstacle::Other(why) => (&t.other, fill(&t.other_text, &[("why", why)])),
    }
}

/// Heading of a failure, and what to do.
fn failed<'a>(t: &'a SetupTexts, failure: &Failure, host: &str) -> (&'a String, String) {
    let of = |text: &str, values: &[(&str, &dyn std::fmt::Display)]| {
        let host: (&str, &dyn std::fmt::Display) = ("host", &host);
        fill(text, &[values, &[host]].concat())
    };
    match failure {
        Failure::Unreachable(way) => obstacle(t, way),
        Failure::Stranger => (&t.stranger, of(&t.stranger_text, &[])),
        Failure::Busy { wait } => {
            let wait = wait.unwrap_or(30);
            (&t.busy, of(&t.busy_text, &[("wait", &seconds(t, wait))]))
        }
        Failure::Code => (&t.code, of(&t.code_refused_text, &[])),
        Failure::TooOften { wait } => {
            (&t.too_often, of(&t.too_often_text, &[("wait", &seconds(t, *wait))]))
        }
        Failure::Clock { machine, service } => {
            let apart = machine.timestamp().duration_since(service.timestamp());
            let text = if apart.is_negative() { &t.clock_behind_text } else { &t.clock_ahead_text };
            (&t.clock, of(text, &[("apart", &apart_by(t, apart))]))
        }
        Failure::ServiceOlder => (&t.version, of(&t.service_older_text, &[])),
        Failure::ServiceNewer => (&t.version, of(&t.service_newer_text, &[])),
        Failure::Refused(words) => (&t.refuses, of(&t.refuses_text, &[("why", words)])),
        Failure::Disk(words) => (&t.disk, of(&t.disk_text, &[("why", words)])),
    }
}

/// What stands beside the words of a failure: the address; where clocks matter, their time.
fn facts_of(t: &SetupTexts, failure: &Failure, setup: &Setup, now: At) -> Vec<(String, String)> {
    let time = |at: At| at.civil().strftime("%H:%M:%S · %d/%m/%Y").to_string();
    match failure {
        Failure::Clock { machine, service } => {
            vec![(t.fact_machine.clone(), time(*machine)), (t.fact_service.clone(), time(*service))]
        }
        Failure::Unreachable(Obstacle::Expired { .. } | Obstacle::NotYet { .. }) => {
            vec![(t.fact_machine.clone(), time(now))]
        }
        Failure::Disk(_) => vec![],
        _ => vec![(t.fact_address.clone(), setup.service().unwrap_or_default())],
    }
}

/// A day as people here write it.
fn day(day: &str) -> String {
    let date = day.parse::<Date>();
    date.map_or_else(|_| day.to_owned(), |date| date.strftime("%d/%m/%Y").to_string())
}

fn seconds(t: &SetupTexts, seconds: u32) -> String {
    if seconds < 120 {
        fill(&t.seconds, &[("n", &seconds)])
    } else {
        fill(&t.minutes, &[("n", &seconds.div_ceil(60))])
    }
}

/// “40 phút”; hours and days where minutes would be many.
fn apart_by(t: &SetupTexts, apart: SignedDuration) -> String {
    let minutes = apart.as_secs().unsigned_abs().saturating_add(30) / 60;
    match minutes {
        0..120 => fill(&t.minutes, &[("n", &minutes)]),
        120..2_880 => fill(&t.hours, &[("n", &((minutes + 30) / 60))]),
        _ => fill(&t.days, &[("n", &((minutes + 720) / 1_440))]),
    }
}
