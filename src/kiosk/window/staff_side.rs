//! The staff's side on the screen: what it is told, and what it has done.

use slint::{Global, ModelRc, SharedString, VecModel};
use tokio::sync::oneshot;

use super::{Screen, state, ui};
use crate::domain::ids::CounterId;
use crate::domain::staff_code::Staff as Who;
use crate::domain::time::At;
use crate::kiosk::by_hand::{ExportError, is_full, is_locked};
use crate::kiosk::care::Care;
use crate::kiosk::staff::{Deed, Input, Page};
use crate::kiosk::visit;
use crate::texts::{KioskTexts, fill};

impl Screen {
    /// Whether the staff's side covers the page.
    pub(super) fn with_staff(&self) -> bool {
        self.staff.borrow().page().is_some()
    }

    /// Takes what happened on the staff's side.
    pub fn staff(&self, input: Input) {
        // Visitors come first, and whoever is one now stays undisturbed.
        if matches!(input, Input::Open | Input::Badge(_)) && !self.visit.borrow().idle() {
            return;
        }
        let was = self.with_staff();
        let now = At::new(self.clock.now());
        let deed = self.staff.borrow_mut().step(input, (self.visitor_ms)(), now, &self.counters());
        if let Some(deed) = deed {
            self.do_for_staff(deed);
        }
        self.show_staff();
        if was && !self.with_staff() {
            self.staff_left();
        }
        self.pace();
    }

    /// The first page again, as if somebody had just gone; and whoever was called meanwhile.
    fn staff_left(&self) {
        self.take(visit::Input::Moved);
        for call in self.called.take() {
            self.take(call);
        }
    }

    fn do_for_staff(&self, deed: Deed) {
        match deed {
            Deed::Check(code) => {
                let codes = self.enrolled.borrow().staff_codes.clone();
                let found = elsewhere("code", move || codes.who(&code));
                self.afterwards(found, |screen, who| {
                    let who = who.flatten();
                    let rostered = who.as_ref().and_then(|who| screen.rostered(who));
                    let before = screen.staff.borrow().attempts().clone();
                    let right = who.is_some();
                    screen.staff(Input::Checked(who, rostered));
                    let after = screen.staff.borrow().attempts().clone();
                    if right && after != before {
                        screen.recorder.note_attempts(after, false);
                    }
                });
            }
            Deed::WrongCode => {
                let attempts = self.staff.borrow().attempts().clone();
                self.recorder.note_attempts(attempts, true);
            }
            Deed::Confirm(official, counter) => {
                let kept = self.recorder.sign_in(counter, official);
                self.afterwards(kept, |screen, kept| {
                    let kept = kept.unwrap_or_else(|| Err("the journal has ended".into()));
                    screen.followed.set(None);
                    screen.follow_day();
                    screen.staff(Input::Confirmed(kept));
                });
            }
            Deed::Export => {
                let (care, texts) = (self.care.clone(), self.texts().kiosk.clone());
                let told = elsewhere("export", move || export(&care, &texts));
                self.afterwards(told, |screen, told| {
                    let failed = || screen.texts().kiosk.state_unknown.clone();
                    screen.staff(Input::Exported(told.unwrap_or_else(failed)));
                });
            }
            Deed::End => {
                // It cannot be closed twice.
                let _ = slint::quit_event_loop();
            }
        }
    }

