//! Where the holder of an account sets a password under a link; or the first administrator begins one.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::json;

use super::account::{
    Account, Invitation, LEAST_LETTERS, LONGEST_NAME, MOST_LETTERS, Weak, check_password,
};
use super::accounts_page::new_account;
use super::sign_in_page::{busy, in_language_path, welcome};
use crate::central::pages::Asked;
use crate::central::service::Central;
use crate::central::staff::{in_language, render};
use crate::central::store::StoreError;
use crate::domain::access::{Access, CONSOLE, DELIVERY, Role, Standing, Unit};
use crate::domain::ids::{Hash, Login};
use crate::texts::{Texts, fill};

/// What was typed under a link.
#[derive(Deserialize)]
pub struct NewPassword {
    #[serde(default)]
    login: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    again: String,
}

async fn invitation(central: &Central, secret: &str) -> Result<Option<Invitation>, StoreError> {
    let found = central.store.invitation(Hash::of(secret.as_bytes())).await?;
    Ok(found.filter(|invitation| central.now() <= invitation.until))
}

fn invited_page(
    central: &Central,
    texts: &Texts,
    invitation: &Invitation,
    (login, name): (&str, &str),
    said: Option<String>,
) -> Response {
    let status = if said.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    let context = json!({
        "first": invitation.login.is_none(),
        "login": invitation.login.as_ref().map_or(login, Login::as_str),
        "name": name,
        "said": said,
        "rule": password_rule(texts),
    });
    render(central, texts, None, status, "invited.html", context)
}

/// What a password has to be, in words.
pub(super) fn password_rule(texts: &Texts) -> String {
    fill(&texts.access.password_rule, &[("least", &LEAST_LETTERS)])
}

fn gone_page(central: &Central, texts: &Texts) -> Response {
    let t = &texts.access;
    let context = json!({ "title": t.link_gone, "text": t.link_gone_text, "hint": null });
    render(central, texts, None, StatusCode::NOT_FOUND, "error.html", context)
}

/// `GET /invited/{secret}`: where the holder of an account sets a password; or the first administrator
/// begins one.
pub async fn invited(
    State(central): State<Arc<Central>>,
    Path(secret): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let texts = asked.texts(&central.config);
    match invitation(&central, &secret).await {
        Ok(Some(found)) => invited_page(&central, texts, &found, ("", ""), None),
        Ok(None) => gone_page(&central, texts),
        Err(error) => busy(&central, texts, &error),
    }
}

/// Why a new password is not taken, in words.
pub(super) fn weak(texts: &Texts, login: &Login, password: &str, again: &str) -> Option<String> {
    let t = &texts.access;
    if password != again {
        return Some(t.password_differs.clone());
    }
    match check_password(password, login).err()? {
        Weak::Length => {
            let values: [(&str, &dyn std::fmt::Display); 2] =
                [("least", &LEAST_LETTERS), ("most", &MOST_LETTERS)];
            Some(fill(&t.password_length, &values))
        }
        Weak::Common => Some(t.password_common.clone()),
    }
}

/// `POST /invited/{secret}`.
pub async fn accepted(
    State(central): State<Arc<Central>>,
    Path(secret): Path<String>,
    Query(asked): Query<Asked>,
    Form(typed): Form<NewPassword>,
) -> Response {
    let texts = asked.texts(&central.config);
    let found = match invitation(&central, &secret).await {
        Ok(Some(found)) => found,
        Ok(None) => return gone_page(&central, texts),
        Err(error) => return busy(&central, texts, &error),
    };
    let name = typed.name.trim();
    let again =
        |said: String| invited_page(&central, texts, &found, (&typed.login, name), Some(said));
    let login = match &found.login {
        Some(login) => login.clone(),
        None => match name_of(texts, &typed.login, name) {
            Ok(login) => login,
            Err(said) => return again(said),
        },
    };
    if found.login.is_none() {
        // Nobody begins as somebody who is here already.
        match central.store.account(&login).await {
            Ok(None) => {}
            Ok(Some(_)) => return again(texts.access.login_used.clone()),
            Err(error) => return busy(&central, texts, &error),
        }
    }
    if let Some(said) = weak(texts, &login, &typed.password, &typed.again) {
        return again(said);
    }
    let set = async {
        let password = central.sign_ins.hash(&typed.password).await?;
        if !central.store.take_invitation(found.secret).await? {
            return Ok(None);
        }
        if found.login.is_none() {
            let standing = Standing::new(Role::Administrator, Unit::PROVINCE);
            let account = new_account(login.clone(), name, standing, central.now());
            central.store.add_account(account, CONSOLE.to_owned()).await?;
        }
        let of = login.clone();
        let change = move |account: &mut Account| {
            account.password = Some(password);
            Some(vec![Access::PasswordSet { login: of }])
        };
        let by = login.to_string();
        let set = central.store.change_account(login.clone(), by, Box::new(change)).await?;
        central.store.end_sessions(login.clone(), None).await?;
        Ok::<Option<Account>, StoreError>(set)
    };
    match set.await {
        // A link takes the place of the password alone.
        Ok(Some(account)) if account.factor.is_some() => {
            Redirect::to(&in_language(&central, texts, "/sign-in")).into_response()
        }
        Ok(Some(_)) => {
            let at = in_language_path(&central, texts, "/");
            match welcome(&central, &login, &at).await {
                Ok(response) => response,
                Err(error) => busy(&central, texts, &error),
            }
        }
        Ok(None) => gone_page(&central, texts),
        Err(error) => busy(&central, texts, &error),
    }
}

/// A login and a name that a new account can have, or why not.
pub fn name_of(texts: &Texts, login: &str, name: &str) -> Result<Login, String> {
    let t = &texts.access;
    let login = login.trim().to_lowercase();
    let login: Login = login.parse().map_err(|_| t.login_shape.clone())?;
    if login.as_str().len() < 2
        || [CONSOLE, DELIVERY, "hailong", "central"].contains(&login.as_str())
    {
        return Err(t.login_shape.clone());
    }
    if name.is_empty() || name.chars().count() > LONGEST_NAME {
        return Err(t.name_shape.clone());
    }
    Ok(login)
}
