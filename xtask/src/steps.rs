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

/// What a step returns that cannot be skipped.
impl From<()> for Outcome {
    fn from((): ()) -> Self {
        Self::Done
    }
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
    pub(crate) fn step<O: Into<Outcome>>(
        &mut self,
        name: &'static str,
        work: impl FnOnce() -> Result<O>,
    ) {
        println!("\n==> {name}");
        let start = Instant::now();
        let outcome = work().map(Into::into);
        let time = start.elapsed();
        let step = Step {
            name,
            time,
            outcome,
        };
        if !matches!(step.outcome, Ok(Outcome::Done)) {
            println!("!!! {name} {}", step.verdict());
        }
        self.done.push(step);
    }

    /// Prints one line per step. An error names the steps that failed.
    pub(crate) fn finish(self) -> Result<()> {
        println!("\n==> summary");
        for step in &self.done {
            let seconds = step.time.as_secs_f64();
            println!("{:<12} {seconds:>7.1} s  {}", step.name, step.verdict());
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

impl Step {
    fn verdict(&self) -> String {
        match &self.outcome {
            Ok(Outcome::Done) => "ok".to_owned(),
            Ok(Outcome::Skipped(why)) => format!("SKIPPED: {why}"),
            Err(error) => format!("FAILED: {error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_fails_the_whole_and_stops_nothing() {
        let mut steps = Steps::default();
        let mut reached = false;
        steps.step::<()>("first", || bail!("broken"));
        steps.step("second", || {
            Ok(Outcome::Skipped("no such thing here".to_owned()))
        });
        steps.step("third", || {
            reached = true;
            Ok(())
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
