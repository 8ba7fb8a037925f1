//! Trouble in the middle of a visit: a full disk, and a program that is killed.

use hailong::domain::line::{Event, LastRun};
use hailong::kiosk::visit::Page;

use crate::counter::{Counter, Plan, told};
use crate::installed::SmallDisk;

#[test]
fn on_a_full_disk_nobody_is_thanked_and_with_room_the_next_one_is_kept() {
    let (Some(disk), Some(twins)) = (SmallDisk::mount("4m"), SmallDisk::mount("4m")) else {
        return;
    };
    let folders = Some((disk.path().join("kiosk"), twins.path().join("kiosk")));
    let Some(counter) = Counter::of(Plan { folders, ..Plan::usual() }) else { return };
    let texts = counter.texts(0);
    let told_politely = || {
        let page = counter.twin.borrow().page();
        let Page::NotKept { trouble } = page else { panic!("{page:?}") };
        assert!(trouble.contains("SQLITE_FULL"), "{trouble}");
        assert!(counter.twin.borrow().says(&texts.not_kept));
        counter.types(counter.control(&texts.later_done));
        counter.rests();
        counter.is_home();
    };
    counter.touches(counter.level(1));
    counter.touches(counter.reason(2));
    [&disk, &twins].into_iter().for_each(SmallDisk::fill);
    counter.touches(counter.control(&texts.send));
    told_politely();

    [&disk, &twins].into_iter().for_each(SmallDisk::make_room);
    counter.touches(counter.level(3));
    counter.touches(counter.control(&texts.send));
    counter.leaves();
    counter.counted(2);
    let journal = counter.journal();
    assert_eq!(
        told(&journal),
        ["contact touch hai_long", "contact touch khong_hai_long", "closed sent"]
    );
}

#[test]
fn a_kiosk_killed_while_somebody_rates_starts_at_home_and_what_they_gave_counts() {
    let Some(counter) = Counter::open() else { return };
    counter.touches(counter.control("English"));
    counter.touches(counter.level(4));
    counter.touches(counter.reason(0));
    counter.killed();
    counter.starts_again(None);
    counter.touches(counter.level(0));
    counter.touches(counter.control(&counter.texts(0).send));
    counter.leaves();
    counter.counted(2);
    let journal = counter.journal();
    // What is started ends what was open: no line closes it, and no tick is kept.
    assert_eq!(
        told(&journal),
        ["contact touch rat_khong_hai_long", "contact touch rat_hai_long", "closed sent"]
    );
    let started = journal.iter().filter(|read| read.line.event == Event::Started);
    let ends: Vec<_> = started.filter_map(|read| read.line.last_run).collect();
    assert_eq!(ends, [LastRun::First, LastRun::Interrupted]);
}
