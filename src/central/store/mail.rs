//! What the store keeps of mail that goes out: what waits, what became of what was sent, and of which kiosks it told
//! that they are silent. No journal gives it, and nothing follows from it.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::ids::KioskId;
use crate::domain::time::At;

/// A mail to one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// What it tells and to whom: of two under one key the second is not posted.
    pub key: String,
    /// The address.
    pub to: String,
    /// What it is about, one line.
    pub subject: String,
    /// What it says, plain text.
    pub text: String,
}

/// What became of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailState {
    /// It is to be sent, for the first time or again.
    Waiting,
    /// It is on its way to the mail server.
    Sending,
    /// The mail server took it.
    Sent,
    /// The mail server refused it, or could not be reached for days.
    Refused,
    /// The line broke, or the service ended, while it was handed over: the mail server may have taken it. It is not
    /// sent again unless somebody asks for it.
    Unclear,
}

/// A mail, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// The mail.
    pub mail: Mail,
    /// When it was written.
    pub written: At,
    /// What became of it.
    pub state: MailState,
    /// When that was last decided.
    pub since: At,
    /// How often it was tried.
    pub tries: u32,
    /// What the mail server, or whatever stood in the way, said last.
    pub said: String,
}

/// What is to become of a mail that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The mail server took it.
    Sent,
    /// Not now: it is tried again at this moment.
    Again(At, String),
    /// It is not tried again.
    Refused(String),
    /// Nobody knows.
    Unclear(String),
}

/// Mail that goes out.
#[async_trait]
pub trait MailStore: Send + Sync + 'static {
    /// Posts mails, but for those whose key was used before, and remembers of which kiosks they tell that nothing is
    /// heard (since when) and of which that something is heard again; all of it or nothing.
    async fn post(
        &self,
        mails: Vec<Mail>,
        fell_silent: Vec<(KioskId, At)>,
        heard_again: Vec<KioskId>,
    ) -> Result<(), StoreError>;

    /// The kiosks of which it was told that nothing is heard, and since when.
    async fn told_silent(&self) -> Result<Vec<(KioskId, At)>, StoreError>;

    /// The last key that begins like this, in the order of text.
    async fn last_key(&self, begins: &str) -> Result<Option<String>, StoreError>;

    /// Takes the mail that has waited longest among those whose time has come: from then on it is being sent.
    async fn next_mail(&self) -> Result<Option<Posted>, StoreError>;

    /// Notes what became of a mail that was taken.
    async fn mail_done(&self, key: String, outcome: Outcome) -> Result<(), StoreError>;

    /// Of what was being sent when the service ended nobody knows whether it was.
    async fn mail_left_off(&self) -> Result<(), StoreError>;

    /// Sends a mail once more that was refused, or of which nobody knows; says whether there is one.
    async fn mail_again(&self, key: String) -> Result<bool, StoreError>;

    /// The mails posted last, the latest first, at most `most`.
    async fn mails(&self, most: usize) -> Result<Vec<Posted>, StoreError>;

    /// Forgets mails written before a moment, whatever became of them.
    async fn forget_mail(&self, before: At) -> Result<(), StoreError>;
}
