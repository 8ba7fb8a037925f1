//! What the store keeps of accounts: the part of it that no journal gives, but for its lines.

use async_trait::async_trait;
use jiff::civil::Date;

use super::StoreError;
use crate::central::access::account::{Account, Invitation, Look, Session, Token};
use crate::domain::access::{Access, View};
use crate::domain::ids::{Hash, Login, OfficeCode};
use crate::domain::time::At;

/// Changes an account in place, and says what lines tell of it; none when it is not to be changed.
pub type Change = Box<dyn FnOnce(&mut Account) -> Option<Vec<Access>> + Send>;

/// Accounts and what proves who somebody is.
#[async_trait]
pub trait AccessStore: Send + Sync + 'static {
    /// All accounts, by login.
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;

    /// The account of a login.
    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError>;

    /// Adds an account, and writes a line that `by` did it; says whether the login was free.
    async fn add_account(&self, account: Account, by: String) -> Result<bool, StoreError>;

    /// Changes an account, and writes lines that `by` did it, in one transaction. Gives the account as it is
    /// then; none when there is none, or it was not changed.
    async fn change_account(
        &self,
        login: Login,
        by: String,
        change: Change,
    ) -> Result<Option<Account>, StoreError>;

    /// Keeps who signed in.
    async fn keep_session(&self, session: Session) -> Result<(), StoreError>;

    /// A session by its secret's hash, and its account.
    async fn session(&self, secret: Hash) -> Result<Option<(Session, Account)>, StoreError>;

    /// Notes that a session was used.
    async fn use_session(&self, secret: Hash, at: At) -> Result<(), StoreError>;

    /// Ends a session.
    async fn end_session(&self, secret: Hash) -> Result<(), StoreError>;

    /// Ends all sessions of an account but one.
    async fn end_sessions(&self, login: Login, but: Option<Hash>) -> Result<(), StoreError>;

    /// Keeps a token, and writes a line of it.
    async fn keep_token(&self, token: Token) -> Result<(), StoreError>;

    /// A token by its secret's hash, and its account.
    async fn token(&self, secret: Hash) -> Result<Option<(Token, Account)>, StoreError>;

    /// The tokens of an account, the first made first.
    async fn tokens(&self, login: &Login) -> Result<Vec<Token>, StoreError>;

    /// Ends an account's tokens of a name, or all of them, and writes lines that `by` did it.
    async fn end_tokens(
        &self,
        login: Login,
        name: Option<String>,
        by: String,
    ) -> Result<(), StoreError>;

    /// Keeps a link in the place of those that the account had, and writes a line of it if it is an
    /// account's.
    async fn invite(&self, invitation: Invitation, by: String) -> Result<(), StoreError>;

    /// A link by its secret's hash.
    async fn invitation(&self, secret: Hash) -> Result<Option<Invitation>, StoreError>;

    /// Ends a link; says whether it was there.
    async fn take_invitation(&self, secret: Hash) -> Result<bool, StoreError>;

    /// Forgets sessions, tokens and links that are over.
    async fn forget_access(&self, now: At) -> Result<(), StoreError>;

    /// Writes a line that a person looked at figures of an office's officials, unless one of the last hour
    /// says the same.
    async fn looked(
        &self,
        person: String,
        office: OfficeCode,
        days: (Date, Date),
        view: View,
    ) -> Result<(), StoreError>;

    /// Who looked at figures of an office's officials since a day, the latest first, at most `most`.
    async fn looks(
        &self,
        office: &OfficeCode,
        since: Date,
        most: usize,
    ) -> Result<Vec<Look>, StoreError>;
}
