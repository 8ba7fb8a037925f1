//! Everything that reads what came from outside, each as one function of bytes.
//!
//! A target panics where a reader breaks a promise, and tells whether it took the bytes. They are
//! run by `tests/hostile` over the corpus and seeded changes of it, and by `tests/fuzz` under a
//! fuzzer that follows what the code does.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, OnceLock};

use ed25519_dalek::{SigningKey, VerifyingKey};
use hailong::central::address::check_public_url;
use hailong::central::config::{Config, form_of};
use hailong::central::ingest::Intake;
use hailong::central::photo;
use hailong::config::Source;
use hailong::domain::batch::{Header, Lines, MAX_LINES, Unpacker, Unverified, sign};
use hailong::domain::condition::Condition;
use hailong::domain::enrolment::Request;
use hailong::domain::form::{Form, Forms};
use hailong::domain::ids::{Epoch, Hash, KioskId};
use hailong::domain::letter::Letter;
use hailong::domain::line::{By, Event, How, LastRun, Line};
use hailong::domain::receipt::Receipt;
use hailong::domain::seal::{Answer, Kind, OpeningKey, Ratchet};
use hailong::domain::series::{Before, SealedBody, Series, Written};
use hailong::domain::ticket::Claims;
use hailong::domain::time::At;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tempfile::TempDir;

/// A reader, by the name of its folder in the corpus.
pub struct Target {
    pub name: &'static str,
    pub read: fn(&[u8]) -> bool,
    /// How many cases are tried while the quickest have a thousand.
    pub in_thousand: usize,
}

pub const TARGETS: &[Target] = &[
    Target { name: "batch", read: batch, in_thousand: 1_000 },
    Target { name: "frame", read: frame, in_thousand: 500 },
    Target { name: "content", read: content, in_thousand: 500 },
    Target { name: "line", read: line, in_thousand: 1_000 },
    Target { name: "answer", read: answer, in_thousand: 500 },
    Target { name: "ticket", read: ticket, in_thousand: 1_000 },
    Target { name: "receipt", read: receipt, in_thousand: 1_000 },
    Target { name: "letter", read: letter, in_thousand: 1_000 },
    Target { name: "enrolment", read: enrolment, in_thousand: 1_000 },
    Target { name: "heartbeat", read: heartbeat, in_thousand: 1_000 },
    Target { name: "address", read: address, in_thousand: 1_000 },
    Target { name: "form", read: form, in_thousand: 500 },
    Target { name: "office", read: office, in_thousand: 100 },
    Target { name: "photo", read: photo, in_thousand: 100 },
];

const SIGNED: &[u8] = b"hailong batch 1\n";
const TICKET_KEY: [u8; 32] = [0x33; 32];

/// A kiosk's short life, the same in each run.
pub struct Life {
    pub kiosk: KioskId,
    pub epoch: Epoch,
    pub enc: [u8; 32],
    pub key_id: String,
    pub signing: SigningKey,
    pub opening: OpeningKey,
    pub written: Vec<Written>,
}

pub static LIFE: LazyLock<Life> = LazyLock::new(|| {
    let opening = OpeningKey::from_bytes(&[0x11; 32]).unwrap();
    let sealing = opening.sealing_key();
    let kiosk: KioskId = "ps-q3".parse().unwrap();
    let random = Box::new(StdRng::seed_from_u64(1));
    let moment = |text: &str| At::try_from(text.to_owned()).unwrap();
    let at = moment("2026-11-24T07:30:00.000+07:00");
    let (mut series, started) =
        Series::begin(kiosk.clone(), &sealing, Before::Nothing, at, 0, random).unwrap();
    let contact = Line {
        counter: Some("q3".parse().unwrap()),
        official: Some("cb07".parse().unwrap()),
        form: Some("nam-muc@1".to_owned().try_into().unwrap()),
        by: Some(By::Touch),
        ..Line::draft(Event::Contact)
    };
    let level = Answer::Level("khong_hai_long".into());
    let contact = series.write(contact, &[level], moment("2026-11-24T08:15:22.123+07:00"), 9);
    let closed = Line { contact: Some(2), how: Some(How::Sent), ..Line::draft(Event::Closed) };
    let reasons = Answer::Reasons(vec!["chua_ro".into(), "cho_lau".into()]);
    let closed = series.write(closed, &[reasons], moment("2026-11-24T08:15:31.500+07:00"), 18);
    Life {
        kiosk,
        epoch: series.epoch(),
        enc: series.enc(),
        key_id: sealing.id(),
        signing: SigningKey::from_bytes(&[0x22; 32]),
        opening,
        written: vec![started, contact.unwrap(), closed.unwrap()],
    }
});

