//! The official's page: connected once, then one button a counter, and nothing of any answer.

use std::sync::Arc;

use hailong::domain::line::By;
use hailong::domain::system_random;
use hailong::kiosk::calls::BOUNDS;
use hailong::kiosk::enrolment::enrol;
use hailong::kiosk::identity::Identity;
use hailong::kiosk::network::Network;
use hailong::kiosk::visit::Input;
use tempfile::TempDir;
use thirtyfour::Key;

use crate::common::{TestCentral, TestDoor, TestKiosk};
use crate::looker::Looker;

#[tokio::test(flavor = "multi_thread")]
async fn an_official_connects_once_and_invites_by_keyboard_alone() {
    let Some(mut looker) = Looker::start().await else { return };
    let central = TestCentral::start().await;
    let kiosk = central.kiosk("q3").await;
    let mut door = TestDoor::open(&kiosk, None, BOUNDS).await;
    let here = format!("http://{}/", door.address);
    looker.browser.open(&here).await;
    looker.browser.comes("//form[not(@hidden)]").await;
    assert_eq!(looker.browser.text("return document.activeElement.id").await, "token");
    looker.look("calls-connect", "vi").await;
    // What a Vietnamese input method makes of two D.
    looker.browser.write("kđs7 23").await;
    looker.browser.key(Key::Enter).await;
    looker.browser.comes("//*[@role='status'][contains(., 'bộ gõ tiếng Việt')]").await;
    looker.look("calls-accents", "vi").await;
    looker.browser.write("kdds7 23").await;
    looker.browser.key(Key::Enter).await;
    looker.browser.comes("//*[@role='status'][contains(., 'không đúng')]").await;
    looker.look("calls-wrong", "vi").await;
    assert!(door.screen.try_recv().is_err());

    // As people type: in groups, in small letters. The wrong one is selected, and written over.
    let [one, two] = [&door.token[..12], &door.token[12..]].map(str::to_lowercase);
    looker.browser.write(&format!("{one} {two}")).await;
    looker.browser.key(Key::Enter).await;
    looker.browser.comes("//*[@role='status'][contains(., 'Đã kết nối')]").await;
    looker.says("Quầy 3 · Hộ tịch – Chứng thực").await;
    assert_eq!(looker.browser.text("return document.activeElement.tagName").await, "BUTTON");
    looker.look("calls-connected", "vi").await;
    looker.browser.key(Key::Enter).await;
    looker.browser.comes("//*[@role='status'][contains(., 'Đã gửi lời mời')]").await;
    looker.says("Invitation sent.").await;
    assert_eq!(door.screen.try_recv(), Ok(Input::Call(By::Invitation, "q3".parse().unwrap())));
    looker.look("calls-sent", "vi").await;

    // This computer remembers.
    looker.browser.open("about:blank").await;
    looker.browser.open(&here).await;
    looker.browser.comes("//*[@role='status'][contains(., 'Sẵn sàng')]").await;
    looker.look("calls-ready", "vi").await;
    looker.browser.tab_to("#counters button").await;
    looker.browser.key(Key::Space).await;
    looker.browser.comes("//*[@role='status'][contains(., 'Đã gửi lời mời')]").await;
    assert_eq!(door.screen.try_recv(), Ok(Input::Call(By::Invitation, "q3".parse().unwrap())));

    // The screen has ended, then the whole kiosk.
    door.screen.close();
    looker.browser.key(Key::Space).await;
    looker.browser.comes("//*[@role='status'][contains(., 'Chưa gửi được')]").await;
    drop(door);
    looker.browser.key(Key::Space).await;
    looker.browser.comes("//*[@role='status'][contains(., 'Không liên lạc được')]").await;
    looker.look("calls-away", "vi").await;
    looker.end().await;
}

/// One kiosk for all counters of the office.
async fn of_a_hall(central: &TestCentral) -> TestKiosk {
    let folder = TempDir::new().unwrap();
    let mut identity = Identity::load_or_create(folder.path(), &mut system_random()).unwrap();
    let directory = &central.central.config.offices[0];
    let codes: Vec<_> = directory.counters.iter().map(|counter| counter.id.as_str()).collect();
    let (office, counters) = (directory.office.code.clone(), codes.join(",").parse().unwrap());
    let code = central.central.offer("ps-sanh".parse().unwrap(), office, counters).await.unwrap();
    enrol(&Network::to(&central.service()), &code, &mut identity).await.unwrap();
    TestKiosk { folder, identity, clock: Arc::clone(&central.clock), service: central.service() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kiosk_of_a_hall_has_a_button_for_each_of_its_counters() {
    let Some(mut looker) = Looker::start().await else { return };
    let central = TestCentral::start().await;
    let kiosk = of_a_hall(&central).await;
    let mut door = TestDoor::open(&kiosk, None, BOUNDS).await;
    let here = format!("http://{}/", door.address);
    looker.browser.open(&here).await;
    looker.browser.comes("//form[not(@hidden)]").await;
    looker.browser.write(&door.token).await;
    looker.browser.key(Key::Enter).await;
    looker.browser.comes("//li[2]/button").await;
    looker.look("calls-hall", "vi").await;
    looker.browser.press("li:nth-child(2) button").await;
    looker.browser.comes("//*[@role='status'][contains(., 'Đã gửi lời mời')]").await;
    let second = kiosk.identity.enrolled.as_ref().unwrap().counters.to_vec()[1].clone();
    assert_eq!(door.screen.try_recv(), Ok(Input::Call(By::Invitation, second)));
    // Whoever tries codes is told how long to wait, in words.
    looker.browser.ask("window.localStorage.setItem('hailong-calls-token', 'X'); return 1").await;
    for _ in 0..11 {
        looker.browser.open(&here).await;
        looker.browser.comes("//*[@role='status']/p").await;
    }
    looker.says("Too many wrong codes.").await;
    looker.look("calls-too-many", "vi").await;
    looker.end().await;
}
