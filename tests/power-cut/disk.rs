//! A disk with a volatile write cache, as a power cut leaves it.
//!
//! A write is in the cache when it is done; only a flush puts it on the medium. A cut then decides
//! for each cached sector on its own whether it keeps what it had or gets one of the versions
//! written since: writes are lost, reordered and torn. A sector itself is never torn; that is what
//! drives guarantee.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};

/// What the medium writes whole or not at all, in bytes.
pub const SECTOR: usize = 512;

/// Whether the disk does what a flush asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flushes {
    /// It does.
    Obeyed,
    /// It says so and does nothing: the negative control of this model.
    Ignored,
}

/// The disk. Reads and writes are of whole sectors within its size.
pub struct Disk {
    medium: Vec<u8>,
    /// All that was written to a sector since the last flush, oldest first.
    cache: BTreeMap<usize, Vec<[u8; SECTOR]>>,
    flushes: Flushes,
}

impl Disk {
    /// A disk that holds `image`.
    pub fn new(image: Vec<u8>, flushes: Flushes) -> Self {
        assert_eq!(image.len() % SECTOR, 0, "an image of whole sectors");
        Self { medium: image, cache: BTreeMap::new(), flushes }
    }

    /// Its size in bytes.
    pub fn size(&self) -> usize {
        self.medium.len()
    }

    /// Reads what was last written, from cache or medium.
    pub fn read(&self, at: usize, into: &mut [u8]) {
        into.copy_from_slice(&self.medium[at..at + into.len()]);
        let first = at / SECTOR;
        for (sector, versions) in self.cache.range(first..first + into.len() / SECTOR) {
            if let Some(newest) = versions.last() {
                into[(sector - first) * SECTOR..][..SECTOR].copy_from_slice(newest);
            }
        }
    }

    /// Writes into the cache.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        let (sectors, rest) = bytes.as_chunks::<SECTOR>();
        assert!(rest.is_empty() && at.is_multiple_of(SECTOR), "whole sectors");
        for (sector, bytes) in (at / SECTOR..).zip(sectors) {
            self.cache.entry(sector).or_default().push(*bytes);
        }
    }

    /// Puts all that is cached on the medium.
    pub fn flush(&mut self) {
        if self.flushes == Flushes::Obeyed {
            for (sector, versions) in std::mem::take(&mut self.cache) {
                self.keep(sector, versions.last());
            }
        }
    }

    /// Cuts the power: for each cached sector chance decides which version the medium has. How
    /// much survives is drawn anew at every cut, from nothing to everything.
    pub fn cut(&mut self, random: &mut impl Rng) {
        let survives: f64 = random.random();
        for (sector, versions) in std::mem::take(&mut self.cache) {
            if random.random_bool(survives) {
                self.keep(sector, versions.get(random.random_range(0..versions.len())));
            }
        }
    }

    fn keep(&mut self, sector: usize, version: Option<&[u8; SECTOR]>) {
        if let Some(version) = version {
            self.medium[sector * SECTOR..][..SECTOR].copy_from_slice(version);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;

    fn sectors(of: &[u8]) -> Vec<u8> {
        of.iter().flat_map(|byte| [*byte; SECTOR]).collect()
    }

    fn content(disk: &Disk) -> Vec<u8> {
        let mut all = vec![0; disk.size()];
        disk.read(0, &mut all);
        let (sectors, _) = all.as_chunks::<SECTOR>();
        sectors
            .iter()
            .map(|sector| {
                assert!(sector.iter().all(|byte| *byte == sector[0]), "a sector is not torn");
                sector[0]
            })
            .collect()
    }

    /// All that a disk of four sectors may hold after a cut, over many cuts.
    fn after_cuts(flushes: Flushes, life: impl Fn(&mut Disk)) -> BTreeSet<Vec<u8>> {
        let mut random = StdRng::seed_from_u64(1);
        let cut = |_| {
            let mut disk = Disk::new(sectors(&[0; 4]), flushes);
            life(&mut disk);
            disk.cut(&mut random);
            content(&disk)
        };
        (0..1_000).map(cut).collect()
    }

    #[test]
    fn a_write_is_read_back_before_and_after_a_flush() {
        let mut disk = Disk::new(sectors(&[0; 4]), Flushes::Obeyed);
        disk.write(SECTOR, &sectors(&[1, 2]));
        disk.write(SECTOR, &sectors(&[3]));
        assert_eq!(content(&disk), [0, 3, 2, 0]);
        disk.flush();
        assert_eq!(content(&disk), [0, 3, 2, 0]);
    }

    #[test]
    fn what_was_flushed_survives_every_cut() {
        let found = after_cuts(Flushes::Obeyed, |disk| {
            disk.write(0, &sectors(&[1, 2]));
            disk.write(SECTOR, &sectors(&[3, 4]));
            disk.flush();
        });
        assert_eq!(found, BTreeSet::from([vec![1, 3, 4, 0]]));
    }

    #[test]
    fn what_was_not_flushed_is_kept_lost_reordered_and_torn() {
        let found = after_cuts(Flushes::Obeyed, |disk| {
            disk.write(3 * SECTOR, &sectors(&[3]));
            disk.flush();
            disk.write(0, &sectors(&[1, 1]));
            disk.write(0, &sectors(&[2]));
        });
        let any = [0, 1, 2].into_iter().flat_map(|one| [[one, 0, 0, 3], [one, 1, 0, 3]]);
        assert_eq!(found, any.map(Vec::from).collect());
    }

    #[test]
    fn a_disk_that_ignores_flushes_may_lose_all() {
        let found = after_cuts(Flushes::Ignored, |disk| {
            disk.write(0, &sectors(&[1]));
            disk.flush();
            assert_eq!(content(disk), [1, 0, 0, 0], "until the cut nobody sees it");
        });
        assert_eq!(found, BTreeSet::from([vec![0; 4], vec![1, 0, 0, 0]]));
    }
}
