//! Handing a mail over to the mail server, and telling what is certain of it afterwards.

use lettre::message::{Mailbox, header};
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::response::Severity;
use std::time::Duration;

use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::config::{MailConfig, Security};
use crate::central::store::mail::Mail;
use crate::domain::ids::Hash;
use tokio::time::timeout;

/// A mail server is waited for so long, each time that it is asked for something.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why a mail was not sent, or not for certain; what the mail server said.
#[derive(Debug, thiserror::Error)]
pub enum Unsent {
    /// No mail goes out now: the mail server is not reached, or does not let this service in.
    #[error("{0}")]
    NoWay(String),
    /// It did not go out; it may later.
    #[error("{0}")]
    NotNow(String),
    /// It did not go out, and will not as it is.
    #[error("{0}")]
    Refused(String),
    /// The line broke while it was handed over.
    #[error("{0}")]
    Unclear(String),
}

/// The way to the mail server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// As the configuration says; no connection is made yet.
    ///
    /// # Errors
    /// When the server's name cannot be one, or this machine trusts nobody.
    pub fn new(config: &MailConfig) -> Result<Self, lettre::transport::smtp::Error> {
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server);
        let tls = match config.security {
            Security::None => Tls::None,
            Security::Starttls => Tls::Required(TlsParameters::new(config.server.clone())?),
            Security::Tls => Tls::Wrapper(TlsParameters::new(config.server.clone())?),
        };
        let mut builder = builder.port(config.port).tls(tls);
        if let Some(credentials) = &config.credentials {
            builder = builder.credentials(credentials.clone());
        }
        Ok(Self { transport: builder.build(), from: config.from.clone() })
    }

    /// Hands a mail over.
    ///
    /// # Errors
    /// What is certain when it was not taken.
    pub async fn send(&self, mail: &Mail) -> Result<(), Unsent> {
        let message = self.message(mail).map_err(|error| Unsent::Refused(error.to_string()))?;
        // What stands in the way of every mail is found before this one is on its way.
        let silent = "the mail server does not answer";
        match timeout(PATIENCE, self.transport.test_connection()).await {
            Ok(Ok(true)) => {}
            Ok(Ok(false)) | Err(_) => return Err(Unsent::NoWay(silent.into())),
            Ok(Err(error)) => return Err(Unsent::NoWay(said(&error))),
        }
        let Ok(sent) = timeout(PATIENCE, self.transport.send(message)).await else {
            return Err(Unsent::Unclear(silent.into()));
        };
        sent.map(drop).map_err(|error| {
            let said = said(&error);
            match error.status().map(|code| code.severity) {
                Some(Severity::PermanentNegativeCompletion) => Unsent::Refused(said),
                Some(_) => Unsent::NotNow(said),
                None if error.is_tls() => Unsent::NoWay(said),
                None if error.is_client() => Unsent::Refused(said),
                None => Unsent::Unclear(said),
            }
        })
    }

    fn message(&self, mail: &Mail) -> Result<Message, Box<dyn std::error::Error>> {
        // The same mail has the same name each time, by which mailboxes know it again.
        let name = data_encoding::HEXLOWER.encode(&Hash::of(mail.key.as_bytes()).0[..16]);
        Ok(Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, mail.to.parse()?))
            .subject(&mail.subject)
            .message_id(Some(format!("<{name}@{}>", self.from.email.domain())))
            // No machine answers it (RFC 3834).
            .raw_header(header::HeaderValue::new(
                header::HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ))
            .header(header::ContentType::TEXT_PLAIN)
            .body(mail.text.clone())?)
    }
}

/// An error with what is behind it, on one line.
fn said(error: &lettre::transport::smtp::Error) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
