//! A screen that nobody touches: nothing is drawn but what has changed.

mod common;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use common::{TestCentral, at};
use hailong::kiosk::headless::Headless;

/// Longer than the window's timer sleeps.
const A_WHILE: Duration = Duration::from_millis(2_300);

#[test]
fn nothing_is_redrawn_while_nobody_touches_the_screen_but_a_new_minute() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let central = runtime.block_on(TestCentral::start_at(at("2026-11-24 08:15")));
    let mut kiosk = runtime.block_on(central.kiosk("q3"));
    let headless = Headless::start(1280, 800).unwrap();
    let screen = kiosk.screen(&Rc::new(Cell::new(1_000)));
    let drawn = || {
        headless.turn();
        headless.draw()
    };
    let drawn_for_a_while = || {
        let start = Instant::now();
        let mut drawings = 0;
        while start.elapsed() < A_WHILE {
            drawings += u32::from(drawn());
            std::thread::sleep(Duration::from_millis(5));
        }
        drawings
    };
    assert!(drawn(), "home is drawn");
    assert_eq!(drawn_for_a_while(), 0);

    central.clock.set(at("2026-11-24 08:16"));
    assert_eq!(drawn_for_a_while(), 1, "the clock shows another minute");
    assert_eq!(drawn_for_a_while(), 0);
    screen.stop();
}
