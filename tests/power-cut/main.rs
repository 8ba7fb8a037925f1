//! Thanked means kept: under power cuts.
//!
//! A machine in QEMU runs the kiosk's desk on ext4 ([`guest.rs`](guest.rs)) and tells every
//! acknowledgement. Its disk has a volatile write cache ([`disk`]). At a random moment QEMU is
//! killed and the cache loses what it may; the next start from the same disk must find every
//! acknowledged line. `kill -9` of a process cannot show this, the kernel keeps what it wrote.
//! Before it mounts, the machine looks after its file system (`e2fsck -p`), as Debian does at every boot.
//!
//! Two negative controls must lose lines, or the rig proves nothing: the journal weakened to
//! `synchronous=NORMAL`, and a disk that ignores flushes.

#[path = "../common/mod.rs"]
mod common;
mod disk;
mod machine;
mod nbd;

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use common::TestCentral;
use disk::Flushes;
use hailong::domain::{Random, system_random};
use machine::{Image, Until};
use rand::RngExt;

/// A disk lives through this many cuts; so the journal's first start is cut, too, and a journal
/// stays short enough to be read back at each start.
const CUTS_A_DISK: usize = 10;
/// A cut comes at most this long after the first acknowledgement of a start.
const AMID_WRITING: Duration = Duration::from_secs(1);

/// What became of the lines of a series of cuts.
#[derive(Default)]
struct Outcome {
    cuts: usize,
    acknowledged: usize,
    lost: usize,
    /// Disks from which no start succeeded any more. All their lines count as lost.
    damaged: usize,
    took: Duration,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cuts, acknowledged, lost, damaged, took } = self;
        let each = took.as_secs_f64() / (*cuts).max(1) as f64;
        write!(f, "{cuts} cuts, {acknowledged} lines acknowledged, {lost} lost")?;
        if *damaged > 0 {
            write!(f, " ({damaged} disks damaged)")?;
        }
        write!(f, ", {each:.1} s a cut")
    }
}

/// What is cut.
struct Rig<'a> {
    name: &'a str,
    image: &'a Image,
    synchronous: &'a str,
    flushes: Flushes,
}

impl Rig<'_> {
    /// Cuts the power `cuts` times.
    fn cut(&self, cuts: usize) -> Outcome {
        let mut outcome = Outcome::default();
        let mut random = system_random();
        let began = Instant::now();
        while outcome.cuts < cuts {
            self.live(CUTS_A_DISK.min(cuts - outcome.cuts), &mut outcome, &mut random);
            outcome.took = began.elapsed();
            eprintln!("{}: {outcome}", self.name);
        }
        outcome
    }

    /// The life of one disk: so many cuts, and a last start that reads it back.
    fn live(&self, cuts: usize, outcome: &mut Outcome, random: &mut Random) {
        let disk = self.image.disk(self.flushes);
        let mut acknowledged: BTreeMap<u64, String> = BTreeMap::new();
        // How long the last whole start took: some cuts come amid the start, where file system
        // and journal repair themselves.
        let mut start_takes = None;
        for start in 0..=cuts {
            let until = match start_takes {
                _ if start == cuts => Until::Read,
                Some(takes) if random.random_ratio(1, 5) => {
                    Until::AfterPowerOn(random.random_range(Duration::ZERO..takes))
                }
                _ => Until::AfterFirstKept(random.random_range(Duration::ZERO..AMID_WRITING)),
            };
            let told = machine::run(self.image, &disk, self.synchronous, until);
            disk.lock().expect("no holder panicked").cut(random);
            if let Some(whole) = told.whole {
                assert_eq!(told.lines.len(), whole, "each line is told");
                acknowledged.retain(|seq, hash| {
                    let there = told.lines.get(seq) == Some(hash);
                    outcome.lost += usize::from(!there);
                    there
                });
                start_takes = told.first_kept_after.or(start_takes);
            }
            outcome.acknowledged += told.kept.len();
            acknowledged.extend(told.kept);
            if told.ended {
                let why: Vec<&str> = told.rest.lines().take(3).collect();
                let why = why.join("\n");
                assert!(start > 0, "the machine does not start at all:\n{why}");
                eprintln!("{}: a disk is damaged after {start} cuts:\n{why}", self.name);
                outcome.damaged += 1;
                outcome.lost += acknowledged.len();
                return;
            }
            outcome.cuts += usize::from(start < cuts);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs QEMU, a kernel and minutes: run tests/power-cut/run"]
async fn a_power_cut_loses_no_acknowledged_line_but_does_when_the_journal_or_the_disk_is_weakened()
{
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let image = Image::make(&kiosk.path(), central.folder.path());

    let cuts = |name: &str| -> usize {
        std::env::var(name).map_or(10, |number| number.parse().expect("a number of cuts"))
    };
    let (cuts, weak_cuts) = (cuts("CUTS"), cuts("WEAK_CUTS"));
    let run = tokio::task::spawn_blocking(move || {
        let rig = |name, synchronous, flushes| Rig { name, image: &image, synchronous, flushes };
        let full = rig("FULL", "FULL", Flushes::Obeyed).cut(cuts);
        let normal = rig("NORMAL", "NORMAL", Flushes::Obeyed).cut(weak_cuts);
        let ignored = rig("flushes ignored", "FULL", Flushes::Ignored).cut(weak_cuts);
        (full, normal, ignored)
    });
    let (full, normal, ignored) = run.await.expect("ran");
    eprintln!("FULL: {full}; NORMAL: {normal}; FULL on a disk that ignores flushes: {ignored}.");
    assert_eq!((full.lost, full.damaged), (0, 0), "an acknowledged line was lost");
    assert!(full.acknowledged >= full.cuts, "too few lines to prove anything");
    assert!(normal.lost > 0, "NORMAL lost nothing: the rig proves nothing");
    assert!(ignored.lost > 0, "ignored flushes lost nothing: the rig proves nothing");
}
