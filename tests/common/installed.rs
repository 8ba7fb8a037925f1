//! The real program in a process of its own, on folders and small disks of its own.
#![allow(dead_code)] // Each test file uses its part.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hailong::central::access::account_page::draw_token;
use hailong::central::access::accounts_page::new_account;
use hailong::central::config::Config;
use hailong::central::service::Central;
use hailong::clock::SystemClock;
use hailong::demo::clock::DemoClock;
use hailong::domain::access::{CONSOLE, Right, Role, Standing, Unit};
use hailong::domain::ids::Login;
use hailong::domain::system_random;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::identity::Identity;
use tempfile::TempDir;

use crate::common::{TestKiosk, copy, skipped};

/// The real program, with a configuration of its own in a temporary folder.
pub struct Installed {
    pub folder: TempDir,
    citizens: u16,
}

impl Installed {
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config");
        copy(&sample, &folder.path().join("config"));
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (one, other) = (free(), free());
        let (citizens, staff) =
            (one.local_addr().unwrap().port(), other.local_addr().unwrap().port());
        let installed = Self { folder, citizens };
        let file = installed.config();
        let mut text = std::fs::read_to_string(&file).unwrap();
        // The addresses with a scheme hold those without.
        for (from, to) in [
            ("\"../central-data\"", "\"../data\"".to_owned()),
            ("127.0.0.1:8080", format!("127.0.0.1:{citizens}")),
            ("127.0.0.1:8081", format!("127.0.0.1:{staff}")),
        ] {
            assert!(text.contains(from));
            text = text.replace(from, &to);
        }
        std::fs::write(file, text).unwrap();
        installed
    }

    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config/central.toml")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What the first start asks for: a backup of the keys.
    fn first_time(&self) -> Vec<std::ffi::OsString> {
        let backup = self.folder.path().join("keys-backup.json");
        if backup.exists() { Vec::new() } else { vec!["--backup".into(), backup.into()] }
    }

    pub fn citizens(&self) -> String {
        format!("http://127.0.0.1:{}", self.citizens)
    }

    pub fn start(&self) -> Service {
        self.start_under(&[]).expect("the service prints its staff link once it listens")
    }

    /// Enrols a kiosk as staff do.
    pub async fn enrol(
        &self,
        service: &Service,
        counter: &str,
        clock: &Arc<DemoClock>,
    ) -> TestKiosk {
        let name = format!("ps-{counter}");
        let code = hailong(&["admin", "enrol-code", "--office", "phu-sa"])
            .args(&service.asked)
            .args(["--counter", counter, "--kiosk", &name])
            .output()
            .unwrap();
        assert!(code.status.success(), "{}", String::from_utf8_lossy(&code.stderr));
        let code = String::from_utf8(code.stdout).unwrap();
        let folder = TempDir::new().unwrap();
        let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
        enrol(&self.citizens(), code.trim(), &mut identity).await.unwrap();
        TestKiosk { folder, identity, clock: Arc::clone(clock), service: self.citizens() }
    }

    /// A file with a token of an administrator, who is there before the first start.
    fn token(&self) -> String {
        let file = self.folder.path().join("token");
        let name = file.to_str().unwrap().to_owned();
        if file.exists() {
            return name;
        }
        let config = Config::read(&self.config()).unwrap();
        std::fs::create_dir_all(&config.data).unwrap();
        let begin = async || {
            let central = Central::open(config, Arc::new(SystemClock::start())).await.unwrap();
            let login: Login = "quan-tri".parse().unwrap();
            let standing = Standing::new(Role::Administrator, Unit::PROVINCE);
            let may = |right: &Right| right.is_for_tokens() && standing.may(*right);
            let rights = Right::ALL.into_iter().filter(may).collect();
            let account = new_account(login.clone(), "Lê Thị Hoa", standing.clone(), central.now());
            central.store.add_account(account, CONSOLE.to_owned()).await.unwrap();
            let (token, text) = draw_token(central.now(), login, "test", rights, 30);
            central.store.keep_token(token).await.unwrap();
            central.store.close().await.unwrap();
            text
        };
        // Whoever asks may be on a runtime of their own.
        let text = std::thread::scope(|threads| {
            let runtime = || tokio::runtime::Runtime::new().unwrap().block_on(begin());
            threads.spawn(runtime).join().unwrap()
        });
        std::fs::write(&file, text).unwrap();
        name
    }

    /// Starts it under another program; none if it ends before it listens.
    pub fn start_under(&self, under: &[&str]) -> Option<Service> {
        let token = self.token();
        let began = Instant::now();
        let mut command = match under {
            [] => hailong(&[]),
            [program, arguments @ ..] => {
                let mut command = Command::new(program);
                command.args(arguments).arg(env!("CARGO_BIN_EXE_hailong"));
                // It is expected to fail there, and its complaints would look like those of the test.
                command.env("HAILONG_LOG", "off").stdin(Stdio::null()).stderr(Stdio::null());
                command
            }
        };
        let mut child = command
            .args(["central", "--config"])
            .arg(self.config())
            .args(self.first_time())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut link = None;
        let mut line = String::new();
        while link.is_none() && stdout.read_line(&mut line).unwrap() > 0 {
            link = line.strip_prefix("staff").map(|rest| rest.trim().to_owned());
            line.clear();
        }
        let ready_after = began.elapsed();
        match link {
            Some(link) => {
                let asked = ["--server".to_owned(), link, "--token".to_owned(), token];
                Some(Service { child, asked, _stdout: stdout, ready_after })
            }
            None => {
                child.wait().unwrap();
                None
            }
        }
    }
}

/// A running central service. Dropped, it is killed.
pub struct Service {
    child: std::process::Child,
    /// What a command is told to ask it as an administrator.
    pub asked: [String; 4],
    // Held open, so that the service can go on printing.
    _stdout: BufReader<std::process::ChildStdout>,
    pub ready_after: Duration,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Service {
    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) {
        let ask = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &ask]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
    }
}

pub fn hailong(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hailong"));
    command.args(arguments).env("HAILONG_LOG", "off").stdin(Stdio::null());
    command
}

/// A copy of a kiosk and its whole folder.
pub fn twin(kiosk: &TestKiosk, service: String) -> TestKiosk {
    let folder = TempDir::new().unwrap();
    copy(kiosk.folder.path(), folder.path());
    let identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    TestKiosk { folder, identity, clock: kiosk.clock.clone(), service }
}

/// A small file system of its own, gone when this is dropped.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    pub fn mount(size: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let option = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &option, "none"])
            .arg(folder.path())
            .output();
        let allowed = mounted.as_ref().is_ok_and(|output| output.status.success());
        assert!(
            allowed || std::env::var_os("CI").is_none(),
            "CI needs to mount a small disk: {mounted:?}"
        );
        if !allowed {
            skipped("a small disk cannot be mounted here (needs root)");
            return None;
        }
        Some(Self { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Leaves no room.
    pub fn fill(&self) {
        let mut file =
            std::fs::OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        let error = loop {
            if let Err(error) = file.write_all(&[1; 4096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }

    pub fn make_room(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}
