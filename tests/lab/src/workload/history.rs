//! What one thread of the workload did, step by step, and what its objects are after each step.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// What the steps are done to. Each belongs to one life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Object {
    /// A key that is set, deleted and made to expire.
    Register(u8),
    /// A list of numbered jobs, the oldest is popped first.
    Queue,
    /// A key that only INCR writes to.
    Counter,
    /// A stream of numbered entries.
    Stream,
    /// All keys of a database that nobody else uses.
    Database,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Register(number) => write!(f, "register {number}"),
            Object::Queue => f.write_str("queue"),
            Object::Counter => f.write_str("counter"),
            Object::Stream => f.write_str("stream"),
            Object::Database => f.write_str("database"),
        }
    }
}

/// What an object is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// There is no such key, or no key at all in the database.
    Nothing,
    /// The number in a register or a counter.
    Value(u64),
    /// The number in a register that is about to expire: it may have expired.
    Leaving(u64),
    /// The jobs of a queue, the oldest first, or the numbers of the keys of a database.
    Items(Vec<u64>),
    /// How many entries a stream has, and the number in the last.
    Rows(u64, u64),
}

impl State {
    /// A list; an empty one is no key.
    pub fn items(items: Vec<u64>) -> State {
        match items.is_empty() {
            true => State::Nothing,
            false => State::Items(items),
        }
    }

    /// Whether an object in this state may look like `seen`.
    fn shows(&self, seen: &State) -> bool {
        self == seen || matches!((self, seen), (State::Leaving(_), State::Nothing))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            State::Nothing => f.write_str("nothing"),
            State::Value(value) => write!(f, "{value}"),
            State::Leaving(value) => write!(f, "{value} that expires"),
            State::Items(items) => write!(f, "{items:?}"),
            State::Rows(count, last) => write!(f, "{count} entries up to {last}"),
        }
    }
}

/// One step: a command, or a transaction. Times are moments of the story.
#[derive(Clone, Debug)]
pub struct Step {
    /// Counted from 1 in each life.
    pub number: u64,
    /// What was sent.
    pub command: String,
    /// What each object that it touches is afterwards, always another state than before.
    pub effects: Vec<(Object, State)>,
    /// When it was sent.
    pub sent: Duration,
    /// When its answer was there, or was given up.
    pub at: Duration,
    /// Otherwise it may have been done or not. Such a step is the last of its life.
    pub acknowledged: bool,
}

/// A stretch of steps on one history of the data, with keys of its own. A step whose answer did not
/// come ends it, for it may still be done later; so does the sight of a service that lacks
/// acknowledged steps, for what is done from then on belongs to another history. So a life knows
/// all states that each of its objects ever had, and in which order.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// Which thread.
    pub worker: u16,
    /// Which of its lives.
    pub number: u16,
    /// In the order of time.
    pub steps: Vec<Step>,
    /// How often everything had been flushed before it began.
    pub born: u64,
    /// Which of these flushes has ended it.
    pub flushed: Option<u64>,
    /// Objects that a flush took before it was known what had come of the last step on them:
    /// nothing can be said of these.
    pub excused: BTreeSet<Object>,
    now: BTreeMap<Object, State>,
}

impl Life {
    /// Nothing is done yet.
    pub fn new(worker: u16, number: u16) -> Life {
        Life {
            worker,
            number,
            ..Life::default()
        }
    }

    /// The number of the last step that was acknowledged.
    pub fn acknowledged(&self) -> u64 {
        let mut steps = self.steps.iter().rev();
        let last = steps.find(|step| step.acknowledged);
        last.map_or(0, |step| step.number)
    }

    /// What the step with that number would follow.
    pub fn next_number(&self) -> u64 {
        self.steps.last().map_or(1, |step| step.number + 1)
    }

    /// Adds a step.
    pub fn add(&mut self, step: Step) {
        self.now.extend(step.effects.iter().cloned());
        self.steps.push(step);
    }

    /// What an object should be now.
    pub fn now(&self, object: Object) -> &State {
        self.now.get(&object).unwrap_or(&State::Nothing)
    }

    /// Objects that were touched.
    pub fn objects(&self) -> BTreeSet<Object> {
        self.now.keys().copied().collect()
    }

    /// Steps that touch it, and what it is after each.
    fn history(&self, object: Object) -> impl DoubleEndedIterator<Item = (&Step, &State)> {
        self.steps.iter().filter_map(move |step| {
            let touched = step.effects.iter().find(|(touched, _)| *touched == object);
            touched.map(|(_, state)| (step, state))
        })
    }
}

