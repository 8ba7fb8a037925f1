//! A form: the question, its levels and reasons, as versioned data with a cited decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::FormRef;

/// A text in several languages, by their codes; `vi` is always there in a valid form.
pub type Text = BTreeMap<String, String>;

/// The text in `language`, else in Vietnamese.
pub fn in_language<'a>(text: &'a Text, language: &str) -> &'a str {
    text.get(language).or_else(|| text.get("vi")).map_or("", String::as_str)
}

/// Which reasons a level asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pole {
    /// What was good.
    Good,
    /// What could be better.
    Middle,
    /// What was bad.
    Bad,
}

/// What a reason is about. Reasons about the procedure never count for the official.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The official who served.
    Official,
    /// The procedure.
    Procedure,
}

/// One level of satisfaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Its code in bodies and summaries.
    pub code: String,
    /// Whether it counts as satisfied.
    pub satisfied: bool,
    /// Which reasons it asks for.
    pub pole: Pole,
    /// Which face it shows, 1 (best) to 5 (worst).
    pub face: u8,
    /// Its words. A line break stands where a person would break them under a face.
    pub label: Text,
}

/// One reason that may be ticked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// Its code in bodies and summaries.
    pub code: String,
    /// What it is about.
    pub about: About,
    /// With which levels it is offered.
    pub pole: Pole,
    /// Its words.
    pub text: Text,
}

/// One version of a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Form {
    /// Its name, such as `nam-muc`.
    pub code: String,
    /// Its version, from 1.
    pub version: u32,
    /// The first day on which it is shown.
    pub effective: jiff::civil::Date,
    /// The decision that it rests on.
    pub decision: String,
    /// The question. A line break stands where a person would break it.
    pub question: Text,
    /// Its levels, in the order shown, best first.
    pub levels: Vec<Level>,
    /// Its reasons, in the order shown.
    pub reasons: Vec<Reason>,
}

/// Why a form cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadForm {
    /// Where: keys and places from the top, such as `levels.0.face`.
    pub path: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Form {
    /// Checks what the types cannot: codes, counts, faces, and that every text has Vietnamese.
    pub fn check(&self) -> Result<(), BadForm> {
        let fail = |path: String, message: String| Err(BadForm { path, message });
        let whole = |key: &str, message: String| fail(key.to_owned(), message);
        if FormRef::new(&self.code, self.version).is_err() {
            let key = if FormRef::new(&self.code, 1).is_err() { "code" } else { "version" };
            return whole(key, "expected a name such as nam-muc and a version from 1".into());
        }
        if !(2..=5).contains(&self.levels.len()) {
            return whole("levels", format!("expected 2 to 5 levels, found {}", self.levels.len()));
        }
        if !self.levels.iter().any(|level| level.satisfied) {
            return whole("levels", "expected at least one level with satisfied = true".into());
        }
        let not_its_own = |code: &str| {
            format!("expected a code of its own (a-z, 0-9, _; at most 40), found {code:?}")
        };
        let mut codes = std::collections::BTreeSet::new();
        for (place, level) in self.levels.iter().enumerate() {
            if !is_code(&level.code) || !codes.insert(&level.code) {
                return fail(format!("levels.{place}.code"), not_its_own(&level.code));
            }
            if !(1..=5).contains(&level.face) {
                let message = format!("expected a face from 1 to 5, found {}", level.face);
                return fail(format!("levels.{place}.face"), message);
            }
        }
        let mut codes = std::collections::BTreeSet::new();
        for (place, reason) in self.reasons.iter().enumerate() {
            if !is_code(&reason.code) || !codes.insert(&reason.code) {
                return fail(format!("reasons.{place}.code"), not_its_own(&reason.code));
            }
        }
        for pole in [Pole::Good, Pole::Middle, Pole::Bad] {
            let offered: Vec<_> =
                self.reasons.iter().enumerate().filter(|(_, reason)| reason.pole == pole).collect();
            if let Some((place, _)) = offered.get(9) {
                let message =
                    format!("expected at most 9 reasons for one pole, found {}", offered.len());
                return fail(format!("reasons.{place}.pole"), message);
            }
            // All of them ticked must still fit the padded body.
            let all = offered.iter().map(|(_, reason)| reason.code.len() + 3).sum::<usize>();
            if all + 16 > super::seal::Kind::Reasons.padded() {
                let message = "expected shorter codes: those of one pole must fit a body together";
                let place = offered.last().map_or(0, |(place, _)| *place);
                return fail(format!("reasons.{place}.code"), message.into());
            }
        }
        let levels = self.levels.iter().map(|level| &level.label).enumerate();
        let reasons = self.reasons.iter().map(|reason| &reason.text).enumerate();
        let texts = std::iter::once(("question".to_owned(), &self.question))
            .chain(levels.map(|(place, text)| (format!("levels.{place}.label"), text)))
            .chain(reasons.map(|(place, text)| (format!("reasons.{place}.text"), text)));
        for (path, text) in texts {
            if text.get("vi").is_none_or(|words| words.trim().is_empty()) {
                return fail(format!("{path}.vi"), "expected a text under the key vi".into());
            }
        }
        Ok(())
    }

    /// Name and version.
    ///
    /// # Panics
    /// Never for a form that passed [`Form::check`].
    pub fn reference(&self) -> FormRef {
        match FormRef::new(&self.code, self.version) {
            Ok(reference) => reference,
            Err(bad) => unreachable!("an unchecked form: {bad}"),
        }
    }

    /// Place of a level in the form's order, from 0.
    pub fn level(&self, code: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.code == code)
    }

    /// The reasons offered with the levels of a pole.
    pub fn reasons_of(&self, pole: Pole) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(move |reason| reason.pole == pole)
    }
}

/// Codes in bodies: `a`–`z`, `0`–`9`, `_`, at most 40.
pub fn is_code(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// All forms known, old versions included: an answer keeps its version for ever.
#[derive(Debug, Clone, Default)]
pub struct Forms(BTreeMap<FormRef, Form>);

impl Forms {
    /// Collects checked forms.
    pub fn new(forms: impl IntoIterator<Item = Form>) -> Self {
        Self(forms.into_iter().map(|form| (form.reference(), form)).collect())
    }

    /// The form of an answer.
    pub fn get(&self, form: &FormRef) -> Option<&Form> {
        self.0.get(form)
    }

    /// All versions of all forms.
    pub fn iter(&self) -> impl Iterator<Item = &Form> {
        self.0.values()
    }

    /// The newest version of `code` that is in force on `day`.
    pub fn in_force(&self, code: &str, day: jiff::civil::Date) -> Option<&Form> {
        self.iter()
            .filter(|form| form.code == code && form.effective <= day)
            .max_by_key(|form| (form.effective, form.version))
    }

    /// Whether any form has a level of this code.
    pub fn has_level(&self, code: &str) -> bool {
        self.iter().any(|form| form.level(code).is_some())
    }
}
