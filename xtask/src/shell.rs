//! Running other programs: say what runs, let its output through, fail with its name.
//!
//! No shell is involved, so no quoting either; every program runs in the folder it is given.

use std::{
    borrow::BorrowMut,
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

/// `program` with the words of `args`, to be run in `folder` without input: nothing here may wait for an answer.
///
/// An argument that may hold a space (a path, say) is added to what this returns.
pub(crate) fn command(program: impl AsRef<OsStr>, args: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .args(args.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null());
    command
}

/// Runs `command` with its output let through. An error when it cannot start or does not succeed.
pub(crate) fn run(mut command: impl BorrowMut<Command>) -> Result<()> {
    let command = command.borrow_mut();
    let line = shown(command);
    println!("$ {line}");
    let status = command
        .status()
        .with_context(|| format!("`{line}` could not be started"))?;
    ensure!(status.success(), "`{line}` failed ({status})");
    Ok(())
}

/// Runs `command` and returns what it printed, trimmed. An error carries what it complained.
pub(crate) fn capture(mut command: impl BorrowMut<Command>) -> Result<String> {
    let command = command.borrow_mut();
    let line = shown(command);
    let output = command
        .output()
        .with_context(|| format!("`{line}` could not be started"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "`{line}` failed ({}): {}",
        output.status,
        complaint.trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The command as a person would type it, the settings made for it first.
fn shown(command: &Command) -> String {
    let settings = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display())));
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args())
        .map(|word| word.display().to_string());
    settings.chain(words).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        let folder = Path::new(".");
        let error = run(command("false", "-x", folder).env("A", "b")).unwrap_err();
        assert!(
            error.to_string().starts_with("`A=b false -x` failed"),
            "{error}"
        );
        let error = capture(command("no-such-program", "", folder)).unwrap_err();
        assert!(
            error.to_string().contains("could not be started"),
            "{error}"
        );
    }
}
