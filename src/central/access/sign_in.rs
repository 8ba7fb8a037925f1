//! Proving who somebody is: a password, and a second factor if they set one.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use rand::Rng;
use sha2::Sha256;
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use super::account::{Account, MOST_LETTERS, Password, Session, draw_secret};
use super::factor::{Shared, hash_of_recovery};
use crate::central::check::PACE;
use crate::central::service::Central;
use crate::central::source::Gate;
use crate::central::store::StoreError;
use crate::domain::attempts::Attempts;
use crate::domain::ids::{Hash, Login};
use crate::domain::system_random;
use crate::source::Peer;

/// Passwords hashed at once: each takes a processor for a while, and 19 MiB.
const AT_ONCE: usize = 2;

/// Logins of which wrong passwords are remembered at once. Those that there are not are among them: else
/// waiting would tell which there are.
const MOST_REMEMBERED: usize = 10_000;

/// Why somebody is not let in.
#[derive(Debug)]
pub enum Refusal {
    /// Login, password or code is wrong: which of them is not told.
    Wrong,
    /// The password is right, and a code is needed, too.
    CodeNeeded,
    /// Too often: again after so many seconds.
    Wait(u32),
    /// The store.
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What is remembered between two tries. All of it is forgotten when the service ends.
pub struct SignIns {
    /// Of each account, apart for browsers in which its holder signed in before.
    attempts: Mutex<HashMap<(Login, bool), Attempts>>,
    gate: Gate,
    hashing: Semaphore,
    /// Links that sign in without a password: a demo's.
    doors: Mutex<HashMap<Hash, Login>>,
}

impl SignIns {
    /// Of a listener; where `proxied`, the nearest proxy says who asks.
    pub fn new(proxied: bool) -> Self {
        Self {
            attempts: Mutex::default(),
            gate: Gate::new(PACE, proxied),
            hashing: Semaphore::new(AT_ONCE),
            doors: Mutex::default(),
        }
    }

    /// Keeps a source to its pace.
    pub fn pace(&self, peer: Peer, headers: &HeaderMap) -> Result<(), Refusal> {
        self.gate.ask(peer, headers).map_err(Refusal::Wait)
    }

    /// Whose account it is, if login, password and, where one is set, the code are right.
    pub async fn check(
        &self,
        central: &Central,
        (login, password, code): (&str, &str, &str),
        known_browser: bool,
    ) -> Result<Account, Refusal> {
        let login: Login = login.trim().to_lowercase().parse().map_err(|_| Refusal::Wrong)?;
        let account = central.store.account(&login).await?.filter(|account| !account.closed);
        let of = (login, known_browser);
        let kept = account.as_ref().and_then(|account| account.password);
        // A password that nobody can have set is not worth a computation.
        let sane = password.chars().count() <= MOST_LETTERS;
        let is_right = {
            let _turn = self.turn().await?;
            // Only now: those that wait for their turn have not been wrong yet.
            self.wait(&of, central)?;
            sane && is(kept.unwrap_or(Password::NOBODYS), password).await
        };
        let Some(account) = account.filter(|_| is_right) else {
            return Err(self.wrong(of, central));
        };
        if account.factor.is_none() {
            self.right(&of);
            return Ok(account);
        }
        if code.trim().is_empty() {
            return Err(Refusal::CodeNeeded);
        }
        match self.second(central, &account, code).await? {
            Some(account) => {
                self.right(&of);
                Ok(account)
            }
            None => Err(self.wrong(of, central)),
        }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        let turn = self.hashing.acquire().await;
        turn.map_err(|error| StoreError::Refused(error.to_string()))
    }

    /// A new password's hash.
    pub async fn hash(&self, password: &str) -> Result<Password, StoreError> {
        let refused = |error: &dyn std::fmt::Display| StoreError::Refused(error.to_string());
        let _turn = self.turn().await?;
        let password = Zeroizing::new(password.to_owned());
        let hashed = tokio::task::spawn_blocking(move || Password::new(&password)).await;
        hashed.map_err(|error| refused(&error))?.map_err(|error| refused(&error))
    }

