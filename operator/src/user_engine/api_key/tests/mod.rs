//! Every stage, and what may happen in it.

mod walk;

use super::*;

/// Hashes of the key that is, the one that is to come, the one that was, and one that the platform put there.
const KEY: &str = "aaaaaaaa-key";
const NEXT: &str = "bbbbbbbb-next";
const FORMER: &str = "cccccccc-former";
const THEIRS: &str = "dddddddd-theirs";

fn id(text: &str) -> RotationId {
    text.to_owned().try_into().unwrap()
}

fn names(hashes: &[&str]) -> Vec<String> {
    hashes.iter().map(|hash| short(hash)).collect()
}

fn publishing() -> Record {
    Record::default().at(&id("r-1"), Stage::Publishing)
}

/// Since 101, for 300 s: until 401.
fn overlapping() -> Record {
    let former = FORMER.to_owned();
    Record::default().at(&id("r-1"), Stage::Overlapping { since: 101, former })
}

fn retiring() -> Record {
    Record::default().at(&id("r-1"), Stage::Retiring)
}

fn over() -> Record {
    Record::default().over(&id("r-1"))
}

/// A situation in the making: nothing is asked for, and the engine is not heard.
struct Case {
    record: Record,
    key: &'static str,
    next: Option<&'static str>,
    asked: Option<RotationId>,
    overlap: i64,
    held_back: bool,
    word: Option<Vec<String>>,
    asleep: bool,
    now: i64,
}

fn case(record: Record) -> Case {
    Case {
        record,
        key: KEY,
        next: None,
        asked: None,
        overlap: 300,
        held_back: false,
        word: None,
        asleep: false,
        now: 100,
    }
}

/// Publishing, with the next key in the Secret.
fn published() -> Case {
    Case {
        next: Some(NEXT),
        ..case(publishing())
    }
}

impl Case {
    fn asked(self, text: &str) -> Self {
        let asked = Some(id(text));
        Self { asked, ..self }
    }

    fn accepts(self, hashes: &[&str]) -> Self {
        let word = Some(names(hashes));
        Self { word, ..self }
    }

    fn asleep(self) -> Self {
        Self {
            asleep: true,
            ..self
        }
    }

    fn at(self, now: i64) -> Self {
        Self { now, ..self }
    }

    fn decide(&self) -> Decision {
        decide(&Seen {
            record: &self.record,
            key: self.key,
            next: self.next,
            asked: self.asked.as_ref(),
            overlap: self.overlap,
            held_back: self.held_back,
            engine: match &self.word {
                _ if self.asleep => Engine::Asleep,
                Some(names) => Engine::Accepts(names),
                None => Engine::Unheard,
            },
            now: self.now,
        })
    }
}

fn wrote(record: &Record, keys: Keys, news: Option<News>) -> Decision {
    write(record.clone(), keys, news)
}

#[test]
fn nothing_happens_while_nothing_is_asked_for() {
    for record in [Record::default(), over()] {
        assert_eq!(case(record.clone()).decide(), Decision::Rest);
        // A next key that somebody put there is none of a rotation's.
        let stray = Case {
            next: Some(NEXT),
            ..case(record)
        };
        assert_eq!(stray.decide(), Decision::Rest);
    }
}

#[test]
fn an_id_that_is_not_known_draws_a_next_key_once_something_may_begin() {
    let asked = case(Record::default()).asked("r-1");
    let started = Some(News::Started(id("r-1")));
    assert_eq!(asked.decide(), wrote(&publishing(), Keys::Draw, started));
    let held_back = Case {
        held_back: true,
        ..asked
    };
    assert_eq!(held_back.decide(), Decision::Rest);
}

#[test]
fn an_id_counts_once_though_others_came_after_it() {
    assert_eq!(case(over()).asked("r-1").decide(), Decision::Rest);
    let later = over().over(&id("r-2"));
    assert_eq!(case(later.clone()).asked("r-1").decide(), Decision::Rest);
    let third = case(later).asked("r-3").decide();
    assert!(matches!(third, Decision::Write(change) if change.keys == Keys::Draw));
}

#[test]
fn an_id_that_is_there_when_the_key_is_born_is_satisfied() {
    let born = Record::born(Some(&id("r-1")));
    assert_eq!(born.done, Some(id("r-1")));
    assert_eq!(case(born).asked("r-1").decide(), Decision::Rest);
    assert!(Record::born(None).is_empty());
}

#[test]
fn the_next_key_waits_until_the_engine_says_that_it_accepts_both() {
    let unheard = published().decide();
    assert_eq!(unheard, Decision::AwaitEngine);
    for others in [&[KEY] as &[_], &[NEXT], &[NEXT, KEY], &[]] {
        let decision = published().accepts(others).decide();
        assert_eq!(decision, Decision::AwaitEngine, "{others:?}");
    }
    let former = KEY.to_owned();
    let swapped = Record::default().at(&id("r-1"), Stage::Overlapping { since: 101, former });
    let news = Some(News::Rotated(id("r-1"), 300));
    let swap = wrote(&swapped, Keys::Swap, news);
    assert_eq!(published().accepts(&[KEY, NEXT]).decide(), swap);
    assert_eq!(published().asleep().decide(), swap, "a sleeper has no word");
}

