//! What a citizen sees on a phone: the form in all its states, and why there is none.

use hailong::clock::Clock;
use hailong::domain::access::Role;
use hailong::domain::time::At;
use hailong::texts::Texts;

use crate::common::board::after_two_weeks;
use crate::common::{TestCentral, at, sample_config};
use crate::looker::{LANGUAGES, Looker};
use crate::office::Counter;

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_phone_is_readable_and_touchable_at_every_width() {
    let Some(mut looker) = Looker::start().await else { return };
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let mut counter = Counter::enrolled(&central, "q3").await;
    let here = central.service();
    let early = counter.later();
    looker.look_at("phone-line-not-here", &early).await;
    looker.says("Date of service: 24/11").await;
    let tickets = [counter.later(), counter.later(), counter.later()];
    counter.send().await;
    looker.look_at("phone", &tickets[0]).await;
    looker.says("Nguyễn Thị Thanh Lan").await;
    for (ticket, texts) in tickets.iter().zip(&central.central.config.texts) {
        rated_with_mistakes(&mut looker, &central, ticket, texts).await;
    }
    looker.look_at("used", &tickets[0]).await;
    looker.says("This code has already been used.").await;
    looker.look_at("not-valid", &format!("{here}/R/NOTHING")).await;
    looker.says("This code is not valid.").await;
    looker.look_at("welcome", &here).await;
    looker.says("Rate how you were served").await;
    for language in LANGUAGES {
        looker.browser.open(&format!("{here}?lang={language}")).await;
        looker.browser.press("summary").await;
        looker.look("notice", language).await;
    }
    looker.says("How long it is kept").await;
    public_pages(&mut looker, &central).await;

    // It takes no answers any more, and still shows forms.
    central.store().close().await.unwrap();
    for language in LANGUAGES {
        looker.browser.open(&format!("{}?lang={language}", tickets[2])).await;
        looker.browser.press("label.level").await;
        looker.browser.send().await;
        looker.look("busy", language).await;
    }
    looker.says("The system is busy.").await;
    central.clock.set(at("2026-12-02 08:30"));
    looker.look_at("expired", &tickets[2]).await;
    looker.says("This code expired after 7 days.").await;

    let mut config = sample_config();
    config.offices[0].office.form = "tieu-chi".into();
    let central = TestCentral::with_config(config, at("2026-11-24 08:15")).await;
    let mut counter = Counter::enrolled(&central, "q5").await;
    let ticket = counter.later();
    counter.send().await;
    looker.look_at("phone-questions", &ticket).await;
    looker.says("How many bodies you had to contact").await;
    looker.end().await;
}

/// A rating that comes back for every reason there is before it is taken.
async fn rated_with_mistakes(
    looker: &mut Looker,
    central: &TestCentral,
    ticket: &str,
    texts: &Texts,
) {
    let (language, t) = (&texts.language, &texts.phone);
    let words = async |looker: &Looker, letters: usize| {
        let fill = format!("document.getElementById('words').value = 'Ễ'.repeat({letters})");
        looker.browser.ask(&fill).await;
        looker.browser.send().await;
    };
    looker.browser.open(&format!("{ticket}?lang={language}")).await;
    looker.browser.send().await;
    looker.look("phone-no-level", language).await;
    looker.says(&t.no_level).await;
    for code in ["khong_hai_long", "cho_lau", "phan_anh"] {
        looker.browser.ask(&format!("document.querySelector('[value={code}]').click()")).await;
    }
    looker.look("phone-chosen", language).await;
    words(looker, 900).await;
    looker.look("phone-words-long", language).await;
    looker.says(&t.words_long).await;
    central.clock.set(At::new(central.clock.now()).plus_minutes(31));
    words(looker, 90).await;
    looker.look("phone-open-too-long", language).await;
    looker.says(&t.token_old).await;
    looker.browser.send().await;
    looker.look("thanks", language).await;
    looker.says(&t.thanks_title).await;
}

/// Whether a rating has arrived, and the roots of days.
async fn public_pages(looker: &mut Looker, central: &TestCentral) {
    let here = central.service();
    the_board(looker, central).await;
    looker.look_at("roots-none", &format!("{here}/roots")).await;
    looker.says("There is no statement yet.").await;
    central.clock.set(at("2026-11-25 00:01"));
    hailong::central::roots::make(&central.central).await.unwrap();
    looker.look_at("roots", &format!("{here}/roots")).await;
    looker.says("Anchor").await;
    looker.look_at("check", &format!("{here}/check")).await;
    for language in LANGUAGES {
        for (name, code) in [("check-not-here", "3-9KQ2-A0VX-7M4D"), ("check-no-code", "3-9")] {
            looker.browser.open(&format!("{here}/check?lang={language}")).await;
            let fill = format!("document.getElementById('code').value = '{code}'");
            looker.browser.ask(&fill).await;
            looker.browser.send().await;
            looker.look(name, language).await;
        }
    }
    looker.says("This is not a whole code.").await;
}

/// An office's public board before there is anything on it.
async fn the_board(looker: &mut Looker, central: &TestCentral) {
    let board = format!("{}/board/phu-sa", central.service());
    looker.look_at("board-none", &board).await;
    looker.says("No figures yet").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_public_board_is_readable_at_every_width_and_whole_on_a_screen_in_the_hall() {
    let Some(mut looker) = Looker::start().await else { return };
    let central = after_two_weeks().await;
    let board = format!("{}/board/phu-sa", central.service());
    looker.look_at("board", &board).await;
    looker.says("About the procedure").await;
    looker.says("Many had to wait").await;
    for (width, height) in [(1_920, 1_080), (1_366, 768), (3_840, 2_160)] {
        for language in LANGUAGES {
            looker.browser.open(&format!("{board}?hall=1&lang={language}")).await;
            looker.browser.screen(width, height).await;
            looker.browser.ask("return document.fonts.ready.then(() => true)").await;
            looker.keep(&format!("board-hall-{language}-{width}")).await;
            let rest = "return String(document.documentElement.scrollHeight - window.innerHeight)";
            let rest = looker.browser.text(rest).await;
            assert_eq!(rest, "0", "{width} × {height}, {language}: nobody scrolls there");
        }
    }
    looker.enter(&central, Role::Administrator).await;
    let page = format!("http://{}/improvements/phu-sa", central.staff);
    looker.look_at("improvements", &page).await;
    looker.says("On the board").await;
    looker.end().await;
}
