//! Visitors who walk away: each page, in the shortest time that a kiosk may be told, closes their contact
//! and leaves nothing for the next.

use hailong::kiosk::visit::Page;
use slint::platform::Key;

use crate::counter::{Counter, told};

#[test]
fn whoever_walks_away_is_timed_out_at_every_step_and_leaves_nothing() {
    let Some(counter) = Counter::open() else { return };
    let (form, texts) = (counter.form(), counter.texts(0));
    let wish = form.offered(form.levels[1].pole).iter().position(|o| o.code == "gop_y").unwrap();
    let again = |hurried: &str| {
        counter.ended();
        counter.starts_again(Some(hurried));
    };
    let invite = || {
        counter.presses("F9", Key::F9);
        assert!(matches!(counter.twin.borrow().page(), Page::Invited(_)));
        counter.moment();
    };

    again("reasons");
    // What was ticked stays.
    counter.touches(counter.level(3));
    counter.touches(counter.reason(1));
    counter.goes();
    // Not a line: nobody has rated.
    counter.touches(counter.control("English"));
    counter.goes();

    again("later");
    counter.touches(counter.level(1));
    counter.touches(counter.reason(wish));
    counter.touches(counter.control(&texts.send));
    // What was not sent is nobody's answer.
    for key in ["h", "o"] {
        counter.types(counter.control(key));
    }
    assert!(counter.twin.borrow().says("ho"));
    counter.goes();
    counter.touches(counter.control(&texts.later_button));
    counter.goes();
    // Not a line either, unless somebody was invited.
    counter.touches(counter.notice());
    counter.goes();
    invite();
    counter.touches(counter.notice());
    counter.goes();

    again("invited");
    invite();
    counter.goes();

    again("thanks");
    counter.touches(counter.level(0));
    counter.touches(counter.control(&texts.send));
    assert!(matches!(counter.twin.borrow().page(), Page::Thanks { .. }));
    counter.goes();

    counter.counted(3);
    let ticked = form.offered(form.levels[3].pole)[1].code;
    assert_eq!(
        told(&counter.journal()),
        [
            "contact touch khong_hai_long",
            &format!("closed timed_out {ticked}"),
            "contact touch hai_long",
            "closed timed_out gop_y",
            "contact later",
            "closed timed_out",
            "contact invitation",
            "closed timed_out",
            "contact invitation",
            "closed timed_out",
            "contact touch rat_hai_long",
            "closed sent"
        ]
    );
}
