//! Journeys of visitors in a real window: the real program `hailong kiosk` on a real X server, enrolled at
//! a real central service, touched and typed at by xdotool.
//!
//! A twin of the screen lives in memory ([`twin`]), laid out and drawn by the same components, and is told
//! whatever the real one is told. It says where things stand, so that a button that moves breaks nothing
//! here; and after each touch the window has to show, to the pixel, what the twin does, and the journal
//! on the kiosk's disk has to tell the same visits. What came of each journey is then read from that
//! journal, as only the central service can open it, and from the service itself.
//!
//! A visitor takes a moment between touches, because the screen takes none sooner; all else is waited for
//! by what it shows, and never by the clock.

#[path = "../common/audit.rs"]
mod audit;
#[path = "../common/mod.rs"]
mod common;
mod counter;
mod display;
mod gate;
#[path = "../common/installed.rs"]
mod installed;
mod twin;

mod in_between;
mod journeys;
mod time_outs;
mod trouble;
