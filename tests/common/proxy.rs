//! A bad line: a proxy that stands between the real uploader and the real service, and does to
//! each request what its seed says.
//!
//! It knows just enough of HTTP to tell where a message ends. A connection carries one request;
//! the service is asked to close it afterwards, and the proxy closes the uploader's. After a
//! number of faults the line is calm.
#![allow(dead_code)] // Each test file uses its part.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What happens to one request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It never arrives.
    DropRequest,
    /// It arrives, its reply does not.
    DropReply,
    /// It takes so many milliseconds.
    Delay(u64),
    /// Only so much of it arrives, in parts of 2^16 of its length.
    CutRequest(u16),
    /// Only so much of its reply arrives.
    CutReply(u16),
    /// It arrives twice, one after the other or at once.
    Twice {
        /// At once.
        at_once: bool,
    },
    /// It is lost for the uploader, and arrives after later ones.
    Late,
    /// It arrives, and is answered with the reply to an earlier one.
    OldReply,
    /// It is answered by somebody on the way.
    Status {
        /// The status.
        code: u16,
        /// `Retry-After`.
        retry_after: Option<&'static str>,
        /// Whether it arrives all the same.
        arrives: bool,
    },
    /// It is answered with rubbish: bytes that are no HTTP, or a fine 200 with a strange body.
    Garbage {
        /// With a status line and a length that are right.
        dressed: bool,
    },
    /// One bit of its body is another when it arrives.
    FlipRequest(u16),
    /// One bit of its reply is another.
    FlipReply(u16),
    /// Both ways in small pieces with pauses.
    SlowLoris,
}

impl Fault {
    fn draw(random: &mut StdRng) -> Self {
        let place = random.random();
        match random.random_range(0..17) {
            0 => Self::DropRequest,
            1 | 2 => Self::DropReply,
            3 => Self::Delay(random.random_range(1..30)),
            4 => Self::CutRequest(place),
            5 | 6 => Self::CutReply(place),
            7 => Self::Twice { at_once: random.random() },
            8 | 9 => Self::Late,
            10 => Self::OldReply,
            11 | 12 => {
                let (code, retry_after) = [
                    (500, None),
                    (502, None),
                    (503, Some("20")),
                    (503, Some("Tue, 24 Nov 2026 08:00:00 GMT")),
                    (504, Some("soon")),
                    (429, Some("45")),
                    (429, None),
                    (413, None),
                    (301, None),
                ][random.random_range(0..9)];
                Self::Status { code, retry_after, arrives: random.random() }
            }
            13 => Self::Garbage { dressed: random.random() },
            14 => Self::FlipRequest(place),
            15 => Self::FlipReply(place),
            _ => Self::SlowLoris,
        }
    }
}

struct Line {
    service: SocketAddr,
    random: Mutex<StdRng>,
    /// Faults still to come.
    left: Mutex<usize>,
    /// Requests that arrive late.
    late: Mutex<Vec<Vec<u8>>>,
    /// Replies given before.
    replies: Mutex<Vec<Vec<u8>>>,
    /// What was done, for whoever must understand a seed.
    done: Mutex<Vec<Fault>>,
}

