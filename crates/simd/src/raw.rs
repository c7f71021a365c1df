//! The two things that safe Rust cannot say: "fetch this memory" and "these 64 bytes are one cache line".
#![expect(unsafe_code, reason = "see each block")]

use bytemuck::{Pod, Zeroable};

/// Bytes of a cache line, and of the widest vector.
pub(crate) const LINE_BYTES: usize = 64;

/// A cache line of memory: the unit in which aligned rows are allocated.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Line([u8; LINE_BYTES]);

// SAFETY: an array of bytes; all zero bits are a value of it.
unsafe impl Zeroable for Line {}
// SAFETY: `repr(C)` around 64 bytes at alignment 64: no padding, every bit pattern valid, no pointer, `Copy`.
unsafe impl Pod for Line {}

/// Hints that the cache line at `address` will be read soon: into all levels of cache.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn prefetch_line(address: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint: it reads nothing the program can see and faults on no address. Every x86-64 CPU has it.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

/// Hints that the cache line at `address` will be read soon: into all levels of cache.
#[cfg(target_arch = "aarch64")]
#[inline(always)]
pub(crate) fn prefetch_line(address: *const u8) {
    // SAFETY: a hint: it reads nothing the program can see and faults on no address. Every AArch64 CPU has it.
    unsafe {
        core::arch::asm!("prfm pldl1keep, [{0}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
}
