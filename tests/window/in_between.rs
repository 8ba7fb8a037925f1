//! What happens elsewhere while somebody rates: they are called, officials change, a configuration comes.
//! Nothing changes under a visitor's hands.

use std::time::Duration;

use hailong::domain::enrolment::Enrolled;
use hailong::domain::line::{By, Event};
use hailong::kiosk::identity::Identity;
use hailong::kiosk::visit::{Input, Page};
use jiff::ToSpan;
use jiff::civil::Time;
use slint::platform::Key;

use crate::counter::{Counter, Plan, now, office, officials, told, wait_for};
use crate::gate::Gate;
use crate::installed::hailong;

#[test]
fn whoever_is_called_while_another_rates_is_asked_afterwards_and_may_decline() {
    let Some(counter) = Counter::open() else { return };
    counter.says("Calls are taken");
    let queue_calls = || {
        let call = hailong(&["admin", "queue-call", "--counter", "q3", "--config"])
            .arg(counter.config())
            .output()
            .unwrap();
        assert!(call.status.success(), "{}", String::from_utf8_lossy(&call.stderr));
        counter.twin.borrow().takes(Input::Call(By::Queue, "q3".parse().unwrap()));
    };
    let official_invites = || counter.presses("F9", Key::F9);
    for call in [&official_invites as &dyn Fn(), &queue_calls] {
        counter.touches(counter.level(1));
        call();
        // They go on as if nothing had been.
        counter.touches(counter.reason(0));
        counter.touches(counter.control(&counter.texts(0).send));
        counter.touches(counter.thanks());
        assert!(matches!(counter.twin.borrow().page(), Page::Invited(_)));
        counter.touches(counter.control(&counter.texts(0).decline));
        counter.is_home();
    }
    counter.counted(2);
    assert_eq!(
        told(&counter.journal()),
        [
            "contact touch hai_long",
            "closed sent niem_no",
            "contact invitation",
            "closed declined",
            "contact touch hai_long",
            "closed sent niem_no",
            "contact queue",
            "closed declined"
        ]
    );
}

/// A minute that begins in 15 to 75 seconds, today.
fn soon() -> Time {
    loop {
        let (today, then) = (now().date(), now().civil() + 75.seconds());
        if then.date() == today {
            return Time::constant(then.hour(), then.minute(), 0, 0);
        }
        // Shifts end with the day.
        std::thread::sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_hand_over_while_somebody_rates_is_the_next_ones_and_not_theirs() {
    let hand_over = soon();
    let central = office(hand_over, "cb07", "cb08");
    let name = |id: &str| {
        let official = central.offices[0].official(&id.parse().unwrap()).unwrap();
        official.name.clone()
    };
    let (first, then) = (name("cb07"), name("cb08"));
    let Some(counter) = Counter::of(Plan { central, ..Plan::usual() }) else { return };
    let shows = |name: &str| counter.twin.borrow().says(name);
    assert!(shows(&first) && !shows(&then));
    counter.touches(counter.level(2));
    assert!(now().civil().time() < hand_over, "it began before");
    while now().civil().time() < hand_over {
        std::thread::sleep(Duration::from_millis(50));
    }
    // They go on as they began.
    counter.touches(counter.face(3));
    counter.touches(counter.control(&counter.texts(0).send));
    counter.touches(counter.thanks());
    counter.rests();
    counter.shown();
    assert!(!shows(&first) && shows(&then), "the next one sees who is there now");
    counter.touches(counter.level(0));
    counter.touches(counter.control(&counter.texts(0).send));
    counter.counted(2);
    let journal = counter.journal();
    let ids = ["cb07", "cb08"].map(|id| Some(id.parse().unwrap()));
    assert_eq!(officials(&journal), ids);
    let shift = journal.iter().rposition(|read| read.line.event == Event::Shift).unwrap();
    let before = told(&journal[..shift]);
    assert_eq!(before, ["contact touch binh_thuong", "changed khong_hai_long", "closed sent"]);
}

#[test]
fn a_configuration_that_comes_while_somebody_rates_is_shown_to_the_next() {
    let gate = Gate::default();
    let plan = Plan { gate: Some(gate.clone()), ..Plan::usual() };
    let Some(counter) = Counter::of(plan) else { return };
    counter.touches(counter.level(0));

    // The service starts again: another name of the office, another official.
    let mut config = office(Time::MAX, "cb08", "cb08");
    config.offices[0].office.name = "Trung tâm Phục vụ hành chính công xã Phù Vân".into();
    let directory = config.offices[0].for_kiosk();
    let name = directory.office.name.clone();
    let central = counter.central.take().unwrap();
    let central = counter.runtime.block_on(central.again_with(config));
    gate.leads_to(central.citizens);
    *counter.central.borrow_mut() = Some(central);
    gate.opens();
    wait_for("configuration on the kiosk's disk", || {
        counter.data.join("configuration.json").exists().then_some(())
    });
    let enrolled = Identity::load(&counter.data).unwrap().unwrap().enrolled.unwrap();
    let enrolled = Enrolled { directory, ..enrolled };
    counter.twin.borrow().configured(enrolled);

    let shows = |name: &str| counter.twin.borrow().says(name);
    for reason in [0, 1] {
        counter.touches(counter.reason(reason));
        assert!(!shows(&name));
    }
    counter.touches(counter.control(&counter.texts(0).send));
    assert!(!shows(&name), "not even with thanks");
    counter.touches(counter.thanks());
    counter.rests();
    counter.shown();
    assert!(shows(&name), "the next one sees it");
    counter.touches(counter.level(4));
    counter.touches(counter.control(&counter.texts(0).skip));
    counter.counted(2);
    let journal = counter.journal();
    let ids = ["cb07", "cb08"].map(|id| Some(id.parse().unwrap()));
    assert_eq!(officials(&journal), ids);
    let config = journal.iter().rposition(|read| read.line.event == Event::Config).unwrap();
    let before = told(&journal[..config]);
    assert_eq!(before, ["contact touch rat_hai_long", "closed sent niem_no huong_dan_ro"]);
}
