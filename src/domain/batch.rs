//! A batch: up to 500 lines of one epoch with their sealed bodies, as one signed request.
//!
//! Request body = header line (JSON), newline, one zstd frame. The signature covers the header
//! line, the header carries the hashes of the packed frame and of the line part; so a batch is
//! judged before anything is unpacked, and its signature outlives the erasure of bodies.

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use serde::{Deserialize, Serialize};

use super::ids::{Epoch, Hash, KioskId};
use super::seal::Kind;
use super::series::SealedBody;

/// Most lines in one batch.
pub const MAX_LINES: usize = 500;
/// Most bytes of a request: header, newline and packed frame.
pub const MAX_PACKED: usize = 1 << 20;
/// Most bytes of the unpacked frame.
pub const MAX_UNPACKED: usize = 8 << 20;

const SIGNED: &[u8] = b"hailong batch 1\n";
const LEVEL: i32 = 3;

/// What a batch says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Whose series.
    pub kiosk: KioskId,
    /// The epoch of all lines here.
    pub epoch: Epoch,
    /// Number of the epoch's `started` line.
    pub start: u64,
    /// Number of the first line here.
    pub first: u64,
    /// How many lines, 1..=500.
    pub count: u32,
    /// Hash of the line before `first`.
    pub prev: Hash,
    /// Hash of the last line here.
    pub head: Hash,
    /// HPKE encapsulation of the epoch, 64 hex digits.
    #[serde(with = "hex32")]
    pub enc: [u8; 32],
    /// The opening key that `enc` is for, see [`super::seal::SealingKey::id`].
    pub key: String,
    /// SHA-256 of the line part of the unpacked frame.
    pub lines: Hash,
    /// SHA-256 of the packed frame.
    pub frame: Hash,
}

impl Header {
    /// Reads a header line and checks that its numbers can be.
    pub fn read(line: &[u8]) -> Result<Self, BadBatch> {
        let header: Self =
            serde_json::from_slice(line).map_err(|error| BadBatch::Header(error.to_string()))?;
        if header.count == 0 || header.count as usize > MAX_LINES {
            return Err(BadBatch::Numbers("count is 1 to 500"));
        }
        if header.start == 0 || header.first < header.start || header.last() > i64::MAX as u64 {
            return Err(BadBatch::Numbers("1 ≤ start ≤ first, and the last fits 63 bits"));
        }
        if header.last() - header.start >= super::seal::MAX_STEPS {
            return Err(BadBatch::Numbers("an epoch has at most 1,000,000 lines"));
        }
        Ok(header)
    }

    /// Number of the last line here.
    pub fn last(&self) -> u64 {
        // Also asked of headers that nobody has judged yet.
        self.first.saturating_add(u64::from(self.count)).saturating_sub(1)
    }
}

mod hex32 {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&data_encoding::HEXLOWER.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        data_encoding::HEXLOWER
            .decode(text.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(|| serde::de::Error::custom("expected 64 lower hex digits"))
    }
}

/// Why a batch is refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBatch {
    /// No header line, or not one of ours.
    #[error("the request does not begin with a batch header: {0}")]
    Header(String),
    /// Counts or numbers that cannot be.
    #[error("the header's numbers cannot be: {0}")]
    Numbers(&'static str),
    /// The signature is not that of the kiosk's key.
    #[error("the signature is not by this kiosk's key")]
    Signature,
    /// The frame was cut or damaged on the way.
    #[error("the frame is not the one that the header names")]
    Frame,
    /// The frame does not hold what the header says.
    #[error("the frame does not hold what the header says: {0}")]
    Content(&'static str),
    /// More than [`MAX_UNPACKED`] bytes.
    #[error("the frame unpacks to more than 8 MiB")]
    TooLarge,
}

/// The lines of a batch and their bodies, unpacked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// Each line preceded by its length, as sent; never rewritten.
    pub line_part: Vec<u8>,
    /// The bodies as sent, of kinds known here or not; see [`read_body_part`].
    pub body_part: Vec<u8>,
    /// The bodies of known kinds.
    pub bodies: Vec<SealedBody>,
    /// Numbers of lines with a body of a kind that is not known here.
    pub strange: Vec<u64>,
}

