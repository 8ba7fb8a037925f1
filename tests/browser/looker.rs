//! What a reader of a page would complain about, looked for at every width.
//!
//! HAILONG_SHOTS=FOLDER keeps a picture of every page, width and language there.

use std::path::PathBuf;

use hailong::domain::access::Role;
use thirtyfour::Key;

use crate::common::TestCentral;
use crate::driver::{Browser, WIDTHS, engine};

pub const LANGUAGES: [&str; 2] = ["vi", "en"];
/// The widths that the accessibility engine, which is slow, looks at unless HAILONG_EVERY is set.
const ENGINE_WIDTHS: [u32; 3] = [320, 768, 1_440];

/// Looks at pages, and remembers what is wrong with them.
pub struct Looker {
    pub browser: Browser,
    engine: Option<String>,
    shots: Option<PathBuf>,
    found: Vec<String>,
    looks: usize,
}

impl Looker {
    pub async fn start() -> Option<Self> {
        let browser = Browser::start().await?;
        let shots = std::env::var_os("HAILONG_SHOTS").map(PathBuf::from);
        if let Some(folder) = &shots {
            std::fs::create_dir_all(folder).unwrap();
        }
        let engine = engine();
        if let Some(source) = &engine {
            let script = serde_json::json!({ "source": source });
            browser.command("Page.addScriptToEvaluateOnNewDocument", script).await;
        }
        Some(Self { browser, engine, shots, found: Vec::new(), looks: 0 })
    }

    /// Signs in as somebody of the whole province, in the place of whoever was.
    pub async fn enter(&self, central: &TestCentral, role: Role) {
        let path = central.link(role).await;
        self.browser.open(&format!("http://{}{path}", central.staff)).await;
    }

    /// Looks at the page of an address in every language.
    pub async fn look_at(&mut self, name: &str, address: &str) {
        for language in LANGUAGES {
            let joint = if address.contains('?') { '&' } else { '?' };
            self.browser.open(&format!("{address}{joint}lang={language}")).await;
            self.look(name, language).await;
        }
    }

    /// Looks at the open page at every width.
    pub async fn look(&mut self, name: &str, language: &str) {
        let said = self.browser.text("return document.documentElement.lang").await;
        assert_eq!(said, language, "{name}");
        self.browser.ask("return document.fonts.ready.then(() => true)").await;
        let every = std::env::var_os("HAILONG_EVERY").is_some();
        for width in WIDTHS {
            self.browser.width(width).await;
            self.keep(&format!("{name}-{language}-{width:04}")).await;
            let mut found = self.browser.measure(width).await;
            if self.engine.is_some() && (ENGINE_WIDTHS.contains(&width) || every) {
                found.extend(self.browser.violations().await);
            }
            self.found
                .extend(found.iter().map(|what| format!("{name} {language} {width}: {what}")));
            self.looks += 1;
        }
    }

    /// Keeps a picture of the open page, if pictures are kept.
    pub async fn keep(&self, name: &str) {
        if let Some(folder) = &self.shots {
            let file = folder.join(format!("{name}.png"));
            std::fs::write(file, self.browser.picture().await).unwrap();
        }
    }

    /// The open page says this: it is the one that was meant.
    pub async fn says(&self, text: &str) {
        let page = self.browser.text("return document.body.innerText").await;
        assert!(page.contains(text), "{text}: {page}");
    }

    /// Ends the browser; fails if anything was found.
    pub async fn end(self) {
        self.browser.quit().await;
        println!("looked {} times", self.looks);
        assert!(self.found.is_empty(), "{} findings:\n{}", self.found.len(), self.found.join("\n"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_page_is_found() {
    let Some(looker) = Looker::start().await else { return };
    let central = TestCentral::start().await;
    let browser = &looker.browser;
    browser.open(&central.service()).await;
    browser.width(320).await;
    assert_eq!(browser.measure(320).await, Vec::<String>::new());
    for (change, telling) in [
        ("h1.style.width = '400px'", "scrolls sideways"),
        ("h1.style.cssText = 'position: relative; left: 200px'", "text beyond the edge"),
        ("h1.style.cssText = 'width: 60px; overflow: hidden; white-space: nowrap'", "hides"),
        ("h1.style.cssText = 'height: 20px'", "text out of its box"),
        ("h1.style.cssText = 'margin-bottom: -60px'", "text on text"),
        ("h1.style.fontSize = '15px'", "type of 15px"),
        ("link.style.padding = '0'; link.style.minHeight = '20px'", "px to touch"),
        ("notice.style.cssText = 'position: absolute; top: 0; right: 0'", "touched together"),
    ] {
        let script = format!(
            "const [link, h1, notice] = document.querySelectorAll('.languages a, h1, summary'); {change}"
        );
        browser.open(&central.service()).await;
        browser.ask(&script).await;
        let found = browser.measure(320).await;
        assert!(found.iter().any(|what| what.contains(telling)), "{change}: {found:?}");
    }
    browser.open(&central.service()).await;
    browser.key(Key::Tab).await;
    assert_eq!(browser.focus().await.expect("a focus").1, "");
    for (change, telling) in [
        ("outline = 'none'", "no ring"),
        ("outlineColor = '#0e6a66'", "a ring of contrast 1.0"),
        ("cssText += '; position: relative; top: -200px'", "out of sight"),
    ] {
        browser.ask(&format!("document.activeElement.style.{change}")).await;
        assert_eq!(browser.focus().await.expect("a focus").1, telling);
        browser.ask("document.activeElement.removeAttribute('style')").await;
    }
    if looker.engine.is_some() {
        assert_eq!(browser.violations().await, Vec::<String>::new());
        browser.ask("document.documentElement.lang = ''").await;
        let found = browser.violations().await;
        assert!(found.iter().any(|what| what.starts_with("serious: html-has-lang")), "{found:?}");
    }
    looker.browser.quit().await;
}
