//! A real browser: headless Chromium, driven through a chromedriver of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use hailong::kiosk::network::client;
use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::extensions::query::{ElementQueryable, ElementWaitable};
use thirtyfour::{By, ChromiumLikeCapabilities, DesiredCapabilities, Key, WebDriver};

use crate::common::{has, skipped};

/// The widths that every page is looked at, in CSS pixels: two phones, a tablet, two screens.
pub const WIDTHS: [u32; 5] = [320, 390, 768, 1024, 1440];

/// A chromedriver on a free port; killed when dropped.
struct Server {
    child: Child,
    port: u16,
    // Held open, so that it can go on printing.
    _stdout: BufReader<ChildStdout>,
    // Profiles and sockets, which browsers leave behind.
    _folder: TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let mut stdout = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(stdout.read_line(&mut line).expect("readable") > 0, "chromedriver listens");
            let port = line.trim().strip_suffix('.').and_then(|line| line.rsplit_once("on port "));
            if let Some((_, port)) = port {
                break port.parse().expect("a port");
            }
        };
        Self { child, port, _stdout: stdout, _folder: folder }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A browser with a profile of its own. Dropped, it ends, also when a test fails.
pub struct Browser {
    // In this order: its end is asked for through the server.
    pub driver: WebDriver,
    _server: Server,
}

impl Browser {
    /// None where a component is missing: skipped loudly by hand, a failure in CI.
    pub async fn start() -> Option<Self> {
        if !has("chromium") || !has("chromedriver") {
            skipped("to look at the pages, apt-get install chromium chromium-driver");
            return None;
        }
        let server = Server::start();
        let mut capabilities = DesiredCapabilities::chrome();
        let binary = std::env::split_paths(&std::env::var_os("PATH")?)
            .map(|folder| folder.join("chromium"))
            .find(|file| file.is_file())?;
        capabilities.set_binary(&binary.to_string_lossy()).expect("a setting");
        for argument in [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-proxy-server",
        ] {
            capabilities.add_arg(argument).expect("a setting");
        }
        let driver = WebDriver::builder(format!("http://127.0.0.1:{}", server.port), capabilities)
            .client(client().expect("a client"))
            .await
            .expect("a session");
        Some(Self { driver, _server: server })
    }

    pub async fn open(&self, address: &str) {
        self.driver.goto(address).await.expect("a page");
    }

    /// A command of Chromium's own protocol.
    pub async fn command(&self, name: &str, parameters: Value) -> Value {
        self.driver.cdp().send_raw(name, parameters).await.expect(name)
    }

    /// Gives the page another width; narrow ones are phones.
    pub async fn width(&self, width: u32) {
        self.screen(width, if width < 768 { 800 } else { 1_000 }).await;
    }

    /// A screen of this size.
    pub async fn screen(&self, width: u32, height: u32) {
        let metrics = json!({
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < 768,
        });
        self.command("Emulation.setDeviceMetricsOverride", metrics).await;
    }

