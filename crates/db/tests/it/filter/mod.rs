//! Filters: what they mean, the ways to write them, and what is refused.

mod hostile;
mod naive;
mod reads;
mod records;
mod search;
mod stored;
mod ways_in;
