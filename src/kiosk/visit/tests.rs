//! Each way through a visit, and any sequence of them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::hand::LEAST_MISUSE;
use super::*;

const RAT_HAI_LONG: usize = 0;
const HAI_LONG: usize = 1;
const BINH_THUONG: usize = 2;
const KHONG_HAI_LONG: usize = 3;

fn form() -> Arc<Form> {
    let text = include_str!("../../../kiosk-config/forms/nam-muc.toml");
    Arc::new(toml::from_str(text).unwrap())
}

fn q3() -> CounterId {
    "q3".parse().unwrap()
}

fn form_with_wishes() -> Arc<Form> {
    let text = include_str!("../../../kiosk-config/forms/nam-muc-2.toml");
    Arc::new(toml::from_str(text).unwrap())
}

/// A screen before a journal that gives numbers.
struct Kiosk {
    visit: Visit,
    now: u64,
    next: u64,
    waiting: Option<Record>,
}

impl Kiosk {
    fn new() -> Self {
        let visit = Visit::new(form(), vec![q3()], TimeOuts::default());
        Self { visit, now: 10_000, next: 7, waiting: None }
    }

    /// A tap once the page has settled; gives the record that it led to.
    fn tap(&mut self, input: Input) -> Option<Record> {
        self.now += self.visit.settle_ms;
        let record = self.visit.step(input, self.now);
        self.waiting.clone_from(&record);
        record
    }

    /// The journal keeps what it was handed; gives its number.
    fn kept(&mut self) -> u64 {
        let record = self.waiting.take().expect("a record is on its way");
        let seq = self.next;
        self.next += 1;
        assert_eq!(self.visit.step(Input::Kept(seq, handed(&record, seq)), self.now), None);
        seq
    }

    fn refused(&mut self) {
        self.waiting.take().expect("a record is on its way");
        let refused = Input::Refused("Ổ đĩa đã đầy".into());
        assert_eq!(self.visit.step(refused, self.now), None);
    }

    /// Rates and comes to the reasons; gives the contact's number.
    fn rate(&mut self, level: usize) -> u64 {
        self.tap(Input::Rate(level)).expect("a record");
        self.kept()
    }

    /// Lets time pass in the small steps of the window's timer; gives what it led to.
    fn pass(&mut self, ms: u64) -> Option<Record> {
        let end = self.now + ms;
        while self.now < end {
            self.now = end.min(self.now + 250);
            if let Some(record) = self.visit.step(Input::Tick, self.now) {
                self.waiting = Some(record.clone());
                return Some(record);
            }
        }
        None
    }

    fn on_reasons(&self) -> bool {
        matches!(self.visit.page(), Page::Reasons { .. })
    }

    fn on_thanks(&self) -> bool {
        matches!(self.visit.page(), Page::Thanks { .. })
    }

    fn ticked(&self) -> Vec<&str> {
        let Page::Reasons { ticked, .. } = self.visit.page() else { panic!("no reasons") };
        let offered = self.visit.offered().into_iter().zip(ticked);
        offered.filter_map(|(offered, tick)| tick.then_some(offered.code)).collect()
    }
}

/// What the desk hands out for a record.
fn handed(record: &Record, seq: u64) -> Option<String> {
    match record {
        Record::Open { .. } => Some(format!("TICKET{seq}")),
        Record::Change { .. } | Record::Misuse { .. } => None,
        Record::Close { .. } | Record::Write { .. } => Some(format!("CODE{seq}")),
    }
}

fn open(level: &str) -> Option<Record> {
    Some(Record::Open { by: By::Touch, counter: q3(), level: Some(level.into()) })
}

fn close(contact: u64, how: How, reasons: &[&str]) -> Option<Record> {
    let reasons = reasons.iter().map(|code| (*code).to_owned()).collect();
    Some(Record::Close { contact, how, reasons })
}

#[test]
fn a_page_asks_before_it_leaves_and_any_touch_gives_all_its_time_again() {
    let mut kiosk = Kiosk::new();
    assert!(!kiosk.visit.asks_for_time(kiosk.now + 3_600_000), "nobody is asked at rest");
    kiosk.rate(HAI_LONG);
    let time_outs = TimeOuts::default();
    assert_eq!(kiosk.pass(time_outs.reasons_ms - ASK_MS - 250), None);
    assert!(!kiosk.visit.asks_for_time(kiosk.now));
    assert_eq!(kiosk.pass(250), None);
    assert!(kiosk.visit.asks_for_time(kiosk.now));
    assert_eq!(kiosk.pass(ASK_MS - 250), None, "20 seconds to answer, as WCAG 2.2.1 has it");
    kiosk.visit.step(Input::Touched, kiosk.now);
    assert!(!kiosk.visit.asks_for_time(kiosk.now));
    assert_eq!(kiosk.pass(time_outs.reasons_ms - 250), None);
    assert_eq!(kiosk.pass(250), close(7, How::TimedOut, &[]));
    kiosk.kept();

    kiosk.tap(Input::Later).expect("a record");
    kiosk.kept();
    assert!(kiosk.visit.asks_for_time(kiosk.now + time_outs.later_ms - ASK_MS));
    kiosk.tap(Input::Done);
    kiosk.kept();
    kiosk.rate(HAI_LONG);
    kiosk.tap(Input::Send);
    kiosk.kept();
    assert!(!kiosk.visit.asks_for_time(kiosk.now + time_outs.thanks_ms), "thanks asks nothing");
}

fn type_in(kiosk: &mut Kiosk, keys: &str) {
    for key in keys.chars() {
        // As quickly as somebody who can.
        kiosk.now += 120;
        kiosk.visit.step(Input::Touched, kiosk.now);
        kiosk.visit.step(Input::Type(Stroke::Character(key)), kiosk.now);
    }
}

/// Rates with a wish to write, and comes to the words.
fn wish() -> (Kiosk, u64) {
    let mut kiosk = Kiosk::new();
    kiosk.visit = Visit::new(form_with_wishes(), vec![q3()], TimeOuts::default());
    let contact = kiosk.rate(KHONG_HAI_LONG);
    kiosk.tap(Input::Toggle(7));
    assert_eq!(kiosk.tap(Input::Send), None, "the contact is still open");
    kiosk.now += SETTLE_MS;
    (kiosk, contact)
}

#[test]
fn words_are_written_sent_and_thanked() {
    let (mut kiosk, contact) = wish();
    type_in(&mut kiosk, "Goij 0912 345 678 ");
    let record = kiosk.tap(Input::Send);
    let words = Zeroizing::new("Gọi •••• ••• •••".to_owned());
    assert_eq!(record, Some(Record::Write { contact, reasons: vec!["gop_y".into()], words }));
    kiosk.kept();
    assert!(matches!(kiosk.visit.page(), Page::Thanks { words: false, .. }));
}

#[test]
fn who_writes_nothing_here_writes_on_the_phone() {
    for input in [Input::Send, Input::Skip] {
        let (mut kiosk, contact) = wish();
        type_in(&mut kiosk, if input == Input::Skip { "abc" } else { "  " });
        assert_eq!(kiosk.tap(input), close(contact, How::Sent, &["gop_y"]));
        kiosk.kept();
        assert!(matches!(kiosk.visit.page(), Page::Thanks { words: true, .. }));
    }
}

