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

use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
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

/// The window that Slint draws into; a new component gets a new one.
type Newest = Rc<RefCell<Rc<MinimalSoftwareWindow>>>;

struct Memory {
    newest: Newest,
    queue: Arc<Queue>,
    origin: Instant,
}

impl Platform for Memory {
    fn create_window_adapter(&self) -> Result<Rc<dyn WindowAdapter>, PlatformError> {
        let window = MinimalSoftwareWindow::new(RepaintBufferType::ReusedBuffer);
        window.set_size(self.newest.borrow().size());
        *self.newest.borrow_mut() = Rc::clone(&window);
        Ok(window)
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
    newest: Newest,
    queue: Arc<Queue>,
    pixels: RefCell<Vec<Rgb8Pixel>>,
}

impl Headless {
    /// Makes this process's Slint draw into memory, `width` × `height` pixels.
    ///
    /// # Errors
    /// When a platform was set already.
    pub fn start(width: u32, height: u32) -> Result<Self, PlatformError> {
        let window = MinimalSoftwareWindow::new(RepaintBufferType::ReusedBuffer);
        window.set_size(PhysicalSize::new(width, height));
        let newest: Newest = Rc::new(RefCell::new(window));
        let queue = Arc::new(Queue::default());
        let platform = Memory {
            newest: Rc::clone(&newest),
            queue: Arc::clone(&queue),
            origin: Instant::now(),
        };
        slint::platform::set_platform(Box::new(platform))
            .map_err(|error| PlatformError::Other(error.to_string()))?;
        Ok(Self { newest, queue, pixels: RefCell::default() })
    }

    fn window(&self) -> Rc<MinimalSoftwareWindow> {
        Rc::clone(&self.newest.borrow())
    }

    /// Makes the window, and those to come, `width` × `height` pixels.
    pub fn resize(&self, width: u32, height: u32) {
        self.window().set_size(PhysicalSize::new(width, height));
    }

    /// Runs what is waiting: events and timers. Nothing is drawn before somebody looks.
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
    }

    /// Draws what has changed; says whether anything had.
    pub fn draw(&self) -> bool {
        let window = self.window();
        let size = window.size();
        let mut pixels = self.pixels.borrow_mut();
        let wanted = (size.width * size.height) as usize;
        if pixels.len() != wanted {
            *pixels = vec![Rgb8Pixel::default(); wanted];
            // What was drawn before is not there any more.
            window.request_redraw();
        }
        window.draw_if_needed(|renderer| {
            renderer.render(&mut pixels, size.width as usize);
        })
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
        let window = self.window();
        window.dispatch_event(WindowEvent::PointerMoved { position });
        window.dispatch_event(WindowEvent::PointerPressed { position, button });
        self.turn();
        window.dispatch_event(WindowEvent::PointerReleased { position, button });
        window.dispatch_event(WindowEvent::PointerExited);
        self.turn();
    }

    /// What is on the screen.
    pub fn picture(&self) -> RgbImage {
        self.turn();
        self.draw();
        let size = self.window().size();
        let pixels = self.pixels.borrow();
        RgbImage::from_fn(size.width, size.height, |x, y| {
            let pixel = pixels[(y * size.width + x) as usize];
            image::Rgb([pixel.r, pixel.g, pixel.b])
        })
    }

    /// Writes what is on the screen to a PNG file.
    pub fn save(&self, file: &Path) -> std::io::Result<()> {
        save(&self.picture(), file)
    }
}

/// Writes a PNG file, quickly rather than small.
pub fn save(picture: &RgbImage, file: &Path) -> std::io::Result<()> {
    let out = BufWriter::new(std::fs::File::create(file)?);
    let encoder = PngEncoder::new_with_quality(out, CompressionType::Fast, FilterType::Up);
    picture.write_with_encoder(encoder).map_err(std::io::Error::other)
}
