use super::*;

const MS: fn(u64) -> Duration = Duration::from_millis;
const S: fn(u64) -> Duration = Duration::from_secs;

fn crash() -> Happened {
    Happened::Ended(Ending::Silent("ended by itself (signal 9)".to_owned()))
}

fn told(why: &str, hopeless: bool) -> Happened {
    Happened::Ended(Ending::Told { code: 3, why: why.to_owned(), hopeless })
}

fn page(why: &str) -> Do {
    Do::Page(why.to_owned())
}

/// A guardian whose screen has worked since the given moment.
fn at_work(since: Duration) -> Guardian {
    let mut guardian = Guardian::new(false);
    assert_eq!(guardian.step(MS(0), Happened::Passed), [Do::Start]);
    assert_eq!(guardian.step(since, Happened::Beat), []);
    guardian
}

/// Lets time pass until something is due; what is done then, and when.
fn pass(guardian: &mut Guardian) -> (Duration, Vec<Do>) {
    let due = guardian.due();
    (due, guardian.step(due, Happened::Passed))
}

#[test]
fn a_screen_that_crashes_is_started_again_at_once() {
    let mut guardian = at_work(S(1));
    assert_eq!(guardian.step(S(5), crash()), [Do::Start]);
}

#[test]
fn a_screen_that_does_not_beat_is_ended_and_replaced_once_it_is_gone() {
    let mut guardian = at_work(S(1));
    assert_eq!(guardian.step(S(3), Happened::Beat), []);
    assert_eq!(pass(&mut guardian), (S(11), vec![Do::Kill]));
    assert_eq!(guardian.step(MS(11_001), Happened::Beat), [], "too late");
    assert_eq!(guardian.step(MS(11_002), crash()), [Do::Start]);
}

#[test]
fn a_screen_that_the_system_does_not_end_is_covered_by_the_page() {
    let mut guardian = at_work(S(1));
    assert_eq!(pass(&mut guardian), (S(9), vec![Do::Kill]));
    let said = "hangs, and the system does not end it";
    assert_eq!(pass(&mut guardian), (S(13), vec![page(said)]));
    assert_eq!(guardian.due(), Duration::MAX);
    // No second screen before the first is gone.
    assert_eq!(guardian.step(S(500), Happened::Passed), []);
    assert_eq!(guardian.step(S(501), crash()), [page("hung")]);
    assert_eq!(pass(&mut guardian), (S(502), vec![Do::Start]));
}

#[test]
fn a_screen_that_crashes_again_and_again_gets_the_page_and_pauses_that_grow() {
    let mut guardian = at_work(S(1));
    for failure in 1..=AT_ONCE {
        assert_eq!(guardian.step(S(1), crash()), [Do::Start], "{failure}");
        assert_eq!(guardian.step(S(1), Happened::Beat), []);
    }
    let mut now = S(1);
    assert_eq!(guardian.step(now, crash()), [page("ended by itself (signal 9)")]);
    let mut pauses = Vec::new();
    for _ in 0..4 {
        let (due, done) = pass(&mut guardian);
        assert_eq!(done, [Do::Start]);
        pauses.push((due - now).as_secs());
        now = due;
        assert_eq!(guardian.step(now, crash()), [], "the page stays as it is");
    }
    assert_eq!(pauses, [8, 16, 30, 30]);
    assert_eq!(pass(&mut guardian).1, [Do::Start]);
    assert_eq!(guardian.step(now + S(31), Happened::Beat), [Do::NoPage], "it works again");
}

#[test]
fn crashes_long_apart_are_never_again_and_again() {
    let mut guardian = at_work(S(1));
    let mut now = S(1);
    for _ in 0..50 {
        for _ in 0..=STEADY.as_secs() / 2 {
            now += S(2);
            assert_eq!(guardian.step(now, Happened::Beat), []);
        }
        assert_eq!(guardian.step(now, crash()), [Do::Start]);
        assert_eq!(guardian.step(now, Happened::Beat), []);
    }
}

#[test]
fn a_screen_that_says_why_it_cannot_start_gets_the_page_at_once_and_is_tried_again() {
    let mut guardian = Guardian::new(false);
    assert_eq!(guardian.step(S(0), Happened::Passed), [Do::Start]);
    assert_eq!(guardian.step(S(0), told("kiosk.toml:1:1", false)), [page("kiosk.toml:1:1")]);
    assert_eq!(pass(&mut guardian), (S(1), vec![Do::Start]));
    assert_eq!(guardian.step(S(1), told("kiosk.toml:2:1", false)), [page("kiosk.toml:2:1")]);
    assert_eq!(pass(&mut guardian), (S(3), vec![Do::Start]));
    assert_eq!(guardian.step(S(4), Happened::Beat), [Do::NoPage]);
}

