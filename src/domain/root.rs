//! The root of a day: what the central service had received by midnight, in one signed statement.
//!
//! A statement holds the root of a Merkle tree (RFC 9162, SHA-256) over the hashes of all lines
//! stored since the statement before, in the order stored, and the hash of that statement; the
//! hashes of the kiosk list and of all findings; and the digests of the summaries that follow from
//! all of it. Whoever kept the hash of one statement can tell whether anything of that day, or of
//! any day before, was added, changed or taken away since. A line that comes late stands under a
//! later day's root.

use std::collections::BTreeMap;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{InclusionProof, RootHash};
use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::batch::{sign, verify};
use super::ids::{Hash, OfficeCode};
use super::time::At;

const SIGNED: &[u8] = b"hailong root 1\n";
const RENEWED: &[u8] = b"hailong root key 1\n";

/// What is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Version of the contract, 1.
    pub v: u8,
    /// Number of the statement, from 1.
    pub number: u64,
    /// The day that was over when this was made: it covers what was stored by then, and what came
    /// in the moments after midnight.
    pub day: Date,
    /// Hash of the statement before; [`Hash::NONE`] for the first.
    pub previous: Hash,
    /// How many lines.
    pub lines: u64,
    /// Root of the tree over their hashes.
    pub root: Hash,
    /// Hash of when each batch was received, see `docs/protocol.md`; statements of earlier versions
    /// have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received: Option<Hash>,
    /// Hash of the kiosk list, see `docs/protocol.md`.
    pub kiosks: Hash,
    /// Hash of the findings: quarantine, conflicts, breaks, forks, lost journals, clocks.
    pub findings: Hash,
    /// Digests of the summaries, as published when this was made, of the days that were over since
    /// the statement before; more than one when the service was down at midnight.
    pub summaries: BTreeMap<Date, BTreeMap<OfficeCode, Hash>>,
    /// The rules by which those were made, [`FORMULA`](super::summary::FORMULA); statements of before there were others
    /// have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub formula: Option<u32>,
    /// In the first that another key signs than the one before: how that one vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Renewed>,
    /// When this was made.
    pub at: At,
}

/// When batches were received, in the order stored: what [`Statement::received`] is the hash of.
#[derive(Clone, Default)]
pub struct Arrivals(Sha256);

impl Arrivals {
    /// The next batch: its signature, and when it was received.
    pub fn push(&mut self, signature: &str, received: &str) {
        let row = serde_json::json!(["batch", signature, received]);
        self.0.update(row.to_string());
        self.0.update(b"\n");
    }

    /// The hash of all so far.
    pub fn hash(&self) -> Hash {
        Hash(self.0.clone().finalize().into())
    }
}

/// A root key that takes the place of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Renewed {
    /// The new key, 64 hex digits.
    pub key: String,
    /// Ed25519 by the key before over `hailong root key 1\n` and the 32 bytes of the new one,
    /// base64url.
    pub by_former: String,
}

impl Renewed {
    /// The one key vouches for the other.
    pub fn by(former: &SigningKey, key: &VerifyingKey) -> Self {
        Self {
            key: data_encoding::HEXLOWER.encode(key.as_bytes()),
            by_former: sign(former, RENEWED, key.as_bytes()),
        }
    }

    /// The new key, if `former` vouches for it.
    pub fn verify(&self, former: &VerifyingKey) -> Option<VerifyingKey> {
        let key = verifying_key(&self.key)?;
        verify(former, RENEWED, key.as_bytes(), &self.by_former).then_some(key)
    }
}

/// A statement's bytes with their signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// The statement as signed: JSON without spaces.
    pub statement: String,
    /// Ed25519 over `hailong root 1\n` and the statement, base64url.
    pub signature: String,
}

/// A root that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRoot {
    /// Not a statement.
    #[error("not a statement")]
    Statement,
    /// Signed by another key, or by none.
    #[error("not signed by the root key")]
    Signature,
}

impl Root {
    /// Signs a statement.
    pub fn sign(statement: &Statement, key: &SigningKey) -> Result<Self, BadRoot> {
        let statement = serde_json::to_string(statement).map_err(|_| BadRoot::Statement)?;
        Ok(Self { signature: sign(key, SIGNED, statement.as_bytes()), statement })
    }