fn written(place: usize) -> Line {
    serde_json::from_slice(&LIFE.written[place].bytes).unwrap()
}

/// What the sample office shows.
pub static FORM: LazyLock<Form> =
    LazyLock::new(|| form_of(&Source::read(&sample("forms/nam-muc.toml")).unwrap(), &[]).unwrap());

fn sample(file: &str) -> PathBuf {
    Path::new(crate::ROOT).join("kiosk-config").join(file)
}

/// The whole request, with whatever signature.
fn batch(bytes: &[u8]) -> bool {
    let key = LIFE.signing.verifying_key();
    let Ok(unverified) = Unverified::read(bytes) else { return false };
    let header = unverified.header.clone();
    assert!((1..=MAX_LINES as u32).contains(&header.count));
    assert!(header.start <= header.first && header.first <= header.last());
    let signature = sign(&LIFE.signing, SIGNED, unverified.header_line);
    let wrong = unverified.clone().verify("", &key, &mut Unpacker::default());
    assert!(wrong.is_err(), "nothing is taken unsigned");
    unverified.verify(&signature, &key, &mut Unpacker::default()).is_ok()
}

/// The packed frame, well signed.
fn frame(bytes: &[u8]) -> bool {
    let lines: Vec<_> = LIFE.written.iter().map(|line| line.bytes.clone()).collect();
    let part = hailong::domain::batch::line_part(&lines);
    let request = signed(3, Hash::of(&part), bytes);
    intake(&request).is_some()
}

/// What is in the frame, well packed and signed; the first byte says how many lines.
fn content(bytes: &[u8]) -> bool {
    let Some((count, bytes)) = bytes.split_first() else { return false };
    let count = u32::from(*count).max(1);
    let mut rest = Lines::of(bytes);
    let taken: usize = rest.by_ref().take(count as usize).map(|line| line.len() + 4).sum();
    let last = Lines::of(bytes).take(count as usize).last().map_or(Hash::NONE, Hash::of);
    let frame = zstd::bulk::compress(bytes, 1).unwrap();
    let mut header = header(count, Hash::of(&bytes[..taken]), &frame);
    header.head = last;
    let Some(entries) = intake(&request(&header, &frame)) else { return false };
    assert_eq!(entries.len(), count as usize);
    for (seq, entry) in (1..).zip(&entries) {
        assert_eq!(entry.seq, seq);
        // A line that is not one has no answers, and no answer is there twice.
        assert!(entry.line.is_ok() || entry.answers.is_empty() || entry.unusable.is_empty());
        assert!(entry.answers.len() <= 2);
        for answer in &entry.answers {
            assert!(answer.fits());
        }
    }
    entries.iter().any(|entry| entry.line.is_ok())
}

fn intake(request: &[u8]) -> Option<Vec<hailong::central::store::Entry>> {
    static INTAKE: OnceLock<Intake> = OnceLock::new();
    let intake =
        INTAKE.get_or_init(|| Intake::new([LIFE.opening.clone()], Forms::new([FORM.clone()])));
    let unverified = Unverified::read(request).expect("the header is right");
    let signature = sign(&LIFE.signing, SIGNED, unverified.header_line);
    let key: VerifyingKey = LIFE.signing.verifying_key();
    let received = At::try_from("2026-11-24T08:16:00.000+07:00".to_owned()).unwrap();
    intake.verify(unverified, &signature, &key, received).ok().map(|verified| verified.entries)
}

fn header(count: u32, lines: Hash, frame: &[u8]) -> Header {
    Header {
        kiosk: LIFE.kiosk.clone(),
        epoch: LIFE.epoch,
        start: 1,
        first: 1,
        count,
        prev: Hash::NONE,
        head: LIFE.written.last().unwrap().hash,
        enc: LIFE.enc,
        key: LIFE.key_id.clone(),
        lines,
        frame: Hash::of(frame),
    }
}

fn request(header: &Header, frame: &[u8]) -> Vec<u8> {
    let mut request = serde_json::to_vec(header).unwrap();
    request.push(b'\n');
    request.extend(frame);
    request
}

/// A request about a frame.
pub fn signed(count: u32, lines: Hash, frame: &[u8]) -> Vec<u8> {
    request(&header(count, lines, frame), frame)
}

/// One line in its place.
fn line(bytes: &[u8]) -> bool {
    let Ok(line) = Line::read(bytes, &LIFE.kiosk, LIFE.epoch, 2) else { return false };
    match serde_json::to_vec(&line) {
        Ok(again) => assert_eq!(Line::read(&again, &LIFE.kiosk, LIFE.epoch, 2), Ok(line)),
        // What a later version says is read, and is not ours to write.
        Err(_) => assert!(
            line.event == Event::Unknown
                || line.by == Some(By::Unknown)
                || line.how == Some(How::Unknown)
                || line.last_run == Some(LastRun::Unknown)
        ),
    }
    true
}