#[test]
fn unfinished_words_are_dropped_and_the_rating_stays() {
    let (mut kiosk, contact) = wish();
    type_in(&mut kiosk, "chowf laau");
    assert_eq!(kiosk.pass(59_750), None);
    assert_eq!(kiosk.pass(250), close(contact, How::TimedOut, &["gop_y"]));

    let (mut kiosk, contact) = wish();
    type_in(&mut kiosk, "chowf laau");
    assert_eq!(kiosk.visit.cut_off(), close(contact, How::Interrupted, &["gop_y"]));

    // Back to the reasons: nothing of them is left there.
    let (mut kiosk, _) = wish();
    type_in(&mut kiosk, "chowf laau");
    kiosk.tap(Input::Done);
    assert!(kiosk.on_reasons());
    assert_eq!(kiosk.ticked(), ["gop_y"]);
    kiosk.tap(Input::Send);
    let Page::Words { writing, .. } = kiosk.visit.page() else { panic!("no words") };
    assert!(writing.is_empty());
}

#[test]
fn a_mode_lasts_as_long_as_its_visitor() {
    let mut kiosk = Kiosk::new();
    let modes = [Mode::Low, Mode::Large, Mode::Contrast];
    for mode in modes {
        assert_eq!(kiosk.tap(Input::Mode(mode)), None);
    }
    let all = Modes { low: true, large: true, contrast: true };
    assert_eq!(kiosk.visit.modes(), all);
    kiosk.rate(HAI_LONG);
    kiosk.tap(Input::Send);
    kiosk.kept();
    assert_eq!(kiosk.visit.modes(), all);
    kiosk.tap(Input::Done);
    assert_eq!(kiosk.visit.modes(), Modes::default());
    for mode in modes {
        kiosk.tap(Input::Mode(mode));
    }
    kiosk.tap(Input::Mode(Mode::Large));
    assert_eq!(kiosk.visit.modes(), Modes { large: false, ..all });
    assert!(!kiosk.visit.idle());
    kiosk.pass(TimeOuts::default().reasons_ms);
    assert!(kiosk.visit.idle(), "and who goes away leaves none");
}

#[test]
fn a_rating_with_reasons_is_sent_and_thanked() {
    let mut kiosk = Kiosk::new();
    assert_eq!(kiosk.tap(Input::Rate(KHONG_HAI_LONG)), open("khong_hai_long"));
    assert_eq!(kiosk.visit.page(), &Page::Home, "not before the disk has it");
    assert_eq!(kiosk.visit.chosen(), Some(KHONG_HAI_LONG), "it looks pressed meanwhile");
    let contact = kiosk.kept();
    assert!(kiosk.on_reasons());
    assert_eq!(kiosk.visit.offered().len(), 6);
    assert_eq!(kiosk.tap(Input::Toggle(3)), None);
    assert_eq!(kiosk.tap(Input::Toggle(0)), None);
    assert_eq!(kiosk.tap(Input::Toggle(5)), None);
    assert_eq!(kiosk.tap(Input::Toggle(5)), None, "a second tap takes a tick back");
    let sent = close(contact, How::Sent, &["thai_do", "cho_lau"]);
    assert_eq!(kiosk.tap(Input::Send), sent, "in the form's order");
    assert!(kiosk.on_reasons(), "no thanks before the disk has it");
    let end = kiosk.kept();
    let ticket = Some(format!("TICKET{contact}"));
    let contact = Contact { seq: contact, ticket };
    let code = Some(format!("CODE{end}"));
    let thanks = Page::Thanks { contact, words: false, code, code_shown: false };
    assert_eq!(kiosk.visit.page(), &thanks);
    assert_eq!(kiosk.tap(Input::Done), None);
    assert_eq!(kiosk.visit.page(), &Page::Home);
    assert!(kiosk.visit.idle());
}

#[test]
fn skipping_takes_the_ticks_back_and_keeps_the_level() {
    let mut kiosk = Kiosk::new();
    let contact = kiosk.rate(HAI_LONG);
    kiosk.tap(Input::Toggle(0));
    assert_eq!(kiosk.tap(Input::Skip), close(contact, How::Skipped, &[]));
    kiosk.kept();
    assert!(kiosk.on_thanks());
}

#[test]
fn being_called_away_keeps_the_ticks() {
    let mut kiosk = Kiosk::new();
    let contact = kiosk.rate(HAI_LONG);
    kiosk.tap(Input::Toggle(1));
    assert_eq!(kiosk.pass(29_750), None);
    assert_eq!(kiosk.pass(250), close(contact, How::TimedOut, &["huong_dan_ro"]));
    kiosk.kept();
    assert_eq!(kiosk.visit.page(), &Page::Home, "nobody is there to be thanked");
}

#[test]
fn another_level_of_the_same_pole_keeps_the_ticks() {
    let mut kiosk = Kiosk::new();
    let contact = kiosk.rate(RAT_HAI_LONG);
    kiosk.tap(Input::Toggle(2));
    let change = Record::Change { contact, level: "hai_long".into() };
    assert_eq!(kiosk.tap(Input::Rate(HAI_LONG)), Some(change));
    assert_eq!(kiosk.visit.chosen(), Some(HAI_LONG));
    kiosk.kept();
    assert_eq!(kiosk.ticked(), ["lang_nghe"]);
    assert_eq!(kiosk.visit.chosen(), Some(HAI_LONG));
    assert_eq!(kiosk.tap(Input::Send), close(contact, How::Sent, &["lang_nghe"]));
}

#[test]
fn another_pole_asks_other_reasons_and_keeps_no_tick() {
    let mut kiosk = Kiosk::new();
    let contact = kiosk.rate(RAT_HAI_LONG);
    kiosk.tap(Input::Toggle(2));
    kiosk.tap(Input::Rate(BINH_THUONG));
    kiosk.kept();
    assert_eq!(kiosk.visit.offered()[2].code, "can_giai_thich");
    assert_eq!(kiosk.ticked(), [""; 0]);
    kiosk.tap(Input::Rate(RAT_HAI_LONG));
    kiosk.kept();
    assert_eq!(kiosk.ticked(), [""; 0], "and none comes back");
    assert_eq!(kiosk.tap(Input::Send), close(contact, How::Sent, &[]));
}

#[test]
fn the_level_given_tapped_again_changes_nothing() {
    let mut kiosk = Kiosk::new();
    kiosk.rate(RAT_HAI_LONG);
    kiosk.tap(Input::Toggle(2));
    assert_eq!(kiosk.tap(Input::Rate(RAT_HAI_LONG)), None);
    assert_eq!(kiosk.ticked(), ["lang_nghe"]);
    assert!(!kiosk.visit.busy());
}

#[test]
fn rating_later_opens_a_contact_without_a_level() {
    let mut kiosk = Kiosk::new();
    let opened = Record::Open { by: By::Later, counter: q3(), level: None };
    assert_eq!(kiosk.tap(Input::Later), Some(opened));
    assert_eq!(kiosk.visit.page(), &Page::Home);
    assert_eq!(kiosk.visit.chosen(), None);
    let contact = kiosk.kept();
    let ticket = Some(format!("TICKET{contact}"));
    assert_eq!(kiosk.visit.page(), &Page::Later(Contact { seq: contact, ticket }));
    assert_eq!(kiosk.tap(Input::Done), close(contact, How::Left, &[]));
    kiosk.kept();
    assert_eq!(kiosk.visit.page(), &Page::Home);
}

