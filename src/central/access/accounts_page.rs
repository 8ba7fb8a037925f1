//! Accounts as an administrator manages them: those of their own unit and below it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Form};
use serde_json::{Value, json};

use super::INVITATION_MINUTES;
use super::account::{Account, Invitation, draw_secret};
use super::account_page::standing_text;
use super::invited_page::name_of;
use super::sign_in_page::busy;
use super::who::Who;
use crate::central::pages::Asked;
use crate::central::service::Central;
use crate::central::staff::{refuse, render};
use crate::central::store::{Store, StoreError};
use crate::domain::access::{Access, Role, Standing, Unit};
use crate::domain::ids::{Login, OfficeCode, OfficialId};
use crate::domain::time::At;
use crate::texts::Texts;

/// What is shown after something was done.
#[derive(Default)]
struct Told {
    said: Option<String>,
    wrong: bool,
    /// A link that was made: for whom, and its path.
    link: Option<(String, String)>,
    /// An account that is to be something else: its name.
    editing: Option<String>,
    /// What was typed, to be mended.
    typed: BTreeMap<String, String>,
}

impl Told {
    fn wrong(said: impl Into<String>, typed: &BTreeMap<String, String>) -> Self {
        Self { said: Some(said.into()), wrong: true, typed: typed.clone(), ..Self::default() }
    }
}

/// A link under which the holder of an account sets a password, in the place of one that they had; gives
/// its path.
pub async fn invite(
    store: &dyn Store,
    login: Option<Login>,
    by: String,
    now: At,
) -> Result<String, StoreError> {
    let (text, secret) = draw_secret();
    let until = now.plus_minutes(INVITATION_MINUTES);
    store.invite(Invitation { secret, login, until }, by).await?;
    Ok(format!("/invited/{}", *text))
}

/// A new account that nobody can sign in under yet.
pub fn new_account(login: Login, name: &str, standing: Standing, now: At) -> Account {
    let name = name.to_owned();
    Account { login, name, standing, password: None, factor: None, closed: false, added: now }
}

/// `GET /accounts`.
pub async fn page(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    show(&central, texts, &who, Told::default()).await
}

async fn show(central: &Central, texts: &Texts, who: &Who, told: Told) -> Response {
    let accounts = match central.store.accounts().await {
        Ok(accounts) => accounts,
        Err(error) => return busy(central, texts, &error),
    };
    let own = &who.account;
    let rows: Vec<Value> = accounts
        .iter()
        .filter(|account| own.standing.manages(&account.standing))
        .map(|account| {
            json!({
                "login": account.login,
                "name": account.name,
                "standing": standing_text(central, texts, &account.standing),
                "closed": account.closed,
                "waiting": account.password.is_none(),
                "has_factor": account.factor.is_some(),
                "own": account.login == own.login,
            })
        })
        .collect();
    let offices = central.offices();
    let offices: Vec<Value> = offices
        .iter()
        .filter(|directory| own.standing.unit.has_office(&directory.office.code))
        .map(|directory| {
            let officials: Vec<Value> = directory
                .officials
                .iter()
                .map(|official| {
                    let code = format!("{}/{}", directory.office.code, official.id);
                    json!({ "code": code, "name": official.name })
                })
                .collect();
            let office = &directory.office;
            json!({ "code": office.code, "name": office.name, "officials": officials })
        })
        .collect();
    let of_province = own.standing.unit == Unit::PROVINCE;
    let roles: Vec<Value> = Role::ALL
        .into_iter()
        .filter(|role| *role != Role::Reader || of_province)
        .map(|role| {
            json!({ "code": role.to_string(), "name": texts.access.role(role), "help": texts.access.role_help(role) })
        })
        .collect();
    let link = told.link.map(|(name, path)| {
        let base = central.config.staff_address();
        json!({ "name": name, "path": path, "address": format!("{base}{path}") })
    });
    let status = if told.wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let context = json!({
        "accounts": rows,
        "offices": offices,
        "roles": roles,
        "of_province": of_province,
        "link": link,
        "editing": told.editing,
        "typed": told.typed,
        "said": told.said,
        "wrong": told.wrong,
    });
    render(central, texts, Some(who), status, "accounts.html", context)
}

