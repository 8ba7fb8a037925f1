//! Without any script: a rating and the summary by keyboard alone, a rating by touch.

use hailong::domain::access::Role;
use hailong::domain::form::Reader;
use thirtyfour::Key;

use crate::common::{TestCentral, at};
use crate::driver::Browser;
use crate::office::Counter;

/// A browser that runs no script of any page.
async fn scriptless() -> Option<Browser> {
    let browser = Browser::start().await?;
    browser.without_scripts().await;
    browser.open("data:text/html,<title>off</title><script>document.title = 'on'</script>").await;
    assert_eq!(browser.driver.title().await.unwrap(), "off");
    Some(browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rating_is_given_by_keyboard_alone_and_by_touch_without_any_script() {
    let Some(browser) = scriptless().await else { return };
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let mut counter = Counter::enrolled(&central, "q3").await;
    let [by_keys, by_touch] = [counter.later(), counter.later()];
    counter.send().await;
    browser.width(320).await;

    browser.open(&by_keys).await;
    browser.tab_to("[hreflang=en]").await;
    browser.key(Key::Enter).await;
    browser.comes("//html[@lang='en']").await;
    browser.tab_to("#level-1").await;
    browser.key(Key::Space).await;
    for _ in 0..3 {
        browser.key(Key::Down).await;
    }
    browser.tab_to("[value=thai_do]").await;
    browser.key(Key::Space).await;
    browser.tab_to("#words").await;
    browser.write("Tôi phải chờ.").await;
    browser.tab_to("[value=phan_anh]").await;
    browser.key(Key::Space).await;
    browser.tab_to("button.send").await;
    browser.key(Key::Enter).await;
    browser.comes("//h1[.='Thank you!']").await;
    browser.tab_to("summary").await;
    browser.key(Key::Enter).await;
    browser.comes("//details[@open]").await;

    browser.open(&by_touch).await;
    for place in ["label[for=level-2]", "label[for=reason-good-1]", "button.send"] {
        browser.press(place).await;
    }
    browser.comes("//h1[.='Xin cảm ơn ông/bà!']").await;

    let reports = central.store().words(Reader::Authority).await.unwrap();
    let texts: Vec<_> = reports.iter().map(|report| report.text.as_str()).collect();
    assert_eq!(texts, ["Tôi phải chờ."]);
    let office = &central.central.config.offices[0].office.code;
    let day = "2026-11-24".parse().unwrap();
    let tallies = central.store().day(office, day).await.unwrap().tallies;
    let mut counted: Vec<_> =
        tallies.iter().map(|(key, n)| format!("{} {n}", key.text())).collect();
    counted.retain(|tally| tally.starts_with("rat") || tally.starts_with("reason"));
    let expected = [
        "rating/q3/cb07/8/phone/nam-muc@2/hai_long 1",
        "rating/q3/cb07/8/phone/nam-muc@2/khong_hai_long 1",
        "reason/nam-muc@2/niem_no 1",
        "reason/nam-muc@2/phan_anh 1",
        "reason/nam-muc@2/thai_do 1",
    ];
    assert_eq!(counted, expected);
    browser.quit().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_summary_is_moved_through_by_keyboard_alone_without_any_script() {
    let Some(browser) = scriptless().await else { return };
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let here = format!("http://{}", central.staff);
    browser.width(1_440).await;
    browser.open(&format!("{here}{}", central.link(Role::Administrator).await)).await;
    browser.tab_to("[hreflang=en]").await;
    browser.key(Key::Enter).await;
    browser.comes("//h1[.='Tuesday, 24/11/2026']").await;
    browser.tab_to("[rel=prev]").await;
    browser.key(Key::Enter).await;
    browser.comes("//h1[.='Monday, 23/11/2026']").await;
    browser.tab_to("[rel=next]").await;
    browser.key(Key::Enter).await;
    browser.comes("//h1[.='Tuesday, 24/11/2026']").await;
    browser.tab_to("summary").await;
    browser.key(Key::Enter).await;
    browser.comes("//details[@open]").await;
    browser.tab_to("footer [href$='/2026-11-24']").await;
    browser.key(Key::Enter).await;
    browser.comes("//pre[contains(., 'digest')]").await;
    browser.quit().await;
}