    /// Takes a code of the second factor, or one for paper; each once.
    async fn second(
        &self,
        central: &Central,
        account: &Account,
        code: &str,
    ) -> Result<Option<Account>, StoreError> {
        let key = central.keys.factors.clone();
        let second = central.now().timestamp().as_second();
        let (login, code) = (account.login.clone(), Zeroizing::new(code.to_owned()));
        let of = login.clone();
        let take = move |account: &mut Account| {
            let factor = account.factor.as_mut()?;
            let shared = Shared::open(&key, &of, &factor.sealed)?;
            if let Some(step) = shared.step_of(&code, second) {
                if step <= factor.last_step {
                    return None;
                }
                factor.last_step = step;
                return Some(Vec::new());
            }
            let hash = hash_of_recovery(&code);
            let place = factor.recovery.iter().position(|kept| *kept == hash)?;
            factor.recovery.remove(place);
            Some(Vec::new())
        };
        central.store.change_account(login.clone(), login.to_string(), Box::new(take)).await
    }

    fn wait(&self, of: &(Login, bool), central: &Central) -> Result<(), Refusal> {
        let attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let left = attempts.get(of).map_or(0, |attempts| attempts.left_s(central.now()));
        if left > 0 { Err(Refusal::Wait(u32::try_from(left).unwrap_or(u32::MAX))) } else { Ok(()) }
    }

    fn wrong(&self, of: (Login, bool), central: &Central) -> Refusal {
        tracing::warn!(login = %of.0, known_browser = of.1, "wrong login, password or code");
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        if attempts.len() >= MOST_REMEMBERED {
            // Whoever need not wait has little to lose; when all of them do, somebody tries logins out.
            attempts.retain(|_, attempts| attempts.left_s(central.now()) > 0);
            if attempts.len() >= MOST_REMEMBERED {
                attempts.clear();
            }
        }
        attempts.entry(of).or_default().wrong(central.now());
        Refusal::Wrong
    }

    fn right(&self, of: &(Login, bool)) {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).remove(of);
    }

    /// A path that signs in under an account as often as it is opened, until the service ends: for a
    /// demo, whose accounts nobody has a password of.
    pub fn open_door(&self, login: Login) -> String {
        let (secret, hash) = draw_secret();
        self.doors.lock().unwrap_or_else(PoisonError::into_inner).insert(hash, login);
        format!("/enter/{}", *secret)
    }

    /// Whose door a secret opens.
    pub fn door(&self, secret: &str) -> Option<Login> {
        let doors = self.doors.lock().unwrap_or_else(PoisonError::into_inner);
        doors.get(&Hash::of(secret.as_bytes())).cloned()
    }
}

/// Whether a password is the one kept.
async fn is(kept: Password, password: &str) -> bool {
    let password = Zeroizing::new(password.to_owned());
    tokio::task::spawn_blocking(move || kept.is(&password)).await.unwrap_or(false)
}

/// Begins a session; gives the secret for the browser.
pub async fn begin(central: &Central, login: &Login) -> Result<Zeroizing<String>, StoreError> {
    let (text, secret) = draw_secret();
    let now = central.now();
    let session = Session { secret, login: login.clone(), begun: now, used: now };
    central.store.keep_session(session).await?;
    tracing::info!(%login, "signed in");
    Ok(text)
}

fn mac(key: &[u8; 32], what: &str, of: &[u8]) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return String::new() };
    mac.update(what.as_bytes());
    mac.update(of);
    data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
}

/// What forms of a session carry, and no other site knows.
pub fn form_secret(central: &Central, session: Hash) -> String {
    mac(&central.keys.browsers, "form\n", &session.0)
}

/// What is left in a browser in which somebody signed in.
pub fn browser_mark(central: &Central, login: &Login) -> String {
    let mut nonce = [0; 16];
    system_random().fill_bytes(&mut nonce);
    let nonce = data_encoding::HEXLOWER.encode(&nonce);
    let of = format!("{login}\n{nonce}");
    format!("{nonce}{}", mac(&central.keys.browsers, "browser\n", of.as_bytes()))
}

/// Whether the holder of an account signed in before in the browser with this mark.
pub fn knows_browser(central: &Central, login: &str, mark: &str) -> bool {
    let Some((nonce, made)) = mark.split_at_checked(32) else { return false };
    let of = format!("{}\n{nonce}", login.trim().to_lowercase());
    same(made, &mac(&central.keys.browsers, "browser\n", of.as_bytes()))
}

/// Whether two secrets are the same; time does not tell how much of them is.
pub fn same(one: &str, other: &str) -> bool {
    subtle::ConstantTimeEq::ct_eq(one.as_bytes(), other.as_bytes()).into()
}
