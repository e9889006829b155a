//! What `redis_fault` does before it does what `redis_backup` does: it says what failed.

use crate::act::worker::Worker;
use crate::deadline::{Deadline, ms};
use crate::node::deaths;
use crate::node::hook::Event;
use crate::server::probe::probe;

/// What failed: the local Redis, or something else that keepalived looks at.
pub(crate) fn diagnose(worker: &Worker) {
    let endpoint = worker.survey.local_endpoint();
    let found = probe(
        endpoint,
        &worker.config.auth,
        Deadline::after(worker.config.timing.check),
    );
    let sentence = if found.liveness.is_alive() {
        format!(
            "this node is in FAULT; its Redis at {endpoint} is {}",
            found.liveness
        )
    } else {
        format!(
            "this node is in FAULT, because its Redis at {endpoint} is not alive: {}",
            found.liveness
        )
    };
    worker
        .voice
        .transition(Event::Fault, &sentence, &[("took_ms", &ms(found.took))]);
    if !found.liveness.is_alive()
        && !found.liveness.is_loading()
        && let Some(counted) = deaths::seen_dead(&worker.store, &worker.config.flap)
    {
        worker.voice.line(&counted, &[]);
    }
}