#[test]
fn a_next_key_that_somebody_took_spoilt_or_used_is_drawn_anew_and_told_once() {
    let again = wrote(&publishing(), Keys::Draw, None);
    let accepts = |next| Case {
        next,
        ..published().accepts(&[KEY])
    };
    assert_eq!(accepts(None).decide(), again);
    assert_eq!(accepts(Some(KEY)).decide(), again);
}

#[test]
fn a_key_that_the_platform_puts_there_stays_and_is_what_retires() {
    let theirs = Case {
        key: THEIRS,
        ..published()
    };
    assert_eq!(theirs.decide(), Decision::AwaitEngine);
    let Decision::Write(change) = theirs.accepts(&[THEIRS, NEXT]).decide() else {
        panic!("no swap")
    };
    let open = change.record.open.unwrap().stage;
    assert!(matches!(open, Stage::Overlapping { former, .. } if former == THEIRS));
    // During the overlap, it takes the place of the new one, and the former one keeps its time.
    assert_eq!(overlapping().hashes(THEIRS, None), [THEIRS, FORMER]);
    // The former key itself is listed once, and outlives its time as the key that is.
    assert_eq!(overlapping().hashes(FORMER, None), [FORMER]);
    assert_eq!(retiring().hashes(FORMER, None), [FORMER]);
}

#[test]
fn a_former_key_is_accepted_for_as_long_as_is_asked_now() {
    let wait = |now, overlap| {
        let case = case(overlapping()).at(now);
        Case { overlap, ..case }.decide()
    };
    let retire = wrote(&retiring(), Keys::Stay, None);
    assert_eq!(wait(100, 300), Decision::AwaitTime(301));
    assert_eq!(wait(400, 300), Decision::AwaitTime(1));
    assert_eq!(wait(401, 300), retire);
    assert_eq!(wait(999, 300), retire, "nobody looked in time");
    assert_eq!(wait(101, 0), retire, "the overlap was cut short");
    assert_eq!(wait(401, 600), Decision::AwaitTime(300), "or made longer");
    assert_eq!(wait(100, i64::MAX), Decision::AwaitTime(i64::MAX - 100));
}

#[test]
fn what_the_engine_says_does_not_matter_during_the_overlap() {
    for case in [
        case(overlapping()).accepts(&[]),
        case(overlapping()).accepts(&[KEY]),
        case(overlapping()).asleep(),
    ] {
        assert_eq!(case.decide(), Decision::AwaitTime(301));
    }
}

#[test]
fn a_clock_that_is_put_back_begins_the_overlap_anew_and_no_later() {
    let former = FORMER.to_owned();
    let anew = Record::default().at(&id("r-1"), Stage::Overlapping { since: 51, former });
    let back = case(overlapping()).at(50).decide();
    assert_eq!(back, wrote(&anew, Keys::Stay, None));
    assert_eq!(case(anew).at(50).decide(), Decision::AwaitTime(301));
}

#[test]
fn a_rotation_is_over_when_the_engine_says_that_it_forgot_the_former_key() {
    let case = || case(retiring());
    assert_eq!(case().decide(), Decision::AwaitEngine);
    let late = case().accepts(&[KEY, FORMER]);
    assert_eq!(late.decide(), Decision::AwaitEngine);
    let over = wrote(&over(), Keys::Stay, Some(News::Retired(id("r-1"))));
    assert_eq!(case().accepts(&[KEY]).decide(), over);
    assert_eq!(case().asleep().decide(), over);
}

#[test]
fn an_id_that_comes_or_goes_midway_changes_nothing_of_the_rotation_that_runs() {
    let all: [fn() -> Case; 6] = [
        published,
        || published().accepts(&[KEY, NEXT]),
        || case(overlapping()),
        || case(overlapping()).at(500),
        || case(retiring()),
        || case(retiring()).accepts(&[KEY]),
    ];
    for case in all {
        let alone = case().decide();
        assert_eq!(case().asked("r-1").decide(), alone);
        assert_eq!(case().asked("r-2").decide(), alone);
        let held_back = Case {
            held_back: true,
            ..case()
        };
        assert_eq!(held_back.decide(), alone, "what has begun ends");
    }
    let then = case(over()).asked("r-2").decide();
    assert!(matches!(then, Decision::Write(change) if change.keys == Keys::Draw));
}

#[test]
fn a_record_is_read_as_it_was_written_and_garbage_says_nothing() {
    let read = |text: &str| {
        let name = userengine_api::labels::API_KEY_ROTATION.to_owned();
        Record::parse(&[(name, text.to_owned())].into())
    };
    let all = [publishing(), overlapping(), retiring(), over()];
    for record in all {
        assert_eq!(read(&record.text()), record, "{}", record.text());
    }
    assert_eq!(
        overlapping().text(),
        r#"{"open":{"id":"r-1","phase":"Overlapping","since":101,"former":"cccccccc-former"}}"#
    );
    for garbage in [
        "",
        "x",
        "[]",
        r#"{"open":{"id":"r-1"}}"#,
        r#"{"done":"r 1"}"#,
    ] {
        assert!(read(garbage).is_empty(), "{garbage}");
    }
}
