//! What the sentinels say, always at hand: threads beside the watcher ask them, once a second and
//! whenever one of them tells of something.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::config::{Sentinel, Timing};
use crate::deadline::{Deadline, Stopwatch};
use crate::decide::sentinel::Poll;
use crate::look::sentinels::Sentinels;
use crate::server::Server;
use crate::server::access::Access;
use crate::server::failure::Failure;

/// Without any news they are asked this often.
const PACE: Duration = Duration::from_secs(1);
/// For one round of questions.
const ROUND: Duration = Duration::from_millis(600);
/// What was said counts for so long.
const FRESH: Duration = Duration::from_secs(4);
/// A silent subscription is looked at, and a lost one is made anew, this often.
const AGAIN: Duration = Duration::from_secs(1);
/// One that has been silent for so long may lead to nobody: a host that is gone does not say so.
const STALE: Duration = Duration::from_secs(30);
const STACK: usize = 128 << 10;

/// The latest poll, and a way to hear of the next. The threads end with it.
pub(crate) struct Subscription {
    latest: Arc<Mutex<Option<(Poll, Stopwatch)>>>,
    wake: UnixStream,
    over: Arc<AtomicBool>,
}

impl Subscription {
    /// Begins to listen.
    ///
    /// # Errors
    /// When the kernel gives no threads or sockets.
    pub(crate) fn start(sentinel: &Sentinel, timing: &Timing) -> std::io::Result<Subscription> {
        let (wake, mut waker) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        waker.set_nonblocking(true)?;
        let (latest, over) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        // One is enough: what is asked after it is newer than all that was told before.
        let (tell, told) = sync_channel(1);
        let thread = || std::thread::Builder::new().stack_size(STACK);
        for address in sentinel.nodes.iter().copied() {
            let (auth, connect, over, tell) = (
                sentinel.auth.clone(),
                timing.connect,
                over.clone(),
                tell.clone(),
            );
            thread().spawn(move || listen(address, &auth, connect, &over, &tell))?;
        }
        let (mut sentinels, latest_of, over_of) = (
            Sentinels::new(sentinel, timing),
            latest.clone(),
            over.clone(),
        );
        thread().spawn(move || ask(&mut sentinels, &latest_of, &mut waker, &over_of, &told))?;
        Ok(Subscription { latest, wake, over })
    }

    /// What they said last; `None` before the first answers, and where nothing has been heard of
    /// the asking thread.
    pub(crate) fn latest(&self) -> Option<Poll> {
        let latest = self.latest.lock().ok()?;
        latest
            .as_ref()
            .filter(|(_, at)| at.elapsed() < FRESH)
            .map(|(poll, _)| poll.clone())
    }

    /// Can be read when there is a new poll; [`Subscription::heard`] makes it unreadable again.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }

    /// The news have been taken in.
    pub(crate) fn heard(&mut self) {
        let mut buffer = [0; 64];
        while matches!(self.wake.read(&mut buffer), Ok(read) if read > 0) {}
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn ask(
    sentinels: &mut Sentinels,
    latest: &Mutex<Option<(Poll, Stopwatch)>>,
    waker: &mut UnixStream,
    over: &AtomicBool,
    told: &Receiver<()>,
) {
    while !over.load(Ordering::Relaxed) {
        let poll = sentinels.ask(Deadline::after(ROUND));
        let Ok(mut place) = latest.lock() else { return };
        let same = place
            .as_ref()
            .is_some_and(|(was, _)| was.named() == poll.named());
        *place = Some((poll, Stopwatch::start()));
        drop(place);
        if !same {
            // A full pipe says enough.
            let _ = waker.write(&[1]);
        }
        if told.recv_timeout(PACE) == Err(RecvTimeoutError::Disconnected) {
            return;
        }
    }
}

/// One sentinel's news, for as long as there is somebody to tell.
fn listen(
    address: SocketAddr,
    auth: &Access,
    connect: Duration,
    over: &AtomicBool,
    tell: &SyncSender<()>,
) {
    while !over.load(Ordering::Relaxed) {
        let subscribed = Server::connect(&address.into(), auth, Deadline::after(connect)).and_then(
            |mut server| {
                server.subscribe(Deadline::after(ROUND))?;
                // Something may have happened before.
                let _ = tell.try_send(());
                hear(&mut server, over, tell)
            },
        );
        if subscribed.is_err() {
            let pause = Deadline::after(AGAIN);
            while pause.pause(AGAIN / 4) && !over.load(Ordering::Relaxed) {}
        }
    }
}

fn hear(server: &mut Server, over: &AtomicBool, tell: &SyncSender<()>) -> Result<(), Failure> {
    let mut last = Stopwatch::start();
    while !over.load(Ordering::Relaxed) && last.elapsed() < STALE {
        if server.message(Deadline::after(AGAIN))? {
            let _ = tell.try_send(());
            last = Stopwatch::start();
        }
    }
    Ok(())
}