    /// The statement, if `key` signed it.
    pub fn verify(&self, key: &VerifyingKey) -> Result<Statement, BadRoot> {
        if !verify(key, SIGNED, self.statement.as_bytes(), &self.signature) {
            return Err(BadRoot::Signature);
        }
        serde_json::from_str(&self.statement).map_err(|_| BadRoot::Statement)
    }

    /// The statement and the key that signed it: `key`, or another that `key` vouches for.
    pub fn verify_after(&self, key: &VerifyingKey) -> Result<(Statement, VerifyingKey), BadRoot> {
        if let Ok(statement) = self.verify(key) {
            return Ok((statement, *key));
        }
        let claimed: Statement =
            serde_json::from_str(&self.statement).map_err(|_| BadRoot::Statement)?;
        let renewed = claimed.renewed.and_then(|renewed| renewed.verify(key));
        let renewed = renewed.ok_or(BadRoot::Signature)?;
        Ok((self.verify(&renewed)?, renewed))
    }

    /// What anchors it: the hash of the statement, 64 hex digits to write down or to hand over.
    pub fn anchor(&self) -> Hash {
        Hash::of(self.statement.as_bytes())
    }
}

/// The root of a tree that only grows, in the memory of its height: what stands beside the way to the
/// next line, the highest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Growing {
    beside: Vec<Hash>,
    lines: u64,
}

impl Growing {
    /// Adds the hash of the next line.
    pub fn push(&mut self, line: Hash) {
        let mut node = node(0, &[line]);
        self.lines += 1;
        // Each whole pair of halves becomes the node above them.
        for _ in 0..self.lines.trailing_zeros() {
            if let Some(left) = self.beside.pop() {
                node = self::node(1, &[left, node]);
            }
        }
        self.beside.push(node);
    }

    /// How many lines.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// The root of all of them; of no lines the hash of nothing.
    pub fn root(&self) -> Hash {
        let up = self.beside.iter().rev().copied();
        up.reduce(|right, left| node(1, &[left, right])).unwrap_or_else(|| Hash::of(b""))
    }
}

fn node(kind: u8, parts: &[Hash]) -> Hash {
    let mut hash = Sha256::new_with_prefix([kind]);
    parts.iter().for_each(|part| hash.update(part.0));
    Hash(hash.finalize().into())
}

/// The tree over the hashes of lines, for proofs: [`Growing`] makes its root with less.
pub struct Tree(MemoryBackedTree<Sha256, [u8; 32]>);

impl FromIterator<Hash> for Tree {
    fn from_iter<I: IntoIterator<Item = Hash>>(lines: I) -> Self {
        let mut tree = MemoryBackedTree::new();
        for line in lines {
            tree.push(line.0);
        }
        Self(tree)
    }
}

impl Tree {
    /// Its root; of no lines the hash of nothing.
    pub fn root(&self) -> Hash {
        Hash((*self.0.root().as_bytes()).into())
    }

    /// How many lines.
    pub fn lines(&self) -> u64 {
        self.0.len()
    }

    /// Proves that the line at `place` (from 0) is in the tree: the hashes beside its way to the
    /// root, the lowest first. None when there is no such place.
    pub fn prove_line(&self, place: u64) -> Option<Vec<Hash>> {
        let place = usize::try_from(place).ok().filter(|_| place < self.lines())?;
        Some(hashes(self.0.prove_inclusion(place).as_bytes()))
    }
}

fn hashes(proof: &[u8]) -> Vec<Hash> {
    proof.as_chunks::<32>().0.iter().map(|hash| Hash(*hash)).collect()
}

fn bytes(proof: &[Hash]) -> Vec<u8> {
    proof.iter().flat_map(|hash| hash.0).collect()
}

fn root_hash(root: Hash, lines: u64) -> RootHash<Sha256> {
    RootHash::new(root.0.into(), lines)
}

/// Whether `proof` shows that `line` stands at `place` under a root over `lines` lines.
pub fn proves_line(proof: &[Hash], line: Hash, place: u64, root: Hash, lines: u64) -> bool {
    InclusionProof::try_from_bytes(bytes(proof))
        .is_ok_and(|proof| root_hash(root, lines).verify_inclusion(&line.0, place, &proof).is_ok())
}

/// A root as published, and as whoever keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// Hash of the statement: what to write down, and what `hailong verify --anchor` takes.
    pub anchor: Hash,
    /// The root.
    #[serde(flatten)]
    pub root: Root,
    /// The key that signed it, 64 hex digits.
    pub key: String,
}