/// `POST /accounts`: what is done is named by `do`.
pub async fn change(
    State(central): State<Arc<Central>>,
    Extension(who): Extension<Arc<Who>>,
    Query(asked): Query<Asked>,
    Form(typed): Form<BTreeMap<String, String>>,
) -> Response {
    let texts = asked.texts(&central.config);
    let done = match typed.get("do").map(String::as_str) {
        Some("add") => add(&central, texts, &who, &typed).await,
        Some(what @ ("link" | "close" | "reopen" | "factor" | "edit" | "grant")) => {
            match managed(&central, &who, &typed).await {
                Ok(Some(account)) => change_one(&central, texts, &who, account, what, &typed).await,
                // One of another unit is as one that is not there.
                Ok(None) => {
                    return refuse(&central, texts, Some(&who), true, StatusCode::NOT_FOUND);
                }
                Err(error) => Err(error),
            }
        }
        _ => Ok(Told::default()),
    };
    match done {
        Ok(told) => show(&central, texts, &who, told).await,
        Err(error) => busy(&central, texts, &error),
    }
}

/// The account named, if it is one that is theirs to manage.
async fn managed(
    central: &Central,
    who: &Who,
    typed: &BTreeMap<String, String>,
) -> Result<Option<Account>, StoreError> {
    let Some(Ok(login)) = typed.get("login").map(|login| login.parse::<Login>()) else {
        return Ok(None);
    };
    let account = central.store.account(&login).await?;
    Ok(account.filter(|account| who.account.standing.manages(&account.standing)))
}

/// The standing that was typed, if there is one like it and it is theirs to give.
fn standing_of(
    central: &Central,
    texts: &Texts,
    who: &Who,
    typed: &BTreeMap<String, String>,
) -> Result<Standing, String> {
    let t = &texts.access;
    let field = |name: &str| typed.get(name).map_or("", String::as_str).trim();
    let role: Role = field("role").parse().map_err(|_| t.role_shape.clone())?;
    let standing = if role == Role::Official {
        let (office, official) =
            field("official").split_once('/').ok_or_else(|| t.official_shape.clone())?;
        let office: OfficeCode = office.parse().map_err(|_| t.official_shape.clone())?;
        let official: OfficialId = official.parse().map_err(|_| t.official_shape.clone())?;
        let known = central.directory(&office).filter(|one| one.official(&official).is_some());
        known.ok_or_else(|| t.official_shape.clone())?;
        Standing::official(office, official)
    } else {
        let unit = match field("office") {
            "" => Unit::PROVINCE,
            office => Unit(Some(office.parse().map_err(|_| t.role_shape.clone())?)),
        };
        let known = unit.0.as_ref().is_none_or(|office| central.directory(office).is_some());
        if !known {
            return Err(t.role_shape.clone());
        }
        Standing::new(role, unit)
    };
    standing.check().map_err(|_| t.reader_shape.clone())?;
    if who.account.standing.manages(&standing) { Ok(standing) } else { Err(t.not_yours.clone()) }
}

async fn add(
    central: &Central,
    texts: &Texts,
    who: &Who,
    typed: &BTreeMap<String, String>,
) -> Result<Told, StoreError> {
    let t = &texts.access;
    let field = |name: &str| typed.get(name).map_or("", String::as_str).trim();
    let name = field("name");
    let read = name_of(texts, field("login"), name)
        .and_then(|login| Ok((login, standing_of(central, texts, who, typed)?)));
    let (login, standing) = match read {
        Ok(read) => read,
        Err(said) => return Ok(Told::wrong(said, typed)),
    };
    let account = new_account(login.clone(), name, standing, central.now());
    if !central.store.add_account(account, who.person()).await? {
        return Ok(Told::wrong(&t.login_used, typed));
    }
    let path = invite(central.store.as_ref(), Some(login), who.person(), central.now()).await?;
    let link = Some((name.to_owned(), path));
    Ok(Told { link, said: Some(t.added.clone()), ..Told::default() })
}

