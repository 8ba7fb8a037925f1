//! Accounts as a command on the service's own machine manages them, while the service does not run: whoever
//! may read its folder needs no account.

use std::path::Path;

use super::TOKEN_DAYS;
use super::account::Account;
use super::account_page::draw_token;
use super::accounts_page::{invite, new_account};
use crate::central::offline::{Offline, OfflineError};
use crate::central::service::ServiceError;
use crate::central::store::access::AccessStore;
use crate::central::store::{Store, StoreError};
use crate::domain::access::{Access, BadStanding, CONSOLE, Right, Standing};
use crate::domain::ids::Login;
use crate::domain::time::At;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum ConsoleError {
    /// The folder.
    #[error(transparent)]
    Offline(#[from] OfflineError),
    /// The service runs.
    #[error(
        "{0} is in use by a running hailong: sign in there as an administrator, “Tài khoản” (Accounts) \
         does the same"
    )]
    InUse(String),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody can be that.
    #[error(transparent)]
    Standing(#[from] BadStanding),
    /// It names what is not here, or what there is already.
    #[error("{0}")]
    NotHere(String),
}

impl ConsoleError {
    /// Whether asking otherwise would help.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Offline(error) => error.is_usage(),
            Self::Store(_) => false,
            Self::InUse(_) | Self::Standing(_) | Self::NotHere(_) => true,
        }
    }
}

fn with<T>(
    folder: &Path,
    work: impl AsyncFnOnce(&Offline) -> Result<T, ConsoleError>,
) -> Result<T, ConsoleError> {
    let here = Offline::take(folder).map_err(|error| match error {
        OfflineError::Service(ServiceError::InUse(folder)) => ConsoleError::InUse(folder),
        other => other.into(),
    })?;
    here.runtime.block_on(async {
        let done = work(&here).await;
        here.store.close().await?;
        done
    })
}

fn unknown(login: &Login) -> ConsoleError {
    ConsoleError::NotHere(format!("there is no account {login}"))
}

/// Adds an account; gives the address at which its holder sets a password, once.
pub fn add(
    folder: &Path,
    login: Login,
    name: &str,
    standing: Standing,
) -> Result<String, ConsoleError> {
    standing.check()?;
    with(folder, async |here| {
        if let Some(code) = &standing.unit.0 {
            let known = here.setting.offices.iter().find(|one| one.office.code == *code);
            let directory =
                known.ok_or_else(|| ConsoleError::NotHere(format!("no office {code} is here")))?;
            if let Some(id) = &standing.official
                && directory.official(id).is_none()
            {
                let why = format!("no official {id} in the office's officials.csv");
                return Err(ConsoleError::NotHere(why));
            }
        }
        let now = At::new(here.clock.now());
        let account = new_account(login.clone(), name, standing, now);
        if !here.store.add_account(account, CONSOLE.to_owned()).await? {
            return Err(ConsoleError::NotHere(format!("there is an account {login} already")));
        }
        link_of(here, login).await
    })
}

async fn link_of(here: &Offline, login: Login) -> Result<String, ConsoleError> {
    let now = At::new(here.clock.now());
    let path = invite(&here.store, Some(login), CONSOLE.to_owned(), now).await?;
    Ok(format!("{}{path}", here.setting.staff_url))
}

/// A new link for an account's holder, in the place of their password's if they forgot it.
pub fn link(folder: &Path, login: Login) -> Result<String, ConsoleError> {
    with(folder, async |here| {
        here.store.account(&login).await?.ok_or_else(|| unknown(&login))?;
        link_of(here, login).await
    })
}

/// Closes an account, and ends what was begun under it.
pub fn close(folder: &Path, login: Login) -> Result<(), ConsoleError> {
    with(folder, async |here| {
        let of = login.clone();
        let change = move |account: &mut Account| {
            account.closed = true;
            Some(vec![Access::Closed { login: of }])
        };
        let by = CONSOLE.to_owned();
        let closed = here.store.change_account(login.clone(), by, Box::new(change)).await?;
        closed.ok_or_else(|| unknown(&login))?;
        here.store.end_sessions(login.clone(), None).await?;
        here.store.end_tokens(login, None, CONSOLE.to_owned()).await?;
        Ok(())
    })
}

/// All accounts.
pub fn list(folder: &Path) -> Result<Vec<Account>, ConsoleError> {
    with(folder, async |here| Ok(here.store.accounts().await?))
}

/// Makes a token for an account; gives its secret, which is told once.
pub fn token(
    folder: &Path,
    login: Login,
    name: &str,
    rights: Vec<Right>,
    days: i32,
) -> Result<String, ConsoleError> {
    with(folder, async |here| {
        let account = here.store.account(&login).await?.ok_or_else(|| unknown(&login))?;
        let cannot = |right: &&Right| !right.is_for_tokens() || !account.standing.may(**right);
        if let Some(right) = rights.iter().find(cannot) {
            let why = format!("{login} has no right {right} that a token could have");
            return Err(ConsoleError::NotHere(why));
        }
        if !(1..=TOKEN_DAYS).contains(&days) {
            return Err(ConsoleError::NotHere(format!("--days: expected 1 to {TOKEN_DAYS}")));
        }
        if here.store.tokens(&login).await?.iter().any(|token| token.name == name) {
            return Err(ConsoleError::NotHere(format!("{login} has a token {name} already")));
        }
        let (token, text) = draw_token(At::new(here.clock.now()), login, name, rights, days);
        here.store.keep_token(token).await?;
        Ok(text)
    })
}