#[test]
fn the_large_code_goes_by_itself() {
    let mut kiosk = Kiosk::new();
    kiosk.tap(Input::Later);
    let contact = kiosk.kept();
    assert_eq!(kiosk.pass(59_750), None);
    assert_eq!(kiosk.pass(250), close(contact, How::TimedOut, &[]));
    kiosk.kept();
    assert_eq!(kiosk.visit.page(), &Page::Home);
}

#[test]
fn what_the_disk_refused_is_never_thanked() {
    for level in 0..5 {
        let mut kiosk = Kiosk::new();
        kiosk.tap(Input::Rate(level));
        kiosk.refused();
        let trouble = "Ổ đĩa đã đầy".to_owned();
        assert_eq!(kiosk.visit.page(), &Page::NotKept { trouble });
        assert_eq!(kiosk.visit.chosen(), None);
        assert_eq!(kiosk.pass(14_750), None);
        assert!(matches!(kiosk.visit.page(), Page::NotKept { .. }));
        kiosk.pass(250);
        assert_eq!(kiosk.visit.page(), &Page::Home);
    }
}

#[test]
fn refused_reasons_are_apologised_for_and_the_next_visitor_begins_anew() {
    for (input, how) in [(Input::Send, How::Sent), (Input::Skip, How::Skipped)] {
        let mut kiosk = Kiosk::new();
        let contact = kiosk.rate(KHONG_HAI_LONG);
        kiosk.tap(Input::Toggle(0));
        let reasons: &[&str] = if how == How::Sent { &["thai_do"] } else { &[] };
        assert_eq!(kiosk.tap(input), close(contact, how, reasons));
        kiosk.refused();
        assert!(matches!(kiosk.visit.page(), Page::NotKept { .. }));
        assert_eq!(kiosk.tap(Input::Done), None, "the next start of an epoch closes it");
        assert_eq!(kiosk.visit.page(), &Page::Home);
        kiosk.rate(KHONG_HAI_LONG);
        assert_eq!(kiosk.ticked(), [""; 0]);
    }
}

#[test]
fn touches_on_a_page_that_just_appeared_are_ignored() {
    let mut kiosk = Kiosk::new();
    let contact = kiosk.rate(RAT_HAI_LONG);
    let shown = kiosk.now;
    for input in [Input::Toggle(0), Input::Rate(3), Input::Send, Input::Skip] {
        assert_eq!(kiosk.visit.step(input, shown + SETTLE_MS - 1), None);
    }
    assert!(kiosk.on_reasons() && !kiosk.visit.busy());
    assert_eq!(kiosk.ticked(), [""; 0]);
    let sent = kiosk.visit.step(Input::Send, shown + SETTLE_MS);
    assert_eq!(sent, close(contact, How::Sent, &[]));
    kiosk.waiting = sent;
    kiosk.now = shown + SETTLE_MS;
    kiosk.kept();
    kiosk.visit.step(Input::Done, kiosk.now + SETTLE_MS - 1);
    assert!(kiosk.on_thanks(), "a double tap on Gửi does not take the thanks away");
    kiosk.visit.step(Input::Done, kiosk.now + SETTLE_MS);
    assert_eq!(kiosk.visit.page(), &Page::Home);
    kiosk.now += SETTLE_MS;
    assert_eq!(kiosk.visit.step(Input::Rate(4), kiosk.now + SETTLE_MS - 1), None);
}

#[test]
fn a_touch_gives_more_time_for_reasons_and_for_the_large_code() {
    let mut kiosk = Kiosk::new();
    let contact = kiosk.rate(RAT_HAI_LONG);
    for input in [Input::Touched, Input::Toggle(0), Input::Rate(RAT_HAI_LONG)] {
        assert_eq!(kiosk.pass(29_000), None);
        assert!(kiosk.visit.time_left(kiosk.now) < 0.05);
        assert_eq!(kiosk.visit.step(input, kiosk.now), None);
        assert_eq!(kiosk.visit.time_left(kiosk.now), 1.0);
    }
    assert_eq!(kiosk.pass(29_000), None);
    kiosk.tap(Input::Rate(HAI_LONG));
    kiosk.kept();
    assert_eq!(kiosk.pass(29_750), None, "another level gives more time too");
    assert_eq!(kiosk.pass(250), close(contact, How::TimedOut, &["niem_no"]));
    kiosk.kept();

    kiosk.tap(Input::Later);
    let contact = kiosk.kept();
    assert_eq!(kiosk.pass(59_000), None);
    assert_eq!(kiosk.visit.step(Input::Touched, kiosk.now), None);
    assert_eq!(kiosk.pass(59_750), None);
    assert_eq!(kiosk.pass(250), close(contact, How::TimedOut, &[]));
}

#[test]
fn thanks_and_apology_end_by_themselves_touched_or_not() {
    let mut kiosk = Kiosk::new();
    kiosk.rate(RAT_HAI_LONG);
    kiosk.tap(Input::Send);
    kiosk.kept();
    kiosk.pass(19_000);
    kiosk.visit.step(Input::Touched, kiosk.now);
    assert!(kiosk.on_thanks());
    kiosk.pass(1_000);
    assert_eq!(kiosk.visit.page(), &Page::Home);

    kiosk.tap(Input::Rate(RAT_HAI_LONG));
    kiosk.refused();
    kiosk.pass(14_000);
    kiosk.visit.step(Input::Touched, kiosk.now);
    kiosk.pass(1_000);
    assert_eq!(kiosk.visit.page(), &Page::Home);
}

#[test]
fn the_check_code_is_shown_on_request_and_leaves_time_to_write_it_down() {
    let mut kiosk = Kiosk::new();
    kiosk.rate(RAT_HAI_LONG);
    kiosk.tap(Input::Send);
    let end = kiosk.kept();
    let shown = |kiosk: &Kiosk| match kiosk.visit.page() {
        Page::Thanks { code, code_shown, .. } => (code.clone(), *code_shown),
        page => panic!("{page:?}"),
    };
    assert_eq!(shown(&kiosk), (Some(format!("CODE{end}")), false));
    kiosk.pass(15_000);
    assert_eq!(kiosk.tap(Input::ShowCode), None, "no event of its own");
    assert_eq!(shown(&kiosk), (Some(format!("CODE{end}")), true));
    kiosk.pass(59_000);
    assert!(kiosk.on_thanks());
    kiosk.pass(1_000);
    assert_eq!(kiosk.visit.page(), &Page::Home);
    assert_eq!(kiosk.tap(Input::ShowCode), None);
    assert_eq!(kiosk.visit.page(), &Page::Home, "nothing of it is left for the next");
}