    /// Goes on with what another thread has done, once it has; none if that thread has ended.
    fn afterwards<T: 'static>(
        &self,
        done: oneshot::Receiver<T>,
        then: impl FnOnce(&Screen, Option<T>) + 'static,
    ) {
        let screen = self.me.clone();
        let waited = slint::spawn_local(async move {
            let done = done.await.ok();
            if let Some(screen) = screen.upgrade() {
                then(&screen, done);
            }
        });
        if let Err(error) = waited {
            tracing::error!(%error, "the screen cannot wait for what staff asked for");
        }
    }

    /// Where the roster has an official now, among the counters of this kiosk.
    fn rostered(&self, who: &Who) -> Option<CounterId> {
        let Who::Official(official) = who else { return None };
        let now = At::new(self.clock.now()).civil();
        let enrolled = self.enrolled.borrow();
        let there = |counter: &CounterId| {
            let rostered = enrolled.directory.on_shift(counter, now);
            rostered.is_some_and(|rostered| rostered.id == *official)
        };
        self.counters().into_iter().find(|counter| there(counter))
    }

    /// Brings the screen to what the staff's side says.
    pub(super) fn show_staff(&self) {
        let side = ui::Staff::get(&self.app);
        let staff = self.staff.borrow();
        let Some(page) = staff.page() else {
            side.set_shown(false);
            side.set_typed(0);
            side.set_told(SharedString::default());
            return;
        };
        let texts = self.texts();
        let words = &texts.kiosk;
        let now = At::new(self.clock.now());
        let enrolled = std::sync::Arc::clone(&self.enrolled.borrow());
        let directory = &enrolled.directory;
        let label = |counter: &CounterId| {
            let known = directory.counter(counter);
            known.map_or_else(|| counter.to_string(), |known| texts.counter_and_name(known))
        };
        let label_of = |official| self.station_of(directory.official(official));
        side.set_busy(staff.is_copying());
        side.set_hall(self.counters().len() > 1);
        let told = match page {
            Page::Code { digits, wrong } => {
                side.set_view(ui::StaffView::Code);
                side.set_typed(digits.len() as i32);
                let left = staff.attempts().left_s(now);
                side.set_waits(enrolled.staff_codes.is_empty() || staff.is_checking() || left > 0);
                if enrolled.staff_codes.is_empty() {
                    words.staff_code_none.clone()
                } else if staff.is_checking() {
                    words.staff_code_checking.clone()
                } else if left > 0 {
                    fill(&words.staff_code_wait, &[("seconds", &left)])
                } else if *wrong {
                    words.staff_code_wrong.clone()
                } else {
                    String::new()
                }
            }
            Page::Counter(_) => {
                side.set_view(ui::StaffView::Counter);
                let counters = self.counters();
                let counters: Vec<SharedString> =
                    counters.iter().map(|counter| label(counter).into()).collect();
                if !slint::Model::iter(&side.get_counters()).eq(counters.iter().cloned()) {
                    side.set_counters(ModelRc::new(VecModel::from(counters)));
                }
                String::new()
            }
            Page::Confirming(official, _) => {
                side.set_view(ui::StaffView::Confirmed);
                side.set_official(label_of(official));
                words.staff_confirming.clone()
            }
            Page::Confirmed(official, counter) => {
                side.set_view(ui::StaffView::Confirmed);
                side.set_official(label_of(official));
                let (counter, time) = (label(counter), now.civil().strftime("%H:%M").to_string());
                fill(&words.staff_confirmed, &[("counter", &counter), ("time", &time)])
            }
            Page::Failed(why) => {
                side.set_view(ui::StaffView::Confirmed);
                side.set_official(ui::Station::default());
                fill(&words.staff_failed, &[("why", why)])
            }
            Page::Maintenance { told } => {
                side.set_view(ui::StaffView::Maintenance);
                let rows = self.state_rows();
                if !slint::Model::iter(&side.get_rows()).eq(rows.iter().cloned()) {
                    side.set_rows(ModelRc::new(VecModel::from(rows)));
                }
                match told {
                    Some(told) => told.clone(),
                    None if staff.is_copying() => words.staff_export_busy.clone(),
                    None => String::new(),
                }
            }
            Page::Touch(hits) => {
                side.set_view(ui::StaffView::Touch);
                if !slint::Model::iter(&side.get_hits()).eq(hits.iter().copied()) {
                    put_hits(&side, hits);
                }
                String::new()
            }
            Page::Leave => {
                side.set_view(ui::StaffView::Leave);
                String::new()
            }
        };
        side.set_told(told.into());
        side.set_shown(true);
    }

    /// How the kiosk stands, line by line.
    fn state_rows(&self) -> Vec<ui::StateRow> {
        let condition = self.care.condition.as_ref().map(|condition| condition.borrow().clone());
        let standing = self.care.standing.as_ref().map(|standing| standing.borrow().clone());
        let trouble = standing.and_then(|standing| standing.trouble);
        let enrolled = self.enrolled.borrow();
        let now = At::new(self.clock.now());
        state::rows(&self.texts(), &enrolled.kiosk, condition.as_ref(), trouble.as_ref(), now)
    }
}

/// Changes the points in place, so that none is built anew under a finger.
fn put_hits(side: &ui::Staff<'_>, hits: &[bool; 9]) {
    let shown = side.get_hits();
    if slint::Model::row_count(&shown) == hits.len() {
        for (row, hit) in hits.iter().enumerate() {
            slint::Model::set_row_data(&shown, row, *hit);
        }
    } else {
        side.set_hits(ModelRc::new(VecModel::from(hits.to_vec())));
    }
}

/// Does something slow on a thread of its own.
fn elsewhere<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> oneshot::Receiver<T> {
    let (tell, told) = oneshot::channel();
    let thread = std::thread::Builder::new().name(name.into()).spawn(move || {
        // Whoever asked may have gone.
        let _ = tell.send(work());
    });
    if let Err(error) = thread {
        tracing::error!(%error, "the system gives no thread");
    }
    told
}

/// Writes journals on a stick; what came of it, in words.
fn export(care: &Care, words: &KioskTexts) -> String {
    match care.export() {
        None => words.staff_export_none.clone(),
        Some(Err(ExportError::Stick { error, .. })) if is_full(&error) => {
            words.staff_export_full.clone()
        }
        Some(Err(ExportError::Stick { error, .. })) if is_locked(&error) => {
            words.staff_export_locked.clone()
        }
        Some(Err(error)) => fill(&words.staff_export_failed, &[("why", &error)]),
        Some(Ok((_, exported))) if exported.batches == 0 => words.staff_export_nothing.clone(),
        Some(Ok((folder, exported))) => {
            let folder = folder.display();
            fill(&words.staff_export_done, &[("lines", &exported.lines), ("folder", &folder)])
        }
    }
}
