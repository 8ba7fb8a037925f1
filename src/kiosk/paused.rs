//! The honest page while no screen works: it needs nothing of what may have failed, neither folder,
//! journal, network nor configuration.

use std::path::Path;

use slint::{ComponentHandle, Global, ModelRc, SharedString};

use super::config::Config;
use super::lifeline::Lifeline;
use super::run::{RunError, choose_backend};
use super::window::wording::fill_texts;
use super::window::{WindowError, lock_down, ui};
use crate::texts::{KioskTexts, Texts};

/// What it says when the configuration's texts cannot be read: those that the project ships.
const SHIPPED: &str = include_str!("../../kiosk-config/texts/vi.toml");

/// Shows the page until its guardian takes it away; the line brings the reasons for staff.
pub fn show(config: &Path, lifeline: &Lifeline) -> Result<(), RunError> {
    choose_backend().map_err(WindowError::from)?;
    let app = page(config)?;
    let _filling = lock_down(&app);
    let screen = app.as_weak();
    lifeline.listen(move |why| {
        // An event loop that is over has nothing to show any more.
        let _ = screen.upgrade_in_event_loop(move |app| {
            ui::Visit::get(&app).set_trouble(SharedString::from(why));
        });
    })?;
    app.run().map_err(WindowError::from)?;
    Ok(())
}

/// The page, without a reason.
pub fn page(config: &Path) -> Result<ui::AppWindow, WindowError> {
    let app = ui::AppWindow::new()?;
    if let Some(texts) = texts(config) {
        fill_texts(&app, &texts, "");
    }
    // The header keeps quiet about what nobody knows here.
    let office = ui::Office::get(&app);
    office.set_name(SharedString::default());
    office.set_counter(SharedString::default());
    office.set_clock(SharedString::default());
    ui::Languages::get(&app).set_names(ModelRc::default());
    ui::Visit::get(&app).set_page(ui::Page::Paused);
    Ok(app)
}

/// What the page says, in the language of rest.
fn texts(config: &Path) -> Option<KioskTexts> {
    let configured = Config::read(config).ok().and_then(|config| config.texts.into_iter().next());
    configured.or_else(|| toml::from_str::<Texts>(SHIPPED).ok()).map(|texts| texts.kiosk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_any_configuration_the_page_has_its_words() {
        let said = texts(Path::new("there is no such file")).unwrap();
        assert_eq!(said.paused, "Thiết bị tạm ngừng phục vụ, mong ông/bà thông cảm.");
    }
}
