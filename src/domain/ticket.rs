//! A ticket: what the QR code carries, so that one citizen can answer once, on their own phone.
//!
//! 13 bytes of claims and 16 bytes of HMAC-SHA-256 under the kiosk's ticket key, in base32: capitals
//! and digits only, so the QR code stays small. The ticket says which contact it is for and nothing
//! of what was answered.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

use super::ids::Epoch;
use super::time::At;

const DOMAIN: &[u8] = b"hailong ticket 1";
const VERSION: u8 = 1;
const CLAIMS: usize = 13;
const MAC: usize = 16;
/// 2026-01-01T00:00:00Z in seconds.
const ORIGIN: i64 = 1_767_225_600;
/// A ticket is valid this long by the central service's clock.
pub const VALID_MINUTES: i64 = 7 * 24 * 60;

/// The secret under which a kiosk makes tickets.
pub type TicketKey = [u8; 32];

/// What a ticket says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claims {
    /// The kiosk's number, below 2^24.
    pub kiosk: u32,
    /// `seq` of the contact's opening line.
    pub seq: u32,
    /// Minute of the opening since 2026-01-01T00:00Z, below 2^24.
    pub minute: u32,
    /// First two bytes of the epoch.
    pub epoch: u16,
}

/// A ticket that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTicket {
    /// Not a ticket, or not of any kiosk's key.
    #[error("the ticket is not valid")]
    NotValid,
    /// The contact cannot be named by a ticket: a number or clock beyond its range.
    #[error("the contact cannot be put on a ticket")]
    OutOfRange,
}

impl Claims {
    /// The claims for a contact opened at `at` as line `seq`.
    pub fn new(kiosk: u32, seq: u64, epoch: Epoch, at: At) -> Result<Self, BadTicket> {
        let minute = (at.timestamp().as_second() - ORIGIN).div_euclid(60);
        match (u32::try_from(seq), u32::try_from(minute)) {
            (Ok(seq), Ok(minute)) if kiosk < 1 << 24 && minute < 1 << 24 => {
                Ok(Self { kiosk, seq, minute, epoch: epoch.prefix() })
            }
            _ => Err(BadTicket::OutOfRange),
        }
    }

    /// The minute of the opening.
    pub fn opened(&self) -> At {
        let seconds = ORIGIN + i64::from(self.minute) * 60;
        At::new(Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    /// Whether the ticket has expired by a clock that shows `now`.
    pub fn expired(&self, now: At) -> bool {
        now > self.opened().plus_minutes(VALID_MINUTES)
    }

    fn bytes(&self) -> [u8; CLAIMS] {
        let mut bytes = [0; CLAIMS];
        bytes[0] = VERSION;
        bytes[1..4].copy_from_slice(&self.kiosk.to_be_bytes()[1..]);
        bytes[4..8].copy_from_slice(&self.seq.to_be_bytes());
        bytes[8..11].copy_from_slice(&self.minute.to_be_bytes()[1..]);
        bytes[11..13].copy_from_slice(&self.epoch.to_be_bytes());
        bytes
    }

    /// The ticket's text: 47 capitals and digits.
    pub fn ticket(&self, key: &TicketKey) -> String {
        let claims = self.bytes();
        let mut ticket = claims.to_vec();
        if let Some(mac) = mac(key, &claims) {
            ticket.extend(&mac.finalize().into_bytes()[..MAC]);
        }
        data_encoding::BASE32_NOPAD.encode(&ticket)
    }

    /// The kiosk number that a ticket claims, before anything of it is believed.
    pub fn claimed_kiosk(ticket: &str) -> Option<u32> {
        let mut number = None;
        let _ = Self::read(ticket, |claimed| {
            number = Some(claimed);
            None
        });
        number
    }

    /// Reads a ticket; `key_of` gives the ticket key of the kiosk with a number.
    pub fn read(
        ticket: &str,
        key_of: impl FnOnce(u32) -> Option<TicketKey>,
    ) -> Result<Self, BadTicket> {
        if ticket.len() > 64 {
            return Err(BadTicket::NotValid);
        }
        let raw = data_encoding::BASE32_NOPAD
            .decode(ticket.to_ascii_uppercase().as_bytes())
            .map_err(|_| BadTicket::NotValid)?;
        let raw: [u8; CLAIMS + MAC] = raw.try_into().map_err(|_| BadTicket::NotValid)?;
        let (claims, tag) = raw.split_at(CLAIMS);
        if claims[0] != VERSION {
            return Err(BadTicket::NotValid);
        }
        let three =
            |from: usize| u32::from_be_bytes([0, claims[from], claims[from + 1], claims[from + 2]]);
        let read = Self {
            kiosk: three(1),
            seq: u32::from_be_bytes([claims[4], claims[5], claims[6], claims[7]]),
            minute: three(8),
            epoch: u16::from_be_bytes([claims[11], claims[12]]),
        };
        let key = key_of(read.kiosk).ok_or(BadTicket::NotValid)?;
        let mac = mac(&key, claims).ok_or(BadTicket::NotValid)?;
        mac.verify_truncated_left(tag).map_err(|_| BadTicket::NotValid)?;
        Ok(read)
    }
}

fn mac(key: &TicketKey, claims: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(DOMAIN);
    mac.update(claims);
    Some(mac)
}

/// Whether an address fits the alphabet of an alphanumeric QR code: capitals, digits and
/// ` $%*+-./:`.
pub fn fits_qr(address: &str) -> bool {
    address
        .bytes()
        .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b" $%*+-./:".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: TicketKey = [42; 32];

    fn claims() -> Claims {
        let at = At::try_from("2026-11-24T08:15:22.123+07:00".to_owned()).unwrap();
        Claims::new(3, 41, Epoch(0x9f3c_0a5b_e1d2_7744), at).unwrap()
    }

    #[test]
    fn a_ticket_is_read_back_and_fits_a_small_qr_code() {
        let ticket = claims().ticket(&KEY);
        assert_eq!(ticket.len(), 47);
        assert!(fits_qr(&ticket));
        assert_eq!(Claims::read(&ticket, |n| (n == 3).then_some(KEY)), Ok(claims()));
        assert_eq!(Claims::read(&ticket.to_lowercase(), |_| Some(KEY)), Ok(claims()));
        assert_eq!(claims().opened().to_string(), "2026-11-24T08:15:00.000+07:00");
    }

    #[test]
    fn a_ticket_changed_anywhere_is_not_valid() {
        let ticket = claims().ticket(&KEY);
        for place in 0..ticket.len() {
            let mut changed = ticket.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(Claims::read(&changed, |_| Some(KEY)), Err(BadTicket::NotValid));
        }
        for bad in ["", "A", "0189", &"A".repeat(1_000)] {
            assert_eq!(Claims::read(bad, |_| Some(KEY)), Err(BadTicket::NotValid));
        }
        assert_eq!(Claims::read(&ticket, |_| Some([0; 32])), Err(BadTicket::NotValid));
        assert_eq!(Claims::read(&ticket, |_| None), Err(BadTicket::NotValid));
    }

    #[test]
    fn a_ticket_lives_seven_days() {
        let opened = claims().opened();
        assert!(!claims().expired(opened.plus_minutes(VALID_MINUTES)));
        assert!(claims().expired(opened.plus_minutes(VALID_MINUTES + 1)));
    }
}