/// A life as a data set shows it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// After each step its number is written down beside the data: all steps up to this one are in
    /// the data set, and perhaps the next one.
    pub mark: u64,
    /// What the objects are; one that is not here is nothing.
    pub states: BTreeMap<Object, State>,
}

impl Seen {
    pub fn state(&self, object: Object) -> &State {
        self.states.get(&object).unwrap_or(&State::Nothing)
    }
}

/// Acknowledged steps on one object that the service does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Whose effect is missing.
    pub object: Object,
    /// Shown by no data set.
    pub lost: Vec<u64>,
    /// Shown by a rollback file.
    pub in_files: Vec<u64>,
    /// What the service shows.
    pub seen: State,
    /// The last step whose state that is; 0 for the time before the first step, and nothing where
    /// the object has never been like this.
    pub stands_at: Option<u64>,
}

/// A flush takes the marks, too: a data set that has nothing of a life that was flushed, but a life
/// that began after that flush, shows the flush.
pub fn credit(lives: &[Life], data: &mut [Seen]) {
    let youngest = lives.iter().zip(data.iter());
    let youngest = youngest.filter(|(_, seen)| seen.mark > 0);
    let Some(youngest) = youngest.map(|(life, _)| life.born).max() else {
        return;
    };
    for (life, seen) in lives.iter().zip(data) {
        let bare = seen.mark == 0 && seen.states.values().all(|state| *state == State::Nothing);
        if bare && life.flushed.is_some_and(|flush| flush <= youngest) {
            seen.mark = life.acknowledged();
        }
    }
}

/// What the service lacks of what was acknowledged, object by object.
///
/// A step is accounted for where a data set shows its object in the state after this step, or after
/// a later one, the last one being perhaps a step of which nobody knows whether it was done.
pub fn judge(life: &Life, service: &Seen, files: &[Seen]) -> Vec<Missing> {
    let mut all = Vec::new();
    for object in life.objects().difference(&life.excused).copied() {
        let stands_at = position(life, object, service, true);
        let acknowledged = || life.history(object).filter(|(step, _)| step.acknowledged);
        let Some(newest) = acknowledged().next_back().map(|(step, _)| step.number) else {
            continue;
        };
        if stands_at.is_some_and(|at| at >= newest) {
            continue;
        }
        let in_a_file = files
            .iter()
            .filter_map(|file| position(life, object, file, false))
            .max()
            .unwrap_or_default();
        // Of an object that was never like this only its last step is sure to be missing.
        let from = stands_at.unwrap_or(newest - 1);
        let missing = acknowledged()
            .map(|(step, _)| step.number)
            .filter(|number| *number > from);
        let (in_files, lost) = missing.partition(|number| *number <= in_a_file);
        all.push(Missing {
            object,
            lost,
            in_files,
            seen: service.state(object).clone(),
            stands_at,
        });
    }
    all
}

