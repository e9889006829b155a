//! The programs, run by hand as keepalived runs them, against real Redis: no keepalived here. The
//! tests move the VIP themselves and end, freeze and break what a machine, a person or an attacker
//! can.

mod backup;
mod cold;
mod flapping;
mod handover;
mod hooks;
mod hostile;
mod pair;
mod places;
mod renamed;
mod rights;
mod rollback;
mod rollback_files;
mod runs;
mod status;
mod terms;
mod three;
mod turns;
mod watching;
