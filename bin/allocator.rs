//! The memory allocator of the programs where the C library is musl.
//!
//! musl's own allocator asks the kernel for every few blocks and gives them back: a fifth of the
//! CPU time of a check.

#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;
