//! A list of things to do, each timed, with a summary at the end: what passed, what failed, what was skipped and why.
//!
//! A failed step does not stop the next ones: one run tells everything that is wrong.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How one step ended, unless it failed.
pub(crate) enum Outcome {
    Done,
    /// Something this machine does not have was needed; the text says what.
    Skipped(String),
}

/// The steps done so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    time: Duration,
    outcome: Result<Outcome>,
}

impl Steps {
    /// Does one step, now.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<Outcome>) {
        println!("\n==> {name}");
        let start = Instant::now();
        let outcome = work();
        match &outcome {
            Ok(Outcome::Done) => {}
            Ok(Outcome::Skipped(why)) => println!("!!! {name} SKIPPED: {why}"),
            Err(error) => println!("!!! {name} FAILED: {error:#}"),
        }
        self.done.push(Step {
            name,
            time: start.elapsed(),
            outcome,
        });
    }

    /// Prints one line per step. An error names the steps that failed.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n==> summary");
        for Step {
            name,
            time,
            outcome,
        } in &self.done
        {
            let seconds = time.as_secs_f64();
            match outcome {
                Ok(Outcome::Done) => println!("{name:<12} {seconds:>7.1} s  ok"),
                Ok(Outcome::Skipped(why)) => {
                    println!("{name:<12} {seconds:>7.1} s  SKIPPED: {why}")
                }
                Err(error) => println!("{name:<12} {seconds:>7.1} s  FAILED: {error:#}"),
            }
        }
        let failed: Vec<_> = self
            .done
            .iter()
            .filter(|step| step.outcome.is_err())
            .map(|step| step.name)
            .collect();
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_whole_and_stops_nothing() {
        let mut steps = Steps::default();
        let mut reached = false;
        steps.step("first", || bail!("broken"));
        steps.step("second", || {
            Ok(Outcome::Skipped("no such thing here".to_owned()))
        });
        steps.step("third", || {
            reached = true;
            Ok(Outcome::Done)
        });
        assert!(reached);
        assert_eq!(steps.finish().unwrap_err().to_string(), "failed: first");
    }

    #[test]
    fn a_skipped_step_fails_nothing() {
        let mut steps = Steps::default();
        steps.step("only", || {
            Ok(Outcome::Skipped("no such thing here".to_owned()))
        });
        assert!(steps.finish().is_ok());
    }
}
