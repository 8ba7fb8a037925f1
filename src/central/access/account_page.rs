//! One's own account: password, second factor, tokens, signed-in devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Form};
use jiff::ToSpan;
use serde_json::{Value, json};

use super::TOKEN_DAYS;
use super::account::{Account, Factor, LONGEST_NAME, Token, draw_secret};
use super::factor::{Shared, draw_recovery};
use super::invited_page::{password_rule, weak};
use super::sign_in::Refusal;
use super::sign_in_page::{busy, refused};
use super::who::{TOKEN, Who};
use crate::central::pages::Asked;
use crate::central::qr_svg::Drawn;
use crate::central::service::Central;
use crate::central::staff::render;
use crate::central::store::StoreError;
use crate::domain::access::{Access, Right, Standing};
use crate::domain::ids::{Hash, Login};
use crate::domain::time::At;
use crate::texts::{Texts, fill};

/// What is shown once, after something was done on one's account.
#[derive(Default)]
struct Told {
    said: Option<String>,
    wrong: bool,
    /// What an app is given: the sealed secret, as typed by hand, and its code.
    factor: Option<(String, String, Drawn)>,
    recovery: Vec<String>,
    token: Option<String>,
}

impl Told {
    fn good(said: &str) -> Self {
        Self { said: Some(said.to_owned()), ..Self::default() }
    }

    fn wrong(said: impl Into<String>) -> Self {
        Self { said: Some(said.into()), wrong: true, ..Self::default() }
    }
}

/// `GET /account`.
pub async fn account(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    account_page(&central, texts, &who, Told::default()).await
}

async fn account_page(central: &Central, texts: &Texts, who: &Who, told: Told) -> Response {
    let login = &who.account.login;
    let (tokens, account) =
        match (central.store.tokens(login).await, central.store.account(login).await) {
            (Ok(tokens), Ok(account)) => (tokens, account),
            (Err(error), _) | (_, Err(error)) => return busy(central, texts, &error),
        };
    let account = account.unwrap_or_else(|| who.account.clone());
    let t = &texts.access;
    let tokens: Vec<Value> = tokens
        .iter()
        .map(|token| {
            let rights = token.rights.iter().map(|right| t.right(*right));
            json!({
                "name": token.name,
                "rights": rights.collect::<Vec<_>>().join(", "),
                "until": texts.summary.date(token.until),
                "over": token.until < central.now().date(),
            })
        })
        .collect();
    let rights: Vec<Value> = Right::ALL
        .into_iter()
        .filter(|right| right.is_for_tokens() && who.account.standing.may(*right))
        .map(|right| json!({ "code": right.to_string(), "name": t.right(right) }))
        .collect();
    let status = if told.wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let factor = told.factor.map(|(sealed, by_hand, Drawn { side, path })| {
        json!({ "sealed": sealed, "by_hand": by_hand, "side": side, "path": path })
    });
    let context = json!({
        "account": { "login": account.login, "name": account.name },
        "standing": standing_text(central, texts, &account.standing),
        "has_factor": account.factor.is_some(),
        "recovery_left": account.factor.as_ref().map(|factor| factor.recovery.len()),
        "tokens": tokens,
        "rights": rights,
        "factor": factor,
        "recovery": told.recovery,
        "token": told.token,
        "said": told.said,
        "wrong": told.wrong,
        "rule": password_rule(texts),
    });
    render(central, texts, Some(who), status, "account.html", context)
}

/// What somebody is, and for whom: “Giám sát · Trung tâm …”.
pub fn standing_text(central: &Central, texts: &Texts, standing: &Standing) -> String {
    let t = &texts.access;
    let role = t.role(standing.role);
    let Some(office) = &standing.unit.0 else { return format!("{role} · {}", t.province) };
    let directory = central.directory(office);
    let directory = directory.as_deref();
    let name = directory.map_or(office.as_str(), |directory| directory.office.name.as_str());
    let official = standing.official.as_ref().map(|id| {
        let known = directory.and_then(|directory| directory.official(id));
        known.map_or(id.to_string(), |official| official.name.clone())
    });
    match official {
        Some(official) => format!("{role} {official} · {name}"),
        None => format!("{role} · {name}"),
    }
}

/// `POST /account`: what is done is named by `do`.
pub async fn change_account(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let field = |name: &str| typed.get(name).map_or("", String::as_str);
    let told = match field("do") {
        "password" => set_password(&central, texts, &who, field).await,
        "factor" => begin_factor(&central, texts, &who),
        "confirm" => set_factor(&central, texts, &who, field).await,
        "remove" => remove_factor(&central, texts, &who, field).await,
        "token" => make_token(&central, texts, &who, field).await,
        "end_token" => end_token(&central, texts, &who, field("name")).await,
        "end_sessions" => end_sessions(&central, texts, &who).await,
        _ => Ok(Told::default()),
    };
    match told {
        Ok(told) => account_page(&central, texts, &who, told).await,
        Err(error) => busy(&central, texts, &error),
    }
}

/// Whether whoever sits there knows the password, in a browser that is known.
async fn knows(
    central: &Central,
    texts: &Texts,
    who: &Who,
    (password, code): (&str, &str),
) -> Result<Result<(), Told>, StoreError> {
    let what = (who.account.login.as_str(), password, code);
    match central.sign_ins.check(central, what, true).await {
        Ok(_) => Ok(Ok(())),
        Err(Refusal::Store(error)) => Err(error),
        Err(refusal) => Ok(Err(Told::wrong(refused(texts, &refusal).1))),
    }
}

