//! A keypad with arrows and Enter, and no Tab: arrows move from control to control, on every page.

use std::time::Duration;

use slint::platform::{Key, WindowEvent};
use slint::{ComponentHandle, SharedString};

/// Whether a key moves on or back; nothing for other keys.
pub fn forward(key: char) -> Option<bool> {
    let among = |keys: [Key; 2]| keys.map(char::from).contains(&key);
    if among([Key::RightArrow, Key::DownArrow]) {
        Some(true)
    } else {
        among([Key::LeftArrow, Key::UpArrow]).then_some(false)
    }
}

/// Moves to the next control of a window, or the one before, once the key under way is through.
pub fn move_on<C: ComponentHandle + 'static>(app: &C, forward: bool) {
    let app = app.as_weak();
    slint::Timer::single_shot(Duration::ZERO, move || {
        let Some(app) = app.upgrade() else { return };
        let text = SharedString::from(if forward { Key::Tab } else { Key::Backtab });
        app.window().dispatch_event(WindowEvent::KeyPressed { text: text.clone() });
        app.window().dispatch_event(WindowEvent::KeyReleased { text });
    });
}
