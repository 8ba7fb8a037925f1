//! The machine whose power is cut: QEMU without KVM, a Debian kernel that finds the guest's program
//! in memory, a virtio disk with ext4 that holds the kiosk's folder, and a serial console.
//!
//! Not QEMU's emulated NVMe: it promises writes through its cache and does not pass that on to the
//! disk behind it, so the file system's commits stayed in the cache and were lost. A virtio disk
//! knows only flushes, and those it passes on.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::disk::{Disk, Flushes};
use super::nbd;

/// A machine that says nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(90);

/// The disk before its first start, and what the machine starts from.
pub struct Image {
    kernel: OsString,
    initramfs: OsString,
    bytes: Vec<u8>,
}

impl Image {
    /// Lays an enrolled kiosk's identity and the central service's keys on ext4.
    pub fn make(kiosk: &Path, central: &Path) -> Self {
        let given = |name| {
            std::env::var_os(name)
                .unwrap_or_else(|| panic!("{name} is not set: use tests/power-cut/run"))
        };
        let folder = TempDir::new().expect("a folder");
        let root = folder.path().join("root");
        for (from, file) in [(kiosk, "identity.json"), (central, "keys.json")] {
            std::fs::create_dir_all(&root).expect("made");
            std::fs::copy(from.join(file), root.join(file)).expect("copied");
        }
        let file = folder.path().join("disk");
        let made = Command::new("mke2fs")
            .args(["-q", "-t", "ext4", "-b", "4096", "-d"])
            .args([&root, &file])
            .arg("128M")
            .stdout(Stdio::null())
            .status();
        assert!(made.expect("mke2fs runs").success());
        Self {
            kernel: given("POWER_CUT_KERNEL"),
            initramfs: given("POWER_CUT_INITRAMFS"),
            bytes: std::fs::read(file).expect("read"),
        }
    }

    /// A disk of its own.
    pub fn disk(&self, flushes: Flushes) -> Arc<Mutex<Disk>> {
        Arc::new(Mutex::new(Disk::new(self.bytes.clone(), flushes)))
    }
}

/// When to cut the power.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// So long after it was switched on.
    AfterPowerOn(Duration),
    /// So long after the first acknowledgement of this start.
    AfterFirstKept(Duration),
    /// When the journal was read back.
    Read,
}

/// What the console told.
#[derive(Default)]
pub struct Told {
    /// The hash of each line that was read back.
    pub lines: BTreeMap<u64, String>,
    /// How many lines there are, once all were found sound.
    pub whole: Option<usize>,
    /// The number and hash of each acknowledgement.
    pub kept: Vec<(u64, String)>,
    /// When the first of them came, counted from power on.
    pub first_kept_after: Option<Duration>,
    /// Whether the machine ended by itself or hung.
    pub ended: bool,
    /// What else was told.
    pub rest: String,
}

impl Told {
    fn hear(&mut self, line: &str) {
        if self.understand(line).is_none() {
            self.rest.push_str(line);
            self.rest.push('\n');
        }
    }

    fn understand(&mut self, line: &str) -> Option<()> {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["line", seq, hash] => {
                self.lines.insert(seq.parse().ok()?, hash.to_owned());
            }
            ["kept", seq, hash] => self.kept.push((seq.parse().ok()?, hash.to_owned())),
            ["whole", lines] => self.whole = Some(lines.parse().ok()?),
            _ => return None,
        }
        Some(())
    }
}

/// Switches a machine with `disk` on, and cuts its power.
pub fn run(image: &Image, disk: &Arc<Mutex<Disk>>, synchronous: &str, until: Until) -> Told {
    let folder = TempDir::new().expect("a folder");
    let socket = folder.path().join("disk");
    let listener = UnixListener::bind(&socket).expect("a socket");
    let served = Arc::clone(disk);
    let serving = std::thread::spawn(move || {
        let (machine, _) = listener.accept().expect("the machine connects");
        nbd::serve(&served, machine)
    });

    let began = Instant::now();
    let mut qemu = Command::new("qemu-system-x86_64")
        .args("-nodefaults -no-user-config -display none -no-reboot -serial stdio".split(' '))
        .args("-machine q35 -accel tcg -cpu max -smp 1 -m 256".split(' '))
        .arg("-kernel")
        .arg(&image.kernel)
        .arg("-initrd")
        .arg(&image.initramfs)
        .arg("-append")
        .arg(format!(
            "console=ttyS0 loglevel=4 panic=-1 mitigations=off nokaslr random.trust_cpu=on \
             -- {synchronous}"
        ))
        .args(["-device", "virtio-blk-pci,drive=disk", "-drive"])
        .arg(format!("if=none,id=disk,format=raw,file=nbd+unix:///?socket={}", socket.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("QEMU runs");
    let mut console = BufReader::new(qemu.stdout.take().expect("piped"));
    let (tell, hear) = mpsc::channel();
    let listening = std::thread::spawn(move || {
        let mut line = Vec::new();
        // What was cut off amid a line told nothing.
        while console.read_until(b'\n', &mut line).is_ok() && line.ends_with(b"\n") {
            let _ = tell.send((Instant::now(), String::from_utf8_lossy(&line).trim().to_owned()));
            line.clear();
        }
    });

    let mut told = Told::default();
    loop {
        let moment = match until {
            Until::AfterPowerOn(after) => Some(began + after),
            Until::AfterFirstKept(after) => {
                told.first_kept_after.map(|first_kept| began + first_kept + after)
            }
            Until::Read => told.whole.map(|_| Instant::now()),
        };
        let wait = moment.map_or(SILENCE, |moment| moment.duration_since(Instant::now()));
        match hear.recv_timeout(wait) {
            Ok((at, line)) => {
                told.hear(&line);
                if told.first_kept_after.is_none() && !told.kept.is_empty() {
                    told.first_kept_after = Some(at - began);
                }
            }
            Err(mpsc::RecvTimeoutError::Timeout) if moment.is_some() => break,
            Err(_) => {
                told.ended = true;
                break;
            }
        }
    }
    qemu.kill().expect("killed");
    qemu.wait().expect("gone");
    // One whose power was cut before it came to its disk is not waited for.
    drop(UnixStream::connect(&socket));
    listening.join().expect("listened");
    for (_, line) in hear.try_iter() {
        told.hear(&line);
    }
    serving.join().expect("served").expect("QEMU and its disk understand each other");
    told
}
