//! Rating forms as administrators see and change them: all versions, each as a kiosk shows it, and the next one, looked
//! at before it is put in force.

use std::collections::BTreeMap;
use std::path::Path as FilePath;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form as UrlForm};
use jiff::civil::Date;
use serde_json::{Value, json};

use super::access::sign_in_page::busy;
use super::access::who::Who;
use super::config::form_of;
use super::known_forms::PutError;
use super::pages::Asked;
use super::service::Central;
use super::staff::{in_language, refuse, render};
use super::store::KeptForm;
use crate::config::Source;
use crate::domain::access::Unit;
use crate::domain::form::{About, Form, Pole, Text, in_language as worded};
use crate::domain::ids::{FormRef, Hash};
use crate::domain::office::Directory;
use crate::texts::{FormsTexts, Texts, fill};

/// The name under which mistakes in what was typed are told.
const TYPED: &str = "TOML";

/// What is shown after something was done.
#[derive(Default)]
struct Told {
    said: Option<String>,
    wrong: bool,
}

fn shown(date: Date) -> String {
    date.strftime("%d/%m/%Y").to_string()
}

fn one_line(text: &Text, texts: &Texts) -> String {
    worded(text, &texts.language).replace('\n', " ")
}

/// How many offices show a form.
fn used(central: &Central, code: &str) -> usize {
    let today = central.now().date();
    let offices = central.offices();
    offices.iter().filter(|one| one.office.form == code && !one.office.is_over(today)).count()
}

/// Where a version stands, in words, and who uses it.
fn state(central: &Central, form: &Form, t: &FormsTexts) -> (&'static str, String, String) {
    let today = central.now().date();
    let forms = central.forms();
    let users = used(central, &form.code);
    let told = match users {
        0 => String::new(),
        n => fill(&t.used_by, &[("n", &n)]),
    };
    if form.effective > today {
        ("to_come", t.to_come.clone(), told)
    } else if forms.in_force(&form.code, today).is_none_or(|now| now.version != form.version) {
        ("past", t.past.clone(), String::new())
    } else if users == 0 {
        ("unused", t.unused.clone(), String::new())
    } else {
        ("in_force", t.in_force.clone(), told)
    }
}

/// `GET /forms`.
pub(super) async fn list(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    show_list(&central, asked.texts(&central.config), &who, Told::default()).await
}

async fn show_list(central: &Central, texts: &Texts, who: &Who, told: Told) -> Response {
    let t = &texts.forms;
    let kept = match central.store.kept_forms().await {
        Ok(kept) => kept,
        Err(error) => return busy(central, texts, &error),
    };
    let forms = central.forms();
    let mut versions: Vec<&Form> = forms.iter().collect();
    let first = &central.config.first_form;
    versions.sort_by_key(|form| (form.code != *first, &form.code, std::cmp::Reverse(form.version)));
    let rows: Vec<Value> = versions
        .into_iter()
        .map(|form| {
            let (state, label, used) = state(central, form, t);
            json!({
                "form": form.reference(),
                "href": in_language(central, texts, &format!("/forms/{}", form.reference())),
                "question": one_line(&form.question, texts),
                "from": shown(form.effective),
                "decision": form.decision,
                "state": state,
                "label": label,
                "used": used,
                "origin": origin(&kept, form, texts),
            })
        })
        .collect();
    let context = json!({
        "f": t,
        "d": texts.directory,
        "forms": rows,
        "back": in_language(central, texts, "/directory"),
        "said": told.said,
        "wrong": told.wrong,
    });
    let status = if told.wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    render(central, texts, Some(who), status, "rating-forms.html", context)
}

/// By whom a version was put in force.
fn origin(kept: &[KeptForm], form: &Form, texts: &Texts) -> String {
    match kept.iter().find(|one| one.form.reference() == form.reference()) {
        Some(one) => {
            let at = one.at.civil().strftime("%H:%M, %d/%m/%Y");
            fill(&texts.forms.put_by, &[("at", &at), ("person", &one.person)])
        }
        None => texts.forms.of_files.clone(),
    }
}

