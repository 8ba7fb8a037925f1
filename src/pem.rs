//! Certificates and private keys in PEM files, as offices get them from their administrators.

use std::path::{Path, PathBuf};

use rustls::RootCertStore;
use rustls::pki_types::pem::{Error, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why a PEM file is of no use.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It is not there, or not for us to read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// It is cut or was changed.
    #[error("{0} is damaged: {1:?}")]
    Damaged(PathBuf, Error),
    /// There is no certificate in it.
    #[error("{0} holds no certificate; expected PEM text with -----BEGIN CERTIFICATE-----")]
    NoCertificate(PathBuf),
    /// What it calls a certificate is none.
    #[error("{0} holds something that is not a certificate: {1}")]
    NotACertificate(PathBuf, rustls::Error),
    /// There is no key in it that opens without a password.
    #[error(
        "{0} holds no private key that opens without a password; expected PEM text with -----BEGIN \
         PRIVATE KEY-----"
    )]
    NoKey(PathBuf),
}

/// All certificates of a file, at least one.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = read(file)?;
    let certificates = CertificateDer::pem_slice_iter(&text)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| PemError::Damaged(file.to_owned(), error))?;
    if certificates.is_empty() {
        return Err(PemError::NoCertificate(file.to_owned()));
    }
    Ok(certificates)
}

/// All certificate authorities of a file, at least one.
pub fn authorities(file: &Path) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let certificates = certificates(file)?;
    let mut trusted = RootCertStore::empty();
    for certificate in &certificates {
        trusted
            .add(certificate.clone())
            .map_err(|error| PemError::NotACertificate(file.to_owned(), error))?;
    }
    Ok(certificates)
}

/// The first private key of a file.
pub fn private_key(file: &Path) -> Result<PrivateKeyDer<'static>, PemError> {
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|error| match error {
        Error::NoItemsFound => PemError::NoKey(file.to_owned()),
        error => PemError::Damaged(file.to_owned(), error),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, PemError> {
    std::fs::read(file).map_err(|error| PemError::Unreadable(file.to_owned(), error))
}
