//! Rating forms: all versions, one as a kiosk shows it, the next one before it is put in force, and one that is wrong.

use hailong::domain::access::Role;
use thirtyfour::By;
use thirtyfour::extensions::query::ElementWaitable;

use crate::common::{TestCentral, at, sample_form};
use crate::looker::Looker;

#[tokio::test(flavor = "multi_thread")]
async fn a_form_is_looked_at_and_put_in_force_at_every_width() {
    let Some(mut looker) = Looker::start().await else { return };
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let here = format!("http://{}", central.staff);
    looker.enter(&central, Role::Administrator).await;
    looker.look_at("forms", &format!("{here}/forms")).await;
    looker.says("offices that use it: 1").await;
    let version = format!("{here}/forms/nam-muc@2");
    looker.look_at("form", &version).await;
    looker.says("Drawn by the kiosk’s own program").await;

    let mut form = sample_form();
    form.version = 3;
    form.effective = "2026-11-26".parse().unwrap();
    let wrong = toml::to_string_pretty(&form).unwrap();
    form.decision = "Quyết định 12/QĐ-UBND ngày 20/11/2026".into();
    form.question.insert("en".into(), "How did the\nofficial serve you?".into());
    let right = toml::to_string_pretty(&form).unwrap().replace("\"en\"", "en");
    for (name, text, said) in [
        ("form-wrong", wrong.replace("pole = \"good\"", "pole = \"fine\""), "cannot be used yet"),
        ("form-draft", right, "Nothing has changed yet"),
    ] {
        let page = By::Css("main");
        let old = looker.browser.driver.find(page).await.unwrap();
        let field = looker.browser.driver.find(By::Css("#f-next")).await.unwrap();
        let set = vec![field.to_json().unwrap(), text.into()];
        looker.browser.driver.execute("arguments[0].value = arguments[1]", set).await.unwrap();
        let check = By::Css("form:has(#f-next) button");
        looker.browser.driver.find(check).await.unwrap().click().await.unwrap();
        old.wait_until().stale().await.unwrap();
        looker.says(said).await;
        looker.look(name, "en").await;
    }
    let old = looker.browser.driver.find(By::Css("main")).await.unwrap();
    looker.browser.driver.find(By::Css(".take .send")).await.unwrap().click().await.unwrap();
    old.wait_until().stale().await.unwrap();
    looker.says("nam-muc@3 is put in force from 26/11/2026 on").await;
    looker.look("forms-done", "en").await;
    looker.end().await;
}