/// What an account is, as the form's fields have it.
fn fields_of(account: &Account) -> BTreeMap<String, String> {
    let Account { login, standing, .. } = account;
    let office = standing.unit.0.as_ref().map_or("", OfficeCode::as_str);
    let official = standing.official.as_ref().map(|id| format!("{office}/{id}"));
    let fields = [
        ("login", login.to_string()),
        ("role", standing.role.to_string()),
        ("office", office.to_owned()),
        ("official", official.unwrap_or_default()),
    ];
    fields.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
}

/// Makes something else of an account; what was begun under it ends.
async fn grant(
    central: &Central,
    texts: &Texts,
    who: &Who,
    account: Account,
    typed: &BTreeMap<String, String>,
) -> Result<Told, StoreError> {
    let standing = match standing_of(central, texts, who, typed) {
        Ok(standing) => standing,
        Err(said) => {
            return Ok(Told { editing: Some(account.name), ..Told::wrong(said, typed) });
        }
    };
    let login = account.login;
    if standing != account.standing {
        let (of, before) = (login.clone(), account.standing);
        let change = Box::new(move |account: &mut Account| {
            // Not what somebody else made of it meanwhile.
            (account.standing == before).then(|| {
                account.standing = standing.clone();
                vec![Access::Granted { login: of, standing }]
            })
        });
        let changed = central.store.change_account(login.clone(), who.person(), change).await?;
        if changed.is_none() {
            return Ok(Told::wrong(&texts.access.granted_meanwhile, typed));
        }
        central.store.end_sessions(login.clone(), None).await?;
        central.store.end_tokens(login, None, who.person()).await?;
    }
    Ok(Told { said: Some(texts.access.granted_said.clone()), ..Told::default() })
}

async fn change_one(
    central: &Central,
    texts: &Texts,
    who: &Who,
    account: Account,
    what: &str,
    typed: &BTreeMap<String, String>,
) -> Result<Told, StoreError> {
    let t = &texts.access;
    let login = account.login.clone();
    let is_own = login == who.account.login;
    let done = |said: &str| Told { said: Some(said.to_owned()), ..Told::default() };
    if what == "link" {
        let store = central.store.as_ref();
        let path = invite(store, Some(login), who.person(), central.now()).await?;
        return Ok(Told { link: Some((account.name, path)), ..done(&t.link_made) });
    }
    // Whoever closed their own account, or made less of it, could not take it back.
    if is_own {
        return Ok(Told::wrong(&t.not_own, typed));
    }
    if what == "edit" {
        let typed = fields_of(&account);
        return Ok(Told { editing: Some(account.name), typed, ..Told::default() });
    }
    if what == "grant" {
        return grant(central, texts, who, account, typed).await;
    }
    let of = login.clone();
    type Change = Box<dyn FnOnce(&mut Account) -> Option<Vec<Access>> + Send>;
    let (change, said): (Change, &str) = match what {
        "close" => (
            Box::new(|account| {
                account.closed = true;
                Some(vec![Access::Closed { login: of }])
            }),
            &t.closed_said,
        ),
        "reopen" => (
            Box::new(|account| {
                account.closed = false;
                Some(vec![Access::Reopened { login: of }])
            }),
            &t.reopened_said,
        ),
        _ => (
            Box::new(|account| {
                account.factor = None;
                Some(vec![Access::FactorRemoved { login: of }])
            }),
            &t.factor_removed,
        ),
    };
    central.store.change_account(login.clone(), who.person(), change).await?;
    if what == "close" {
        // What was begun under it ends.
        central.store.end_sessions(login.clone(), None).await?;
        central.store.end_tokens(login, None, who.person()).await?;
    }
    Ok(done(said))
}
