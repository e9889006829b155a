//! What the tests stand on: a scenario on a lab of its own, judged while the lab still stands.

use std::time::Duration;

use crate::compare::median;
use crate::lab::Lab;
use crate::record::Record;
use crate::redis_server::Settings;
use crate::scenario;
use crate::suite::Suite;
use crate::writer::Rate;

/// A run that was judged, and its story.
pub struct Trial {
    /// What came out.
    pub record: Record,
    /// The timeline.
    pub story: String,
}

/// Plays the scenario at 200 writes a second and lets `judge` look at what came out. When that
/// panics, the timeline is printed and the evidence is kept.
pub fn play(name: &str, suite: Suite, judge: impl Fn(&Record, &str)) -> Trial {
    play_at(Rate::PerSecond(200), name, suite, judge)
}

/// The same at another rate.
pub fn play_at(rate: Rate, name: &str, suite: Suite, judge: impl Fn(&Record, &str)) -> Trial {
    play_on(Settings::default(), rate, name, suite, judge)
}

/// The same with another set-up of Redis.
pub fn play_on(
    settings: Settings,
    rate: Rate,
    name: &str,
    suite: Suite,
    judge: impl Fn(&Record, &str),
) -> Trial {
    let scenario = scenario::named(name).expect("the scenario exists");
    let lab = Lab::new(settings).expect("a lab can be set up (root?)");
    let record = scenario
        .run(&lab, suite, rate)
        .unwrap_or_else(|e| panic!("{name} with {}: {e:#}", suite.name()));
    let story = crate::story::render(&lab.told(false));
    println!("{record}");
    judge(&record, &story);
    Trial { record, story }
}

/// Every acknowledged write is in the surviving data or in a rollback file, enough were written
/// to say so, every goal was reached, and one master is where the VIP is.
pub fn is_accounted_for(record: &Record) {
    assert!(
        record.fate.acknowledged > 500,
        "hardly anything was written: {record}"
    );
    assert!(
        record.fate.lost.is_empty(),
        "acknowledged writes are lost: {record}"
    );
    assert!(record.bulk.1 == 0, "bulk data is lost: {record}");
    assert!(
        record.phases.iter().all(|phase| phase.reached),
        "it never settled: {record}"
    );
    assert!(record.agrees(), "not one master where the VIP is: {record}");
}

/// The same, and no write had to go to a file.
pub fn is_whole(record: &Record) {
    is_accounted_for(record);
    assert!(
        record.fate.in_files.is_empty(),
        "writes had to go to a file: {record}"
    );
}

/// The same as [`is_accounted_for`], and of what was acknowledged during `phase` the greater part
/// stands. The rest was written beside it, and is in a file.
pub fn greater_part_stands(record: &Record, phase: &str) {
    is_accounted_for(record);
    let during: usize = record
        .phases
        .iter()
        .filter(|p| p.name == phase)
        .map(|p| p.acknowledged)
        .sum();
    assert!(
        record.fate.in_files.len() * 2 < during,
        "of {during} writes the smaller part stands: {record}"
    );
}

/// The median gap of a phase is below `limit`; otherwise the story of the worst run is told.
pub fn assert_median(trials: &[Trial], phase: &str, limit: Duration) {
    let gaps: Vec<Duration> = trials.iter().map(|trial| trial.record.gap(phase)).collect();
    println!("{phase}: gaps {gaps:.0?}");
    let worst = trials.iter().max_by_key(|trial| trial.record.gap(phase));
    assert!(
        median(gaps.clone()) < limit,
        "the median of {gaps:.0?} in {phase} is not below {limit:?}; the worst run:\n{}",
        worst.map_or("", |trial| trial.story.as_str())
    );
}

/// Lines of the story: the last in which `host` did or became `mark`, and the first after it for
/// each of `then`.
pub fn after<const N: usize>(story: &str, host: &str, mark: &str, then: [&str; N]) -> [usize; N] {
    let lines: Vec<&str> = story.lines().collect();
    let says = |line: &str, text: &str| {
        let mut words = line.split_whitespace().skip(1);
        words.next() == Some(host)
            && matches!(words.next(), Some("is" | "does"))
            && line.contains(text)
    };
    let missing = |text: &str| -> usize { panic!("{host} never: {text}\n{story}") };
    let from = lines
        .iter()
        .rposition(|line| says(line, mark))
        .unwrap_or_else(|| missing(mark));
    then.map(|text| {
        let found = lines.iter().skip(from).position(|line| says(line, text));
        found.map_or_else(|| missing(text), |at| from + at)
    })
}
