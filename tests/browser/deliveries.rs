//! The page of what goes out: a mail in every state, at every width.

use hailong::central::config::Config;
use hailong::central::delivery::config::{MailConfig, Recipient, Security};
use hailong::central::store::mail::{Mail, Outcome};
use hailong::domain::access::Role;
use thirtyfour::By;
use thirtyfour::extensions::query::ElementWaitable;

use crate::common::{TestCentral, at, sample_config};
use crate::looker::Looker;

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_out_is_readable_and_touchable_at_every_width() {
    let Some(mut looker) = Looker::start().await else { return };
    // Nobody gets mail, and nothing lies in a folder.
    let central = TestCentral::start_at(at("2026-11-24 17:10")).await;
    looker.enter(&central, Role::Administrator).await;
    looker.look_at("deliveries-off", &format!("http://{}/deliveries", central.staff)).await;
    looker.says("Nobody gets mail yet").await;

    // A port that nobody listens at, for as long as this does not.
    let away = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let to = Recipient {
        address: "chu-tich.phusa@hungyen.example".into(),
        office: None,
        language: None,
    };
    let mail = MailConfig {
        server: "127.0.0.1".into(),
        port: away.local_addr().unwrap().port(),
        security: Security::None,
        from: "hailong@hungyen.example".parse().unwrap(),
        credentials: None,
        to: vec![to],
    };
    drop(away);
    let folder = tempfile::TempDir::new().unwrap();
    let config =
        Config { mail: Some(mail), summaries: Some(folder.path().to_owned()), ..sample_config() };
    // While nothing goes out, so that nobody takes them in between.
    let central = TestCentral::start_at(at("2026-11-25 08:00")).await;
    let wrote = |name: &str, subject: &str| Mail {
        key: name.into(),
        to: "chu-tich.phusa@hungyen.example".into(),
        subject: subject.into(),
        text: "\n".into(),
    };
    let office = "Trung tâm Phục vụ hành chính công xã Phù Sa";
    let refused = "permanent error (550): 5.1.1 chu-tich.phusa@hungyen.example: Recipient address rejected: User unknown";
    for (name, subject, outcome) in [
        ("a", format!("{office}: 97,1% hài lòng, ngày 24/11/2026"), Outcome::Sent),
        ("b", "Mất liên lạc với 2 thiết bị đánh giá".into(), Outcome::Refused(refused.into())),
        ("c", "Thư thử của hệ thống Hài Lòng".into(), Outcome::Unclear("network error".into())),
    ] {
        central.store().post(vec![wrote(name, &subject)], vec![], vec![]).await.unwrap();
        central.store().mail_done(name.into(), outcome).await.unwrap();
    }
    let central = central.again_with(config).await;
    looker.enter(&central, Role::Administrator).await;
    looker.look_at("deliveries", &format!("http://{}/deliveries", central.staff)).await;
    looker.says("NOT KNOWN WHETHER IT ARRIVED").await;
    looker.says("User unknown").await;
    let send = By::Css("main form.in-line button");
    let send = looker.browser.driver.find(send).await.unwrap();
    send.click().await.unwrap();
    send.wait_until().stale().await.unwrap();
    looker.says("A test mail is written").await;
    looker.look("deliveries-tested", "en").await;
    looker.end().await;
}
