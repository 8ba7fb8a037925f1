//! A report of a violation.

use hailong::central::store::PhoneForm;
use hailong::domain::calendar::OwnDay;
use hailong::domain::form::Reader;
use hailong::domain::ticket::Claims;

use super::{TestCentral, answered, at, left, sample_config};

/// A service with one report of Thursday, 26 November 2026, and its id. Friday the 27th is a day off there.
pub async fn reported() -> (TestCentral, String) {
    let mut config = sample_config();
    let calendar = config.offices[0].calendar.as_mut().expect("a calendar");
    let date = "2026-11-27".parse().unwrap();
    calendar.days.push(OwnDay { date, name: "Nghỉ".into(), hours: None });
    let central = TestCentral::with_config(config, at("2026-11-26 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    let ticket = left(&mut kiosk);
    let id = kiosk.sender().kiosk;
    let known = central.central.kiosk(&id).await.unwrap().unwrap();
    let claims = Claims::read(&ticket, |_| central.central.ticket_key(&known.ticket_key)).unwrap();
    let form = PhoneForm {
        claims,
        kiosk: id,
        level: "rat_khong_hai_long".into(),
        reasons: vec!["phan_anh".into()],
        words: Some("Đòi thêm tiền.".into()),
        source: None,
    };
    central.store().answer(form).await.unwrap();
    // Praise, which is for the office to read.
    answered(&central, &mut kiosk, "hai_long", Some("Cảm ơn")).await;
    let reports = central.store().words(Reader::Authority).await.unwrap();
    assert_eq!(reports.len(), 1, "{reports:?}");
    assert_eq!(reports[0].received, at("2026-11-26 09:00"));
    let id = reports[0].id.to_string();
    (central, id)
}
