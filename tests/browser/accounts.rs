//! Signing in, and the pages of accounts, without any script and at every width.

use hailong::central::access::factor::Shared;
use hailong::domain::access::{Role, Standing};
use thirtyfour::By;
use thirtyfour::extensions::query::ElementWaitable;

use crate::common::{TestCentral, at, rate};
use crate::driver::Browser;
use crate::looker::Looker;

const SENTENCE: &str = "con mèo trèo cây cau";

async fn type_into(browser: &Browser, name: &str, text: &str) {
    let field =
        browser.driver.find(By::Css(format!("main .field[name={name}]"))).await.expect(name);
    field.clear().await.expect(name);
    field.send_keys(text).await.expect(name);
}

/// Touches a button, and waits until its page is gone.
async fn touch(browser: &Browser, selector: &str) {
    let button = browser.driver.find(By::Css(selector)).await.expect(selector);
    button.click().await.expect(selector);
    button.wait_until().stale().await.expect("another page");
}

/// An office with a day, the next afternoon.
async fn after_a_day() -> TestCentral {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for number in 0..40 {
        rate(&mut desk, if number % 9 == 8 { "binh_thuong" } else { "rat_hai_long" }, &[]);
    }
    drop(desk);
    kiosk.sent(3 + 40 * 2).await;
    central.clock.set(at("2026-11-25 14:00"));
    central
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_accounts_is_readable_and_touchable_at_every_width() {
    let Some(mut looker) = Looker::start().await else { return };
    let central = after_a_day().await;
    let here = format!("http://{}", central.staff);
    // The first administrator.
    let first = central.central.first_link().await.unwrap().unwrap();
    looker.look_at("invited-first", &format!("{here}{first}")).await;
    looker.says("The first administrator").await;
    for (name, text) in
        [("name", "Lê Văn Quang"), ("login", "quan-tri"), ("password", "ngắn"), ("again", "ngắn")]
    {
        type_into(&looker.browser, name, text).await;
    }
    looker.browser.send().await;
    looker.says("10 to 128 characters").await;
    looker.look("invited-short", "en").await;
    for (name, text) in [("password", SENTENCE), ("again", SENTENCE)] {
        type_into(&looker.browser, name, text).await;
    }
    looker.browser.send().await;
    // Accounts of others.
    for role in [Role::Supervisor, Role::Auditor, Role::Reader] {
        central.cookie(role).await;
    }
    looker.look_at("accounts", &format!("{here}/accounts")).await;
    looker.says("no password yet").await;
    touch(&looker.browser, "input[name=do][value=edit] ~ button").await;
    looker.says("Change the role of").await;
    looker.look("accounts-edit", "en").await;
    looker.browser.open(&format!("{here}/accounts?lang=en")).await;
    type_into(&looker.browser, "name", "Nguyễn Kim Phượng").await;
    type_into(&looker.browser, "login", "phuong-hoang").await;
    looker.browser.press("#role-official").await;
    looker.browser.send().await;
    looker.says("Please choose the official").await;
    looker.look("accounts-wrong", "en").await;
    let official = By::Css("#f-official option[value='phu-sa/cb07']");
    looker.browser.driver.find(official).await.unwrap().click().await.unwrap();
    looker.browser.send().await;
    looker.look("accounts-added", "en").await;
    looker.says("Link for Nguyễn Kim Phượng").await;
    let link = looker.browser.driver.find(By::Css(".secret a")).await.unwrap();
    let invited = link.attr("href").await.unwrap().unwrap();
    looker.look_at("invited", &format!("{here}{invited}")).await;
    looker.says("phuong-hoang").await;
    // Kiosks: one that is silent, one that nobody has heard of yet.
    central.kiosk("q1").await;
    looker.look_at("fleet", &format!("{here}/fleet")).await;
    looker.says("2 kiosks").await;
    type_into(&looker.browser, "kiosk", "ps-hall").await;
    looker.browser.press("#c-phu-sa-q5").await;
    looker.browser.send().await;
    looker.look("fleet-code", "en").await;
    looker.says("Enrolment code for ps-hall").await;
    // The directory: an office in files, one that is kept here, what files would change.
    looker.look_at("directory", &format!("{here}/directory")).await;
    looker.says("kept in the server's configuration").await;
    type_into(&looker.browser, "name", "Trung tâm Phục vụ hành chính công xã Đông Tiến").await;
    type_into(&looker.browser, "office", "dong-tien").await;
    touch(&looker.browser, "#t-add ~ form button.send").await;
    looker.says("Saved.").await;
    let lists = tempfile::TempDir::new().unwrap();
    let list = |name: &str, text: &str| {
        let file = lists.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let counters = "office,id,number,name,branch\ndong-tien,q1,1,Tiếp nhận chung,\n\
                    dong-tien,q2,2,Đất đai – Môi trường,Điểm tiếp nhận thôn Đông\n";
    let counters = list("Quầy.csv", counters);
    let officials = "office,id,name,title\ndong-tien,cb01,Trần Văn Hòa,Công chức\ndong-tien,cb02,Lê Thu Hà,Viên chức\n";
    let officials = list("Cán bộ.csv", officials);
    let wrong = list(
        "roster.csv",
        "office,weekdays,counter,official,from,to\ndong-tien,T2-T9,q1,cb01,07:30,17:00\n",
    );
    let right = list(
        "Lịch trực.csv",
        "office,weekdays,counter,official,from,to\ndong-tien,T2-T6,q1,cb01,07:30,17:00\n",
    );
    for (name, files) in [
        ("directory-wrong", [&counters, &officials, &wrong]),
        ("directory-plan", [&counters, &officials, &right]),
    ] {
        let chosen = looker.browser.driver.find(By::Css("#f-files")).await.unwrap();
        chosen.send_keys(&files.map(String::as_str).join("\n")).await.unwrap();
        touch(&looker.browser, "#t-import ~ form button.send").await;
        looker.look(name, "en").await;
    }
    touch(&looker.browser, "#t-plan ~ form button.send").await;
    looker.says("Changes written: 5.").await;
    looker.look_at("office", &format!("{here}/directory/dong-tien")).await;
    looker.look_at("office-to-come", &format!("{here}/directory/dong-tien?from=2026-12-01")).await;
    looker.says("Tiếp nhận chung").await;
    looker.look_at("office-in-files", &format!("{here}/directory/phu-sa")).await;
    looker.says("is changed only there").await;
    // All offices beside each other.
    looker.look_at("offices", &format!("{here}/offices/2026-11-24")).await;
    looker.says("2 offices, 1 with ratings").await;
    looker.look_at("offices-month", &format!("{here}/offices/2026-11")).await;
    looker.look_at("fleet-all", &format!("{here}/fleet")).await;
    looker.says("To look at").await;
    // One's own account: a second factor, a token.
    looker.look_at("account", &format!("{here}/account")).await;
    let begin = "#t-factor ~ form button.send";
    touch(&looker.browser, begin).await;
    looker.look("account-factor", "en").await;
    let sealed = looker.browser.driver.find(By::Css("[name=sealed]")).await.unwrap();
    let sealed = sealed.attr("value").await.unwrap().unwrap();
    let login = "quan-tri".parse().unwrap();
    let shared = Shared::open(&central.central.keys.factors, &login, &sealed).unwrap();
    let secret = totp_rs::Secret::try_from_base32(shared.by_hand().replace(' ', "")).unwrap();
    let app = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let now = central.central.now().timestamp().as_second();
    let code = app.generate(now as u64).to_string();
    let field = looker.browser.driver.find(By::Css("#f-confirm")).await.unwrap();
    field.send_keys(&code).await.unwrap();
    let field = looker.browser.driver.find(By::Css("#f-c-current")).await.unwrap();
    field.send_keys(SENTENCE).await.unwrap();
    touch(&looker.browser, "#t-factor ~ form button.send").await;
    looker.says("Recovery codes").await;
    looker.look("account-recovery", "en").await;
    looker.browser.open(&format!("{here}/account?lang=en")).await;
    looker.browser.ask("document.querySelectorAll('details').forEach((d) => d.open = true)").await;
    let name = looker.browser.driver.find(By::Css("#f-name")).await.unwrap();
    name.send_keys("Báo cáo tháng").await.unwrap();
    looker.browser.press("#r-figures").await;
    touch(&looker.browser, "#t-tokens ~ details button.send").await;
    looker.says("Copy this token now").await;
    looker.look("account-token", "en").await;
    // Signed out, and in again with the code.
    touch(&looker.browser, ".bar-button").await;
    for (name, text) in [("login", "quan-tri"), ("password", SENTENCE)] {
        type_into(&looker.browser, name, text).await;
    }
    looker.browser.send().await;
    looker.says("Two-step sign-in is on for this account").await;
    looker.look("sign-in-code", "en").await;
    // Who has no right, and whose figures they are.
    looker.enter(&central, Role::Reader).await;
    looker.look_at("forbidden", &format!("{here}/summary/phu-sa/2026-11-24")).await;
    looker.says("Not permitted").await;
    looker.enter(&central, Role::Supervisor).await;
    looker.browser.open(&format!("{here}/summary/phu-sa/2026-11-24")).await;
    let day = &central.central.config.offices[0];
    let on_shift = day.on_shift(&"q3".parse().unwrap(), at("2026-11-24 08:15").civil()).unwrap();
    let official = Standing::official(day.office.code.clone(), on_shift.id.clone());
    let path = central.central.sign_ins.open_door(central.account(official).await);
    looker.browser.open(&format!("{here}{path}")).await;
    looker.look_at("own", &format!("{here}/own/2026-11")).await;
    looker.says("Who looked at figures").await;
    looker.says("on the page").await;
    looker.look_at("own-none", &format!("{here}/own/2026-11-23")).await;
    looker.says("No ratings.").await;
    looker.look_at("own-early", &format!("{here}/own/2026-11-25")).await;
    looker.says("from the next day on").await;
    looker.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_signs_in_and_out_by_keyboard_alone_without_any_script() {
    let Some(browser) = Browser::start().await else { return };
    let central = after_a_day().await;
    browser.without_scripts().await;
    let here = format!("http://{}", central.staff);
    let login = central.account(Standing::new(Role::Supervisor, Default::default())).await;
    let password = central.central.sign_ins.hash(SENTENCE).await.unwrap();
    let set = move |account: &mut hailong::central::access::account::Account| {
        account.password = Some(password);
        Some(Vec::new())
    };
    let by = login.to_string();
    central.store().change_account(login.clone(), by, Box::new(set)).await.unwrap();
    browser.width(1_440).await;
    browser.open(&format!("{here}/summary/phu-sa/2026-11-24")).await;
    browser.tab_to("[name=login]").await;
    browser.write(login.as_str()).await;
    browser.tab_to("[name=password]").await;
    browser.write(SENTENCE).await;
    browser.key(thirtyfour::Key::Enter).await;
    browser.comes("//h1[contains(., '24/11/2026')]").await;
    browser.tab_to(".bar-button").await;
    browser.key(thirtyfour::Key::Enter).await;
    browser.comes("//h1[.='Đăng nhập']").await;
    browser.open(&format!("{here}/account")).await;
    browser.comes("//h1[.='Đăng nhập']").await;
    browser.quit().await;
}
