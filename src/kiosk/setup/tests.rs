//! The first start, step by step.

use super::*;
use crate::domain::enrolment::Counters;
use crate::domain::form::Form;
use crate::domain::office::Directory;
use crate::domain::staff_code::StaffCodes;

const ADDRESS: &str = "https://motcua.hungyen.gov.vn";
const CODE: &str = "H7KQ2MXA9R";

fn begin() -> Setup {
    Setup::begin(vec!["vi".into(), "en".into()], None, None, None)
}

fn admitted() -> Admitted {
    let directory: Directory = serde_json::from_value(serde_json::json!({
        "office": {
            "code": "phu-sa", "name": "Phù Sa", "opens": "07:30:00", "closes": "17:00:00", "form": "nam-muc"
        },
        "counters": [], "officials": [], "roster": []
    }))
    .unwrap();
    let counters: Counters = "q3".parse().unwrap();
    let enrolled = Enrolled {
        kiosk: "ps-q3".parse().unwrap(),
        number: 3,
        counters,
        opening_key: String::new(),
        receipt_key: String::new(),
        root_key: String::new(),
        public_url: String::new(),
        directory,
        forms: Vec::<Form>::new(),
        staff_codes: StaffCodes::default(),
        procedures: None,
        to_come: vec![],
    };
    Admitted { words: "sông núi biển mây gió mưa".into(), enrolled, in_use: false }
}

fn types(setup: &mut Setup, text: &str) -> Option<Effect> {
    for character in text.chars() {
        assert_eq!(setup.take(Input::Type(character.into())), None);
    }
    setup.take(Input::Enter)
}

fn ended(setup: &mut Setup, result: Result<Admitted, Failure>) {
    let attempt = setup.attempt;
    assert_eq!(setup.take(Input::Ended { attempt, result: result.map(Box::new) }), None);
}

/// At the connection, after all was typed.
fn connecting() -> Setup {
    let mut setup = begin();
    setup.take(Input::Choose(0));
    types(&mut setup, ADDRESS);
    assert!(matches!(types(&mut setup, CODE), Some(Effect::Connect { .. })));
    setup
}

/// As a start after a power cut has it.
fn again(setup: &Setup, admitted: Option<Admitted>) -> Setup {
    Setup::begin(setup.languages.clone(), setup.configured.clone(), Some(setup.kept()), admitted)
}

#[test]
fn one_step_follows_the_other_to_the_end() {
    let mut setup = begin();
    assert_eq!(*setup.page(), Page::Language);
    setup.take(Input::Choose(1));
    assert_eq!((setup.language(), setup.page()), (1, &Page::Address));
    assert_eq!(types(&mut setup, "motcua.hungyen.gov.vn/"), None);
    assert_eq!(*setup.page(), Page::Code);
    let code = Some(Zeroizing::new(CODE.to_owned()));
    let connect = Effect::Connect { attempt: 1, service: ADDRESS.into(), code };
    assert_eq!(types(&mut setup, "h7kq-2mxa 9r"), Some(connect));
    setup.take(Input::Reached { attempt: 1, stage: Stage::Enrolling });
    assert_eq!(*setup.page(), Page::Connecting(Stage::Enrolling));
    ended(&mut setup, Ok(admitted()));
    assert_eq!(*setup.page(), Page::Words);
    assert_eq!(setup.typed_code(), "", "it is used up");
    setup.take(Input::Press(Button::Agree));
    setup.take(Input::Press(Button::Turned));
    assert_eq!(*setup.page(), Page::Orientation { turned: true });
    setup.take(Input::Press(Button::Back));
    setup.take(Input::Press(Button::Upright));
    assert_eq!(setup.buttons(), [Button::Skip]);
    for point in 0..POINTS {
        setup.take(Input::Hit(point));
    }
    assert_eq!(setup.buttons(), [Button::Begin]);
    assert_eq!(setup.take(Input::Press(Button::Begin)), Some(Effect::Finish));
    assert_eq!(setup.kept().step, Step::Done);
}

