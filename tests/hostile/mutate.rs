//! Changes of bytes, as damage and malice make them.

use rand::RngExt;
use rand::rngs::StdRng;

/// Numbers at which readers stumble.
const EDGES: [&[u8]; 10] = [
    b"0",
    b"-1",
    b"4294967296",
    b"18446744073709551615",
    b"1e999",
    b"null",
    &[0; 4],
    &[0xff; 4],
    &[0x7f, 0xff, 0xff, 0xff],
    "\u{feff}\u{202e}\u{0}".as_bytes(),
];
/// What has a meaning in one of the formats here.
const MARKS: &[u8] = b"\"\\{}[],:=\r\n\t %&;#/?+-.'<>0aZ\x00\x80\xc3\xff";
/// Longest result, in bytes.
const LONGEST: usize = 1 << 20;

/// One to six changes of `bytes`, some with a piece of `other`.
pub fn change(bytes: &[u8], other: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..random.random_range(1..=6) {
        let (from, to) = piece(&bytes, random);
        match random.random_range(0..8) {
            0 if from < bytes.len() => bytes[from] ^= 1 << random.random_range(0..8),
            1 if from < bytes.len() => bytes[from] = MARKS[random.random_range(0..MARKS.len())],
            2 => drop(bytes.drain(from..to)),
            3 => bytes.truncate(from),
            4 => {
                let edge = EDGES[random.random_range(0..EDGES.len())];
                drop(bytes.splice(from..to.min(from + edge.len()), edge.iter().copied()));
            }
            5 => {
                let times = [1, 2, 40, 3_000][random.random_range(0..4)];
                let again = bytes[from..to].repeat(times);
                drop(bytes.splice(from..from, again.into_iter().take(LONGEST / 4)));
            }
            6 => {
                let (start, end) = piece(other, random);
                drop(bytes.splice(from..to, other[start..end].iter().copied()));
            }
            _ => {
                let noise: Vec<u8> =
                    (0..random.random_range(1..20)).map(|_| random.random()).collect();
                drop(bytes.splice(from..from, noise));
            }
        }
        bytes.truncate(LONGEST);
    }
    bytes
}

/// A piece of bytes, most often a short one.
fn piece(bytes: &[u8], random: &mut StdRng) -> (usize, usize) {
    let from = random.random_range(0..=bytes.len());
    let most = if random.random_bool(0.8) { 16 } else { bytes.len() };
    (from, (from + random.random_range(0..=most)).min(bytes.len()))
}
