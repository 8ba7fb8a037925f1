//! The test vectors of `docs/protocol.md` are what the program does.
//!
//! `HAILONG_ACCEPT=1 cargo test --test protocol` writes them anew; the contract is final, so a
//! difference in an existing one means a new version of the contract.

use ed25519_dalek::SigningKey;
use hailong::domain::batch::{Lines, Parts, Unpacker, Unverified, pack};
use hailong::domain::ids::{Epoch, Hash, KioskId};
use hailong::domain::line::{By, Event, How, Line};
use hailong::domain::receipt::{Receipt, sign_receipt};
use hailong::domain::seal::{Answer, Kind, OpeningKey, Ratchet};
use hailong::domain::series::{Before, Series};
use hailong::domain::summary::Summary;
use hailong::domain::ticket::Claims;
use hailong::domain::time::At;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

const OPENING: [u8; 32] = [0x11; 32];
const SIGNING: [u8; 32] = [0x22; 32];
const TICKET: [u8; 32] = [0x33; 32];
const SUMMARY: &str = r#"{"office":"phu-sa","date":"2026-11-24","state":"provisional","n":142,"levels":{"rat_hai_long":90,"hai_long":41,"binh_thuong":6,"khong_hai_long":3,"rat_khong_hai_long":2},"satisfied":131,"rate":0.9225,"interval":{"low":0.8666,"high":0.9562},"usual":{"days":90,"n":9120,"rate":0.9381},"contacts":{"opened":150,"invited":0,"declined":0,"timed_out":3,"interrupted":1,"later":4,"rated":142,"served":null},"response_rate":null,"by_official":[],"by_counter":[],"by_hour":[{"hour":7,"n":12}],"by_channel":{"counter":124,"phone":18},"reasons":[{"code":"cho_lau","about":"procedure","n":9}],"phone_beside":{"higher":1,"lower":2,"same":4},"phone_waiting":2,"unattributed":0,"down":[],"silent_kiosks":[],"formula":1,"digest":""}"#;

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn unhex(value: &Value) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn moment(text: &str) -> At {
    At::try_from(text.to_owned()).unwrap()
}

/// Draws vectors anew; the seed only decides what the operating system's randomness would.
fn draw() -> Value {
    let opening = OpeningKey::from_bytes(&OPENING).unwrap();
    let signing = SigningKey::from_bytes(&SIGNING);
    let kiosk: KioskId = "ps-q3".parse().unwrap();
    let random = Box::new(StdRng::seed_from_u64(1));
    let at = moment("2026-11-24T07:30:00.000+07:00");
    let sealing = opening.sealing_key();
    let (mut series, started) =
        Series::begin(kiosk.clone(), &sealing, Before::Nothing, at, 1_000, random).unwrap();
    let contact = Line {
        counter: Some("q3".parse().unwrap()),
        official: Some("cb07".parse().unwrap()),
        form: Some("nam-muc@1".to_owned().try_into().unwrap()),
        by: Some(By::Touch),
        ..Line::draft(Event::Contact)
    };
    let level = Answer::Level("khong_hai_long".into());
    let tapped = moment("2026-11-24T08:15:22.123+07:00");
    let contact = series.write(contact, &[level], tapped, 2_723_123).unwrap();
    let closed = Line { contact: Some(2), how: Some(How::Sent), ..Line::draft(Event::Closed) };
    let reasons = Answer::Reasons(vec!["chua_ro".into(), "cho_lau".into()]);
    let ended = moment("2026-11-24T08:15:31.500+07:00");
    let closed = series.write(closed, &[reasons], ended, 2_732_500).unwrap();

    let written = [started, contact, closed];
    let lines: Vec<Vec<u8>> = written.iter().map(|line| line.bytes.clone()).collect();
    let bodies: Vec<_> = written.iter().flat_map(|line| line.bodies.clone()).collect();
    let parts = Parts {
        kiosk: &kiosk,
        epoch: series.epoch(),
        start: 1,
        enc: series.enc(),
        key: &sealing.id(),
        first: 1,
        prev: Hash::NONE,
        lines: &lines,
        bodies: &bodies,
    };
    let packed = pack(&parts, &signing).unwrap();
    let mut ratchet = Ratchet::reopen(&kiosk, series.epoch(), &series.enc(), &opening).unwrap();
    let mut chain_keys = Vec::new();
    for _ in 0..3 {
        chain_keys.push(hex(ratchet.chain_key()));
        ratchet.step();
    }
    let receipt = Receipt {
        kiosk,
        epoch: series.epoch(),
        watermark: 3,
        head: series.head(),
        holes: vec![],
        quarantined: vec![],
        conflicts: vec![],
        at: moment("2026-11-24T08:15:33.000+07:00"),
    };
    let receipt = serde_json::to_string(&receipt).unwrap();
    let claims = Claims::new(3, 2, series.epoch(), tapped).unwrap();
    let summary: Summary = serde_json::from_str(SUMMARY).unwrap();
    json!({
        "opening_secret_key": hex(&OPENING),
        "opening_public_key": hex(&sealing.to_bytes()),
        "opening_key_id": sealing.id(),
        "signing_secret_key": hex(&SIGNING),
        "signing_public_key": hex(signing.verifying_key().as_bytes()),
        "epoch": series.epoch(),
        "enc": hex(&series.enc()),
        "chain_keys": chain_keys,
        "lines": lines.iter().map(|line| String::from_utf8(line.clone()).unwrap()).collect::<Vec<_>>(),
        "hashes": written.iter().map(|line| line.hash).collect::<Vec<_>>(),
        "bodies": bodies.iter().map(|body| json!({
            "seq": body.seq,
            "kind": body.kind as u8,
            "sealed": hex(&body.bytes),
        })).collect::<Vec<_>>(),
        "answers": [{ "level": "khong_hai_long" }, { "reasons": ["chua_ro", "cho_lau"] }],
        "batch_header": serde_json::to_string(&packed.header).unwrap(),
        "batch_request": hex(&packed.request),
        "batch_signature": packed.signature,
        "receipt": receipt,
        "receipt_signature": sign_receipt(&signing, receipt.as_bytes()),
        "ticket_key": hex(&TICKET),
        "ticket_claims": { "kiosk": 3, "seq": 2, "opened": claims.opened() },
        "ticket": claims.ticket(&TICKET),
        "summary": SUMMARY,
        "summary_digest": summary.digest_of(),
    })
}