impl Content {
    /// The lines one by one.
    pub fn lines(&self) -> Lines<'_> {
        Lines { rest: &self.line_part }
    }
}

/// Walks a line part; ends early where it is damaged.
#[derive(Debug, Clone)]
pub struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// The lines of a stored line part.
    pub fn of(line_part: &'a [u8]) -> Self {
        Self { rest: line_part }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];
    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let (line, rest) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        self.rest = rest;
        Some(line)
    }
}

/// What a batch is made of.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// Whose series.
    pub kiosk: &'a KioskId,
    /// The epoch.
    pub epoch: Epoch,
    /// Number of its `started` line.
    pub start: u64,
    /// Its encapsulation.
    pub enc: [u8; 32],
    /// The opening key that this is for.
    pub key: &'a str,
    /// Number of the first line here.
    pub first: u64,
    /// Hash of the line before.
    pub prev: Hash,
    /// The lines, in order.
    pub lines: &'a [Vec<u8>],
    /// Their bodies.
    pub bodies: &'a [SealedBody],
}

/// A batch ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The header.
    pub header: Header,
    /// The request's body.
    pub request: Vec<u8>,
    /// The value of `Hailong-Signature`.
    pub signature: String,
}

/// Packs and signs a batch.
///
/// # Errors
/// [`BadBatch::Numbers`] without lines or with too many, [`BadBatch::TooLarge`] when packed or
/// unpacked size is over the limit: then take fewer lines.
pub fn pack(parts: &Parts<'_>, key: &dyn Signer<Signature>) -> Result<Packed, BadBatch> {
    if parts.lines.is_empty() || parts.lines.len() > MAX_LINES {
        return Err(BadBatch::Numbers("1 to 500 lines"));
    }
    let line_part = line_part(parts.lines);
    let mut frame = line_part.clone();
    frame.extend(body_part(parts.bodies));
    if frame.len() > MAX_UNPACKED {
        return Err(BadBatch::TooLarge);
    }
    let packed = zstd::bulk::compress(&frame, LEVEL).map_err(|_| BadBatch::TooLarge)?;
    let header = Header {
        kiosk: parts.kiosk.clone(),
        epoch: parts.epoch,
        start: parts.start,
        first: parts.first,
        count: parts.lines.len() as u32,
        prev: parts.prev,
        head: parts.lines.last().map_or(parts.prev, |line| Hash::of(line)),
        enc: parts.enc,
        key: parts.key.to_owned(),
        lines: Hash::of(&line_part),
        frame: Hash::of(&packed),
    };
    let mut request =
        serde_json::to_vec(&header).map_err(|error| BadBatch::Header(error.to_string()))?;
    let signature = sign(key, SIGNED, &request);
    request.push(b'\n');
    request.extend(packed);
    if request.len() > MAX_PACKED {
        return Err(BadBatch::TooLarge);
    }
    Ok(Packed { header, request, signature })
}

/// The line part of a frame.
pub fn line_part(lines: &[Vec<u8>]) -> Vec<u8> {
    let mut part = Vec::with_capacity(lines.iter().map(|line| line.len() + 4).sum());
    for line in lines {
        part.extend((line.len() as u32).to_be_bytes());
        part.extend(line);
    }
    part
}

/// The body part of a frame, as it is also stored.
pub fn body_part(bodies: &[SealedBody]) -> Vec<u8> {
    let mut part = Vec::with_capacity(bodies.iter().map(|body| body.bytes.len() + 11).sum());
    for body in bodies {
        part.extend(body.seq.to_be_bytes());
        part.push(body.kind as u8);
        part.extend((body.bytes.len() as u16).to_be_bytes());
        part.extend(&body.bytes);
    }
    part
}