#[test]
fn nothing_is_taken_while_a_record_is_on_its_way() {
    let inputs = [
        Input::Rate(4),
        Input::Toggle(0),
        Input::Send,
        Input::Skip,
        Input::Later,
        Input::Done,
        Input::Touched,
        Input::Tick,
    ];
    let ways: [&[Input]; 5] = [
        &[Input::Rate(0)],
        &[Input::Later],
        &[Input::Rate(0), Input::Rate(3)],
        &[Input::Rate(0), Input::Send],
        &[Input::Later, Input::Done],
    ];
    for way in ways {
        let mut kiosk = Kiosk::new();
        let (last, before) = way.split_last().unwrap();
        for input in before {
            kiosk.tap(input.clone());
            kiosk.kept();
        }
        assert!(kiosk.tap(last.clone()).is_some());
        assert!(kiosk.visit.busy());
        let page = kiosk.visit.page().clone();
        // However long the disk takes.
        for input in &inputs {
            kiosk.now += 100_000;
            assert_eq!(kiosk.visit.step(input.clone(), kiosk.now), None);
            assert_eq!(kiosk.visit.page(), &page);
        }
        let chosen = kiosk.visit.chosen();
        assert_eq!(kiosk.visit.hand.ignored, 6, "the taps among them");
        kiosk.visit.hand.ignored = 0;
        kiosk.kept();
        assert!(!kiosk.visit.busy());
        if let Page::Reasons { level, .. } = kiosk.visit.page() {
            assert_eq!(Some(*level), chosen);
            assert_eq!(kiosk.ticked(), [""; 0]);
        }
    }
}

#[test]
fn a_slow_disk_takes_no_time_from_the_visitor() {
    let mut kiosk = Kiosk::new();
    kiosk.tap(Input::Rate(0));
    kiosk.now += 45_000;
    kiosk.kept();
    assert_eq!(kiosk.visit.time_left(kiosk.now), 1.0);
    assert_eq!(kiosk.pass(29_750), None);
    kiosk.tap(Input::Rate(1));
    kiosk.now += 45_000;
    kiosk.kept();
    assert_eq!(kiosk.pass(29_750), None);
    assert!(kiosk.on_reasons());
}

#[test]
fn home_reacts_to_faces_and_later_only() {
    let mut kiosk = Kiosk::new();
    let others = [
        Input::Toggle(0),
        Input::Send,
        Input::Skip,
        Input::Done,
        Input::Touched,
        Input::Tick,
        Input::Rate(5),
        Input::Kept(3, Some("STRAY".into())),
        Input::Refused("stray".into()),
    ];
    for input in others {
        assert_eq!(kiosk.tap(input), None);
        assert_eq!(kiosk.visit.page(), &Page::Home);
        assert!(kiosk.visit.idle());
    }
    assert_eq!(kiosk.pass(3_600_000), None);
    assert_eq!(kiosk.visit.time_left(kiosk.now), 1.0);
}

#[test]
fn the_end_of_the_program_keeps_the_ticks_of_an_open_visit() {
    let mut kiosk = Kiosk::new();
    assert_eq!(kiosk.visit.cut_off(), None);
    let contact = kiosk.rate(KHONG_HAI_LONG);
    kiosk.tap(Input::Toggle(3));
    let cut_off = close(contact, How::Interrupted, &["cho_lau"]);
    assert_eq!(kiosk.visit.clone().cut_off(), cut_off);

    kiosk.tap(Input::Rate(KHONG_HAI_LONG + 1));
    assert_eq!(kiosk.visit.clone().cut_off(), None, "the record on its way goes first");
    kiosk.kept();
    kiosk.tap(Input::Send);
    kiosk.kept();
    assert!(kiosk.on_thanks());
    assert_eq!(kiosk.visit.clone().cut_off(), None, "it is closed already");
    kiosk.tap(Input::Done);

    kiosk.tap(Input::Later);
    let contact = kiosk.kept();
    assert_eq!(kiosk.visit.cut_off(), close(contact, How::Interrupted, &[]));
}

#[test]
fn the_bar_runs_from_full_to_empty() {
    let mut kiosk = Kiosk::new();
    assert_eq!(kiosk.visit.time_left(kiosk.now), 1.0);
    kiosk.rate(0);
    assert_eq!(kiosk.visit.time_left(kiosk.now), 1.0);
    assert_eq!(kiosk.visit.time_left(kiosk.now + 15_000), 0.5);
    assert_eq!(kiosk.visit.time_left(kiosk.now + 40_000), 0.0);
}

fn called(by: By) -> Option<Record> {
    Some(Record::Open { by, counter: q3(), level: None })
}

fn invited(kiosk: &Kiosk) -> bool {
    matches!(kiosk.visit.page(), Page::Invited(_))
}

#[test]
fn whoever_is_called_rates_declines_or_goes_and_each_is_told_apart() {
    for by in [By::Invitation, By::Queue, By::Slip] {
        let mut kiosk = Kiosk::new();
        assert_eq!(kiosk.tap(Input::Call(by, q3())), called(by));
        let contact = kiosk.kept();
        assert!(invited(&kiosk));
        let change = Record::Change { contact, level: "khong_hai_long".into() };
        assert_eq!(kiosk.tap(Input::Rate(KHONG_HAI_LONG)), Some(change));
        assert_eq!(kiosk.visit.chosen(), Some(KHONG_HAI_LONG));
        kiosk.kept();
        assert!(kiosk.on_reasons());
        kiosk.tap(Input::Toggle(0));
        assert_eq!(kiosk.tap(Input::Send), close(contact, How::Sent, &["thai_do"]));
        kiosk.kept();
        assert!(kiosk.on_thanks());
        kiosk.tap(Input::Done);

        kiosk.now += BETWEEN_MS;
        assert_eq!(kiosk.tap(Input::Call(by, q3())), called(by));
        let contact = kiosk.kept();
        assert_eq!(kiosk.tap(Input::Decline), close(contact, How::Declined, &[]));
        kiosk.kept();
        assert_eq!(kiosk.visit.page(), &Page::Home);

        kiosk.tap(Input::Call(by, q3()));
        let contact = kiosk.kept();
        assert_eq!(kiosk.pass(59_750), None);
        assert!(kiosk.visit.asks_for_time(kiosk.now));
        assert_eq!(kiosk.pass(250), close(contact, How::TimedOut, &[]));
        kiosk.kept();
        assert!(kiosk.visit.idle());
    }
}

#[test]
fn whoever_was_called_reads_the_notice_and_is_still_asked() {
    let mut kiosk = Kiosk::new();
    kiosk.tap(Input::Call(By::Queue, q3()));
    let contact = kiosk.kept();
    kiosk.tap(Input::Notice);
    assert!(matches!(kiosk.visit.page(), Page::Notice(Some(_))));
    kiosk.tap(Input::Done);
    assert!(invited(&kiosk));
    kiosk.tap(Input::Notice);
    assert_eq!(kiosk.pass(60_000), close(contact, How::TimedOut, &[]));
    kiosk.kept();
    kiosk.tap(Input::Call(By::Queue, q3()));
    let contact = kiosk.kept();
    kiosk.tap(Input::Notice);
    assert_eq!(kiosk.visit.cut_off(), close(contact, How::Interrupted, &[]));
}

