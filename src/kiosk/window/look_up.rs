//! Procedures on the screen: those found for what was typed, and one in full.

use std::sync::Arc;

use slint::{Global, ModelRc, SharedString, VecModel};

use super::{Screen, ui};
use crate::domain::procedure::{Procedure, find};
use crate::kiosk::visit::{Input, Page};
use crate::texts::fill;

/// As many rows as any panel shows.
const MOST_ROWS: usize = 12;

impl Screen {
    /// Takes another list, while nobody is reading.
    pub(super) fn follow_procedures(&self) {
        let now = self.procedures.current();
        if !Arc::ptr_eq(&now, &self.posted.borrow()) {
            *self.found.borrow_mut() = (String::new(), find(&now, ""));
            ui::Office::get(&self.app).set_procedures(!now.is_empty());
            *self.posted.borrow_mut() = now;
        }
    }

    /// The one in a row of the list was tapped.
    pub(super) fn choose_procedure(&self, row: usize) {
        let Page::Procedures { first, .. } = self.page() else { return };
        let place = self.found.borrow().1.get(first + row).copied();
        if let Some(place) = place {
            self.take(Input::Choose(place));
        }
    }

    /// Brings the screen to what is looked up.
    pub(super) fn show_procedures(&self, page: &Page) {
        let visit = ui::Visit::get(&self.app);
        let Page::Procedures { query, first, chosen } = page else {
            // Nothing of what was typed stays for the next.
            if !visit.get_query().is_empty() || !self.found.borrow().0.is_empty() {
                visit.set_query(SharedString::default());
                *self.found.borrow_mut() = (String::new(), find(&self.posted.borrow(), ""));
            }
            return;
        };
        let posted = self.posted.borrow();
        if self.found.borrow().0 != *query {
            *self.found.borrow_mut() = (query.clone(), find(&posted, query));
        }
        let found = self.found.borrow();
        let rows = found.1.iter().skip(*first).take(MOST_ROWS);
        let rows: Vec<ui::Procedure> =
            rows.filter_map(|place| posted.get(*place)).map(row_of).collect();
        let words = &self.texts().kiosk;
        let told = match found.1.len() {
            0 => words.procedures_none.clone(),
            n => fill(&words.procedures_found, &[("n", &n)]),
        };
        visit.set_query(query.as_str().into());
        visit.set_procedures_found(told.into());
        visit.set_procedures_first(*first as i32);
        visit.set_procedures_left(found.1.len().saturating_sub(*first) as i32);
        // Only when it is another one, so that no row is built anew under a finger.
        if !slint::Model::iter(&visit.get_procedures()).eq(rows.iter().cloned()) {
            visit.set_procedures(ModelRc::new(VecModel::from(rows)));
        }
        let whole = chosen.and_then(|place| posted.get(place));
        if let Some(whole) = whole
            && (!visit.get_procedure_chosen() || visit.get_procedure().name != whole.name.as_str())
        {
            let papers = whole.papers.iter().map(SharedString::from).collect::<Vec<_>>();
            let papers = ModelRc::new(VecModel::from(papers));
            visit.set_procedure(ui::Procedure { papers, ..row_of(whole) });
        }
        visit.set_procedure_chosen(whole.is_some());
    }
}

/// A procedure as a row of the list, without its papers.
fn row_of(procedure: &Procedure) -> ui::Procedure {
    let text = |text: &String| SharedString::from(text.as_str());
    ui::Procedure {
        name: text(&procedure.name),
        field: text(&procedure.field),
        time_limit: text(&procedure.time_limit),
        fee: text(&procedure.fee),
        papers: ModelRc::default(),
    }
}
