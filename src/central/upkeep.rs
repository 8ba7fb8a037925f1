//! What falls due by itself while the service runs: the root of a day that is over, words and answers
//! whose time is over, and what makes check codes quick to find.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use super::service::Central;
use super::{decide, roots};

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(60);

/// Does what is due for as long as the service runs; what fails is tried again.
pub async fn keep(central: Arc<Central>) -> Infallible {
    let store = central.store.as_ref();
    loop {
        if let Err(error) = roots::make(&central).await {
            tracing::error!(%error, "no root yet");
        }
        let (today, keep) = (central.now().date(), &central.config);
        if let Err(error) = decide::erase_old_words(store, today, keep.keep_words_days).await {
            tracing::error!(%error, "words whose time is over are not erased yet");
        }
        if let Err(error) = decide::erase_old_answers(store, today, keep.keep_answers_days).await {
            tracing::error!(%error, "answers whose time is over are not erased yet");
        }
        if let Err(error) = store.gather_codes().await {
            tracing::error!(%error, "check codes not gathered");
        }
        central.clock.sleep(LOOK).await;
    }
}