#[test]
fn a_call_waits_for_the_visit_that_is_under_way() {
    let mut kiosk = Kiosk::new();
    let contact = kiosk.rate(HAI_LONG);
    assert_eq!(kiosk.tap(Input::Call(By::Queue, q3())), None);
    assert!(kiosk.on_reasons());
    assert_eq!(kiosk.tap(Input::Send), close(contact, How::Sent, &[]));
    kiosk.kept();
    assert!(kiosk.on_thanks(), "the code for the phone is still read");
    kiosk.now += SETTLE_MS;
    let record = kiosk.visit.step(Input::Done, kiosk.now);
    assert_eq!(record, called(By::Queue));
    kiosk.waiting = record;
    kiosk.kept();
    assert!(invited(&kiosk));
}

#[test]
fn the_queue_s_next_call_takes_the_place_of_one_that_nobody_answered() {
    let mut kiosk = Kiosk::new();
    kiosk.tap(Input::Call(By::Queue, q3()));
    let first = kiosk.kept();
    assert_eq!(kiosk.tap(Input::Call(By::Queue, q3())), None, "there was no time to answer yet");
    kiosk.now += LEAST_INVITED_MS - SETTLE_MS;
    let closed = kiosk.visit.step(Input::Tick, kiosk.now);
    assert_eq!(closed, close(first, How::TimedOut, &[]));
    let closed = kiosk.next;
    kiosk.next += 1;
    let record = kiosk.visit.step(Input::Kept(closed, None), kiosk.now);
    assert_eq!(record, called(By::Queue));
    kiosk.waiting = record;
    kiosk.kept();
    assert!(invited(&kiosk));

    // But not of one who is about to.
    kiosk.visit.step(Input::Touched, kiosk.now);
    assert_eq!(kiosk.tap(Input::Call(By::Queue, q3())), None);
    assert!(kiosk.tap(Input::Rate(HAI_LONG)).is_some());

    // The official's key pressed again and again is one invitation.
    let mut kiosk = Kiosk::new();
    for _ in 0..3 {
        let record = kiosk.tap(Input::Call(By::Invitation, q3()));
        if record.is_some() {
            kiosk.kept();
        }
    }
    assert!(invited(&kiosk));
    assert_eq!(kiosk.next, 8, "one line");
    let elsewhere = Input::Call(By::Queue, "q9".parse().unwrap());
    assert_eq!(kiosk.tap(elsewhere), None, "another kiosk's counter");
}

#[test]
fn what_the_disk_refused_of_a_call_troubles_nobody() {
    let mut kiosk = Kiosk::new();
    kiosk.tap(Input::Call(By::Queue, q3()));
    kiosk.refused();
    assert_eq!(kiosk.visit.page(), &Page::Home);
    assert!(kiosk.visit.idle());
}

/// A finger that goes down and up, `ms` after the one before.
fn touch(kiosk: &mut Kiosk, ms: u64, input: Input) -> Option<Record> {
    kiosk.now += ms;
    let pressed = kiosk.visit.step(Input::Touched, kiosk.now);
    let record = pressed.or_else(|| kiosk.visit.step(input, kiosk.now));
    kiosk.waiting.clone_from(&record);
    record
}

#[test]
fn a_child_that_hammers_gives_one_rating_and_the_rest_is_misuse() {
    // What is under a small fist on each page, five times a second.
    let mut kiosk = Kiosk::new();
    let mut records = Vec::new();
    for _ in 0..150 {
        let input = match kiosk.visit.page() {
            Page::Home | Page::Invited(_) => Input::Rate(KHONG_HAI_LONG),
            Page::Reasons { .. } => Input::Send,
            _ => Input::Done,
        };
        if let Some(record) = touch(&mut kiosk, 200, input) {
            records.push(record);
            kiosk.kept();
        }
    }
    assert_eq!(records.len(), 2, "{records:?}");
    assert_eq!(records[1], close(7, How::Sent, &[]).unwrap());
    let told = kiosk.pass(10_000);
    let Some(Record::Misuse { touches }) = told else { panic!("{told:?}") };
    assert!(touches > 130, "{touches}");
    kiosk.kept();
    assert_eq!(kiosk.pass(60_000), None, "told once");
    assert!(kiosk.visit.idle());
    kiosk.rate(HAI_LONG);
    assert!(kiosk.on_reasons(), "and the next visitor rates");
}

#[test]
fn who_ticks_quickly_is_no_child() {
    let mut kiosk = Kiosk::new();
    kiosk.rate(HAI_LONG);
    kiosk.now += SETTLE_MS;
    for place in 0..6 {
        touch(&mut kiosk, 300, Input::Toggle(place));
    }
    assert_eq!(kiosk.ticked().len(), 6);
    assert!(touch(&mut kiosk, 300, Input::Send).is_some());
}

#[test]
fn a_tap_that_comes_twice_is_nothing_to_tell() {
    let mut kiosk = Kiosk::new();
    for input in [Input::Rate(HAI_LONG), Input::Rate(HAI_LONG)] {
        if touch(&mut kiosk, 100, input).is_some() {
            kiosk.kept();
        }
    }
    touch(&mut kiosk, SETTLE_MS, Input::Send);
    kiosk.kept();
    kiosk.tap(Input::Done);
    assert_eq!(kiosk.pass(60_000), None);
}

/// What happens to a kiosk, one after the other.
#[derive(Debug, Clone)]
enum Happening {
    Input(Input),
    Pass(u64),
    /// The journal answers what it was handed, if anything; a stray answer otherwise.
    Keeps,
    Refuses,
    /// The program ends, in good order or not, and starts again.
    Restart {
        in_order: bool,
    },
}

fn happening() -> impl Strategy<Value = Happening> {
    let input = prop_oneof![
        4 => (0..6usize).prop_map(Input::Rate),
        5 => (0..9usize).prop_map(Input::Toggle),
        2 => Just(Input::Send),
        1 => Just(Input::Skip),
        1 => Just(Input::Later),
        1 => Just(Input::Decline),
        2 => (prop_oneof![Just(By::Invitation), Just(By::Queue)], 1..5u8).prop_map(|(by, number)| {
            Input::Call(by, format!("q{number}").parse().unwrap())
        }),
        2 => Just(Input::Done),
        2 => (0..4usize).prop_map(Input::Counter),
        1 => Just(Input::Notice),
        2 => prop_oneof![
            2 => Just(SlipRead::Fresh),
            1 => Just(SlipRead::Used),
            1 => Just(SlipRead::Unreadable),
        ]
        .prop_map(Input::Slip),
        1 => Just(Input::EnterSlip),
        1 => Just(Input::LookUp),
        1 => (0..9usize).prop_map(Input::Choose),
        1 => (0..9usize).prop_map(Input::Turn),
        1 => (0..2usize).prop_map(Input::Language),
        1 => prop_oneof![Just(Mode::Low), Just(Mode::Large), Just(Mode::Contrast)]
            .prop_map(Input::Mode),
        1 => Just(Input::ShowCode),
        1 => Just(Input::Touched),
        1 => Just(Input::Moved),
        3 => prop_oneof![
            4 => prop::char::range('a', 'z').prop_map(Stroke::Character),
            1 => prop::char::range('0', '9').prop_map(Stroke::Character),
            1 => Just(Stroke::Character(' ')),
            1 => Just(Stroke::Back),
        ]
        .prop_map(Input::Type),
    ];
    let pass = prop_oneof![
        6 => 0..900u64,
        2 => 3_000..20_000u64,
        1 => 20_000..70_000u64,
    ];
    prop_oneof![
        12 => input.prop_map(Happening::Input),
        8 => pass.prop_map(Happening::Pass),
        12 => Just(Happening::Keeps),
        1 => Just(Happening::Refuses),
        1 => any::<bool>().prop_map(|in_order| Happening::Restart { in_order }),
    ]
}

