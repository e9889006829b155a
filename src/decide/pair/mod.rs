//! The decisions where these programs move the role themselves.

pub(crate) mod steps;
#[cfg(test)]
pub(crate) mod tests;
pub(crate) mod verdicts;
pub(crate) mod worth;
