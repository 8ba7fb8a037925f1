//! What visitors come for: to rate, by touch or by keys, in their language, in words.

use hailong::domain::form::Reader;
use hailong::domain::line::Event;
use hailong::kiosk::visit::Page;

use crate::counter::{Counter, told, wait_for};

#[test]
fn by_touch_every_level_costs_the_same_touches_and_gets_the_same_thanks() {
    let Some(counter) = Counter::open() else { return };
    let form = counter.form();
    let (mut expected, mut thanks, mut touches) = (Vec::new(), None, Vec::new());
    for (place, level) in form.levels.iter().enumerate() {
        let other = (place + 2) % form.levels.len();
        let before = counter.touched();
        counter.touches(counter.level(place));
        counter.touches(counter.face(other));
        counter.touches(counter.reason(0));
        counter.touches(counter.reason(4));
        counter.touches(counter.control(&counter.texts(0).send));
        // To the letter and the colour, whatever was given.
        let seen = counter.display.picture();
        let differs = thanks.get_or_insert(seen.clone()).differs(&seen, &counter.own());
        assert_eq!(differs, None, "thanks for {}", level.code);
        counter.leaves();
        touches.push(counter.touched() - before);

        let other = &form.levels[other];
        let offered = form.offered(other.pole);
        expected.push(format!("contact touch {}", level.code));
        expected.push(format!("changed {}", other.code));
        expected.push(format!("closed sent {} {}", offered[0].code, offered[4].code));
    }
    assert_eq!(touches, vec![touches[0]; form.levels.len()]);
    counter.counted(form.levels.len());
    assert_eq!(told(&counter.journal()), expected);
}

#[test]
fn by_keys_alone_somebody_reads_english_rates_and_sends_and_the_next_reads_vietnamese() {
    let Some(counter) = Counter::open() else { return };
    let english = counter.texts(1);
    counter.enters(counter.control("English"));
    assert!(counter.twin.borrow().says(&english.promise));
    counter.enters(counter.control(&english.mode_contrast));
    counter.enters(counter.level(3));
    // The last that was gone to may lie behind.
    counter.enters(counter.reason(2));
    counter.enters(counter.reason(0));
    counter.enters(counter.control(&english.send));
    assert!(counter.twin.borrow().says(&english.thanks_title));
    counter.enters(counter.thanks());
    counter.rests();
    counter.is_home();
    assert!(counter.twin.borrow().says(&counter.texts(0).promise));
    counter.counted(1);
    let form = counter.form();
    let (level, reasons) = (&form.levels[3], form.offered(form.levels[3].pole));
    assert_eq!(
        told(&counter.journal()),
        [
            format!("contact touch {}", level.code),
            format!("closed sent {} {}", reasons[0].code, reasons[2].code)
        ]
    );
}

#[test]
fn words_typed_in_telex_on_the_screen_are_what_the_central_service_opens() {
    const WORDS: &str = "Cảm ơn cán bộ";
    let Some(counter) = Counter::open() else { return };
    let (form, texts) = (counter.form(), counter.texts(0));
    let offered = form.offered(form.levels[1].pole);
    let wish = offered.iter().position(|offered| offered.code == "gop_y").unwrap();
    counter.touches(counter.level(1));
    counter.touches(counter.reason(wish));
    counter.touches(counter.control(&texts.send));
    for letter in "Carm own cans booj".chars() {
        if letter.is_uppercase() {
            counter.types(counter.control(&texts.words_capitals));
        }
        let key = if letter == ' ' { texts.words_space.clone() } else { letter.to_string() };
        counter.types(counter.control(&key));
    }
    assert!(counter.twin.borrow().says(WORDS), "they are on the screen");
    counter.touches(counter.control(&texts.send));
    counter.leaves();
    counter.counted(1);
    {
        let central = counter.central.borrow();
        let store = central.as_ref().unwrap().store();
        let words = counter.runtime.block_on(store.words(Reader::Office)).unwrap();
        assert_eq!(words.iter().map(|written| &*written.text).collect::<Vec<_>>(), [WORDS]);
        assert!(unicode_normalization::is_nfc(&words[0].text));
    }
    assert_eq!(
        told(&counter.journal()),
        ["contact touch hai_long".to_owned(), format!("closed sent gop_y “{WORDS}”")]
    );
}

#[test]
fn forty_touches_in_a_second_are_one_rating_and_a_line_of_misuse() {
    const TOUCHES: u32 = 40;
    let Some(counter) = Counter::open() else { return };
    counter.hammers(counter.level(4), TOUCHES);
    let Page::Reasons { level: 4, ticked, .. } = counter.twin.borrow().page() else {
        panic!("among the reasons")
    };
    assert!(ticked.iter().all(|ticked| !ticked), "none of them is a reason's");
    counter.touches(counter.control(&counter.texts(0).send));
    counter.leaves();
    // It is told once nobody is there.
    wait_for("line of misuse", || {
        let told = told(&counter.journal_so_far());
        (told.last().is_some_and(|last| last == "misuse")).then_some(())
    });
    counter.touches(counter.level(0));
    counter.touches(counter.control(&counter.texts(0).skip));
    counter.leaves();
    counter.counted(2);
    let journal = counter.journal();
    assert_eq!(
        told(&journal),
        [
            "contact touch rat_khong_hai_long",
            "closed sent",
            "misuse",
            "contact touch rat_hai_long",
            "closed skipped"
        ]
    );
    let misuse = journal.iter().find(|read| read.line.event == Event::Misuse).unwrap();
    let ignored = misuse.line.touches.unwrap();
    assert!((TOUCHES / 2..=2 * TOUCHES).contains(&ignored), "{ignored}");
}