fn documented() -> (String, std::ops::Range<usize>) {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");
    let text = std::fs::read_to_string(file).unwrap();
    let begin = text.find("```json vectors\n").expect("a block of vectors") + 16;
    let end = begin + text[begin..].find("```").expect("its end");
    (text, begin..end)
}

#[test]
fn an_implementer_s_steps_lead_from_the_documented_vectors_to_the_answers() {
    if std::env::var_os("HAILONG_ACCEPT").is_some() {
        let (mut text, range) = documented();
        let vectors = serde_json::to_string_pretty(&draw()).unwrap() + "\n";
        text.replace_range(range, &vectors);
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocol.md");
        std::fs::write(file, text).unwrap();
    }
    let (text, range) = documented();
    let v: Value = serde_json::from_str(&text[range]).unwrap();
    let opening = OpeningKey::from_bytes(&unhex(&v["opening_secret_key"])).unwrap();
    assert_eq!(hex(&opening.sealing_key().to_bytes()), v["opening_public_key"]);
    assert_eq!(opening.sealing_key().id(), v["opening_key_id"]);
    let secret: [u8; 32] = unhex(&v["signing_secret_key"]).try_into().unwrap();
    let signing = SigningKey::from_bytes(&secret);
    assert_eq!(hex(signing.verifying_key().as_bytes()), v["signing_public_key"]);

    // The batch: signature, frame, lines, chain.
    let request = unhex(&v["batch_request"]);
    let unverified = Unverified::read(&request).unwrap();
    assert_eq!(unverified.header_line, v["batch_header"].as_str().unwrap().as_bytes());
    let signature = v["batch_signature"].as_str().unwrap();
    let (header, content) =
        unverified.verify(signature, &signing.verifying_key(), &mut Unpacker::default()).unwrap();
    let epoch: Epoch = v["epoch"].as_str().unwrap().parse().unwrap();
    assert_eq!((header.epoch, header.start, header.first, header.count), (epoch, 1, 1, 3));
    let mut prev = header.prev;
    for (at, bytes) in Lines::of(&content.line_part).enumerate() {
        assert_eq!(bytes, v["lines"][at].as_str().unwrap().as_bytes());
        let line = Line::read(bytes, &header.kiosk, epoch, at as u64 + 1).unwrap();
        assert_eq!(line.prev, prev);
        assert_eq!(serde_json::to_vec(&line).unwrap(), bytes, "written as it was read");
        prev = Hash::of(bytes);
        assert_eq!(prev.to_string(), v["hashes"][at].as_str().unwrap());
    }
    assert_eq!(header.head, prev);

    // The bodies: ratchet and seal.
    let mut ratchet = Ratchet::reopen(&header.kiosk, epoch, &header.enc, &opening).unwrap();
    for position in 0..3 {
        assert_eq!(hex(ratchet.chain_key()), v["chain_keys"][position].as_str().unwrap());
        let seq = position as u64 + 1;
        for (at, body) in content.bodies.iter().enumerate().filter(|(_, body)| body.seq == seq) {
            assert_eq!(hex(&body.bytes), v["bodies"][at]["sealed"].as_str().unwrap());
            let kind = Kind::from_number(v["bodies"][at]["kind"].as_u64().unwrap() as u8).unwrap();
            let line = content.lines().nth(position).unwrap();
            let line = Line::read(line, &header.kiosk, epoch, seq).unwrap();
            let opened = ratchet
                .open(&header.kiosk, epoch, seq, kind, &body.bytes, line.body.unwrap())
                .unwrap();
            assert_eq!(serde_json::to_value(opened).unwrap(), v["answers"][at]);
        }
        ratchet.step();
    }

    // Receipt, ticket and digest.
    let receipt = v["receipt"].as_str().unwrap();
    assert_eq!(sign_receipt(&signing, receipt.as_bytes()), v["receipt_signature"]);
    let read: Receipt = serde_json::from_str(receipt).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), receipt);
    let key = unhex(&v["ticket_key"]).try_into().unwrap();
    let claims = Claims::read(v["ticket"].as_str().unwrap(), |_| Some(key)).unwrap();
    assert_eq!(u64::from(claims.kiosk), v["ticket_claims"]["kiosk"]);
    assert_eq!(u64::from(claims.seq), v["ticket_claims"]["seq"]);
    assert_eq!(claims.epoch, epoch.prefix());
    assert_eq!(claims.opened().to_string(), v["ticket_claims"]["opened"].as_str().unwrap());
    let summary: Summary = serde_json::from_str(v["summary"].as_str().unwrap()).unwrap();
    assert_eq!(summary.digest_of().to_string(), v["summary_digest"].as_str().unwrap());
}

#[test]
fn the_contract_s_summary_is_read_and_written_key_by_key() {
    let summary: Summary = serde_json::from_str(SUMMARY).unwrap();
    assert_eq!(serde_json::to_string(&summary).unwrap(), SUMMARY);
}
