//! What citizens write to an office: when it is read, by whom, and what it does not tell.

mod common;

use common::{TestCentral, TestKiosk, answered, at, first_counter};
use hailong::central::comments::Comments;
use hailong::central::decide::erase_old_words;
use hailong::domain::access::{Role, Standing};
use hailong::domain::line::By;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use hailong::kiosk::visit::Record;

/// Somebody rates at the kiosk and writes.
fn written(kiosk: &mut TestKiosk, reason: &str, words: &str) {
    let mut desk = kiosk.desk();
    let (by, counter) = (By::Touch, first_counter(&desk));
    let open = Record::Open { by, counter, level: Some("hai_long".to_owned()) };
    let contact = desk.keep(&open).unwrap().seq;
    let (reasons, words) = (vec![reason.to_owned()], words.to_owned().into());
    desk.keep(&Record::Write { contact, reasons, words }).unwrap();
}

async fn comments(central: &TestCentral, token: &str, path: &str) -> Result<Comments, u16> {
    let address = format!("http://{}/api/v1/comments/{path}", central.staff);
    let reply = client().unwrap().get(address).bearer_auth(token).send().await.unwrap();
    match reply.status().as_u16() {
        200 => Ok(serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()),
        status => Err(status),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn comments_are_read_from_the_next_day_on_without_anything_that_tells_whose_they_are() {
    let central = TestCentral::start_at(at("2026-11-24 09:00")).await;
    let mut kiosk = central.kiosk("q3").await;
    written(&mut kiosk, "gop_y", "Ghế chờ còn thiếu. Gọi tôi 0912 345 678");
    written(&mut kiosk, "phan_anh", "Đòi thêm tiền.");
    written(&mut kiosk, "gop_y", "Cảm ơn cán bộ!");
    answered(&central, &mut kiosk, "hai_long", Some("Hồ sơ H15.50.05.13-261008-0975 nhanh")).await;
    let last = JournalReader::open(&kiosk.path()).unwrap().last().unwrap();
    kiosk.sent(last).await;
    let supervisor = central.token(Role::Supervisor).await;
    let asked = async || comments(&central, &supervisor, "phu-sa/2026-11-24").await.unwrap();
    // Today: not one, not even how many.
    central.clock.set(at("2026-11-24 23:59"));
    let today = asked().await;
    assert_eq!((today.released, today.comments.len()), (false, 0));
    central.clock.set(at("2026-11-25 00:00"));
    let all = asked().await;
    assert!(all.released);
    assert_eq!(all.comments.len(), 2, "a phone could write until tickets expire");
    central.clock.set(at("2026-12-01 23:59"));
    assert_eq!(asked().await.comments.len(), 2);
    central.clock.set(at("2026-12-02 00:00"));
    let mut sorted = asked().await.comments;
    sorted.sort();
    let masked = [
        "Cảm ơn cán bộ!",
        "Ghế chờ còn thiếu. Gọi tôi •••• ••• •••",
        "Hồ sơ H••.••.••.••-••••••-•••• nhanh",
    ];
    assert_eq!(sorted, masked);
    // The page has them, too, and nothing of who stood where.
    let page = async |cookie: &str, path: &str| {
        let address = format!("http://{}{path}", central.staff);
        let request = client().unwrap().get(address).header("cookie", cookie);
        request.header("accept", "text/html").send().await.unwrap().text().await.unwrap()
    };
    let cookie = central.cookie(Role::Supervisor).await;
    let day = page(&cookie, "/summary/phu-sa/2026-11-24?lang=en").await;
    assert!(day.contains("Cảm ơn cán bộ!") && !day.contains("Đòi thêm tiền"));
    assert!(!day.contains("345 678") && !day.contains("0975"));
    let today = page(&cookie, "/summary/phu-sa/2026-12-02?lang=en").await;
    assert!(today.contains("read from tomorrow on"));
    assert_eq!(
        comments(&central, &supervisor, "phu-sa/2026-11-23").await.unwrap().comments.len(),
        0
    );
    // Not for the official, nor for the reader of reports, nor of an office that is not there.
    let official = Standing::official("phu-sa".parse().unwrap(), "cb07".parse().unwrap());
    for token in [central.token_of(official).await, central.token(Role::Reader).await] {
        assert_eq!(comments(&central, &token, "phu-sa/2026-11-24").await, Err(403));
    }
    for path in ["dong-tien/2026-11-24", "phu-sa/2026-11", "phu-sa/hom-nay"] {
        assert_eq!(comments(&central, &supervisor, path).await, Err(404), "{path}");
    }
    // They go when words go.
    erase_old_words(central.store(), "2027-03-01".parse().unwrap(), 90).await.unwrap();
    assert_eq!(asked().await.comments.len(), 0);
}
