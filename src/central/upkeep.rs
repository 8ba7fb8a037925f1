//! What falls due by itself while the service runs: the root of a day that is over, words and answers
//! whose time is over, and what makes check codes quick to find.

use std::convert::Infallible;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;

use super::service::Central;
use super::store::StoreError;
use super::{decide, report, roots};
use crate::domain::period::Period;

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(60);

/// Does what is due for as long as the service runs; what fails is tried again.
pub async fn keep(central: Arc<Central>) -> Infallible {
    let mut erased = None;
    loop {
        let before = erased;
        look(&central, &mut erased).await;
        if erased != before {
            remember(&central).await;
        }
        central.clock.sleep(LOOK).await;
    }
}

/// Remembers what is usual at each office, and then the months of a year, so that the first one to look after a start or a
/// night need not wait for them.
async fn remember(central: &Central) {
    let today = central.now().date();
    let of_a_year = Period::new(today.saturating_sub(1.year()).first_of_month(), today);
    for period in iter::once(Period::day(today)).chain(of_a_year) {
        for directory in central.offices().iter() {
            if let Err(error) = central.summaries(directory).of_period(period).await {
                tracing::debug!(%error, office = %directory.office.code, "nothing to remember");
            }
        }
    }
}

/// Does what is due now; `erased` is the last day on which what was over was erased.
pub async fn look(central: &Central, erased: &mut Option<Date>) {
    if let Err(error) = roots::make(central).await {
        tracing::error!(%error, "no root yet");
    }
    let today = central.now().date();
    if *erased != Some(today) {
        // Offices may be others from today on.
        let _one = central.offices.changing().await;
        let kept = report::keep_setting(&central.config, &central.forms(), &central.offices());
        if let Err(error) = kept {
            tracing::error!(%error, "the setting beside the store is not of today");
        }
        match erase(central, today).await {
            Ok(()) => *erased = Some(today),
            Err(error) => tracing::error!(%error, "what is over is not erased yet"),
        }
    }
    if let Err(error) = central.store.gather_codes().await {
        tracing::error!(%error, "check codes not gathered");
    }
}

/// Erases words and answers whose time is over, and sessions, tokens and links that are; once a day is
/// enough.
async fn erase(central: &Central, today: Date) -> Result<(), StoreError> {
    let (store, config) = (central.store.as_ref(), &central.config);
    store.forget_access(central.now()).await?;
    decide::erase_old_words(store, today, config.keep_words_days).await?;
    decide::erase_old_answers(store, today, config.keep_answers_days).await
}
