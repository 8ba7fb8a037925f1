//! Offices with their counters, officials, rosters, hours and calendars, from the lists that people have: what a
//! change would do is said line by line before it is done, and it is done wholly or not at all.
//!
//! A form on a page is a list of one row: there is one way to change an office.

pub mod plan;
pub mod planner;
pub mod rows;
pub mod sheets;
pub mod words;

use self::plan::{Place, Plan, Problem, Setting, Wrong};
use self::rows::{Found, recognise};
use self::sheets::{Budget, Sheet, Upload};

/// What uploads would change.
pub fn of_uploads(uploads: &[Upload], setting: &Setting<'_>) -> Plan {
    let (mut sheets, mut unreadable) = (Vec::new(), Vec::new());
    let mut budget = Budget::default();
    for upload in uploads {
        match sheets::read(upload, &mut budget) {
            Ok(read) => sheets.extend(read),
            Err(error) => {
                let place = Place { sheet: upload.name.clone(), row: None };
                let wrong = Wrong::Unreadable(error);
                unreadable.push(Problem { place, wrong });
            }
        }
    }
    if !unreadable.is_empty() {
        return Plan { problems: unreadable, ..Plan::default() };
    }
    of_sheets(&sheets, setting)
}

/// What sheets would change.
pub fn of_sheets(sheets: &[Sheet], setting: &Setting<'_>) -> Plan {
    let (mut lists, mut problems, mut passed_over) = (Vec::new(), Vec::new(), Vec::new());
    let problem = |sheet: &Sheet, wrong| {
        let place = Place { sheet: sheet.name.clone(), row: None };
        Problem { place, wrong }
    };
    for sheet in sheets {
        match recognise(sheet) {
            Found::List(list) => lists.push((sheet.name.clone(), list)),
            Found::Lacking(_, columns) => problems.push(problem(sheet, Wrong::Lacking(columns))),
            Found::Nothing => passed_over.push(sheet.name.clone()),
        }
    }
    if lists.is_empty() && problems.is_empty() {
        let place = Place { sheet: passed_over.join(", "), row: None };
        problems.push(Problem { place, wrong: Wrong::Nothing });
    }
    let mut plan = planner::plan(&lists, setting);
    plan.problems.extend(problems);
    if !plan.problems.is_empty() {
        plan.after.clear();
    }
    Plan { passed_over, ..plan }
}