#[test]
fn a_screen_that_takes_long_to_start_is_covered_and_given_up_in_the_end() {
    let mut guardian = Guardian::new(false);
    assert_eq!(guardian.step(S(0), Happened::Passed), [Do::Start]);
    assert_eq!(pass(&mut guardian), (PATIENCE, vec![page("takes long to start")]));
    assert_eq!(pass(&mut guardian), (LONGEST_START, vec![Do::Kill]));
    assert_eq!(guardian.step(S(121), crash()), [page("has not started in 120 s")]);
    assert_eq!(pass(&mut guardian).1, [Do::Start]);
}

#[test]
fn what_no_page_can_tell_ends_the_guardian_with_what_the_screen_said() {
    let end = [Do::End(Err((3, "no display".to_owned())))];
    let mut guardian = at_work(S(1));
    assert_eq!(guardian.step(S(2), told("no display", true)), [Do::Start], "it had one");
    assert_eq!(guardian.step(S(2), told("no display", true)), end);
    // What is told is what mattered first, not that there is no page for it either.
    let mut guardian = Guardian::new(false);
    guardian.step(S(0), Happened::Passed);
    guardian.step(S(2), told("the disk is full", false));
    let Happened::Ended(ending) = told("no display", true) else { unreachable!() };
    let end = Do::End(Err((3, "the disk is full".to_owned())));
    assert_eq!(guardian.step(S(2), Happened::PageEnded(ending)), [end]);
}

#[test]
fn whoever_waits_for_the_first_start_is_told_its_failure_and_no_later_one() {
    let mut guardian = Guardian::new(true);
    assert_eq!(guardian.step(S(0), Happened::Passed), [Do::Start]);
    let end = Do::End(Err((3, "the code is old".to_owned())));
    assert_eq!(guardian.step(S(1), told("the code is old", false)), [end]);

    let mut guardian = Guardian::new(true);
    assert_eq!(guardian.step(S(0), Happened::Passed), [Do::Start]);
    assert_eq!(guardian.step(S(1), Happened::Beat), []);
    assert_eq!(guardian.step(S(2), crash()), [Do::Start]);
    assert_eq!(guardian.step(S(2), told("the code is old", false)), [page("the code is old")]);
}

#[test]
fn a_screen_that_ends_in_good_order_ends_the_guardian() {
    let mut guardian = at_work(S(1));
    let left = Happened::Ended(Ending::InGoodOrder);
    assert_eq!(guardian.step(S(2), left), [Do::End(Ok(()))]);
}

#[test]
fn asked_to_end_it_waits_for_the_screen_but_not_for_ever() {
    let mut guardian = at_work(S(1));
    assert_eq!(guardian.step(S(2), Happened::Asked), [Do::LetGo]);
    assert_eq!(guardian.step(S(3), Happened::Asked), []);
    // However it ends then.
    assert_eq!(guardian.step(S(4), told("no display", true)), [Do::End(Ok(()))]);

    let mut guardian = at_work(S(1));
    assert_eq!(guardian.step(S(2), Happened::Asked), [Do::LetGo]);
    assert_eq!(pass(&mut guardian), (S(12), vec![Do::Kill, Do::End(Ok(()))]));

    let mut guardian = Guardian::new(false);
    guardian.step(S(0), Happened::Passed);
    guardian.step(S(1), told("the disk is full", false));
    assert_eq!(guardian.step(S(2), Happened::Asked), [Do::End(Ok(()))]);
}

#[test]
fn a_page_that_ends_is_shown_again_unless_it_was_taken_away() {
    let gone = || Happened::PageEnded(Ending::Silent("killed".to_owned()));
    let mut guardian = at_work(S(1));
    for _ in 0..=AT_ONCE {
        guardian.step(S(2), crash());
    }
    let why = page("ended by itself (signal 9)");
    assert_eq!(guardian.step(S(2), gone()), []);
    assert_eq!(pass(&mut guardian), (S(3), vec![why]));
    assert_eq!(pass(&mut guardian), (S(10), vec![Do::Start]));
    assert_eq!(guardian.step(S(10), gone()), []);
    assert_eq!(guardian.step(S(10), Happened::Beat), [Do::NoPage]);
    assert_eq!(pass(&mut guardian), (S(18), vec![Do::Kill]), "no page is due");
}
