//! Mail that goes out, in the database.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::SqliteStore;
use super::writing::Writer;
use crate::central::store::StoreError;
use crate::central::store::mail::{Mail, MailState, MailStore, Outcome, Posted};
use crate::domain::ids::KioskId;
use crate::domain::time::At;

const COLUMNS: &str = "key, recipient, subject, text, written, state, since, tries, said";

fn damaged<T>(_: T) -> StoreError {
    StoreError::Damaged("a mail".into())
}

fn moment(text: String) -> Result<At, StoreError> {
    At::try_from(text).map_err(damaged)
}

fn name(state: MailState) -> &'static str {
    match state {
        MailState::Waiting => "waiting",
        MailState::Sending => "sending",
        MailState::Sent => "sent",
        MailState::Refused => "refused",
        MailState::Unclear => "unclear",
    }
}

fn posted(row: &Row<'_>) -> Result<Posted, StoreError> {
    let named: String = row.get(5)?;
    let all = [
        MailState::Waiting,
        MailState::Sending,
        MailState::Sent,
        MailState::Refused,
        MailState::Unclear,
    ];
    Ok(Posted {
        mail: Mail { key: row.get(0)?, to: row.get(1)?, subject: row.get(2)?, text: row.get(3)? },
        written: moment(row.get(4)?)?,
        state: all.into_iter().find(|one| name(*one) == named).ok_or_else(|| damaged(()))?,
        since: moment(row.get(6)?)?,
        tries: row.get(7)?,
        said: row.get(8)?,
    })
}

fn first(
    db: &Connection,
    select: &str,
    values: impl rusqlite::Params,
) -> Result<Option<Posted>, StoreError> {
    let mut select = db.prepare_cached(select)?;
    let mut rows = select.query(values)?;
    rows.next()?.map(posted).transpose()
}

impl Writer {
    fn set_mail(
        &self,
        key: &str,
        state: MailState,
        due: At,
        said: &str,
    ) -> Result<bool, StoreError> {
        let now = At::new(self.author.clock.now()).to_string();
        let changed = self.db.execute(
            "UPDATE mail SET state = ?2, since = ?3, due = ?4, said = ?5 WHERE key = ?1",
            params![key, name(state), now, due.to_string(), said],
        )?;
        Ok(changed > 0)
    }
}

#[async_trait]
impl MailStore for SqliteStore {
    async fn post(
        &self,
        mails: Vec<Mail>,
        fell_silent: Vec<(KioskId, At)>,
        heard_again: Vec<KioskId>,
    ) -> Result<(), StoreError> {
        self.write(move |writer| {
            let now = At::new(writer.author.clock.now()).to_string();
            for Mail { key, to, subject, text } in mails {
                writer.db.execute(
                    "INSERT OR IGNORE INTO mail
                     (key, recipient, subject, text, written, state, since, due, tries, said)
                     VALUES (?1, ?2, ?3, ?4, ?5, 'waiting', ?5, ?5, 0, '')",
                    params![key, to, subject, text, now],
                )?;
            }
            for (kiosk, since) in fell_silent {
                writer.db.execute(
                    "INSERT OR IGNORE INTO told_silent (kiosk, since) VALUES (?, ?)",
                    params![kiosk.as_str(), since.to_string()],
                )?;
            }
            for kiosk in heard_again {
                writer.db.execute("DELETE FROM told_silent WHERE kiosk = ?", [kiosk.as_str()])?;
            }
            Ok(())
        })
        .await
    }

    async fn told_silent(&self) -> Result<Vec<(KioskId, At)>, StoreError> {
        self.read(|db| {
            let mut select = db.prepare_cached("SELECT kiosk, since FROM told_silent")?;
            let mut rows = select.query([])?;
            let mut told = Vec::new();
            while let Some(row) = rows.next()? {
                let kiosk = row.get::<_, String>(0)?.try_into().map_err(damaged)?;
                told.push((kiosk, moment(row.get(1)?)?));
            }
            Ok(told)
        })
        .await
    }

    async fn last_key(&self, begins: &str) -> Result<Option<String>, StoreError> {
        let begins = begins.to_owned();
        self.read(move |db| {
            let mut select = db.prepare_cached(
                "SELECT max(key) FROM mail WHERE key >= ?1 AND substr(key, 1, length(?1)) = ?1",
            )?;
            Ok(select.query_row([begins], |row| row.get(0))?)
        })
        .await
    }

    async fn next_mail(&self) -> Result<Option<Posted>, StoreError> {
        self.write(|writer| {
            let now = At::new(writer.author.clock.now());
            let select = format!(
                "SELECT {COLUMNS} FROM mail WHERE state = 'waiting' AND due <= ?
                 ORDER BY due, key LIMIT 1"
            );
            let Some(mut next) = first(&writer.db, &select, [now.to_string()])? else {
                return Ok(None);
            };
            writer.set_mail(&next.mail.key, MailState::Sending, now, &next.said)?;
            next.tries += 1;
            writer.db.execute(
                "UPDATE mail SET tries = ?2 WHERE key = ?1",
                params![next.mail.key, next.tries],
            )?;
            next.state = MailState::Sending;
            next.since = now;
            Ok(Some(next))
        })
        .await
    }

    async fn mail_done(&self, key: String, outcome: Outcome) -> Result<(), StoreError> {
        self.write(move |writer| {
            let now = At::new(writer.author.clock.now());
            let (state, due, said) = match outcome {
                Outcome::Sent => (MailState::Sent, now, String::new()),
                Outcome::Again(due, said) => (MailState::Waiting, due, said),
                Outcome::Refused(said) => (MailState::Refused, now, said),
                Outcome::Unclear(said) => (MailState::Unclear, now, said),
            };
            writer.set_mail(&key, state, due, &said).map(drop)
        })
        .await
    }

    async fn mail_left_off(&self) -> Result<(), StoreError> {
        self.write(|writer| {
            let now = At::new(writer.author.clock.now()).to_string();
            writer.db.execute(
                "UPDATE mail SET state = 'unclear', since = ? WHERE state = 'sending'",
                [now],
            )?;
            Ok(())
        })
        .await
    }

    async fn mail_again(&self, key: String) -> Result<bool, StoreError> {
        self.write(move |writer| {
            let ended: Option<bool> = writer
                .db
                .query_row(
                    "SELECT state IN ('refused', 'unclear') FROM mail WHERE key = ?",
                    [&key],
                    |row| row.get(0),
                )
                .optional()?;
            if ended != Some(true) {
                return Ok(false);
            }
            // Days are counted from now on.
            let now = At::new(writer.author.clock.now());
            writer.db.execute(
                "UPDATE mail SET written = ?2, tries = 0 WHERE key = ?1",
                params![key, now.to_string()],
            )?;
            writer.set_mail(&key, MailState::Waiting, now, "")
        })
        .await
    }

    async fn mails(&self, most: usize) -> Result<Vec<Posted>, StoreError> {
        self.read(move |db| {
            let select = format!("SELECT {COLUMNS} FROM mail ORDER BY written DESC, key LIMIT ?");
            let mut select = db.prepare_cached(&select)?;
            let mut rows = select.query([most as i64])?;
            let mut mails = Vec::new();
            while let Some(row) = rows.next()? {
                mails.push(posted(row)?);
            }
            Ok(mails)
        })
        .await
    }

    async fn forget_mail(&self, before: At) -> Result<(), StoreError> {
        self.write(move |writer| {
            writer.db.execute("DELETE FROM mail WHERE written < ?", [before.to_string()])?;
            Ok(())
        })
        .await
    }
}
