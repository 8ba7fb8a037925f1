//! Gives a [`Disk`] to one virtual machine over a Unix socket, by the NBD protocol (fixed newstyle
//! negotiation, simple replies; <https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>).

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use super::disk::{Disk, SECTOR};

const MAGIC: u64 = u64::from_be_bytes(*b"NBDMAGIC");
const OPTION: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
const FIXED_NEWSTYLE_NO_ZEROES: u16 = 0b11;

const OPTION_ABORT: u32 = 2;
const OPTION_GO: u32 = 7;
const REPLY_ACK: u32 = 1;
const REPLY_INFO: u32 = 3;
const REPLY_UNSUPPORTED: u32 = 0x8000_0001;
const INFO_EXPORT: u16 = 0;
/// This disk names its abilities; the one it has is to flush.
const ABILITIES: u16 = 0b101;

const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
const INVALID: u32 = 22;
/// More than QEMU asks for at once.
const LONGEST: usize = 64 << 20;

/// Serves until the machine goes or dies.
pub fn serve(disk: &Mutex<Disk>, mut machine: UnixStream) -> io::Result<()> {
    let served = negotiate(disk, &mut machine).and_then(|()| transmit(disk, &mut machine));
    match served {
        // What a killed machine leaves: an end amid a request, or nobody to reply to.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof
                    | io::ErrorKind::BrokenPipe
                    | io::ErrorKind::ConnectionReset
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

fn negotiate(disk: &Mutex<Disk>, machine: &mut UnixStream) -> io::Result<()> {
    let greeting = [MAGIC.to_be_bytes(), OPTION.to_be_bytes()].concat();
    machine.write_all(&greeting)?;
    machine.write_all(&FIXED_NEWSTYLE_NO_ZEROES.to_be_bytes())?;
    let _flags = u32::from_be_bytes(take(machine)?);
    loop {
        expect(u64::from_be_bytes(take(machine)?) == OPTION, "an option")?;
        let option = u32::from_be_bytes(take(machine)?);
        let length = u32::from_be_bytes(take(machine)?) as usize;
        expect(length <= 64 << 10, "a short option")?;
        machine.read_exact(&mut vec![0; length])?;
        match option {
            OPTION_GO => {
                let mut export = INFO_EXPORT.to_be_bytes().to_vec();
                export.extend((held(disk).size() as u64).to_be_bytes());
                export.extend(ABILITIES.to_be_bytes());
                answer(machine, option, REPLY_INFO, &export)?;
                return answer(machine, option, REPLY_ACK, &[]);
            }
            OPTION_ABORT => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => answer(machine, option, REPLY_UNSUPPORTED, &[])?,
        }
    }
}

fn answer(machine: &mut UnixStream, option: u32, reply: u32, data: &[u8]) -> io::Result<()> {
    let mut bytes = OPTION_REPLY.to_be_bytes().to_vec();
    for number in [option, reply, data.len() as u32] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(data);
    machine.write_all(&bytes)
}

fn transmit(disk: &Mutex<Disk>, machine: &mut UnixStream) -> io::Result<()> {
    loop {
        expect(u32::from_be_bytes(take(machine)?) == REQUEST, "a request")?;
        let _flags = u16::from_be_bytes(take(machine)?);
        let command = u16::from_be_bytes(take(machine)?);
        let handle: [u8; 8] = take(machine)?;
        let at = u64::from_be_bytes(take(machine)?) as usize;
        let length = u32::from_be_bytes(take(machine)?) as usize;
        expect(length <= LONGEST, "a request of a sane length")?;
        let mut data = vec![0; if matches!(command, READ | WRITE) { length } else { 0 }];
        if command == WRITE {
            machine.read_exact(&mut data)?;
        }
        let mut error = 0u32;
        {
            let mut disk = held(disk);
            let whole = at.is_multiple_of(SECTOR) && length.is_multiple_of(SECTOR);
            let within = at.checked_add(length).is_some_and(|end| end <= disk.size());
            match command {
                DISCONNECT => return Ok(()),
                FLUSH => disk.flush(),
                READ if whole && within => disk.read(at, &mut data),
                WRITE if whole && within => disk.write(at, &data),
                _ => error = INVALID,
            }
        }
        let mut reply = [REPLY.to_be_bytes(), error.to_be_bytes()].concat();
        reply.extend(handle);
        if command == READ && error == 0 {
            reply.extend(data);
        }
        machine.write_all(&reply)?;
    }
}

fn held(disk: &Mutex<Disk>) -> std::sync::MutexGuard<'_, Disk> {
    disk.lock().expect("no holder of the disk panicked")
}

fn take<const N: usize>(machine: &mut UnixStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    machine.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn expect(so: bool, what: &str) -> io::Result<()> {
    if so { Ok(()) } else { Err(io::Error::other(format!("expected {what}"))) }
}
