//! The AArch64 tiers.
