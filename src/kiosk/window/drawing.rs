//! What the visit says, brought to the screen.

use std::rc::Rc;
use std::sync::Arc;

use slint::{Global, Model, ModelRc, SharedString, VecModel};

use super::wording::{fill_texts, typed};
use super::{ALONE_MS, Screen, Shown, ui};
use crate::domain::form::{Offered, in_language};
use crate::domain::ids::Hash;
use crate::domain::office::{Counter, Official};
use crate::domain::time::At;
use crate::kiosk::qr;
use crate::kiosk::rest::{Resting, resting};
use crate::kiosk::slip::DATE;
use crate::kiosk::visit::{Page, SlipRead};
use crate::texts::{Texts, fill};

impl Screen {
    /// The texts of the visitor's language.
    pub(super) fn texts(&self) -> Rc<Texts> {
        let texts = self.texts.borrow();
        // There is one at least, and the visit is only told places of the switch.
        Rc::clone(texts.get(self.visit.borrow().language()).unwrap_or(&texts[0]))
    }

    /// Brings all words that no page changes to the language, the form and who is rated.
    pub(super) fn show_words(&self) {
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
                    ..self.station_of(official)
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

    /// An official, as screens show them.
    pub(super) fn station_of(&self, official: Option<&Official>) -> ui::Station {
        let here = |photo: &Hash| self.album.photos().has(*photo);
        let photo = official.and_then(|official| official.photo).filter(here);
        ui::Station {
            name: official.map_or("", |official| &official.name).into(),
            initials: official.map(Official::initials).unwrap_or_default().into(),
            photo: photo.map_or_else(SharedString::default, |photo| photo.to_string().into()),
            ..ui::Station::default()
        }
    }

    /// Brings the screen to what the visit says.
    pub(super) fn show(&self) {
        self.show_words();
        let state = self.visit.borrow();
        let visit = ui::Visit::get(&self.app);
        let ticket = match state.page() {
            Page::Who | Page::Home | Page::Notice(None) | Page::NotKept { .. } => None,
            // Nobody scans while they type.
            Page::Words { .. } | Page::Slip { .. } | Page::Procedures { .. } => None,
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
        visit.set_slip_waits(state.slip_waits());
        if let Page::Slip { digits, trouble, .. } = state.page() {
            let (date, number) = digits.split_at(digits.len().min(DATE));
            visit.set_slip_date(format!("{date:_<6}").into());
            visit.set_slip_number(format!("{number:_<4}").into());
            visit.set_slip_trouble(match trouble {
                Some(SlipRead::Used) => ui::SlipTrouble::Used,
                Some(SlipRead::Unreadable) => ui::SlipTrouble::Unreadable,
                Some(SlipRead::Fresh) | None => ui::SlipTrouble::None,
            });
        } else {
            visit.set_slip_date(SharedString::default());
            visit.set_slip_number(SharedString::default());
        }
        self.show_procedures(state.page());
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
        // While the disk writes, nothing new is to be read.
        if let Some(voice) = self.voice.as_ref().filter(|_| !state.busy()) {
            let texts = self.texts();
            let spoken = (state.page(), texts.language.as_str());
            // Whoever has just come is told what this is; nobody else at rest is.
            let idle = state.idle();
            let alone = state.quiet_ms((self.visitor_ms)()).is_some_and(|q| q >= ALONE_MS);
            self.woken.set(self.woken.get() && idle && !alone);
            voice.follow((!idle || self.woken.get()).then_some(spoken));
        }
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
            Page::Slip { .. } => ui::Page::Slip,
            Page::Procedures { .. } => ui::Page::Procedures,
            Page::NotKept { .. } => ui::Page::NotKept,
        });
    }

    /// What covers the first page once nobody has touched it for a while.
    pub(super) fn show_rest(&self, quiet_ms: Option<u64>) {
        let (enrolled, texts) = (Arc::clone(&self.enrolled.borrow()), self.texts());
        let office = &enrolled.directory.office;
        let now = At::new(self.clock.now()).civil();
        let posted = self.posted.borrow().len();
        let cards = texts.rest.len() + usize::from(posted > 0);
        let resting = quiet_ms.and_then(|quiet| resting(quiet, cards, &enrolled.directory, now));
        if self.rested.replace(resting) == resting {
            return;
        }
        let rest = ui::Rest::get(&self.app);
        rest.set_shown(resting.is_some());
        rest.set_closed(matches!(resting, Some(Resting::Closed(_))));
        let (title, text) = match resting {
            None => return,
            Some(Resting::Card(place)) if place == texts.rest.len() => {
                let words = &texts.kiosk;
                (words.procedures_title.clone(), fill(&words.procedures_card, &[("n", &posted)]))
            }
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
        let all = self.texts.borrow();
        let others: Vec<&str> = all.iter().skip(1).map(|t| t.kiosk.rest_touch.as_str()).collect();
        rest.set_others(others.join(" · ").into());
        rest.set_title(title.into());
        rest.set_text(text.into());
    }

    pub(super) fn show_reasons(
        &self,
        visit: &ui::Visit<'_>,
        offered: &[Offered<'_>],
        ticked: &[bool],
    ) {
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
