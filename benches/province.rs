//! A year of a whole province, and how long each page of it takes: asked over loopback HTTP as a supervisor's browser
//! asks, one after the other, on an account of the whole province.
//!
//! Folders lie where `TMPDIR` says: it must be a disk, with 4 GB of room.

#[path = "../tests/common/mod.rs"]
mod common;
mod sides;

use std::time::Instant;

use common::{TestCentral, at, sample_config};
use hailong::demo::province::{Lived, Plan, Size, live};
use hailong::domain::access::Role;
use hailong::kiosk::network::client;
use sides::{quantile, wanted};

/// No page takes longer, in milliseconds.
const BAR: f64 = 100.0;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(pages());
}

fn plan() -> Plan {
    if wanted() {
        return Plan::whole(1, None);
    }
    let size = Size { offices: 2, kiosks: 4, ratings: 3 };
    Plan { size, from: "2026-12-28".parse().expect("a day"), ..Plan::whole(1, None) }
}

async fn pages() {
    let plan = plan();
    let mut config = sample_config();
    config.offices.clear();
    let central = TestCentral::with_config(config, at("2026-01-01 00:00")).await;
    let mut month = 0;
    let mut tell = |day: jiff::civil::Date, lived: &Lived| {
        if day.month() != month {
            month = day.month();
            println!("  {day}: {lived}");
        }
    };
    let lived = live(&central.central, &central.clock, &plan, &mut tell).await.expect("lived");
    println!("{} offices, {} kiosks: {lived}", plan.size.offices, plan.size.kiosks);
    let cookie = central.cookie(Role::Administrator).await;
    let supervisor = central.cookie(Role::Supervisor).await;
    let reader = central.cookie(Role::Reader).await;
    let office = central.central.offices()[0].office.code.clone();
    let day = plan.to;
    let asked = [
        (&supervisor, format!("/offices/{day}")),
        (&supervisor, "/offices/2026-11-24".to_owned()),
        (&supervisor, format!("/api/v1/offices/{day}")),
        (&supervisor, "/offices/2026-W48".to_owned()),
        (&supervisor, "/offices/2026-11".to_owned()),
        (&supervisor, "/offices/2026-Q3".to_owned()),
        (&supervisor, "/offices/2026".to_owned()),
        (&supervisor, format!("/summary/{office}/{day}")),
        (&supervisor, format!("/summary/{office}/2026-11-24")),
        (&supervisor, format!("/summary/{office}/2026-W48")),
        (&supervisor, format!("/summary/{office}/2026-11")),
        (&supervisor, format!("/summary/{office}/2026-Q3")),
        (&supervisor, format!("/summary/{office}/2026")),
        (&supervisor, format!("/api/v1/summary/{office}/2026?format=xlsx")),
        (&supervisor, format!("/api/v1/summary/{office}/{day}?format=csv")),
        (&supervisor, format!("/api/v1/comments/{office}/2026-11-24")),
        (&reader, "/reports".to_owned()),
        (&supervisor, "/fleet".to_owned()),
        (&cookie, "/directory".to_owned()),
        (&cookie, format!("/directory/{office}")),
        (&cookie, "/accounts".to_owned()),
        (&cookie, "/metrics".to_owned()),
    ];
    let http = client().expect("a client");
    let mut missed = 0;
    for (cookie, path) in asked {
        let address = format!("http://{}{path}", central.staff);
        let mut took = Vec::new();
        for round in 0..if wanted() { 11 } else { 2 } {
            let start = Instant::now();
            let reply = http
                .get(&address)
                .header("cookie", cookie.as_str())
                .send()
                .await
                .expect("answered");
            let status = reply.status();
            let bytes = reply.bytes().await.expect("read");
            assert!(status.is_success() && !bytes.is_empty(), "{path}: {status}");
            // The first one opens files and connections.
            if round > 0 {
                took.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
        let (median, slowest) = (quantile(&took, 0.5), quantile(&took, 1.0));
        let verdict = if median <= BAR { "" } else { "  MISSED" };
        missed += usize::from(median > BAR);
        println!("  {median:8.1} ms, slowest {slowest:8.1}  {path}{verdict}");
    }
    println!("bar at most {BAR} ms a page: {missed} missed");
    central.stop().await;
}