/// What a contact has in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    seq: u64,
    level: Option<usize>,
    end: Option<(How, Vec<String>)>,
}

/// The visitor before the screen, as an onlooker would describe them from what they did.
#[derive(Debug, Clone, Default)]
struct Onlooker {
    /// The open contact, once kept.
    contact: Option<u64>,
    /// The level last kept for it.
    level: Option<usize>,
    /// Codes ticked since the level's pole was last set.
    ticked: BTreeSet<String>,
    /// The face tapped whose record is on its way.
    tapped: Option<usize>,
    /// The language and the counter chosen.
    language: (usize, Modes),
    counter: usize,
    /// A slip was read, and who served is still to be chosen.
    slip: bool,
}

/// Visit, a journal that may refuse and may be slow, and an onlooker who checks.
struct World {
    form: Arc<Form>,
    counters: Vec<CounterId>,
    visit: Visit,
    now: u64,
    shown: u64,
    next: u64,
    waiting: Option<Record>,
    entries: Vec<Entry>,
    who: Onlooker,
}

impl World {
    fn new(hall: bool) -> Self {
        let form = form_with_wishes();
        let codes: &[&str] = if hall { &["q1", "q2", "q3"] } else { &["q3"] };
        let counters: Vec<CounterId> = codes.iter().map(|code| code.parse().unwrap()).collect();
        Self {
            visit: Visit::new(Arc::clone(&form), counters.clone(), TimeOuts::default()),
            counters,
            form,
            now: 60_000,
            shown: 0,
            next: 4,
            waiting: None,
            entries: Vec::new(),
            who: Onlooker::default(),
        }
    }

    fn pole(&self, level: usize) -> Pole {
        self.form.levels[level].pole
    }

    fn offered(&self, level: usize) -> Vec<String> {
        let reasons = self.form.reasons_of(self.pole(level)).map(|reason| reason.code.clone());
        reasons.chain(self.form.wishes.iter().map(|wish| wish.code.clone())).collect()
    }

    /// The onlooker's ticks, in the form's order.
    fn ticks(&self) -> Vec<String> {
        let offered = self.who.level.map(|level| self.offered(level)).unwrap_or_default();
        offered.into_iter().filter(|code| self.who.ticked.contains(code)).collect()
    }

    fn rest(&self) -> Page {
        if self.counters.len() > 1 { Page::Who } else { Page::Home }
    }

    fn entry(&mut self, seq: u64) -> &mut Entry {
        self.entries.iter_mut().find(|entry| entry.seq == seq).expect("a kept contact")
    }

    fn happens(&mut self, happening: &Happening) {
        let before = self.visit.page().clone();
        match happening {
            Happening::Input(input) => self.input(input.clone()),
            Happening::Pass(ms) => {
                self.now += ms;
                self.input(Input::Tick);
            }
            Happening::Keeps => self.keeps(),
            Happening::Refuses => self.refuses(),
            Happening::Restart { in_order } => self.restart(*in_order),
        }
        let after = self.visit.page();
        let began_anew = matches!(happening, Happening::Restart { .. });
        if !began_anew && std::mem::discriminant(&before) != std::mem::discriminant(after) {
            self.shown = self.now;
        }
        self.check();
    }

    /// Whether a record follows from nobody's touch: somebody was called, or touches are told.
    fn is_due(page: &Page, input: &Input, record: &Record) -> bool {
        match record {
            Record::Misuse { .. } => true,
            Record::Open { by, .. } => matches!(by, By::Invitation | By::Queue),
            Record::Close { how, .. } => {
                let called = matches!(page, Page::Invited(_)) && *how == How::TimedOut;
                called && matches!(input, Input::Call(..) | Input::Tick)
            }
            Record::Change { .. } | Record::Write { .. } => false,
        }
    }

    fn due(&mut self, record: Record) {
        let page = self.visit.page();
        match &record {
            Record::Open { counter, level, .. } => {
                assert_eq!(*page, self.rest(), "nobody's visit is cut short");
                assert_eq!((self.who.contact, level), (None, &None));
                let place = self.counters.iter().position(|one| one == counter).expect("own");
                self.who =
                    Onlooker { counter: place, language: self.who.language, ..Onlooker::default() };
            }
            Record::Misuse { touches } => {
                assert_eq!(*page, self.rest());
                assert!(*touches >= LEAST_MISUSE);
            }
            Record::Close { contact, reasons, .. } => {
                assert_eq!((Some(*contact), reasons.len()), (self.who.contact, 0));
            }
            Record::Change { .. } | Record::Write { .. } => unreachable!(),
        }
        self.waiting = Some(record);
    }

    fn input(&mut self, input: Input) {
        let page = self.visit.page().clone();
        let settled = self.shown == 0 || self.now - self.shown >= self.visit.settle_ms;
        let calm = self.visit.hand.is_calm(self.now);
        let record = self.visit.step(input.clone(), self.now);
        assert_eq!(self.visit.busy(), self.waiting.is_some() || record.is_some());
        if self.waiting.is_some() {
            assert_eq!(record, None, "one record at a time");
            assert_eq!(*self.visit.page(), page, "the screen waits for the disk");
            return;
        }
        let due = |record: &Record| Self::is_due(&page, &input, record);
        let (due, record) = match record {
            Some(record) if due(&record) => (Some(record), None),
            record => (None, record),
        };
        self.own(&page, &input, record, settled && calm);
        if let Some(record) = due {
            self.due(record);
        }
    }

