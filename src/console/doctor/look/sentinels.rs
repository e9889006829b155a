//! Looking at the sentinels: what each says of the master, of the others and of itself.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use redis::{Value, cmd};

use crate::config::{Config, Sentinel};
use crate::deadline::Deadline;
use crate::server::failure::Failure;
use crate::server::{Server, string};

/// For one answer: nobody waits for it.
const ANSWER: Duration = Duration::from_secs(2);

#[derive(Clone, Debug)]
pub(crate) struct AskedSentinel {
    pub address: SocketAddr,
    pub said: Result<Said, Failure>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    /// Whom it names master: address and port as it says them.
    pub master: Option<(String, String)>,
    /// The fields of `SENTINEL MASTER`.
    pub fields: BTreeMap<String, String>,
    /// What `SENTINEL CKQUORUM` says against it.
    pub no_quorum: Option<String>,
    pub tilt: bool,
    /// What the programs ask and our user may not, each with what allows it.
    pub refused: Vec<(&'static str, &'static str)>,
}

/// What the programs ask of a sentinel, and the rule that allows it. A pattern of channels must
/// stand in the ACL literally (R29).
const ASKED: [(&str, &str); 4] = [
    ("SENTINEL MASTER m", "'+sentinel'"),
    ("SENTINEL FAILOVER m", "'+sentinel'"),
    ("INFO sentinel", "+info"),
    ("PSUBSCRIBE *", "+psubscribe allchannels"),
];

/// Asks all of them at the same time.
pub(crate) fn look(config: &Config, sentinel: &Sentinel) -> Vec<AskedSentinel> {
    std::thread::scope(|scope| {
        let ask = |address: SocketAddr| {
            scope.spawn(move || AskedSentinel {
                address,
                said: ask(config, sentinel, address),
            })
        };
        let threads: Vec<_> = sentinel.nodes.iter().copied().map(ask).collect();
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    })
}

fn ask(config: &Config, sentinel: &Sentinel, address: SocketAddr) -> Result<Said, Failure> {
    let connect = config.timing.connect.max(Duration::from_millis(500));
    let mut server = Server::connect(&address.into(), &sentinel.auth, Deadline::after(connect))?;
    let word = |word: &str| cmd("SENTINEL").arg(word).arg(&sentinel.master_name).clone();
    let questions = [
        word("GET-MASTER-ADDR-BY-NAME"),
        word("MASTER"),
        word("CKQUORUM"),
        cmd("INFO").arg("sentinel").clone(),
    ];
    let mut answers = server
        .batch(&questions, Deadline::after(ANSWER))?
        .into_iter();
    let mut next = || answers.next().unwrap_or(Ok(Value::Nil));
    let (master, state, quorum, info) = (next(), next(), next(), next());
    let strings = |value| match value {
        Value::Array(parts) => parts
            .into_iter()
            .map(|part| string(part).unwrap_or_default())
            .collect(),
        _ => Vec::new(),
    };
    let master = match &strings(master.map_err(Failure::Denied)?)[..] {
        [ip, port] => Some((ip.clone(), port.clone())),
        _ => None,
    };
    let state = state.map(strings).unwrap_or_default();
    let pairs = state
        .chunks_exact(2)
        .filter_map(|pair| Some((pair.first()?.clone(), pair.last()?.clone())));
    let no_quorum = quorum
        .err()
        .filter(|denial| denial.code == "NOQUORUM")
        .map(|denial| denial.text);
    let info = info
        .ok()
        .and_then(|info| string(info).ok())
        .unwrap_or_default();
    let user = sentinel.auth.username.as_deref().unwrap_or("default");
    let ask = |(words, _): &(&str, &str)| {
        cmd("ACL")
            .arg("DRYRUN")
            .arg(user)
            .arg(words.split(' ').collect::<Vec<_>>())
            .clone()
    };
    let dry_runs = server
        .batch(
            &ASKED.iter().map(ask).collect::<Vec<_>>(),
            Deadline::after(ANSWER),
        )
        .unwrap_or_default();
    let refused = ASKED.into_iter().zip(dry_runs).filter(|(_, said)| {
        // Before 7.0, and without the right to it, there is no such question.
        said.as_ref().is_ok_and(|said| {
            string(said.clone()).is_ok_and(|said| said.contains("no permissions"))
        })
    });
    let refused = refused.map(|(asked, _)| asked).collect();
    Ok(Said {
        refused,
        master,
        fields: pairs.collect(),
        no_quorum,
        tilt: info.lines().any(|line| line.trim() == "sentinel_tilt:1"),
    })
}