/// `GET /forms/{form}`: a version as kiosks show it, and the next one as a text to change.
pub(super) async fn one(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Path(form): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    let reference: Option<FormRef> = FormRef::try_from(form).ok();
    let forms = central.forms();
    let Some(form) = reference.and_then(|reference| forms.get(&reference)) else {
        return refuse(&central, texts, Some(&who), true, StatusCode::NOT_FOUND);
    };
    let last = forms.iter().filter(|one| one.code == form.code).map(|one| one.version).max();
    let today = central.now().date();
    let next = Form {
        version: last.unwrap_or(0) + 1,
        effective: today.tomorrow().unwrap_or(today),
        decision: String::new(),
        ..form.clone()
    };
    let next = toml::to_string_pretty(&next).unwrap_or_default();
    show_one(&central, texts, &who, form, false, next, Told::default()).await
}

/// The reader's office whose kiosk is drawn: one that shows the form, if there is one.
fn office_of(central: &Central, who: &Who, form: &Form) -> Option<Arc<Directory>> {
    let offices = central.offices();
    let today = central.now().date();
    let drawn = |one: &&Arc<Directory>| {
        who.has_office(&one.office.code) && !one.counters.is_empty() && !one.office.is_over(today)
    };
    let shows = |one: &&Arc<Directory>| drawn(one) && one.office.form == form.code;
    offices.iter().find(shows).or_else(|| offices.iter().find(drawn)).cloned()
}

async fn show_one(
    central: &Central,
    texts: &Texts,
    who: &Who,
    form: &Form,
    draft: bool,
    next: String,
    told: Told,
) -> Response {
    let t = &texts.forms;
    let office = office_of(central, who, form);
    let pictures = match &office {
        Some(directory) => central.previews.of(&central.config, directory, form).await,
        None => Err(String::new()),
    };
    let base = central.config.staff_base();
    let (drawn, why) = match (&pictures, &office) {
        (Ok((hash, drawn)), _) => {
            let numbered = drawn.iter().enumerate();
            let shown: Vec<Value> = numbered
                .map(|(place, picture)| {
                    let language = central.config.texts.get(picture.language);
                    let language = language.map_or("", |texts| &texts.name);
                    json!({
                        "src": format!("{base}/forms/pictures/{hash}/{place}"),
                        "label": fill(&t.picture, &[("n", &(place + 1)), ("language", &language)]),
                    })
                })
                .collect();
            (shown, None)
        }
        (Err(_), None) => (Vec::new(), Some(t.no_office.clone())),
        (Err(why), Some(_)) => (Vec::new(), Some(fill(&t.no_pictures, &[("why", why)]))),
    };
    let reference = form.reference();
    let date = shown(form.effective);
    let (state, label, used) = state(central, form, t);
    let context = json!({
        "f": t,
        "form": reference,
        "question": one_line(&form.question, texts),
        "from": date,
        "decision": form.decision,
        "state": state,
        "label": label,
        "used": used,
        "draft": draft,
        "draft_title": fill(&t.draft_title, &[("form", &reference)]),
        "draft_help": fill(&t.draft_help, &[("date", &date)]),
        "put": fill(&t.put, &[("date", &date)]),
        "pictures": drawn,
        "no_pictures": why,
        "pictures_help": office.as_ref().map(|one| fill(&t.pictures_help, &[("office", &one.office.name)])),
        "levels": levels(form, texts),
        "groups": groups(form, texts),
        "own": own(form, texts),
        "next": next,
        "may_change": *who.unit() == Unit::PROVINCE,
        "here": in_language(central, texts, "/forms"),
        "back": in_language(central, texts, "/forms"),
        "said": told.said,
        "wrong": told.wrong,
    });
    let status = if told.wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    render(central, texts, Some(who), status, "rating-form.html", context)
}

fn levels(form: &Form, texts: &Texts) -> Vec<Value> {
    let t = &texts.forms;
    let level = |level: &crate::domain::form::Level| {
        let satisfied = if level.satisfied { &t.satisfied_yes } else { &t.satisfied_no };
        json!({ "label": one_line(&level.label, texts), "satisfied": satisfied })
    };
    form.levels.iter().map(level).collect()
}

