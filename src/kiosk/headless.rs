//! The real screens without a display: drawn by the software renderer into memory.
//!
//! For machines without a display, for pictures, and for tests that need the whole kiosk in a
//! process of its own.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::BufWriter;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use slint::platform::software_renderer::{MinimalSoftwareWindow, RepaintBufferType};
use slint::platform::{
    EventLoopProxy, Platform, PlatformError, PointerEventButton, WindowAdapter, WindowEvent,
};
use slint::{EventLoopError, LogicalPosition, PhysicalSize, Rgb8Pixel};

type Event = Box<dyn FnOnce() + Send>;

/// Events from other threads, waiting to be run.
#[derive(Default)]
struct Queue {
    events: Mutex<VecDeque<Event>>,
    more: Condvar,
}

struct Proxy(Arc<Queue>);

impl EventLoopProxy for Proxy {
    fn quit_event_loop(&self) -> Result<(), EventLoopError> {
        Ok(())
    }

    fn invoke_from_event_loop(&self, event: Event) -> Result<(), EventLoopError> {
        self.0.events.lock().unwrap_or_else(PoisonError::into_inner).push_back(event);
        self.0.more.notify_one();
        Ok(())
    }
}

struct Memory {
    window: Rc<MinimalSoftwareWindow>,
    queue: Arc<Queue>,
    origin: Instant,
}

impl Platform for Memory {
    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        Ok(self.window.clone())
    }

    fn duration_since_start(&self) -> Duration {
        self.origin.elapsed()
    }

    fn new_event_loop_proxy(&self) -> Option<Box<dyn EventLoopProxy>> {
        Some(Box::new(Proxy(Arc::clone(&self.queue))))
    }
}

/// A window in memory. One for each process and thread.
pub struct Headless {
    window: Rc<MinimalSoftwareWindow>,
    queue: Arc<Queue>,
    size: PhysicalSize,
    pixels: RefCell<Vec<Rgb8Pixel>>,
}

impl Headless {
    /// Makes this process's Slint draw into memory, `width` × `height` pixels.
    ///
    /// # Errors
    /// When a platform was set already.
    pub fn start(width: u32, height: u32) -> Result<Self, PlatformError> {
        let window = MinimalSoftwareWindow::new(RepaintBufferType::ReusedBuffer);
        let queue = Arc::new(Queue::default());
        let platform = Memory {
            window: Rc::clone(&window),
            queue: Arc::clone(&queue),
            origin: Instant::now(),
        };
        slint::platform::set_platform(Box::new(platform))
            .map_err(|error| PlatformError::Other(error.to_string()))?;
        let size = PhysicalSize::new(width, height);
        window.set_size(size);
        let pixels = RefCell::new(vec![Rgb8Pixel::default(); (width * height) as usize]);
        Ok(Self { window, queue, size, pixels })
    }

    /// Runs what is waiting: events, timers, drawing.
    pub fn turn(&self) {
        loop {
            let event =
                self.queue.events.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            match event {
                Some(event) => event(),
                None => break,
            }
        }
        slint::platform::update_timers_and_animations();
        self.window.draw_if_needed(|renderer| {
            renderer.render(&mut self.pixels.borrow_mut(), self.size.width as usize);
        });
    }

    /// Turns until `done`, waiting for events in between; says whether it came within `limit`.
    pub fn turn_until(&self, limit: Duration, done: impl Fn() -> bool) -> bool {
        let end = Instant::now() + limit;
        loop {
            self.turn();
            if done() {
                return true;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let events = self.queue.events.lock().unwrap_or_else(PoisonError::into_inner);
            if events.is_empty() {
                // Timers are looked at again soon, even if no event comes.
                let wait = left.min(Duration::from_millis(5));
                drop(self.queue.more.wait_timeout(events, wait));
            }
        }
    }

    /// Presses and lets go of the screen at a point.
    pub fn tap(&self, x: f32, y: f32) {
        let position = LogicalPosition::new(x, y);
        let button = PointerEventButton::Left;
        self.window.dispatch_event(WindowEvent::PointerMoved { position });
        self.window.dispatch_event(WindowEvent::PointerPressed { position, button });
        self.turn();
        self.window.dispatch_event(WindowEvent::PointerReleased { position, button });
        self.window.dispatch_event(WindowEvent::PointerExited);
        self.turn();
    }

    /// Writes what is on the screen to a PNG file.
    pub fn save(&self, file: &Path) -> std::io::Result<()> {
        self.turn();
        let out = BufWriter::new(std::fs::File::create(file)?);
        let mut encoder = png::Encoder::new(out, self.size.width, self.size.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let bytes: Vec<u8> =
            self.pixels.borrow().iter().flat_map(|pixel| [pixel.r, pixel.g, pixel.b]).collect();
        let mut writer = encoder.write_header().map_err(std::io::Error::other)?;
        writer.write_image_data(&bytes).map_err(std::io::Error::other)
    }
}