#[test]
fn an_address_is_looked_at_before_anybody_is_asked() {
    for (typed, kept) in [
        ("https://motcua.hungyen.gov.vn", Some(ADDRESS)),
        (" HTTPS://MOTCUA.HUNGYEN.GOV.VN/ ", Some(ADDRESS)),
        ("motcua.hungyen.gov.vn", Some(ADDRESS)),
        ("HTTPS://MOTCUA.HUNGYEN.GOV.VN/DANHGIA", Some("https://motcua.hungyen.gov.vn/DANHGIA")),
        ("http://192.168.1.20:8080", Some("http://192.168.1.20:8080")),
        ("http://[::1]:8080", Some("http://[::1]:8080")),
        ("http://localhost:8080", Some("http://localhost:8080")),
        ("", None),
        ("https://", None),
        ("https://motcua", None),
        ("https://motcua.hungyen.gov.", None),
        ("https://motcua .hungyen.gov.vn", None),
        ("ftp://motcua.hungyen.gov.vn", None),
        ("https://motcua.hungyen.gov.vn:99999", None),
        ("https://may01:mat-khau@motcua.hungyen.gov.vn", None),
        ("https://motcua.hungyen.gov.vn/?key=1", None),
    ] {
        assert_eq!(address(typed).as_deref(), kept, "{typed}");
    }
    let mut setup = begin();
    setup.take(Input::Choose(0));
    assert_eq!(types(&mut setup, "https://motcua"), None);
    assert_eq!((setup.page(), setup.tried()), (&Page::Address, true));
    setup.take(Input::Type(".".into()));
    assert!(!setup.tried(), "nothing is held against somebody who goes on typing");
}

#[test]
fn a_scanner_types_behind_whatever_was_there() {
    let scan = "HAILONG SETUP HTTPS://MOTCUA.HUNGYEN.GOV.VN H7KQ2MXA9R";
    let expected = |attempt| {
        let code = Some(Zeroizing::new(CODE.to_owned()));
        Some(Effect::Connect { attempt, service: ADDRESS.into(), code })
    };
    let mut setup = begin();
    setup.take(Input::Choose(0));
    types(&mut setup, "http://khac.vn:80");
    assert_eq!(*setup.page(), Page::Code);
    assert_eq!(types(&mut setup, scan), expected(1), "on the code's page");
    setup.take(Input::Press(Button::Stop));
    setup.take(Input::Press(Button::Back));
    assert_eq!(types(&mut setup, scan), expected(3), "on the address's page, behind an address");
    // An address alone goes on to the code.
    setup.take(Input::Press(Button::Stop));
    setup.take(Input::Press(Button::Back));
    assert_eq!(types(&mut setup, "http://192.168.1.20:8080"), None);
    assert_eq!(setup.service().as_deref(), Some("http://192.168.1.20:8080"));
    assert_eq!(*setup.page(), Page::Code);
    // What is no address does not go further.
    assert_eq!(types(&mut setup, "HAILONG SETUP motcua H7KQ2MXA9R"), None);
    assert_eq!((setup.page(), setup.tried()), (&Page::Address, true));
}

#[test]
fn an_interrupted_start_goes_on_where_it_was_and_the_code_is_nowhere() {
    let mut setup = begin();
    assert_eq!(*again(&setup, None).page(), Page::Language);
    setup.take(Input::Choose(1));
    types(&mut setup, "motcua.hungyen");
    assert_eq!(*again(&setup, None).page(), Page::Code, "a short address is one, too");
    setup.take(Input::Press(Button::Back));
    setup.take(Input::Type(".".into()));
    let after = again(&setup, None);
    assert_eq!((after.page(), after.language(), after.typed_address()), (&Page::Address, 1, ""));
    types(&mut setup, "gov.vn");
    setup.take(Input::Type(CODE.into()));
    let kept = serde_json::to_string(&setup.kept()).unwrap();
    assert!(kept.contains("https://motcua.hungyen.gov.vn") && !kept.contains("H7K"), "{kept}");
    setup.take(Input::Enter);
    assert_eq!(serde_json::to_string(&setup.kept()).unwrap(), kept, "nothing came of it yet");
    let mut after = again(&setup, None);
    assert_eq!((after.page(), after.typed_code()), (&Page::Code, ""));
    // Admitted, but the power went before the screen knew.
    assert_eq!(*again(&after, Some(admitted())).page(), Page::Words);
    types(&mut after, CODE);
    ended(&mut after, Ok(admitted()));
    for (button, page) in [
        (None, Page::Words),
        (Some(Button::Agree), Page::Orientation { turned: false }),
        (Some(Button::Turned), Page::Orientation { turned: false }),
        (Some(Button::Next), Page::Touch([false; POINTS])),
    ] {
        button.map(|button| after.take(Input::Press(button)));
        assert_eq!(*again(&after, Some(admitted())).page(), page);
    }
    after.take(Input::Press(Button::Skip));
    assert!(!Setup::needed(Some(&after.kept()), true, true));
    assert!(Setup::needed(Some(&after.kept()), true, false), "the identity is gone");
    assert!(Setup::needed(None, true, false) && Setup::needed(None, false, true));
    assert!(!Setup::needed(None, true, true), "enrolled by command");
}