/// The last step whose effect on `object` a data set shows: 0 for none, nothing where the object
/// was never like that.
///
/// Only "nothing" comes more than once in the history of an object, as before its first step and
/// after each deletion. A file that was taken before the key was born must not excuse a deletion
/// that is lost: there the mark says how far the data set goes. Of the service such a proof is not
/// wanted: a key that is not there, and should not be, is as it should be.
fn position(life: &Life, object: Object, data: &Seen, is_service: bool) -> Option<u64> {
    let seen = data.state(object);
    let mut acknowledged = life.history(object).filter(|(step, _)| step.acknowledged);
    let newest = acknowledged.next_back().map_or(0, |(step, _)| step.number);
    let reached = |number: u64| {
        *seen != State::Nothing || number <= data.mark + 1 || (is_service && number >= newest)
    };
    let mut shown = life
        .history(object)
        .rev()
        .filter(|(step, state)| state.shows(seen) && reached(step.number));
    match shown.next() {
        Some((step, _)) => Some(step.number),
        None => (*seen == State::Nothing).then_some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Items, Leaving, Nothing, Rows, Value};
    use super::*;

    const KEY: Object = Object::Register(0);

    /// An object, its history, whether its last step was not answered, what the service shows, and
    /// which steps are lost.
    type Row<'a> = (Object, &'a [State], bool, State, &'a [u64]);

    /// One object's history, a step each; the last one was not answered if `maybe`.
    fn life(object: Object, states: &[State], maybe: bool) -> Life {
        let mut life = Life::new(0, 0);
        for (index, state) in states.iter().enumerate() {
            add(
                &mut life,
                &[(object, state.clone())],
                !(maybe && index + 1 == states.len()),
            );
        }
        life
    }

    fn add(life: &mut Life, effects: &[(Object, State)], acknowledged: bool) {
        life.add(Step {
            number: life.next_number(),
            command: String::new(),
            effects: effects.to_vec(),
            sent: Duration::ZERO,
            at: Duration::ZERO,
            acknowledged,
        });
    }

    fn seen(mark: u64, states: &[(Object, State)]) -> Seen {
        Seen {
            mark,
            states: states
                .iter()
                .filter(|(_, state)| *state != Nothing)
                .cloned()
                .collect(),
        }
    }

    /// Numbers that are lost, and in files only.
    fn verdict(life: &Life, service: &Seen, files: &[Seen]) -> (Vec<u64>, Vec<u64>) {
        let mut both = (Vec::new(), Vec::new());
        for missing in judge(life, service, files) {
            both.0.extend(missing.lost);
            both.1.extend(missing.in_files);
        }
        both
    }

    #[test]
    fn the_last_acknowledged_state_or_the_one_nobody_knows_of_is_allowed_and_no_other() {
        let deleted = [Value(1), Nothing];
        let set_again = [Value(1), Nothing, Value(3)];
        let expiring = [Value(1), Leaving(1)];
        let popped = [
            Items(vec![1]),
            Items(vec![1, 2]),
            Items(vec![2]),
            Nothing,
            Items(vec![5]),
        ];
        let counted = [Value(1), Value(2), Value(3)];
        let rows = [Rows(1, 1), Rows(2, 2), Rows(3, 3)];
        let flushed = [Items(vec![1]), Items(vec![1, 2]), Nothing];
        let (queue, counter, stream, database) = (
            Object::Queue,
            Object::Counter,
            Object::Stream,
            Object::Database,
        );
        let table: &[Row] = &[
            (KEY, &deleted, false, Nothing, &[]),
            (KEY, &deleted, false, Value(1), &[2]),
            (KEY, &deleted, true, Nothing, &[]),
            (KEY, &deleted, true, Value(1), &[]),
            (KEY, &deleted, true, Value(7), &[1]),
            (KEY, &set_again, false, Value(3), &[]),
            (KEY, &set_again, false, Nothing, &[3]),
            (KEY, &set_again, false, Value(1), &[2, 3]),
            (KEY, &set_again, true, Nothing, &[]),
            (KEY, &set_again, true, Value(3), &[]),
            (KEY, &set_again, true, Value(1), &[2]),
            (KEY, &expiring, false, Leaving(1), &[]),
            (KEY, &expiring, false, Nothing, &[]),
            (KEY, &expiring, false, Value(1), &[2]),
            (KEY, &expiring, true, Value(1), &[]),
            (KEY, &expiring, true, Nothing, &[]),
            (queue, &popped, false, Items(vec![5]), &[]),
            (queue, &popped[..4], false, Nothing, &[]),
            (queue, &popped[..4], false, Items(vec![2]), &[4]),
            (queue, &popped[..4], false, Items(vec![1, 2]), &[3, 4]),
            (queue, &popped[..4], true, Items(vec![2]), &[]),
            (queue, &popped[..4], true, Items(vec![1, 2]), &[3]),
            (queue, &popped, false, Nothing, &[5]),
            (queue, &popped, true, Nothing, &[]),
            (queue, &popped, false, Items(vec![2, 5]), &[5]),
            (counter, &counted, false, Value(3), &[]),
            (counter, &counted, false, Value(2), &[3]),
            (counter, &counted, false, Nothing, &[1, 2, 3]),
            (counter, &counted, false, Value(4), &[3]),
            (counter, &counted, true, Value(3), &[]),
            (counter, &counted, true, Value(2), &[]),
            (counter, &counted, true, Value(1), &[2]),
            (counter, &counted, true, Value(4), &[2]),
            (stream, &rows, false, Rows(3, 3), &[]),
            (stream, &rows, false, Rows(2, 2), &[3]),
            (stream, &rows, true, Rows(2, 2), &[]),
            (database, &flushed, false, Nothing, &[]),
            (database, &flushed, false, Items(vec![1, 2]), &[3]),
            (database, &flushed, true, Items(vec![1, 2]), &[]),
            (database, &flushed, true, Items(vec![1]), &[2]),
        ];
        for (object, states, maybe, shown, lost) in table {
            let life = life(*object, states, *maybe);
            let mark = u64::try_from(states.len()).expect("short");
            let service = seen(mark, &[(*object, shown.clone())]);
            assert_eq!(
                verdict(&life, &service, &[]),
                (lost.to_vec(), vec![]),
                "{object} {states:?}, maybe {maybe}, shows {shown:?}"
            );
        }
    }

    #[test]
    fn an_object_that_was_never_touched_by_an_acknowledged_step_may_be_there_or_not() {
        let life = life(KEY, &[Value(1)], true);
        for shown in [Nothing, Value(1)] {
            assert_eq!(
                verdict(&life, &seen(0, &[(KEY, shown)]), &[]),
                (vec![], vec![])
            );
        }
    }

    #[test]
    fn a_file_accounts_for_the_steps_that_it_shows_and_for_no_later_one() {
        let life = life(Object::Counter, &[Value(1), Value(2), Value(3)], false);
        let service = seen(1, &[(Object::Counter, Value(1))]);
        let file = |value| seen(value, &[(Object::Counter, Value(value))]);
        assert_eq!(verdict(&life, &service, &[]), (vec![2, 3], vec![]));
        assert_eq!(verdict(&life, &service, &[file(2)]), (vec![3], vec![2]));
        assert_eq!(
            verdict(&life, &service, &[file(2), file(3)]),
            (vec![], vec![2, 3])
        );
    }

    #[test]
    fn a_file_from_before_the_birth_of_a_key_does_not_excuse_its_return() {
        let mut life = Life::new(0, 0);
        for _ in 0..5 {
            let count = life.next_number();
            add(&mut life, &[(Object::Counter, Value(count))], true);
        }
        add(&mut life, &[(KEY, Value(6))], true);
        add(&mut life, &[(KEY, Nothing)], true);
        let all = (Object::Counter, Value(5));
        let service = seen(6, &[all.clone(), (KEY, Value(6))]);
        let file = |mark| seen(mark, std::slice::from_ref(&all));
        assert_eq!(verdict(&life, &service, &[file(5)]), (vec![7], vec![]));
        // The deletion is in a data set though the mark after it is not.
        assert_eq!(verdict(&life, &service, &[file(6)]), (vec![], vec![7]));
        assert_eq!(verdict(&life, &service, &[file(7)]), (vec![], vec![7]));
    }

    #[test]
    fn a_step_that_touches_two_objects_is_missing_from_either() {
        let mut life = Life::new(0, 0);
        add(&mut life, &[(Object::Queue, Items(vec![1]))], true);
        add(
            &mut life,
            &[(Object::Queue, Nothing), (KEY, Value(2))],
            true,
        );
        let half = seen(2, &[(KEY, Value(2)), (Object::Queue, Items(vec![1]))]);
        let found = judge(&life, &half, &[]);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].object, &found[0].lost), (Object::Queue, &vec![2]));
        assert_eq!(found[0].stands_at, Some(1));
    }

    #[test]
    fn a_life_that_an_older_copy_has_never_seen_is_lost_as_a_whole() {
        let states = [Value(1), Nothing, Value(3), Nothing];
        let gone = life(KEY, &states[..3], false);
        assert_eq!(
            verdict(&gone, &Seen::default(), &[]),
            (vec![1, 2, 3], vec![])
        );
        // What is gone and should be gone harms nobody.
        let nothing = life(KEY, &states, false);
        assert_eq!(verdict(&nothing, &Seen::default(), &[]), (vec![], vec![]));
    }

    #[test]
    fn a_flush_of_everything_is_shown_by_a_file_only_with_a_younger_life_in_it() {
        let mut old = life(KEY, &[Value(1), Nothing], false);
        old.flushed = Some(1);
        let young = Life {
            born: 1,
            ..life(Object::Counter, &[Value(1)], false)
        };
        let lives = [old, young];
        let service = seen(1, &[(KEY, Value(1))]);
        for (mark, expected) in [(0, (vec![2], vec![])), (1, (vec![], vec![2]))] {
            let mut file = [seen(0, &[]), seen(mark, &[])];
            credit(&lives, &mut file);
            assert_eq!(verdict(&lives[0], &service, &file[..1]), expected);
        }
    }

    #[test]
    fn two_sides_of_a_split_are_two_lives_and_each_wants_its_own_data_set() {
        let one = life(Object::Counter, &[Value(1), Value(2)], false);
        let other = life(KEY, &[Value(1), Nothing], false);
        let survivor = (
            seen(2, &[(Object::Counter, Value(2))]),
            seen(1, &[(KEY, Value(1))]),
        );
        let dropped = (seen(1, &[(Object::Counter, Value(1))]), seen(2, &[]));
        assert_eq!(verdict(&one, &survivor.0, &[]), (vec![], vec![]));
        assert_eq!(verdict(&other, &survivor.1, &[]), (vec![2], vec![]));
        assert_eq!(
            verdict(&other, &survivor.1, std::slice::from_ref(&dropped.1)),
            (vec![], vec![2])
        );
        assert_eq!(verdict(&one, &dropped.0, &[]), (vec![2], vec![]));
    }
}