    /// No page runs a script from here on; our own asking goes on working.
    pub async fn without_scripts(&self) {
        self.command("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
    }

    /// What a script of the test's own returns.
    pub async fn ask(&self, script: &str) -> Value {
        let returned = self.driver.execute(script, Vec::new()).await;
        returned.expect("a script that runs").json().clone()
    }

    /// The same as text.
    pub async fn text(&self, script: &str) -> String {
        self.ask(script).await.as_str().unwrap_or_default().to_owned()
    }

    /// The whole page as a picture.
    pub async fn picture(&self) -> Vec<u8> {
        let shot = json!({ "format": "png", "captureBeyondViewport": true });
        let shot = self.command("Page.captureScreenshot", shot).await;
        let data = shot["data"].as_str().expect("a picture");
        data_encoding::BASE64.decode(data.as_bytes()).expect("a picture")
    }

    /// Touches something.
    pub async fn press(&self, selector: &str) {
        let element = self.driver.find(By::Css(selector)).await.expect(selector);
        element.click().await.expect(selector);
    }

    /// Touches the form's button, and waits until the form is gone.
    pub async fn send(&self) {
        let button = self.driver.find(By::Css("button.send")).await.expect("a form");
        button.click().await.expect("a button");
        button.wait_until().stale().await.expect("another page");
    }

    /// Presses a key.
    pub async fn key(&self, key: Key) {
        self.driver.action_chain().send_keys(key).perform().await.expect("a key");
    }

    /// Types into what has the focus.
    pub async fn write(&self, text: &str) {
        self.driver.action_chain().send_keys(text).perform().await.expect("keys");
    }

    /// What has the focus, and what keeps a reader from seeing it, if anything does.
    pub async fn focus(&self) -> Option<(String, String)> {
        let found = self.driver.execute(include_str!("focus.js"), Vec::new()).await;
        found.expect("a script that runs").convert().expect("words")
    }

    /// Presses Tab until the focus is there; every stop on the way must be seen.
    pub async fn tab_to(&self, selector: &str) {
        let there = format!("return document.activeElement.matches({})", json!(selector));
        let mut stops = Vec::new();
        while stops.is_empty() || self.ask(&there).await != true {
            assert!(stops.len() < 40, "{selector} is not reached: {stops:?}");
            self.key(Key::Tab).await;
            let focus = self.focus().await;
            if let Some((what, wrong)) = &focus {
                assert_eq!(wrong, "", "{what}");
            }
            stops.push(focus);
        }
    }

    /// Waits until the page has this.
    pub async fn comes(&self, path: &str) {
        self.driver.query(By::XPath(path)).first().await.expect(path);
    }

    /// What is wrong with the page as it is laid out, its closed parts opened.
    pub async fn measure(&self, width: u32) -> Vec<String> {
        let script = opened(include_str!("measure.js"));
        let found = self.driver.execute(script, vec![json!(width)]).await;
        found.expect("a script that runs").convert().expect("sentences")
    }

    /// What the accessibility engine, put into every page before, finds.
    pub async fn violations(&self) -> Vec<String> {
        let script = opened(
            "const { violations } = await axe.run(document, { resultTypes: ['violations'] });
            return violations.map(({ impact, id, help, nodes }) => {
              const places = nodes.map((node) => node.target.join(' ')).join(', ');
              return `${impact}: ${id}: ${help}: ${places}`;
            });",
        );
        let found = self.driver.execute(script, Vec::new()).await;
        found.expect("a script that runs").convert().expect("sentences")
    }

    pub async fn quit(self) {
        self.driver.quit().await.expect("ended");
    }
}

/// A script that finds what a visitor may open (a notice, a digest) open, and leaves it as it was.
fn opened(script: &str) -> String {
    format!(
        "const closed = [...document.querySelectorAll('details:not([open])')];
        for (const one of closed) one.open = true;
        return (async (...given) => {{ {script} }})(...arguments).finally(() => {{
          for (const one of closed) one.open = false;
        }});"
    )
}

/// The accessibility engine, as the text of its script. It is no part of the project: the file is
/// named by HAILONG_AXE or lies in the target folder. None where it is missing, as for programs.
pub fn engine() -> Option<String> {
    let named = std::env::var_os("HAILONG_AXE").map(PathBuf::from);
    let file = named.unwrap_or_else(|| {
        let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        PathBuf::from(target).join("axe/node_modules/axe-core/axe.min.js")
    });
    let script = std::fs::read_to_string(&file).ok();
    let path = file.display();
    assert!(script.is_some() || std::env::var_os("CI").is_none(), "CI needs axe-core at {path}");
    if script.is_none() {
        skipped(&format!(
            "no accessibility engine at {path}; npm install axe-core@4 somewhere and name its \
             axe.min.js with HAILONG_AXE"
        ));
    }
    script
}