/// A sealed body, of the line it claims or not.
fn answer(bytes: &[u8]) -> bool {
    static RATCHET: LazyLock<Ratchet> = LazyLock::new(|| {
        let mut ratchet =
            Ratchet::reopen(&LIFE.kiosk, LIFE.epoch, &LIFE.enc, &LIFE.opening).unwrap();
        ratchet.step();
        ratchet
    });
    let line = written(1).body.unwrap();
    let opened = RATCHET.open(&LIFE.kiosk, LIFE.epoch, 2, Kind::Level, bytes, line);
    assert!(opened.is_err() || LIFE.written[1].bodies[0].bytes == bytes, "one body is the line's");
    opened.is_ok()
}

/// What stands after `/R/`.
fn ticket(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let _ = Claims::claimed_kiosk(text);
    let Ok(claims) = Claims::read(text, |_| Some(TICKET_KEY)) else { return false };
    assert_eq!(claims.ticket(&TICKET_KEY), text.to_ascii_uppercase(), "one text for a ticket");
    let _ = claims.expired(claims.opened());
    true
}

/// What a central service answers.
fn receipt(bytes: &[u8]) -> bool {
    let Ok(receipt) = serde_json::from_slice::<Receipt>(bytes) else { return false };
    let again = serde_json::to_vec(&receipt).unwrap();
    assert_eq!(serde_json::from_slice::<Receipt>(&again).unwrap(), receipt);
    true
}

/// A batch as it lies on a stick.
fn letter(bytes: &[u8]) -> bool {
    let Ok(letter) = Letter::read(bytes) else { return false };
    assert_eq!(Letter::read(&letter.to_bytes()).unwrap(), letter);
    Unverified::read(&letter.body).is_ok()
}

/// What a kiosk asks to be admitted with.
fn enrolment(bytes: &[u8]) -> bool {
    serde_json::from_slice::<Request>(bytes).is_ok()
}

/// What a kiosk says of itself.
fn heartbeat(bytes: &[u8]) -> bool {
    let Ok(condition) = serde_json::from_slice::<Condition>(bytes) else { return false };
    let plain = condition.plain();
    assert!(plain.trouble.iter().all(|text| !text.contains(char::is_control)));
    let again = serde_json::to_vec(&plain).unwrap();
    assert_eq!(serde_json::from_slice::<Condition>(&again).unwrap().plain(), plain);
    true
}

/// An address for QR codes.
fn address(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    match check_public_url(text) {
        Ok(()) => true,
        Err(expected) => {
            assert!(expected.starts_with("expected"), "{expected}");
            false
        }
    }
}

/// A folder in memory where there is one: these files are for one look.
fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.unwrap()
}

/// One form's file.
fn form(bytes: &[u8]) -> bool {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(folder);
    let file = FOLDER.path().join(format!("{:?}.toml", std::thread::current().id()));
    std::fs::write(&file, bytes).unwrap();
    match Source::read(&file).and_then(|source| form_of(&source, &[])) {
        Ok(form) => {
            assert!(!form.levels.is_empty());
            assert!(form.texts().iter().all(|(_, text)| text.contains_key("vi")));
            let again = form.check();
            again.expect("a form that was read is right");
            true
        }
        Err(error) => told(&error.to_string(), &file),
    }
}

/// A mistake names its file, and is no longer than somebody reads.
fn told(error: &str, file: &Path) -> bool {
    assert!(error.contains(file.file_name().unwrap().to_str().unwrap()), "{error}");
    assert!(error.len() < 2_500, "{} bytes", error.len());
    false
}

/// The files that `office` changes, by the first byte.
pub const FILES: [&str; 6] = [
    "phu-sa/counters.csv",
    "phu-sa/officials.csv",
    "phu-sa/roster.csv",
    "central.toml",
    "phu-sa/calendar.csv",
    "phu-sa/procedures.csv",
];

/// One file of an office; the first byte says which.
fn office(bytes: &[u8]) -> bool {
    static SAMPLE: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = folder();
        copy(&sample(""), folder.path());
        folder
    });
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let Some((which, bytes)) = bytes.split_first() else { return false };
    let name = FILES[usize::from(*which) % FILES.len()];
    let _held = ONE_AT_A_TIME.lock();
    let file = SAMPLE.path().join(name);
    let right = std::fs::read(&file).unwrap();
    std::fs::write(&file, bytes).unwrap();
    let read = Config::read(&SAMPLE.path().join("central.toml"));
    std::fs::write(&file, right).unwrap();
    match read {
        Ok(config) => {
            assert!(config.offices.iter().all(|office| office.office.closes > office.office.opens));
            true
        }
        // A roster may name what another file lacks, and the other way round.
        Err(error) => {
            let error = error.to_string();
            assert!(error.contains(".csv") || error.contains(".toml"), "{error}");
            assert!(error.len() < 2_500, "{} bytes", error.len());
            false
        }
    }
}

