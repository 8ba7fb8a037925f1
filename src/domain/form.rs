//! A form: the question, its levels and reasons, as versioned data with a cited decision.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::{FormRef, Hash};

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

/// A further question, asked on the phone alone: there is time there. What is chosen counts like a
/// reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// What it is about.
    pub about: About,
    /// Its words.
    pub text: Text,
    /// What may be chosen: one, or none.
    pub choices: Vec<Choice>,
}

/// One answer to a further question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// Its code in bodies and summaries, of the same kind as a reason's.
    pub code: String,
    /// Its words.
    pub text: Text,
}

/// Who reads what a citizen writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reader {
    /// The office: a comment.
    Office,
    /// Another than the office's own: a report of a violation.
    Authority,
}

/// A wish to write, offered at every level beside the reasons. It leads to words on the phone, and
/// stands in no summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wish {
    /// Its code in bodies.
    pub code: String,
    /// Who reads the words.
    pub reader: Reader,
    /// Its words on the screen.
    pub text: Text,
}

/// What may be ticked beside a level, in the order shown: its reasons, then the wishes to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offered<'a> {
    /// Its code in bodies.
    pub code: &'a str,
    /// Its words.
    pub text: &'a Text,
    /// Whether it leads to words.
    pub words: bool,
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
    /// Wishes to write, in the order shown after the reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wishes: Vec<Wish>,
    /// Further questions for the phone, in the order asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub questions: Vec<Question>,
    /// What screens and phone pages say in place of their usual texts while this version is shown, by section
    /// (`kiosk`, `phone`) and key.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub texts: BTreeMap<String, BTreeMap<String, Text>>,
}

/// Most boxes to tick beside one level: more do not fit the smallest screen.
pub const MOST_OFFERED: usize = 9;
/// Most further questions for the phone.
pub const MOST_QUESTIONS: usize = 6;

