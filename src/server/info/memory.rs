//! The section memory of INFO.

use super::fields::fields;

/// So near to the limit, or a 64th of it where that is less, the next write may not fit: what it
/// brings counts, too (R45).
const NEAR: u64 = 1 << 20;

/// How much a Redis uses of what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    pub used: u64,
    /// `maxmemory`; 0: as much as there is.
    pub limit: u64,
    /// Where it is full, nothing goes for what comes.
    keeps_all: bool,
}

impl Memory {
    /// Reads the section; `None` where it does not say enough.
    pub(crate) fn read(text: &str) -> Option<Memory> {
        let fields = fields(text);
        Memory::of(|name| fields.get(name))
    }

    /// The same from its fields.
    pub(crate) fn of<'t>(field: impl Fn(&str) -> Option<&'t str>) -> Option<Memory> {
        let bytes = |name| field(name)?.parse::<u64>().ok();
        let uncounted = bytes("mem_not_counted_for_evict").unwrap_or(0);
        Some(Memory {
            used: bytes("used_memory")?.saturating_sub(uncounted),
            limit: bytes("maxmemory")?,
            keeps_all: field("maxmemory_policy") == Some("noeviction"),
        })
    }

    /// Writes are refused, or the next one may be.
    pub(crate) fn is_full(&self) -> bool {
        let near = NEAR.min(self.limit / 64);
        self.limit > 0 && self.keeps_all && self.used >= self.limit - near
    }

    /// Enough for a while, so that nothing moves to and fro.
    pub(crate) fn has_room(&self) -> bool {
        self.limit == 0 || !self.keeps_all || self.used < self.limit / 10 * 9
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_is_what_has_a_limit_and_may_evict_nothing() {
        let read = |used: u64, limit: u64, policy: &str| {
            Memory::read(&format!(
                "used_memory:{used}\r\nmaxmemory:{limit}\r\nmaxmemory_policy:{policy}\r\n\
                 mem_not_counted_for_evict:10\r\n"
            ))
            .expect("a section")
        };
        for (used, limit, policy, full, room) in [
            (3_098_786, 3_145_728, "noeviction", true, false),
            (4_000_000, 3_145_728, "noeviction", true, false),
            (3_000_000, 3_145_728, "noeviction", false, false),
            (2_000_000, 3_145_728, "noeviction", false, true),
            (4_000_000, 3_145_728, "allkeys-lru", false, true),
            (4_000_000, 0, "noeviction", false, true),
            (u64::MAX, u64::MAX, "noeviction", true, false),
        ] {
            let memory = read(used, limit, policy);
            assert_eq!(
                (memory.is_full(), memory.has_room()),
                (full, room),
                "{memory:?}"
            );
        }
        assert_eq!(Memory::read("used_memory:1\r\n"), None);
    }
}