/// The proxy. Dropped, it takes no more connections.
pub struct Proxy {
    pub address: SocketAddr,
    line: Arc<Line>,
    listening: tokio::task::AbortHandle,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Proxy {
    /// Listens on loopback and leads to `service`; `faults` faults come as `seed` says.
    pub async fn start(service: SocketAddr, seed: u64, faults: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let line = Arc::new(Line {
            service,
            random: Mutex::new(StdRng::seed_from_u64(seed)),
            left: Mutex::new(faults),
            late: Mutex::default(),
            replies: Mutex::default(),
            done: Mutex::default(),
        });
        let taken = Arc::clone(&line);
        let listening = tokio::spawn(async move {
            while let Ok((uploader, _)) = listener.accept().await {
                let line = Arc::clone(&taken);
                tokio::spawn(async move {
                    // What is cut off ends in an error: that is the purpose.
                    let _ = line.carry(uploader).await;
                });
            }
        });
        Self { address, line, listening: listening.abort_handle() }
    }

    /// Where uploaders find it.
    pub fn service(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets everything that is late arrive.
    pub async fn settle(&self) {
        while self.line.deliver_late().await {}
    }

    /// What was done so far.
    pub fn done(&self) -> Vec<Fault> {
        self.line.done.lock().expect("whole").clone()
    }
}

impl Line {
    fn draw(&self) -> Fault {
        let mut random = self.random.lock().expect("whole");
        let mut left = self.left.lock().expect("whole");
        let fault = if *left > 0 && random.random_bool(0.7) {
            *left -= 1;
            Fault::draw(&mut random)
        } else {
            Fault::None
        };
        self.done.lock().expect("whole").push(fault.clone());
        fault
    }

    fn chance(&self) -> bool {
        self.random.lock().expect("whole").random()
    }

    /// Lets the earliest late request arrive, if there is one.
    async fn deliver_late(&self) -> bool {
        let late = {
            let mut late = self.late.lock().expect("whole");
            if late.is_empty() { None } else { Some(late.remove(0)) }
        };
        match late {
            Some(request) => {
                let _ = self.ask(&request).await;
                true
            }
            None => false,
        }
    }

    /// Takes a request to the service, and gives its reply.
    async fn ask(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut service = TcpStream::connect(self.service).await?;
        service.write_all(request).await?;
        let mut reply = Vec::new();
        service.read_to_end(&mut reply).await?;
        self.replies.lock().expect("whole").push(reply.clone());
        Ok(reply)
    }

    async fn carry(&self, mut uploader: TcpStream) -> std::io::Result<()> {
        let request = closing(read_request(&mut uploader).await?);
        let body = 4 + request.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(0);
        let of = |place: u16, length: usize| length * usize::from(place) / (1 << 16);
        match self.draw() {
            Fault::None => {
                let reply = self.ask(&request).await?;
                uploader.write_all(&reply).await?;
                if self.chance() {
                    self.deliver_late().await;
                }
            }
            Fault::DropRequest => {}
            Fault::DropReply => drop(self.ask(&request).await?),
            Fault::Delay(ms) => {
                tokio::time::sleep(Duration::from_millis(ms)).await;
                let reply = self.ask(&request).await?;
                tokio::time::sleep(Duration::from_millis(ms)).await;
                uploader.write_all(&reply).await?;
            }
            Fault::CutRequest(place) => {
                let mut service = TcpStream::connect(self.service).await?;
                service.write_all(&request[..of(place, request.len())]).await?;
                service.shutdown().await?;
                let mut reply = Vec::new();
                service.read_to_end(&mut reply).await?;
                uploader.write_all(&reply).await?;
            }
            Fault::CutReply(place) => {
                let reply = self.ask(&request).await?;
                uploader.write_all(&reply[..of(place, reply.len())]).await?;
            }
            Fault::Twice { at_once: false } => {
                self.ask(&request).await?;
                let reply = self.ask(&request).await?;
                uploader.write_all(&reply).await?;
            }
            Fault::Twice { at_once: true } => {
                let (reply, _) = tokio::join!(self.ask(&request), self.ask(&request));
                uploader.write_all(&reply?).await?;
            }
            Fault::Late => self.late.lock().expect("whole").push(request),
            Fault::OldReply => {
                let old = self.replies.lock().expect("whole").first().cloned();
                let reply = self.ask(&request).await?;
                uploader.write_all(&old.unwrap_or(reply)).await?;
            }
            Fault::Status { code, retry_after, arrives } => {
                if arrives {
                    self.ask(&request).await?;
                }
                let wait = retry_after.map_or(String::new(), |at| format!("retry-after: {at}\r\n"));
                let reply = format!(
                    "HTTP/1.1 {code} Somehow\r\n{wait}content-length: 4\r\nconnection: close\r\n\r\nsome"
                );
                uploader.write_all(reply.as_bytes()).await?;
            }
            Fault::Garbage { dressed } => {
                let mut rubbish = vec![0; 300];
                self.random.lock().expect("whole").fill(&mut rubbish[..]);
                if dressed {
                    let head =
                        "HTTP/1.1 200 OK\r\ncontent-length: 300\r\nconnection: close\r\n\r\n";
                    uploader.write_all(head.as_bytes()).await?;
                }
                uploader.write_all(&rubbish).await?;
            }
            Fault::FlipRequest(place) => {
                let mut request = request;
                let at = body + of(place, request.len() - body);
                request[at] ^= 1 << (place % 8);
                let reply = self.ask(&request).await?;
                uploader.write_all(&reply).await?;
            }
            Fault::FlipReply(place) => {
                let mut reply = self.ask(&request).await?;
                let at = of(place, reply.len());
                reply[at] ^= 1 << (place % 8);
                uploader.write_all(&reply).await?;
            }
            Fault::SlowLoris => {
                let mut service = TcpStream::connect(self.service).await?;
                for piece in request.chunks(1 + request.len() / 9) {
                    service.write_all(piece).await?;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                let mut reply = Vec::new();
                service.read_to_end(&mut reply).await?;
                for piece in reply.chunks(1 + reply.len() / 9) {
                    uploader.write_all(piece).await?;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            }
        }
        uploader.shutdown().await
    }
}

/// Reads one request: head, and as many bytes as it says.
async fn read_request(from: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut request = Vec::new();
    loop {
        if let Some(head) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            let words = String::from_utf8_lossy(&request[..head]).to_ascii_lowercase();
            let length: usize = words
                .lines()
                .find_map(|line| line.strip_prefix("content-length:"))
                .map_or(0, |length| length.trim().parse().expect("a length"));
            if request.len() >= head + 4 + length {
                return Ok(request);
            }
        }
        if from.read_buf(&mut request).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// The request, asking for the connection to be closed after its reply.
fn closing(request: Vec<u8>) -> Vec<u8> {
    let line = 2 + request.windows(2).position(|two| two == b"\r\n").unwrap_or(0);
    [&request[..line], b"connection: close\r\n", &request[line..]].concat()
}
