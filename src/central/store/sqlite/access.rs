//! Accounts in the database, and looks at figures as lines of the own series tell them.

use async_trait::async_trait;
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::SqliteStore;
use super::writing::Writer;
use crate::central::access::account::{Account, Invitation, Look, Session, Token};
use crate::central::access::{IDLE_MINUTES, LONGEST_MINUTES};
use crate::central::store::StoreError;
use crate::central::store::access::{AccessStore, Change};
use crate::domain::access::{Access, View};
use crate::domain::ids::{Hash, Login, OfficeCode};
use crate::domain::line::{Event, Line};
use crate::domain::time::At;

/// The same look is noted again after so many minutes.
const SAME_LOOK_MINUTES: i64 = 60;

fn text_of(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Refused(error.to_string()))
}

fn read_text<T: DeserializeOwned>(text: &str, what: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| StoreError::Damaged(format!("{what}: {error}")))
}

fn moment(text: String) -> Result<At, StoreError> {
    At::try_from(text).map_err(|_| StoreError::Damaged("a moment of access".into()))
}

fn login(text: String) -> Result<Login, StoreError> {
    text.try_into().map_err(|_| StoreError::Damaged("a login".into()))
}

fn account(db: &Connection, login: &Login) -> Result<Option<Account>, StoreError> {
    let text: Option<String> = db
        .prepare_cached("SELECT account FROM account WHERE login = ?")?
        .query_row([login.as_str()], |row| row.get(0))
        .optional()?;
    text.map(|text| read_text(&text, "an account")).transpose()
}

fn keep(db: &Connection, account: &Account) -> Result<(), StoreError> {
    db.execute(
        "INSERT OR REPLACE INTO account (login, account) VALUES (?, ?)",
        params![account.login.as_str(), text_of(account)?],
    )?;
    Ok(())
}

fn tokens(db: &Connection, login: &Login) -> Result<Vec<Token>, StoreError> {
    let mut select = db.prepare_cached("SELECT token FROM token WHERE login = ?")?;
    let rows = select.query_map([login.as_str()], |row| row.get::<_, String>(0))?;
    let read = |text: rusqlite::Result<String>| read_text::<Token>(&text?, "a token");
    let mut tokens = rows.map(read).collect::<Result<Vec<_>, _>>()?;
    tokens.sort_by_key(|token| token.made);
    Ok(tokens)
}

impl Writer {
    /// Writes lines of what `by` did.
    fn note_access(&mut self, by: &str, what: Vec<Access>) -> Result<(), StoreError> {
        let line = |access| Line {
            person: Some(by.to_owned()),
            access: Some(access),
            ..Line::draft(Event::Access)
        };
        let lines: Vec<_> = what.into_iter().map(|access| (line(access), vec![])).collect();
        if lines.is_empty() { Ok(()) } else { self.note(lines) }
    }

    /// What follows from a line of it: a look is remembered.
    pub(super) fn access(&self, line: &Line) -> Result<(), StoreError> {
        let (Some(person), Some(Access::Looked { office, from, to, view })) =
            (&line.person, &line.access)
        else {
            return Ok(());
        };
        self.db
            .prepare_cached(
                "INSERT INTO look (office, at, person, first, last, view) VALUES (?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                office.as_str(),
                line.at.to_string(),
                person,
                from.to_string(),
                to.to_string(),
                text_of(view)?,
            ])?;
        Ok(())
    }
}

fn look(row: &Row<'_>) -> Result<Look, StoreError> {
    let damaged = |_| StoreError::Damaged("a look".into());
    let day = |text: String| text.parse::<Date>().map_err(damaged);
    Ok(Look {
        at: moment(row.get(0)?)?,
        person: row.get(1)?,
        from: day(row.get(2)?)?,
        to: day(row.get(3)?)?,
        view: read_text(&row.get::<_, String>(4)?, "a look")?,
    })
}