/// All files of a folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// A photo's file.
fn photo(bytes: &[u8]) -> bool {
    static FOLDER: LazyLock<TempDir> = LazyLock::new(folder);
    let file = FOLDER.path().join(format!("{:?}.jpg", std::thread::current().id()));
    std::fs::write(&file, bytes).unwrap();
    match photo::read(&file) {
        Ok((name, made)) => {
            let made: Arc<[u8]> = made;
            assert_eq!(Hash::of(&made), name);
            let picture = image::load_from_memory(&made).expect("a picture");
            assert_eq!((picture.width(), picture.height()), (320, 320));
            true
        }
        Err(error) => {
            assert!(error.to_string().starts_with("expected"), "{error}");
            false
        }
    }
}

/// The corpus's beginning: what is right, for each target.
pub fn seeds(name: &str) -> Vec<Vec<u8>> {
    let lines: Vec<_> = LIFE.written.iter().map(|line| line.bytes.clone()).collect();
    let bodies: Vec<SealedBody> =
        LIFE.written.iter().flat_map(|line| line.bodies.iter().cloned()).collect();
    let part = hailong::domain::batch::line_part(&lines);
    let whole = [part.clone(), hailong::domain::batch::body_part(&bodies)].concat();
    let packed = zstd::bulk::compress(&whole, 3).unwrap();
    let read = |file: &str| std::fs::read(sample(file)).unwrap();
    match name {
        "batch" => vec![signed(3, Hash::of(&part), &packed)],
        "frame" => vec![packed],
        "content" => vec![[&[3][..], &whole].concat()],
        "line" => vec![lines[1].clone()],
        "answer" => vec![bodies[0].bytes.clone()],
        "ticket" => {
            let claims = Claims::new(3, 2, LIFE.epoch, written(1).at).unwrap();
            vec![claims.ticket(&TICKET_KEY).into_bytes()]
        }
        "receipt" => {
            let receipt = Receipt {
                kiosk: LIFE.kiosk.clone(),
                epoch: LIFE.epoch,
                watermark: 3,
                head: Hash::of(&lines[2]),
                holes: vec![(5, 6)],
                quarantined: vec![],
                conflicts: vec![8],
                at: written(2).at,
            };
            vec![serde_json::to_vec(&receipt).unwrap()]
        }
        "letter" => {
            let body = signed(3, Hash::of(&part), &packed);
            let line = body.split(|byte| *byte == b'\n').next().unwrap();
            let signature = sign(&LIFE.signing, SIGNED, line);
            vec![Letter { signature, key: String::new(), body }.to_bytes()]
        }
        "enrolment" => {
            let request = Request {
                code: "ABCDEFGH23".into(),
                key: data_encoding::HEXLOWER.encode(LIFE.signing.verifying_key().as_bytes()),
                ticket_key: data_encoding::BASE64URL_NOPAD.encode(&[7; 80]),
                by_former: Some("11".repeat(43)),
            };
            vec![serde_json::to_vec(&request).unwrap()]
        }
        "heartbeat" => vec![
            br#"{"version":"0.1.0","since":"2026-11-24T07:30:00.000+07:00","queue":3,"oldest_unsent":"2026-11-24T08:15:22.123+07:00","last_receipt":"2026-11-24T08:10:00.000+07:00","trouble":"the proxy wants a password","disk_free":12340000000,"clock_offset_ms":-1250}"#
                .to_vec(),
        ],
        "address" => vec![b"HTTPS://MOTCUA.HUNGYEN.GOV.VN:8443/DANHGIA".to_vec()],
        "form" => vec![read("forms/nam-muc-2.toml"), read("forms/tieu-chi.toml")],
        "office" => {
            (0..).zip(FILES).map(|(which, file)| [&[which][..], &read(file)].concat()).collect()
        }
        "photo" => {
            let gradient =
                image::RgbImage::from_fn(24, 32, |x, y| image::Rgb([x as u8 * 9, y as u8 * 7, 90]));
            [image::ImageFormat::Jpeg, image::ImageFormat::Png]
                .map(|format| {
                    let mut bytes = std::io::Cursor::new(Vec::new());
                    gradient.write_to(&mut bytes, format).unwrap();
                    bytes.into_inner()
                })
                .to_vec()
        }
        other => panic!("no target {other}"),
    }
}