    /// What the visitor's own touch, or time, led to.
    fn own(&mut self, page: &Page, input: &Input, record: Option<Record>, taken: bool) {
        if let Input::Language(language) = input {
            self.who.language.0 = *language;
            assert_eq!((record, self.visit.page()), (None, page), "only the words change");
            return;
        }
        if let Input::Mode(mode) = input {
            let modes = &mut self.who.language.1;
            match mode {
                Mode::Low => modes.low = !modes.low,
                Mode::Large => modes.large = !modes.large,
                Mode::Contrast => modes.contrast = !modes.contrast,
            }
            assert_eq!((record, self.visit.page()), (None, page), "only the look changes");
            return;
        }
        if let Input::Slip(read) = input {
            return self.slip(page, *read, record);
        }
        if !taken && !matches!(input, Input::Tick | Input::Touched | Input::Moved) {
            assert_eq!(record, None, "a page just shown, or hammered upon, takes no touch");
            assert_eq!(self.visit.page(), page);
            return;
        }
        if let (Page::Reasons { level, .. }, Input::Toggle(place)) = (page, input)
            && let Some(code) = self.offered(*level).get(*place)
            && !self.who.ticked.remove(code)
        {
            self.who.ticked.insert(code.clone());
        }
        match (page, input, self.visit.page()) {
            (Page::Who, Input::Counter(place), Page::Home) => self.who.counter = *place,
            (Page::Home | Page::Notice(None), Input::Done, _) => self.who.counter = 0,
            (Page::Slip { .. } | Page::Procedures { .. }, Input::Done | Input::Skip, after)
                if *after == self.rest() =>
            {
                self.who.counter = 0;
            }
            // Whoever goes, by touch or by time, leaves nothing behind.
            (page, Input::Tick | Input::Done, after)
                if record.is_none() && page != after && *after == self.rest() =>
            {
                self.who = Onlooker::default();
            }
            // Whoever was called meanwhile may be asked at the same moment.
            (_, Input::Tick, _)
                if self.visit.idle() || self.who.slip && !self.visit.slip_waits() =>
            {
                self.who = Onlooker::default();
            }
            _ => {}
        }
        let Some(record) = record else { return };
        match &record {
            Record::Open { by: By::Slip, counter, level: None } => {
                let Input::Counter(place) = input else { panic!("{input:?} opens by slip") };
                assert!(self.who.slip && *page == Page::Who);
                assert_eq!(*counter, self.counters[*place]);
                self.who.counter = *place;
                self.who.slip = false;
            }
            Record::Open { level, counter, .. } => {
                assert_eq!(*page, Page::Home);
                assert_eq!(*counter, self.counters[self.who.counter], "where it was chosen");
                assert_eq!(self.who.contact, None, "the visitor before is gone");
                let tapped = if let Input::Rate(tapped) = input { Some(*tapped) } else { None };
                let code = tapped.map(|tapped| self.form.levels[tapped].code.clone());
                assert_eq!(*level, code);
                let (language, counter) = (self.who.language, self.who.counter);
                self.who = Onlooker { tapped, language, counter, ..Onlooker::default() };
            }
            Record::Change { contact, level } => {
                let Input::Rate(tapped) = input else { panic!("{input:?} changes a level") };
                assert_eq!(Some(*contact), self.who.contact);
                assert_eq!(*level, self.form.levels[*tapped].code);
                self.who.tapped = Some(*tapped);
            }
            Record::Close { contact, how, reasons } => {
                assert_eq!(Some(*contact), self.who.contact);
                let left = matches!(page, Page::Later(_));
                let (expected, kept) = match input {
                    Input::Send => (How::Sent, self.ticks()),
                    Input::Skip if matches!(page, Page::Words { .. }) => (How::Sent, self.ticks()),
                    Input::Skip => (How::Skipped, Vec::new()),
                    Input::Tick => (How::TimedOut, self.ticks()),
                    Input::Done if left => (How::Left, Vec::new()),
                    Input::Decline => (How::Declined, Vec::new()),
                    other => panic!("{other:?} closes a contact"),
                };
                assert_eq!((*how, reasons), (expected, &kept));
            }
            Record::Write { contact, reasons, words } => {
                let Page::Words { writing, .. } = page else { panic!("{page:?} has no words") };
                assert_eq!((Some(*contact), input), (self.who.contact, &Input::Send));
                assert_eq!(*reasons, self.ticks());
                assert_eq!(words.as_str(), masked(writing.text().trim()));
                assert!(!words.is_empty());
            }
            Record::Misuse { .. } => unreachable!(),
        }
        self.waiting = Some(record);
    }

    /// A slip is taken while nobody's contact is open, and nowhere else.
    fn slip(&mut self, page: &Page, read: SlipRead, record: Option<Record>) {
        let served = match page {
            Page::Who => false,
            Page::Home => true,
            Page::Slip { served, .. } => *served,
            _ => return assert_eq!((record, self.visit.page()), (None, page)),
        };
        self.who.slip = read == SlipRead::Fresh && !served;
        if read == SlipRead::Fresh && served {
            let counter = self.counters[self.who.counter].clone();
            assert_eq!(record, Some(Record::Open { by: By::Slip, counter, level: None }));
            self.waiting = record;
            return;
        }
        assert_eq!(record, None);
        if read == SlipRead::Fresh {
            assert_eq!(*self.visit.page(), Page::Who);
        } else {
            let empty = Zeroizing::default();
            let told = Page::Slip { digits: empty, trouble: Some(read), served };
            assert_eq!(*self.visit.page(), told);
        }
    }

    /// What the journal does with a record; gives its number and ticket.
    fn commit(&mut self, record: &Record) -> (u64, Option<String>) {
        let seq = self.next;
        self.next += 1;
        match record {
            Record::Open { level, .. } => {
                let level = level.as_deref().and_then(|level| self.form.level(level));
                self.entries.push(Entry { seq, level, end: None });
                return (seq, handed(record, seq));
            }
            Record::Change { contact, level } => {
                let level = self.form.level(level);
                let entry = self.entry(*contact);
                assert_eq!(entry.end, None, "a closed contact is never changed");
                assert!(level.is_some(), "a level stays a level");
                entry.level = level;
            }
            Record::Write { contact, reasons, .. } => {
                let end = Some((How::Sent, reasons.clone()));
                self.entry(*contact).end = end;
            }
            Record::Misuse { .. } => {}
            Record::Close { contact, how, reasons } => {
                let end = Some((*how, reasons.clone()));
                let entry = self.entry(*contact);
                assert_eq!(entry.end, None, "a contact is closed once");
                entry.end = end;
            }
        }
        (seq, handed(record, seq))
    }

    fn keeps(&mut self) {
        let Some(record) = self.waiting.take() else {
            // A stray answer changes nothing.
            let page = self.visit.page().clone();
            let stray = Input::Kept(self.next + 100, Some("STRAY".into()));
            assert_eq!(self.visit.step(stray, self.now), None);
            assert_eq!(*self.visit.page(), page);
            return;
        };
        let (seq, handed) = self.commit(&record);
        let due = self.visit.step(Input::Kept(seq, handed.clone()), self.now);
        let page = match (&record, &due) {
            // The page that follows is there only as long as the disk takes for who was called.
            (Record::Close { how: How::Sent | How::Skipped, .. }, Some(due)) => {
                panic!("{due:?} before the thanks are read")
            }
            _ => self.visit.page().clone(),
        };
        match record {
            Record::Misuse { .. } => {}
            Record::Open { by: By::Invitation | By::Queue | By::Slip, .. } => {
                self.who.contact = Some(seq);
                assert_eq!(page, Page::Invited(Contact { seq, ticket: handed }));
            }
            Record::Open { level, .. } => {
                self.who.contact = Some(seq);
                self.who.level = self.who.tapped.take();
                let contact = Contact { seq, ticket: handed };
                match (level, page) {
                    (None, Page::Later(shown)) => assert_eq!(shown, contact),
                    (Some(_), Page::Reasons { contact: shown, ticked, .. }) => {
                        assert_eq!(shown, contact);
                        assert!(ticked.iter().all(|tick| !tick), "ticks of somebody else");
                    }
                    (level, page) => panic!("{level:?} was kept, and then {page:?}"),
                }
            }
            Record::Change { .. } => {
                let level = self.who.tapped.take().expect("a face was tapped");
                let before = self.who.level.replace(level);
                if before.is_some_and(|before| self.pole(before) != self.pole(level)) {
                    self.who.ticked.clear();
                }
            }
            Record::Write { contact, .. } => {
                let contact = Contact { seq: contact, ticket: Some(format!("TICKET{contact}")) };
                let thanks =
                    Page::Thanks { contact, words: false, code: handed, code_shown: false };
                assert_eq!(page, thanks);
                let (language, counter) = (self.who.language, self.who.counter);
                self.who = Onlooker { language, counter, ..Onlooker::default() };
            }
            Record::Close { contact, how, reasons } => {
                let thanked = matches!(how, How::Sent | How::Skipped);
                let ticket = Some(format!("TICKET{contact}"));
                let wish = |code: &String| self.form.wishes.iter().any(|wish| wish.code == *code);
                let words = how == How::Sent && reasons.iter().any(wish);
                let expected = if thanked {
                    let contact = Contact { seq: contact, ticket };
                    Page::Thanks { contact, words, code: handed, code_shown: false }
                } else {
                    self.rest()
                };
                assert_eq!(page, expected);
                let (language, counter) = (self.who.language, self.who.counter);
                self.who = Onlooker::default();
                if thanked {
                    (self.who.language, self.who.counter) = (language, counter);
                }
            }
        }
        if let Some(record) = due {
            self.due(record);
        }
    }