/// Reads a body part: the bodies of known kinds, and the numbers of lines with a body of another
/// kind, as a later version of a kiosk may write it.
pub fn read_body_part(mut rest: &[u8]) -> Result<(Vec<SealedBody>, Vec<u64>), BadBatch> {
    let mut bodies = Vec::new();
    let mut strange = Vec::new();
    while let Some((head, tail)) = rest.split_first_chunk::<11>() {
        let [s0, s1, s2, s3, s4, s5, s6, s7, kind, l0, l1] = *head;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let (bytes, tail) =
            tail.split_at_checked(length).ok_or(BadBatch::Content("a body is cut"))?;
        let seq = u64::from_be_bytes([s0, s1, s2, s3, s4, s5, s6, s7]);
        match Kind::from_number(kind) {
            Some(kind) => bodies.push(SealedBody { seq, kind, bytes: bytes.to_vec() }),
            None => strange.push(seq),
        }
        rest = tail;
    }
    if rest.is_empty() { Ok((bodies, strange)) } else { Err(BadBatch::Content("a body is cut")) }
}

/// A request split at its header, before any trust in it.
#[derive(Debug, Clone)]
pub struct Unverified<'a> {
    /// What it claims.
    pub header: Header,
    /// The bytes that were signed.
    pub header_line: &'a [u8],
    frame: &'a [u8],
}

impl<'a> Unverified<'a> {
    /// Reads the header line and checks that its numbers can be.
    pub fn read(request: &'a [u8]) -> Result<Self, BadBatch> {
        let end = request
            .iter()
            .take(4_096)
            .position(|b| *b == b'\n')
            .ok_or_else(|| BadBatch::Header("no newline in the first 4,096 bytes".into()))?;
        let header_line = &request[..end];
        let header = Header::read(header_line)?;
        Ok(Self { header, header_line, frame: &request[end + 1..] })
    }

    /// Checks signature and frame, then unpacks within the limits.
    pub fn verify(
        self,
        signature: &str,
        key: &VerifyingKey,
        unpacker: &mut Unpacker,
    ) -> Result<(Header, Content), BadBatch> {
        if !verify(key, SIGNED, self.header_line, signature) {
            return Err(BadBatch::Signature);
        }
        if Hash::of(self.frame) != self.header.frame {
            return Err(BadBatch::Frame);
        }
        let content = unpacker.unpack(self.frame, self.header.count)?;
        if Hash::of(&content.line_part) != self.header.lines {
            return Err(BadBatch::Content("another line part"));
        }
        Ok((self.header, content))
    }
}

/// Reads a batch as it is stored: header line, signature, line part and body part. One of `keys` must
/// have signed it.
///
/// Signature, numbers and lines are checked as when it came; the frame cannot be, since it was
/// unpacked, and bodies may have been erased since.
pub fn read_stored(
    header_line: &[u8],
    signature: &str,
    line_part: Vec<u8>,
    body_part: Vec<u8>,
    keys: &[VerifyingKey],
) -> Result<(Header, Content), BadBatch> {
    let header = Header::read(header_line)?;
    if !keys.iter().any(|key| verify(key, SIGNED, header_line, signature)) {
        return Err(BadBatch::Signature);
    }
    if Hash::of(&line_part) != header.lines {
        return Err(BadBatch::Content("another line part"));
    }
    let (bodies, strange) = read_body_part(&body_part)?;
    let content = Content { line_part, body_part, bodies, strange };
    if content.lines().count() != header.count as usize {
        return Err(BadBatch::Content("another number of lines"));
    }
    Ok((header, content))
}

/// Unpacks frames one after another in the same memory: of [`MAX_UNPACKED`] bytes at most, however
/// much a frame blows up to, and however many come.
#[derive(Default)]
pub struct Unpacker {
    decoder: zstd::bulk::Decompressor<'static>,
    unpacked: Vec<u8>,
}

impl Unpacker {
    fn unpack(&mut self, frame: &[u8], count: u32) -> Result<Content, BadBatch> {
        self.unpacked.clear();
        // What is reserved and never written to takes no memory.
        self.unpacked.reserve_exact(MAX_UNPACKED);
        self.decoder.decompress_to_buffer(frame, &mut self.unpacked).map_err(|error| {
            if error.to_string().starts_with("Destination buffer is too small") {
                BadBatch::TooLarge
            } else {
                BadBatch::Content("not a zstd frame")
            }
        })?;
        let mut lines = Lines::of(&self.unpacked);
        for _ in 0..count {
            lines.next().ok_or(BadBatch::Content("fewer lines than counted"))?;
        }
        let (line_part, body_part) = self.unpacked.split_at(self.unpacked.len() - lines.rest.len());
        let (bodies, strange) = read_body_part(body_part)?;
        let (line_part, body_part) = (line_part.to_vec(), body_part.to_vec());
        Ok(Content { line_part, body_part, bodies, strange })
    }
}