impl Published {
    /// The key, if it is one.
    pub fn verifying_key(&self) -> Option<VerifyingKey> {
        verifying_key(&self.key)
    }
}

/// An Ed25519 key from its 64 hex digits.
pub fn verifying_key(hex: &str) -> Option<VerifyingKey> {
    let bytes: [u8; 32] = data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()?;
    VerifyingKey::from_bytes(&bytes).ok()
}

/// Proof that a line stands under a root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// The line's hash.
    pub line: Hash,
    /// Its place among the lines under the root, from 0.
    pub place: u64,
    /// The hashes beside its way to the root, the lowest first.
    pub way: Vec<Hash>,
    /// The root.
    pub root: Published,
}

impl Proof {
    /// What the root says, if its key signed it and the line stands under it.
    pub fn verify(&self) -> Option<Statement> {
        let statement = self.root.root.verify(&self.root.verifying_key()?).ok()?;
        let (root, lines) = (statement.root, statement.lines);
        (self.root.anchor == self.root.root.anchor()
            && proves_line(&self.way, self.line, self.place, root, lines))
        .then_some(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(n: u8) -> Hash {
        Hash::of(&[n])
    }

    /// RFC 9162, 2.1.1, written down as it stands there.
    fn by_the_book(lines: &[Hash]) -> Hash {
        match lines {
            [] => Hash::of(b""),
            [one] => Hash::of(&[&[0][..], &one.0].concat()),
            _ => {
                let half = lines.len().next_power_of_two() / 2;
                let (left, right) = lines.split_at(half);
                let (left, right) = (by_the_book(left), by_the_book(right));
                Hash::of(&[&[1][..], &left.0, &right.0].concat())
            }
        }
    }

    #[test]
    fn the_root_is_that_of_the_rfc() {
        for n in 0..70 {
            let lines: Vec<Hash> = (0..n).map(line).collect();
            let tree = Tree::from_iter(lines.clone());
            let expected = (by_the_book(&lines), u64::from(n));
            assert_eq!((tree.root(), tree.lines()), expected, "{n}");
            let mut growing = Growing::default();
            lines.into_iter().for_each(|line| growing.push(line));
            assert_eq!((growing.root(), growing.lines()), expected, "{n}");
        }
    }

    #[test]
    fn every_line_is_proved_and_no_other() {
        let lines: Vec<Hash> = (0..23).map(line).collect();
        let tree = Tree::from_iter(lines.clone());
        let (root, n) = (tree.root(), tree.lines());
        for (place, line) in (0..).zip(&lines) {
            let proof = tree.prove_line(place).unwrap();
            assert!(proves_line(&proof, *line, place, root, n));
            assert!(!proves_line(&proof, Hash::of(b"x"), place, root, n));
            assert!(!proves_line(&proof, *line, (place + 1) % n, root, n));
            assert!(!proves_line(&proof[1..], *line, place, root, n));
        }
        assert_eq!(tree.prove_line(n), None);
    }

    #[test]
    fn a_statement_that_was_touched_is_not_signed() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let statement = Statement {
            v: 1,
            number: 1,
            day: Date::constant(2026, 11, 24),
            previous: Hash::NONE,
            lines: 2,
            root: Tree::from_iter([line(1), line(2)]).root(),
            received: Some(Hash::of(b"")),
            kiosks: Hash::of(b""),
            findings: Hash::of(b""),
            summaries: BTreeMap::from([(
                Date::constant(2026, 11, 24),
                BTreeMap::from([("phu-sa".parse().unwrap(), Hash::of(b"s"))]),
            )]),
            formula: None,
            renewed: None,
            at: At::try_from("2026-11-25T00:00:01.000+07:00".to_owned()).unwrap(),
        };
        let root = Root::sign(&statement, &key).unwrap();
        assert_eq!(root.verify(&key.verifying_key()), Ok(statement));
        let other = SigningKey::from_bytes(&[6; 32]).verifying_key();
        assert_eq!(root.verify(&other), Err(BadRoot::Signature));
        let touched =
            Root { statement: root.statement.replace("\"lines\":2", "\"lines\":3"), ..root };
        assert_eq!(touched.verify(&key.verifying_key()), Err(BadRoot::Signature));
    }
}
