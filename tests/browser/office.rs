//! An office whose pages are looked at: its days lived through real kiosks, tickets, answers.

use hailong::domain::line::{By, How};
use hailong::kiosk::desk::Desk;
use hailong::kiosk::journal_reader::JournalReader;
use hailong::kiosk::network::client;
use hailong::kiosk::visit::Record;

use crate::common::{TestCentral, TestKiosk, at, close, first_counter, rate};

/// A kiosk at work.
pub struct Counter {
    kiosk: TestKiosk,
    desk: Option<Desk>,
}

impl Counter {
    pub async fn enrolled(central: &TestCentral, counter: &str) -> Self {
        Self { kiosk: central.kiosk(counter).await, desk: None }
    }

    /// As it stands at this hour: opened, with whoever is on shift.
    fn desk(&mut self) -> &mut Desk {
        let desk = self.desk.get_or_insert_with(|| self.kiosk.desk());
        desk.follow_roster().unwrap();
        desk
    }

    /// Ratings of one level, with reasons of its pole.
    pub fn rated(&mut self, times: usize, level: &str, reasons: &[&str]) {
        for _ in 0..times {
            rate(self.desk(), level, reasons);
        }
    }

    /// One rating at the counter; gives the ticket that its thanks show.
    pub fn rated_with_ticket(&mut self, level: &str) -> String {
        let counter = first_counter(self.desk());
        let open = Record::Open { by: By::Touch, counter, level: Some(level.to_owned()) };
        let kept = self.desk().keep(&open).unwrap();
        close(self.desk(), kept.seq, How::Sent, &[]);
        kept.ticket.unwrap()
    }

    /// Somebody who wants to rate later; gives their ticket.
    pub fn later(&mut self) -> String {
        let counter = first_counter(self.desk());
        let kept = self.desk().keep(&Record::Open { by: By::Later, counter, level: None }).unwrap();
        close(self.desk(), kept.seq, How::Left, &[]);
        kept.ticket.unwrap()
    }

    /// The power fails.
    pub fn off(&mut self) {
        self.desk().note_alive().unwrap();
        self.desk = None;
    }

    /// The day's end.
    pub fn stop(&mut self) {
        self.desk();
        self.desk.take().unwrap().stop().unwrap();
    }

    /// Sends what it has.
    pub async fn send(&self) {
        let last = JournalReader::open(self.kiosk.folder.path()).unwrap().last().unwrap();
        self.kiosk.sent(last).await;
    }
}

/// Sends what all have; the clock stands where it stood afterwards.
pub async fn all_send(central: &TestCentral, counters: &[Counter], now: &str) {
    for counter in counters {
        counter.send().await;
    }
    central.clock.set(at(now));
}

/// A phone's answer, sent as a phone sends it. No field may hold `&`, `+` or `%`.
pub async fn answered(ticket: &str, fields: &str) {
    let client = client().unwrap();
    let page = client.get(ticket).send().await.unwrap().text().await.unwrap();
    let token = page.split_once("name=\"token\" value=\"").expect("a form").1;
    let token = token.split('"').next().unwrap();
    let kind = "application/x-www-form-urlencoded";
    let request = client.post(ticket).header("content-type", kind);
    let reply = request.body(format!("token={token}&{fields}")).send().await.unwrap();
    assert_eq!(reply.status().as_u16(), 200);
}
