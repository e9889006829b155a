//! The configuration for a person who only looks: read as far as it can be.

use std::net::SocketAddr;
use std::path::Path;

use crate::config::Config;
use crate::node::addresses::local_node;

/// What a person needs who only looks: the configuration as far as it can be read, which node this
/// is, and what to know of that.
///
/// # Errors
/// As [`Config::load_for_people`] and [`local_node`].
pub(crate) fn for_people(path: &Path) -> anyhow::Result<(Config, SocketAddr, Vec<String>)> {
    let (config, notes) = Config::load_for_people(path)?;
    let local = local_node(&config)?;
    Ok((config, local, notes))
}