#[async_trait]
impl AccessStore for SqliteStore {
    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT account FROM account ORDER BY login")?;
            let rows = select.query_map([], |row| row.get::<_, String>(0))?;
            rows.map(|text| read_text(&text?, "an account")).collect()
        })
        .await
    }

    async fn account(&self, login: &Login) -> Result<Option<Account>, StoreError> {
        let login = login.clone();
        self.read(move |db| account(db, &login)).await
    }

    async fn add_account(&self, added: Account, by: String) -> Result<bool, StoreError> {
        self.write(move |writer| {
            if account(&writer.db, &added.login)?.is_some() {
                return Ok(false);
            }
            keep(&writer.db, &added)?;
            let (login, standing) = (added.login, added.standing);
            writer.note_access(&by, vec![Access::Granted { login, standing }])?;
            Ok(true)
        })
        .await
    }

    async fn change_account(
        &self,
        login: Login,
        by: String,
        change: Change,
    ) -> Result<Option<Account>, StoreError> {
        self.write(move |writer| {
            let Some(mut account) = account(&writer.db, &login)? else { return Ok(None) };
            let Some(what) = change(&mut account) else { return Ok(None) };
            keep(&writer.db, &account)?;
            writer.note_access(&by, what)?;
            Ok(Some(account))
        })
        .await
    }

    async fn keep_session(&self, session: Session) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.db.execute(
                "INSERT INTO session (secret, login, begun, used) VALUES (?, ?, ?, ?)",
                params![
                    session.secret.0,
                    session.login.as_str(),
                    session.begun.to_string(),
                    session.used.to_string()
                ],
            )?;
            Ok(())
        })
        .await
    }

    async fn session(&self, secret: Hash) -> Result<Option<(Session, Account)>, StoreError> {
        self.read(move |db| {
            let row: Option<(String, String, String)> = db
                .prepare_cached("SELECT login, begun, used FROM session WHERE secret = ?")?
                .query_row([secret.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let Some((of, begun, used)) = row else { return Ok(None) };
            let of = login(of)?;
            let found = account(db, &of)?;
            let session = Session { secret, login: of, begun: moment(begun)?, used: moment(used)? };
            Ok(found.map(|account| (session, account)))
        })
        .await
    }

    async fn use_session(&self, secret: Hash, at: At) -> Result<(), StoreError> {
        self.write(move |writer| {
            let when = params![secret.0, at.to_string()];
            writer.db.execute("UPDATE session SET used = ?2 WHERE secret = ?1", when)?;
            Ok(())
        })
        .await
    }

    async fn end_session(&self, secret: Hash) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.db.execute("DELETE FROM session WHERE secret = ?", [secret.0])?;
            Ok(())
        })
        .await
    }

    async fn end_sessions(&self, login: Login, but: Option<Hash>) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.db.execute(
                "DELETE FROM session WHERE login = ?1 AND (?2 IS NULL OR secret <> ?2)",
                params![login.as_str(), but.map(|hash| hash.0)],
            )?;
            Ok(())
        })
        .await
    }

    async fn keep_token(&self, token: Token) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.db.execute(
                "INSERT INTO token (secret, login, token) VALUES (?, ?, ?)",
                params![token.secret.0, token.login.as_str(), text_of(&token)?],
            )?;
            let Token { login, name, rights, until, .. } = token;
            let by = login.to_string();
            writer.note_access(&by, vec![Access::TokenMade { login, name, rights, until }])
        })
        .await
    }

    async fn token(&self, secret: Hash) -> Result<Option<(Token, Account)>, StoreError> {
        self.read(move |db| {
            let text: Option<String> = db
                .prepare_cached("SELECT token FROM token WHERE secret = ?")?
                .query_row([secret.0], |row| row.get(0))
                .optional()?;
            let Some(text) = text else { return Ok(None) };
            let token: Token = read_text(&text, "a token")?;
            let found = account(db, &token.login)?;
            Ok(found.map(|account| (token, account)))
        })
        .await
    }

    async fn tokens(&self, login: &Login) -> Result<Vec<Token>, StoreError> {
        let login = login.clone();
        self.read(move |db| tokens(db, &login)).await
    }

    async fn end_tokens(
        &self,
        login: Login,
        name: Option<String>,
        by: String,
    ) -> Result<(), StoreError> {
        self.write(move |writer| {
            let mut ended = tokens(&writer.db, &login)?;
            ended.retain(|token| name.as_ref().is_none_or(|name| *name == token.name));
            for token in &ended {
                writer.db.execute("DELETE FROM token WHERE secret = ?", [token.secret.0])?;
            }
            let line = |Token { login, name, .. }| Access::TokenEnded { login, name };
            writer.note_access(&by, ended.into_iter().map(line).collect())
        })
        .await
    }

    async fn invite(&self, invitation: Invitation, by: String) -> Result<(), StoreError> {
        self.write(move |writer| {
            let Invitation { secret, login, until } = invitation;
            let of = login.as_ref().map(Login::as_str);
            writer.db.execute("DELETE FROM invitation WHERE login IS ?", [of])?;
            writer.db.execute(
                "INSERT INTO invitation (secret, login, until) VALUES (?, ?, ?)",
                params![secret.0, of, until.to_string()],
            )?;
            let line = login.map(|login| Access::Invited { login });
            writer.note_access(&by, line.into_iter().collect())
        })
        .await
    }

    async fn invitation(&self, secret: Hash) -> Result<Option<Invitation>, StoreError> {
        self.read(move |db| {
            let row: Option<(Option<String>, String)> = db
                .prepare_cached("SELECT login, until FROM invitation WHERE secret = ?")?
                .query_row([secret.0], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((of, until)) = row else { return Ok(None) };
            let login = of.map(login).transpose()?;
            Ok(Some(Invitation { secret, login, until: moment(until)? }))
        })
        .await
    }

    async fn take_invitation(&self, secret: Hash) -> Result<bool, StoreError> {
        self.write(move |writer| {
            let gone = writer.db.execute("DELETE FROM invitation WHERE secret = ?", [secret.0])?;
            Ok(gone > 0)
        })
        .await
    }

    async fn forget_access(&self, now: At) -> Result<(), StoreError> {
        self.write(move |writer| {
            let db = &writer.db;
            db.execute("DELETE FROM invitation WHERE until < ?", [now.to_string()])?;
            let (used, begun) =
                (now.plus_minutes(-IDLE_MINUTES), now.plus_minutes(-LONGEST_MINUTES));
            db.execute(
                "DELETE FROM session WHERE used < ? OR begun < ?",
                [used.to_string(), begun.to_string()],
            )?;
            let today = now.date().to_string();
            db.execute("DELETE FROM token WHERE json_extract(token, '$.until') < ?", [today])?;
            Ok(())
        })
        .await
    }

    async fn looked(
        &self,
        person: String,
        office: OfficeCode,
        (from, to): (Date, Date),
        view: View,
    ) -> Result<(), StoreError> {
        self.write(move |writer| {
            let now = At::new(writer.author.clock.now());
            let since = now.plus_minutes(-SAME_LOOK_MINUTES);
            let again: bool = writer
                .db
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM look WHERE office = ? AND at > ? AND person = ?
                     AND first = ? AND last = ? AND view = ?)",
                )?
                .query_row(
                    params![
                        office.as_str(),
                        since.to_string(),
                        person,
                        from.to_string(),
                        to.to_string(),
                        text_of(&view)?
                    ],
                    |row| row.get(0),
                )?;
            if again {
                return Ok(());
            }
            writer.note_access(&person, vec![Access::Looked { office, from, to, view }])
        })
        .await
    }

    async fn looks(
        &self,
        office: &OfficeCode,
        since: Date,
        most: usize,
    ) -> Result<Vec<Look>, StoreError> {
        let office = office.clone();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT at, person, first, last, view FROM look
                 WHERE office = ? AND at >= ? ORDER BY at DESC LIMIT ?",
            )?;
            let mut rows =
                select.query(params![office.as_str(), since.to_string(), most as i64])?;
            let mut looks = Vec::new();
            while let Some(row) = rows.next()? {
                looks.push(look(row)?);
            }
            Ok(looks)
        })
        .await
    }
}
