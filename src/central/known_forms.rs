//! All forms that a service knows: those of its files, and those that people put in force while it runs.

use std::sync::{Arc, PoisonError, RwLock};

use super::report;
use super::service::Central;
use super::store::StoreError;
use crate::domain::form::{BadForm, Form, Forms};

/// Forms that may become more. Clones know the same.
#[derive(Debug, Clone, Default)]
pub struct KnownForms(Arc<RwLock<Arc<Forms>>>);

impl From<Forms> for KnownForms {
    fn from(forms: Forms) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(forms))))
    }
}

impl KnownForms {
    /// All of them as of now.
    pub fn now(&self) -> Arc<Forms> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Knows more of them, which were checked. A version that is known already is replaced.
    pub fn add(&self, forms: impl IntoIterator<Item = Form>) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *known = Arc::new(Forms::new(known.iter().cloned().chain(forms)));
    }
}

/// Why a version was not put in force.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// It cannot follow what is known now.
    #[error("{}: {}", .0.path, .0.message)]
    Bad(#[from] BadForm),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Central {
    /// Puts a version of a form in force from its day on, which no kiosk has seen yet.
    ///
    /// # Errors
    /// When it cannot follow what is known, or the store refuses.
    pub async fn put_form(self: &Arc<Self>, form: Form, person: String) -> Result<(), PutError> {
        let central = Arc::clone(self);
        // To its end, even if nobody waits for it any more.
        let done = tokio::spawn(async move {
            let _one = central.offices.changing().await;
            central.forms().check_next(&form, central.now().date())?;
            let _placing = central.placing.read().await;
            central.store.put_form(form.clone(), person).await?;
            central.known_forms.add([form]);
            let kept = report::keep_setting(&central.config, &central.forms(), &central.offices());
            if let Err(error) = kept {
                tracing::error!(%error, "the setting beside the store is not of now");
            }
            Ok(())
        });
        done.await.map_err(|error| StoreError::Refused(error.to_string()))?
    }
}
