//! The section `[mail]` of `central.toml`.

use std::path::{Path, PathBuf};

use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use serde::Deserialize;
use toml::Spanned;

use crate::config::{ConfigError, Source};
use crate::domain::ids::OfficeCode;
use crate::texts::Texts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::central) struct MailFile {
    server: Spanned<String>,
    port: Option<u16>,
    #[serde(default)]
    security: Security,
    from: Spanned<String>,
    user: Option<String>,
    password_file: Option<Spanned<PathBuf>>,
    to: Spanned<Vec<RecipientFile>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecipientFile {
    address: Spanned<String>,
    office: Option<OfficeCode>,
    language: Option<Spanned<String>>,
}

/// How the line to the mail server is kept from being read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// By STARTTLS (RFC 3207), without which nothing is sent; port 587 unless another is named.
    #[default]
    Starttls,
    /// By TLS from the first byte on (RFC 8314); port 465 unless another is named.
    Tls,
    /// It is not: only to a mail server on the same machine; port 25 unless another is named.
    None,
}

/// Who gets mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: String,
    /// Of which office; without one, of all of them in one mail.
    pub office: Option<OfficeCode>,
    /// In which language; without one, in that of rest.
    pub language: Option<String>,
}

/// Where mail is handed over and who gets it.
#[derive(Debug, Clone)]
pub struct MailConfig {
    /// The mail server.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How the line to it is kept from being read.
    pub security: Security,
    /// Whom mails are from.
    pub from: Mailbox,
    /// How this service proves that it may send, if it has to.
    pub credentials: Option<Credentials>,
    /// Who gets mail.
    pub to: Vec<Recipient>,
}

impl MailConfig {
    pub(in crate::central) fn read(
        source: &Source<'_>,
        base: &Path,
        read: MailFile,
        texts: &[Texts],
    ) -> Result<Self, ConfigError> {
        let server = read.server.get_ref();
        let here = ["localhost", "127.0.0.1", "::1"].contains(&server.as_str());
        if server.is_empty() || server.contains([':', '/', '@', ' ']) && !here {
            let expected = "expected a mail server's name alone, such as mail.hungyen.gov.vn; its port stands in port";
            return Err(source.error(read.server.span(), expected));
        }
        if read.security == Security::None && !here {
            let expected = "expected a mail server on this machine (localhost); to any other, leave out \
                            security = \"none\": figures and the password would go over the line in the clear";
            return Err(source.error(read.server.span(), expected));
        }
        let from = read.from.get_ref().parse::<Mailbox>().map_err(|_| {
            let expected = "expected an address such as Hài Lòng <hailong@hungyen.gov.vn>";
            source.error(read.from.span(), expected)
        })?;
        let credentials = match (read.user, &read.password_file) {
            (None, None) => None,
            (Some(user), Some(file)) => {
                let password = std::fs::read_to_string(base.join(file.get_ref()));
                let password = password.map_err(|error| source.error(file.span(), error))?;
                Some(Credentials::new(user, password.trim_end_matches(['\r', '\n']).to_owned()))
            }
            (Some(_), None) | (None, Some(_)) => {
                let expected = "expected user and password_file together, or neither";
                return Err(source.error(read.from.span(), expected));
            }
        };
        let to = read.to.get_ref().iter().map(|to| recipient(source, to, texts));
        let to = to.collect::<Result<Vec<_>, _>>()?;
        if to.is_empty() {
            return Err(source.error(read.to.span(), "expected at least one [[mail.to]]"));
        }
        let port = read.port.unwrap_or(match read.security {
            Security::Starttls => 587,
            Security::Tls => 465,
            Security::None => 25,
        });
        let (server, security) = (read.server.into_inner(), read.security);
        Ok(Self { server, port, security, from, credentials, to })
    }
}

fn recipient(
    source: &Source<'_>,
    read: &RecipientFile,
    texts: &[Texts],
) -> Result<Recipient, ConfigError> {
    let address = read.address.get_ref();
    if address.parse::<lettre::Address>().is_err() {
        let expected = "expected an address such as chu-tich.phusa@hungyen.gov.vn";
        return Err(source.error(read.address.span(), expected));
    }
    if let Some(language) = &read.language
        && !texts.iter().any(|one| one.language == *language.get_ref())
    {
        return Err(source.error(language.span(), "expected the language of one of the texts"));
    }
    Ok(Recipient {
        address: address.clone(),
        office: read.office.clone(),
        language: read.language.as_ref().map(|one| one.get_ref().clone()),
    })
}