/// What may be ticked or chosen, under what it stands beside.
fn groups(form: &Form, texts: &Texts) -> Vec<Value> {
    let t = &texts.forms;
    let about = |about: About| match about {
        About::Official => &t.about_official,
        About::Procedure => &t.about_procedure,
    };
    let reasons =
        [(Pole::Good, &t.pole_good), (Pole::Middle, &t.pole_middle), (Pole::Bad, &t.pole_bad)].map(
            |(pole, title)| {
                let lines: Vec<String> = form
                    .reasons_of(pole)
                    .map(|one| format!("{} ({})", one_line(&one.text, texts), about(one.about)))
                    .collect();
                (title.clone(), lines)
            },
        );
    let wishes = form.wishes.iter().map(|wish| one_line(&wish.text, texts)).collect();
    let questions = form.questions.iter().map(|question| {
        let choices: Vec<String> =
            question.choices.iter().map(|choice| one_line(&choice.text, texts)).collect();
        format!("{} {}", one_line(&question.text, texts), choices.join(" · "))
    });
    let all = reasons
        .into_iter()
        .chain([(t.wishes.clone(), wishes), (t.questions.clone(), questions.collect())]);
    all.filter(|(_, lines): &(String, Vec<String>)| !lines.is_empty())
        .map(|(title, lines)| json!({ "title": title, "lines": lines }))
        .collect()
}

/// Texts that a version brings along, in the reader's language.
fn own(form: &Form, texts: &Texts) -> Vec<Value> {
    let all =
        form.texts.iter().flat_map(|(section, own)| own.iter().map(move |one| (section, one)));
    all.map(|(section, (key, text))| {
        json!({ "key": format!("{section}.{key}"), "text": one_line(text, texts) })
    })
    .collect()
}

/// `GET /forms/pictures/{subject}/{place}`: a screen that was drawn.
pub(super) async fn picture(
    State(central): State<Arc<Central>>,
    Path((subject, place)): Path<(String, usize)>,
) -> Response {
    let known = subject.parse::<Hash>().ok().and_then(|hash| central.previews.known(hash));
    match known.as_deref().and_then(|pictures| pictures.get(place)) {
        Some(picture) => {
            let headers =
                [(header::CONTENT_TYPE, "image/png"), (header::CACHE_CONTROL, "private, no-store")];
            (headers, picture.png.clone()).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// `POST /forms`: what is done is named by `do`: `check` shows what was typed, `put` puts it in force.
pub(super) async fn change(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    UrlForm(typed): UrlForm<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let t = &texts.forms;
    let puts = match typed.get("do").map(String::as_str) {
        Some("check") => false,
        Some("put") => true,
        _ => return show_list(&central, texts, &who, Told::default()).await,
    };
    if *who.unit() != Unit::PROVINCE {
        return refuse(&central, texts, Some(&who), true, StatusCode::FORBIDDEN);
    }
    // A browser sends each line's end as two characters.
    let text = typed.get("toml").map(|text| text.replace("\r\n", "\n")).unwrap_or_default();
    let source = Source::of_text(FilePath::new(TYPED), text.clone());
    let read = form_of(&source, &central.config.texts).and_then(|form| {
        let checked = central.forms().check_next(&form, central.now().date());
        checked.map_err(|bad| source.error_at(&bad.path, &bad.message))?;
        Ok(form)
    });
    let form = match read {
        Ok(form) => form,
        Err(error) => {
            let told = Told { said: Some(fill(&t.wrong, &[("why", &error)])), wrong: true };
            // Beside what it was made of, so that nothing typed is lost.
            let forms = central.forms();
            let of = typed.get("of").and_then(|of| FormRef::try_from(of.clone()).ok());
            let known = of.and_then(|of| forms.get(&of));
            return match known {
                Some(form) => show_one(&central, texts, &who, form, false, text, told).await,
                None => show_list(&central, texts, &who, told).await,
            };
        }
    };
    if !puts {
        return show_one(&central, texts, &who, &form, true, text, Told::default()).await;
    }
    let (reference, date) = (form.reference(), shown(form.effective));
    let told = match central.put_form(form, who.person()).await {
        Ok(()) => {
            let said = fill(&t.done, &[("form", &reference), ("date", &date)]);
            Told { said: Some(said), wrong: false }
        }
        Err(PutError::Bad(bad)) => {
            let why = format!("{}: {}", bad.path, bad.message);
            Told { said: Some(fill(&t.wrong, &[("why", &why)])), wrong: true }
        }
        Err(PutError::Store(error)) => return busy(&central, texts, &error),
    };
    show_list(&central, texts, &who, told).await
}