#[test]
fn what_the_file_names_is_proposed_and_stays_the_files() {
    let configured = Some(ADDRESS.to_owned());
    let mut setup = Setup::begin(vec!["vi".into()], configured, None, None);
    assert_eq!((setup.page(), setup.typed_address()), (&Page::Address, ADDRESS));
    assert_eq!(setup.buttons(), [Button::Next], "there is one language, so no page before");
    setup.take(Input::Press(Button::Next));
    assert_eq!(setup.kept().service, None);
    setup.take(Input::Press(Button::Back));
    setup.take(Input::Clear);
    types(&mut setup, "http://khac.vn");
    assert_eq!(setup.kept().service.as_deref(), Some("http://khac.vn"));
    let after = again(&setup, None);
    assert_eq!((after.page(), after.service().as_deref()), (&Page::Code, Some("http://khac.vn")));
}

#[test]
fn a_kiosk_that_lost_its_address_asks_for_it_alone() {
    let mut setup = Setup::begin(vec!["vi".into()], None, None, Some(admitted()));
    assert_eq!(*setup.page(), Page::Address);
    let connect = Effect::Connect { attempt: 1, service: ADDRESS.into(), code: None };
    assert_eq!(types(&mut setup, ADDRESS), Some(connect));
    ended(&mut setup, Ok(admitted()));
    assert_eq!(*setup.page(), Page::Words);
}

#[test]
fn what_a_connection_brings_after_it_was_given_up_changes_nothing() {
    let mut setup = connecting();
    assert_eq!(setup.take(Input::Press(Button::Stop)), Some(Effect::GiveUp));
    assert_eq!((setup.page(), setup.typed_code()), (&Page::Code, CODE));
    setup.take(Input::Enter);
    setup.take(Input::Reached { attempt: 1, stage: Stage::Enrolling });
    setup.take(Input::Ended { attempt: 1, result: Err(Failure::Code) });
    setup.take(Input::Ended { attempt: 1, result: Ok(Box::new(admitted())) });
    assert_eq!(*setup.page(), Page::Connecting(Stage::Reaching));
}

#[test]
fn each_failure_offers_what_helps() {
    let after = |failure| {
        let mut setup = connecting();
        ended(&mut setup, Err(failure));
        setup
    };
    let mut setup = after(Failure::Code);
    assert_eq!(setup.buttons().last(), Some(&Button::ChangeCode));
    setup.take(Input::Press(Button::ChangeCode));
    assert_eq!((setup.page(), setup.typed_code()), (&Page::Code, ""));
    let mut setup = after(Failure::Stranger);
    assert_eq!(setup.buttons().last(), Some(&Button::ChangeAddress));
    setup.take(Input::Press(Button::ChangeAddress));
    assert_eq!((setup.page(), setup.typed_address()), (&Page::Address, ADDRESS));
    setup.take(Input::Enter);
    assert_eq!((setup.page(), setup.typed_code()), (&Page::Code, CODE), "nothing is typed twice");
    let no_way = Failure::Unreachable(Obstacle::NoWay("a.vn:443".into()));
    let mut setup = after(no_way);
    let again = setup.take(Input::Press(Button::Retry));
    assert!(matches!(again, Some(Effect::Connect { attempt: 2, .. })), "{again:?}");
    let mut setup = connecting();
    ended(&mut setup, Ok(admitted()));
    setup.take(Input::NotKept("disk full".into()));
    assert_eq!(setup.buttons(), [Button::Retry]);
    assert_eq!(setup.take(Input::Press(Button::Retry)), None);
    assert_eq!(*setup.page(), Page::Words, "what was reached is not lost");
}

#[test]
fn words_that_differ_lead_back_to_another_code() {
    let mut setup = connecting();
    ended(&mut setup, Ok(admitted()));
    setup.take(Input::Press(Button::Differ));
    assert_eq!(*setup.page(), Page::Code);
    let connect = types(&mut setup, "ABCDEFGHJK");
    assert!(matches!(connect, Some(Effect::Connect { code: Some(_), .. })), "{connect:?}");
    // Not where ratings were taken under that key.
    let mut setup = connecting();
    ended(&mut setup, Ok(Admitted { in_use: true, ..admitted() }));
    assert_eq!(setup.buttons(), [Button::Agree]);
}

#[test]
fn clocks_are_compared_to_the_minute() {
    let service: At = At::try_from("2026-11-24T08:15:00.000+07:00".to_owned()).unwrap();
    for (minutes, off) in [(0, false), (2, false), (3, true), (-2, false), (-40, true)] {
        let compared = Failure::of_clocks(service.plus_minutes(minutes), service);
        assert_eq!(compared.is_err(), off, "{minutes}");
    }
}

#[test]
fn a_button_that_is_not_on_the_page_does_nothing() {
    let mut setup = connecting();
    for button in [Button::Agree, Button::Skip, Button::Begin, Button::Next, Button::ChangeCode] {
        assert_eq!(setup.take(Input::Press(button)), None);
        assert_eq!(*setup.page(), Page::Connecting(Stage::Reaching), "{button:?}");
    }
}