/// Signs `bytes` under a domain prefix: Ed25519, base64url without padding.
pub fn sign(key: &dyn Signer<Signature>, domain: &[u8], bytes: &[u8]) -> String {
    let signature = key.sign(&[domain, bytes].concat());
    data_encoding::BASE64URL_NOPAD.encode(&signature.to_bytes())
}

/// Whether `signature` is by `key` over `bytes` under the same domain prefix.
pub fn verify(key: &VerifyingKey, domain: &[u8], bytes: &[u8], signature: &str) -> bool {
    data_encoding::BASE64URL_NOPAD
        .decode(signature.as_bytes())
        .ok()
        .and_then(|raw| Signature::from_slice(&raw).ok())
        .is_some_and(|signature| key.verify_strict(&[domain, bytes].concat(), &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::SigningKey;

    fn example(lines: &[Vec<u8>]) -> (Packed, SigningKey) {
        let key = SigningKey::from_bytes(&[7; 32]);
        let kiosk = "ps-q3".parse().unwrap();
        let bodies = [SealedBody { seq: 5, kind: Kind::Level, bytes: vec![9; 136] }];
        let parts = Parts {
            kiosk: &kiosk,
            epoch: Epoch(3),
            start: 4,
            enc: [1; 32],
            key: "0011223344556677",
            first: 5,
            prev: Hash::NONE,
            lines,
            bodies: &bodies,
        };
        (pack(&parts, &key).unwrap(), key)
    }

    #[test]
    fn a_batch_arrives_as_it_was_sent() {
        let lines = [b"{\"one\":1}".to_vec(), b"{\"two\":2}".to_vec()];
        let (packed, key) = example(&lines);
        let unverified = Unverified::read(&packed.request).unwrap();
        let (header, content) = unverified
            .verify(&packed.signature, &key.verifying_key(), &mut Unpacker::default())
            .unwrap();
        assert_eq!(header, packed.header);
        assert_eq!(header.last(), 6);
        assert_eq!(content.lines().collect::<Vec<_>>(), lines);
        assert_eq!(content.bodies.len(), 1);
    }

    #[test]
    fn a_batch_cut_or_changed_at_any_byte_is_refused() {
        let (packed, key) = example(&[b"{\"one\":1}".to_vec()]);
        let check = |request: &[u8]| {
            Unverified::read(request)?.verify(
                &packed.signature,
                &key.verifying_key(),
                &mut Unpacker::default(),
            )
        };
        for cut in 0..packed.request.len() {
            assert!(check(&packed.request[..cut]).is_err(), "cut at {cut}");
        }
        for changed in 0..packed.request.len() {
            let mut request = packed.request.clone();
            request[changed] ^= 1;
            assert!(check(&request).is_err(), "changed at {changed}");
        }
        assert!(check(&packed.request).is_ok());
    }

    #[test]
    fn a_frame_that_blows_up_is_stopped_at_the_limit() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let bomb = zstd::bulk::compress(&vec![0; MAX_UNPACKED * 4], 3).unwrap();
        assert!(bomb.len() < 10_000);
        let (packed, _) = example(&[b"{}".to_vec()]);
        let header = Header { frame: Hash::of(&bomb), ..packed.header };
        let mut request = serde_json::to_vec(&header).unwrap();
        let signature = sign(&key, SIGNED, &request);
        request.push(b'\n');
        request.extend(bomb);
        let verdict = Unverified::read(&request).unwrap().verify(
            &signature,
            &key.verifying_key(),
            &mut Unpacker::default(),
        );
        assert_eq!(verdict, Err(BadBatch::TooLarge));
    }
}
