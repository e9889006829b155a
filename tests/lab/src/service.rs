//! What systemd does for a service of a host: it hears what that says, and starts it again when it
//! has died.

use std::io::BufReader;
use std::process::{Child, ChildStderr};
use std::sync::Arc;
use std::time::Duration;

use crate::host::Host;

/// A service that a host may run.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// As the story calls it.
    pub name: &'static str,
    /// A file of the host that is there while nobody wants the service to run.
    pub unwanted: &'static str,
}

impl Service {
    /// Looks after `child`, which started it, and whose stderr is the service's: `follow` hears
    /// that to its end, which is the service's end. Then `restart` says after what pause it is
    /// started again by `launch`, if at all.
    pub fn look_after(
        self,
        host: &Arc<Host>,
        mut child: Child,
        follow: impl FnOnce(&Host, BufReader<ChildStderr>) + Send + 'static,
        restart: impl FnOnce(&Host) -> Option<Duration> + Send + 'static,
        launch: impl FnOnce(&Arc<Host>) + Send + 'static,
    ) {
        let (host, net) = (host.clone(), host.net());
        std::thread::spawn(move || {
            if let Some(stderr) = child.stderr.take() {
                follow(&host, BufReader::new(stderr));
            }
            let _ = child.wait(); // setsid(1), long gone
            // Not if the power went, even if it is back, nor if somebody stopped it.
            let wanted = || {
                let same = matches!((&net, host.net()), (Some(old), Some(new)) if new.is(old));
                same && !host.file(self.unwanted).exists()
            };
            if !wanted() {
                return;
            }
            host.tell(format!("{} has died", self.name));
            if let Some(pause) = restart(&host) {
                std::thread::sleep(pause);
                if wanted() {
                    host.tell(format!("{} is started again", self.name));
                    launch(&host);
                }
            }
        });
    }
}
