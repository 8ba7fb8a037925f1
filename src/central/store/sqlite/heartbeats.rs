//! What kiosks said of themselves last. Nothing follows from it.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::{decisions, reading};
use crate::central::store::{Heard, Heartbeat, StoreError};
use crate::domain::fingerprint::fingerprint;
use crate::domain::ids::{Hash, KioskId};
use crate::domain::time::At;

pub(super) fn keep(db: &Connection, kiosk: &KioskId, said: &Heartbeat) -> Result<(), StoreError> {
    let condition = serde_json::to_string(&said.condition)
        .map_err(|error| StoreError::Refused(error.to_string()))?;
    db.prepare_cached(
        "INSERT INTO heartbeat (kiosk, received, condition) VALUES (?1, ?2, ?3)
         ON CONFLICT (kiosk) DO UPDATE SET received = ?2, condition = ?3",
    )?
    .execute(params![kiosk.as_str(), said.received.to_string(), condition])?;
    Ok(())
}

pub(super) fn heard(db: &Connection) -> Result<Vec<Heard>, StoreError> {
    let mut batches = HashMap::new();
    let mut statement = db.prepare_cached("SELECT id, last_heard FROM kiosk")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let at: Option<String> = row.get(1)?;
        batches.insert(row.get::<_, String>(0)?, at.and_then(|at| At::try_from(at).ok()));
    }
    let mut heartbeats = HashMap::new();
    let mut statement = db.prepare_cached("SELECT kiosk, received, condition FROM heartbeat")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (received, condition): (String, String) = (row.get(1)?, row.get(2)?);
        // One that cannot be read is as good as none: the next one comes in a few minutes.
        if let (Ok(received), Ok(condition)) =
            (At::try_from(received), serde_json::from_str(&condition))
        {
            heartbeats.insert(row.get::<_, String>(0)?, Heartbeat { received, condition });
        }
    }
    let confirmed = decisions::confirmed(db)?;
    let kiosks = reading::kiosks(db)?.into_iter().map(|kiosk| Heard {
        fingerprint: fingerprint(kiosk.key.as_bytes()),
        confirmed: confirmed.contains(&(kiosk.id.clone(), Hash::of(kiosk.key.as_bytes()))),
        enrolled: kiosk.enrolled,
        batch: batches.get(kiosk.id.as_str()).copied().flatten(),
        heartbeat: heartbeats.remove(kiosk.id.as_str()),
        id: kiosk.id,
        office: kiosk.office,
        counters: kiosk.counters,
        standing: kiosk.standing,
    });
    Ok(kiosks.collect())
}