async fn set_password<'a>(
    central: &Central,
    texts: &Texts,
    who: &Who,
    field: impl Fn(&str) -> &'a str,
) -> Result<Told, StoreError> {
    let login = &who.account.login;
    if let Some(said) = weak(texts, login, field("password"), field("again")) {
        return Ok(Told::wrong(said));
    }
    if let Err(told) = knows(central, texts, who, (field("current"), field("code"))).await? {
        return Ok(told);
    }
    let password = central.sign_ins.hash(field("password")).await?;
    let of = login.clone();
    let change = move |account: &mut Account| {
        account.password = Some(password);
        Some(vec![Access::PasswordSet { login: of }])
    };
    central.store.change_account(login.clone(), login.to_string(), Box::new(change)).await?;
    let own = who.session().map(|(secret, _)| secret);
    central.store.end_sessions(login.clone(), own).await?;
    Ok(Told::good(&texts.access.password_set))
}

fn begin_factor(central: &Central, texts: &Texts, who: &Who) -> Result<Told, StoreError> {
    let drawn = Shared::draw(&who.account.login).and_then(|shared| {
        let qr = shared.qr()?;
        Some((shared.sealed(&central.keys.factors)?, shared.by_hand(), qr))
    });
    Ok(match drawn {
        Some(factor) => Told { factor: Some(factor), ..Told::default() },
        None => Told::wrong(&texts.summary.busy),
    })
}

async fn set_factor<'a>(
    central: &Central,
    texts: &Texts,
    who: &Who,
    field: impl Fn(&str) -> &'a str,
) -> Result<Told, StoreError> {
    let (login, sealed) = (&who.account.login, field("sealed"));
    let Some(shared) = Shared::open(&central.keys.factors, login, sealed) else {
        return Ok(Told::wrong(&texts.access.form_old));
    };
    let again = |told| {
        let factor = shared.qr().map(|qr| (sealed.to_owned(), shared.by_hand(), qr));
        Ok(Told { factor, ..told })
    };
    let Some(step) = shared.step_of(field("code"), central.now().timestamp().as_second()) else {
        return again(Told::wrong(&texts.access.factor_wrong));
    };
    // Whoever finds a session open locks nobody out of their account with a phone of their own.
    if let Err(told) = knows(central, texts, who, (field("current"), "")).await? {
        return again(told);
    }
    let (recovery, hashes) = draw_recovery();
    let factor = Factor { sealed: sealed.to_owned(), last_step: step, recovery: hashes };
    let of = login.clone();
    let change = move |account: &mut Account| {
        // One that is set is removed first, which asks for a code of its own.
        if account.factor.is_some() {
            return None;
        }
        account.factor = Some(factor);
        Some(vec![Access::FactorSet { login: of }])
    };
    let by = login.to_string();
    if central.store.change_account(login.clone(), by, Box::new(change)).await?.is_none() {
        return Ok(Told::wrong(&texts.access.form_old));
    }
    Ok(Told { recovery, ..Told::good(&texts.access.factor_set) })
}

async fn remove_factor<'a>(
    central: &Central,
    texts: &Texts,
    who: &Who,
    field: impl Fn(&str) -> &'a str,
) -> Result<Told, StoreError> {
    if let Err(told) = knows(central, texts, who, (field("current"), field("code"))).await? {
        return Ok(told);
    }
    let login = &who.account.login;
    let of = login.clone();
    let change = move |account: &mut Account| {
        account.factor = None;
        Some(vec![Access::FactorRemoved { login: of }])
    };
    central.store.change_account(login.clone(), login.to_string(), Box::new(change)).await?;
    Ok(Told::good(&texts.access.factor_removed))
}

async fn make_token<'a>(
    central: &Central,
    texts: &Texts,
    who: &Who,
    field: impl Fn(&str) -> &'a str,
) -> Result<Told, StoreError> {
    let t = &texts.access;
    let name = field("name").trim();
    let named = !name.is_empty() && name.chars().count() <= LONGEST_NAME;
    let rights: Vec<Right> = Right::ALL
        .into_iter()
        .filter(|right| !field(&format!("right_{right}")).is_empty())
        .filter(|right| right.is_for_tokens() && who.account.standing.may(*right))
        .collect();
    let days = field("days").parse::<i32>().ok().filter(|days| (1..=TOKEN_DAYS).contains(days));
    let (Some(days), true, false) = (days, named, rights.is_empty()) else {
        return Ok(Told::wrong(fill(&t.token_shape, &[("days", &TOKEN_DAYS)])));
    };
    let login = who.account.login.clone();
    if central.store.tokens(&login).await?.iter().any(|token| token.name == name) {
        return Ok(Told::wrong(&t.token_name_used));
    }
    let (token, text) = draw_token(central.now(), login, name, rights, days);
    central.store.keep_token(token).await?;
    Ok(Told { token: Some(text), ..Told::good(&t.token_made) })
}

/// A new token, and its secret.
pub fn draw_token(
    now: At,
    login: Login,
    name: &str,
    rights: Vec<Right>,
    days: i32,
) -> (Token, String) {
    let (secret, _) = draw_secret();
    let text = format!("{TOKEN}{}", *secret);
    let secret = Hash::of(text.as_bytes());
    let until = now.date().saturating_add(days.days());
    let name = name.to_owned();
    (Token { secret, login, name, rights, made: now, until }, text)
}

async fn end_token(
    central: &Central,
    texts: &Texts,
    who: &Who,
    name: &str,
) -> Result<Told, StoreError> {
    let login = who.account.login.clone();
    central.store.end_tokens(login, Some(name.to_owned()), who.person()).await?;
    Ok(Told::good(&texts.access.token_ended))
}

async fn end_sessions(central: &Central, texts: &Texts, who: &Who) -> Result<Told, StoreError> {
    let own = who.session().map(|(secret, _)| secret);
    central.store.end_sessions(who.account.login.clone(), own).await?;
    Ok(Told::good(&texts.access.sessions_ended))
}