    fn refuses(&mut self) {
        let page = self.visit.page().clone();
        let trouble = format!("trouble {}", self.now);
        let due = self.visit.step(Input::Refused(trouble.clone()), self.now);
        let waiting = self.waiting.take();
        match &waiting {
            Some(Record::Misuse { .. })
            | Some(Record::Open { by: By::Invitation | By::Queue | By::Slip, .. }) => {
                let called = !matches!(waiting, Some(Record::Misuse { .. }));
                let expected = if called { self.rest() } else { page };
                assert_eq!(*self.visit.page(), expected, "nobody's answer is lost");
                if called {
                    self.who.counter = 0;
                }
            }
            Some(_) => {
                assert_eq!(*self.visit.page(), Page::NotKept { trouble });
                let (language, counter) = (self.who.language, self.who.counter);
                self.who = Onlooker { language, counter, ..Onlooker::default() };
            }
            None => assert_eq!(*self.visit.page(), page, "a stray answer"),
        }
        if let Some(record) = due {
            self.due(record);
        }
    }

    fn restart(&mut self, in_order: bool) {
        if in_order {
            // The journal still gets what is on its way, and then what is cut off.
            let last = self.visit.cut_off();
            if let Some(record) = self.waiting.take() {
                assert_eq!(last, None);
                self.commit(&record);
            } else if let Some(record) = last {
                let Record::Close { contact, how: How::Interrupted, reasons } = &record else {
                    panic!("{record:?} at the end")
                };
                assert_eq!(Some(*contact), self.who.contact);
                assert_eq!(*reasons, self.ticks());
                self.commit(&record);
            } else {
                assert_eq!(self.who.contact, None, "an open visit is cut off");
            }
        }
        self.waiting = None;
        self.who = Onlooker::default();
        self.visit = Visit::new(Arc::clone(&self.form), self.counters.clone(), TimeOuts::default());
        self.shown = 0;
    }

    /// What holds at every moment.
    fn check(&mut self) {
        let own = (self.visit.language(), self.visit.modes());
        assert_eq!(own, self.who.language, "the visitor's own language and modes");
        assert_eq!(self.visit.counter(), self.counters.get(self.who.counter));
        let at_rest = *self.visit.page() == self.rest() && self.who.language == Default::default();
        let untold = self.visit.hand.has_misused();
        assert_eq!(
            self.visit.idle(),
            at_rest && self.waiting.is_none() && !untold && !self.who.slip
        );
        assert_eq!(self.visit.slip_waits(), self.who.slip);
        match self.visit.page().clone() {
            Page::Who | Page::Home | Page::Notice(None) => {
                if self.waiting.is_none() {
                    assert_eq!(self.visit.chosen(), None);
                    assert_eq!(self.who.contact, None);
                }
                assert_eq!(self.visit.offered(), []);
            }
            Page::Reasons { contact, level, ticked } => {
                assert_eq!(Some(contact.seq), self.who.contact);
                assert_eq!(contact.ticket, Some(format!("TICKET{}", contact.seq)));
                assert_eq!(Some(level), self.who.level);
                assert_eq!(self.entry(contact.seq).level, Some(level), "as the disk has it");
                let offered = self.offered(level);
                let shown: Vec<&str> =
                    self.visit.offered().iter().map(|offered| offered.code).collect();
                assert_eq!(shown, offered);
                let ticks = offered.iter().map(|code| self.who.ticked.contains(code));
                assert_eq!(ticked, ticks.collect::<Vec<_>>());
                if self.waiting.is_none() {
                    assert_eq!(self.entry(contact.seq).end, None);
                }
            }
            Page::Later(contact) | Page::Invited(contact) | Page::Notice(Some(contact)) => {
                assert_eq!(Some(contact.seq), self.who.contact);
                assert_eq!(self.entry(contact.seq).level, None);
            }
            Page::Words { contact, level, ticked, .. } => {
                assert_eq!((Some(contact.seq), Some(level)), (self.who.contact, self.who.level));
                let offered = self.offered(level);
                let ticks = offered.iter().map(|code| self.who.ticked.contains(code));
                assert_eq!(ticked, ticks.collect::<Vec<_>>());
                assert_eq!(self.visit.offered(), []);
            }
            Page::Thanks { contact, .. } => {
                let entry = self.entry(contact.seq);
                assert!(entry.level.is_some());
                let end = entry.end.as_ref().expect("thanked means kept");
                assert!(matches!(end.0, How::Sent | How::Skipped));
            }
            Page::Slip { .. } | Page::Procedures { .. } if self.waiting.is_some() => {}
            Page::NotKept { .. } | Page::Slip { .. } | Page::Procedures { .. } => {
                assert_eq!(self.who.contact, None);
            }
        }
        // Nothing on the way holds what an earlier visitor gave.
        if let Some(Record::Change { contact, .. } | Record::Close { contact, .. }) = &self.waiting
        {
            assert_eq!(Some(*contact), self.who.contact);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    /// No sequence of taps, time-outs, slow or refused answers and restarts loses a level
    /// once kept, thanks for what the disk does not have, or carries one visitor's input to
    /// the next; and every one of them ends at home.
    #[test]
    fn no_sequence_loses_a_kept_level_or_mixes_two_visitors(
        happenings in prop::collection::vec(happening(), 0..120),
        hall in any::<bool>(),
    ) {
        let mut world = World::new(hall);
        for happening in &happenings {
            let kept: Vec<(u64, Option<usize>)> =
                world.entries.iter().map(|entry| (entry.seq, entry.level)).collect();
            let own = world.who.contact;
            world.happens(happening);
            for (entry, (seq, level)) in world.entries.iter().zip(&kept) {
                prop_assert_eq!(entry.seq, *seq);
                prop_assert!(entry.level.is_some() >= level.is_some(), "a level is revoked");
                if Some(*seq) != own {
                    prop_assert_eq!(entry.level, *level, "changed by somebody else");
                }
            }
        }
        // A visit, its end, and each call that waited.
        for _ in 0..2 * MOST_CALLED + 4 {
            world.happens(&Happening::Keeps);
            world.happens(&Happening::Pass(60_000));
        }
        world.happens(&Happening::Keeps);
        prop_assert!(world.visit.idle(), "stuck at {:?}", world.visit.page());
    }
}