/// Why a form cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BadForm {
    /// Where: keys and places from the top, such as `levels.0.face`.
    pub path: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl Reader {
    /// Its word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Reader::Office => "office",
            Reader::Authority => "authority",
        }
    }
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
        let choices = |(question, asked): (usize, &'_ Question)| -> Vec<(String, String)> {
            let path = |place| format!("questions.{question}.choices.{place}.code");
            let codes = asked.choices.iter().map(|choice| choice.code.clone()).enumerate();
            codes.map(|(place, code)| (path(place), code)).collect()
        };
        let named = |list: &'static str| {
            move |(place, code): (usize, &String)| (format!("{list}.{place}.code"), code.clone())
        };
        let own = (self.reasons.iter().map(|reason| &reason.code).enumerate())
            .map(named("reasons"))
            .chain(self.wishes.iter().map(|wish| &wish.code).enumerate().map(named("wishes")))
            .chain(self.questions.iter().enumerate().flat_map(choices));
        for (path, code) in own {
            if !is_code(&code) || !codes.insert(code.clone()) {
                return fail(path, not_its_own(&code));
            }
        }
        if self.questions.len() > MOST_QUESTIONS {
            let found = self.questions.len();
            let message = format!("expected at most {MOST_QUESTIONS} questions, found {found}");
            return whole("questions", message);
        }
        for (place, question) in self.questions.iter().enumerate() {
            if !(2..=6).contains(&question.choices.len()) {
                let found = question.choices.len();
                let message = format!("expected 2 to 6 choices, found {found}");
                return fail(format!("questions.{place}.choices"), message);
            }
        }
        // One choice of each question may be ticked, too.
        let asked: usize = self
            .questions
            .iter()
            .filter_map(|question| {
                question.choices.iter().map(|choice| choice.code.len() + 3).max()
            })
            .sum();
        for pole in [Pole::Good, Pole::Middle, Pole::Bad] {
            let offered: Vec<_> =
                self.reasons.iter().enumerate().filter(|(_, reason)| reason.pole == pole).collect();
            if offered.len() + self.wishes.len() > MOST_OFFERED {
                let found = offered.len() + self.wishes.len();
                let place = offered.last().map_or(0, |(place, _)| *place);
                let message = format!(
                    "expected at most {MOST_OFFERED} reasons and wishes for one pole, found {found}"
                );
                return fail(format!("reasons.{place}.pole"), message);
            }
            // All of them ticked must still fit the padded body.
            let all =
                self.offered(pole).iter().map(|offered| offered.code.len() + 3).sum::<usize>();
            if all + asked + 16 > super::seal::Kind::Reasons.padded() {
                let message = "expected shorter codes: those of one pole must fit a body together";
                let place = offered.last().map_or(0, |(place, _)| *place);
                return fail(format!("reasons.{place}.code"), message.into());
            }
        }
        for (path, text) in self.texts() {
            if text.get("vi").is_none_or(|words| words.trim().is_empty()) {
                return fail(format!("{path}.vi"), "expected a text under the key vi".into());
            }
        }
        Ok(())
    }

    /// Every text and where it stands, such as `levels.0.label`.
    pub fn texts(&self) -> Vec<(String, &Text)> {
        let mut texts = vec![("question".to_owned(), &self.question)];
        for (place, level) in self.levels.iter().enumerate() {
            texts.push((format!("levels.{place}.label"), &level.label));
        }
        for (place, reason) in self.reasons.iter().enumerate() {
            texts.push((format!("reasons.{place}.text"), &reason.text));
        }
        for (place, wish) in self.wishes.iter().enumerate() {
            texts.push((format!("wishes.{place}.text"), &wish.text));
        }
        for (place, question) in self.questions.iter().enumerate() {
            texts.push((format!("questions.{place}.text"), &question.text));
            for (choice, chosen) in question.choices.iter().enumerate() {
                texts.push((format!("questions.{place}.choices.{choice}.text"), &chosen.text));
            }
        }
        for (section, own) in &self.texts {
            texts.extend(own.iter().map(|(key, text)| (format!("texts.{section}.{key}"), text)));
        }
        texts
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

    /// The hash by which a `form` line names this version: of its record in an archive without `record`.
    pub fn digest(&self) -> Hash {
        Hash::of(&serde_json::to_vec(self).unwrap_or_default())
    }

    /// Place of a level in the form's order, from 0.
    pub fn level(&self, code: &str) -> Option<usize> {
        self.levels.iter().position(|level| level.code == code)
    }

    /// The reasons offered with the levels of a pole.
    pub fn reasons_of(&self, pole: Pole) -> impl Iterator<Item = &Reason> {
        self.reasons.iter().filter(move |reason| reason.pole == pole)
    }

    /// What may be ticked beside a level of a pole, in the order shown.
    pub fn offered(&self, pole: Pole) -> Vec<Offered<'_>> {
        let reasons = self.reasons_of(pole);
        let reasons = reasons.map(|r| Offered { code: &r.code, text: &r.text, words: false });
        let wishes = self.wishes.iter();
        let wishes = wishes.map(|wish| Offered { code: &wish.code, text: &wish.text, words: true });
        reasons.chain(wishes).collect()
    }

    /// Of what a phone sent with a level of a pole, the codes that are kept, in the form's order:
    /// the reasons of that pole, the wishes, and the first choice of each further question.
    pub fn kept_by_phone(&self, pole: Pole, sent: &[String]) -> Vec<String> {
        let sent = |code: &&str| sent.iter().any(|sent| sent == code);
        let offered = self.offered(pole).into_iter().map(|offered| offered.code).filter(sent);
        let chosen = self.questions.iter().filter_map(|question| {
            question.choices.iter().map(|choice| choice.code.as_str()).find(sent)
        });
        offered.chain(chosen).map(str::to_owned).collect()
    }

    /// Who reads words that come with these codes: another than the office's own if one of them
    /// reports a violation.
    pub fn reader<'a>(&self, codes: impl IntoIterator<Item = &'a String>) -> Reader {
        let wish = |code: &String| self.wishes.iter().find(|wish| wish.code == *code);
        let readers = codes.into_iter().filter_map(wish).map(|wish| wish.reader);
        readers.max().unwrap_or(Reader::Office)
    }

    /// Whether a body under this form may hold the code.
    pub fn has_reason(&self, code: &str) -> bool {
        self.reason(code).is_some() || self.wishes.iter().any(|wish| wish.code == code)
    }

    /// Place in the form's order, and what it is about, of a reason or a choice. A wish to write is
    /// neither: it stands in no summary.
    pub fn reason(&self, code: &str) -> Option<(usize, About)> {
        let reasons = self.reasons.iter().map(|reason| (&reason.code, reason.about));
        let choices = self.questions.iter().flat_map(|question| {
            question.choices.iter().map(move |choice| (&choice.code, question.about))
        });
        let mut all = reasons.chain(choices).enumerate();
        all.find_map(|(place, (known, about))| (known == code).then_some((place, about)))
    }

    /// Whether a code is that of a reason that is offered to whoever was not satisfied.
    pub fn is_complaint(&self, code: &str) -> bool {
        self.reasons.iter().any(|reason| reason.code == code && reason.pole != Pole::Good)
    }

    /// The words of a reason or a choice for a table: a choice stands after its question.
    pub fn reason_text(&self, code: &str, language: &str) -> Option<String> {
        if let Some(reason) = self.reasons.iter().find(|reason| reason.code == code) {
            return Some(in_language(&reason.text, language).to_owned());
        }
        self.questions.iter().find_map(|question| {
            let choice = question.choices.iter().find(|choice| choice.code == code)?;
            let words =
                (in_language(&question.text, language), in_language(&choice.text, language));
            Some(format!("{}: {}", words.0, words.1))
        })
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

    /// The levels to tell of what was answered: those of a form, and of others whatever was answered under them, as its
    /// newest version tells it, or that of another form.
    pub fn levels_told<'a>(
        &'a self,
        form: Option<&'a Form>,
        answered: impl IntoIterator<Item = &'a str>,
    ) -> Vec<&'a Level> {
        let mut told: Vec<&Level> = form.into_iter().flat_map(|form| &form.levels).collect();
        for code in answered {
            if told.iter().any(|level| level.code == *code) {
                continue;
            }
            let of = |form: &'a Form| form.levels.iter().find(|level| level.code == *code);
            let versions = self.iter().filter(|form| of(form).is_some());
            let is_own = |other: &Form| form.is_some_and(|form| form.code == other.code);
            let newest = versions.max_by_key(|other| (is_own(other), other.effective));
            told.extend(newest.and_then(of));
        }
        told
    }

    /// Who reads words that come with these codes, see [`Form::reader`].
    pub fn reader<'a>(&self, codes: impl IntoIterator<Item = &'a String> + Clone) -> Reader {
        let readers = self.iter().map(|form| form.reader(codes.clone()));
        readers.max().unwrap_or(Reader::Office)
    }

    /// The words of a reason or a choice by the newest version that has it.
    pub fn reason_text(&self, code: &str, language: &str) -> Option<String> {
        let known = |form: &Form| form.reason_text(code, language).map(|text| (form.version, text));
        self.iter().filter_map(known).max_by_key(|(version, _)| *version).map(|(_, text)| text)
    }

    /// Checks a version that is to come into force, on a day that is not `today` yet: no day that has begun is asked
    /// by other words, and no version takes the place of another.
    ///
    /// # Errors
    /// As [`Form::check`], and when its version, its day or its decision is not one that can follow.
    pub fn check_next(&self, form: &Form, today: jiff::civil::Date) -> Result<(), BadForm> {
        form.check()?;
        let fail = |path: &str, message: String| Err(BadForm { path: path.to_owned(), message });
        // A language that is left out is told in another; an empty one would be told as nothing.
        for (path, text) in form.texts() {
            if let Some((language, _)) = text.iter().find(|(_, words)| words.trim().is_empty()) {
                return fail(&format!("{path}.{language}"), "expected a text, or none".into());
            }
        }
        let last = self.iter().filter(|one| one.code == form.code).map(|one| one.version).max();
        if form.version <= last.unwrap_or(0) {
            let next = last.unwrap_or(0) + 1;
            return fail("version", format!("expected {next} or more: earlier ones are taken"));
        }
        if form.effective <= today {
            let tomorrow = today.tomorrow().unwrap_or(today);
            return fail("effective", format!("expected {tomorrow} or later"));
        }
        if form.decision.trim().is_empty() {
            return fail("decision", "expected the decision that it rests on".into());
        }
        Ok(())
    }

    /// The form that a kiosk shows on `day`: the one in force, or the newest when none is in force
    /// yet, since then the kiosk's clock is wrong.
    pub fn to_show(&self, code: &str, day: jiff::civil::Date) -> Option<&Form> {
        self.in_force(code, day).or_else(|| {
            let all = self.iter().filter(|form| form.code == code);
            all.max_by_key(|form| (form.effective, form.version))
        })
    }

    /// Whether any form has a level of this code.
    pub fn has_level(&self, code: &str) -> bool {
        self.iter().any(|form| form.level(code).is_some())
    }
}
