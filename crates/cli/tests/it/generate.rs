//! Completions and manual pages know every command.

use std::fs;

use crate::support::Desk;

/// As `--help` lists them.
fn verbs(desk: &Desk) -> Vec<String> {
    let help = desk.run("--help").out;
    let commands = help.split("Commands:\n").nth(1).unwrap();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let verbs: Vec<String> = lines
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    assert!(verbs.len() > 10, "{verbs:?}");
    verbs
}

#[test]
fn completions_name_every_command() {
    let desk = Desk::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = desk.run(&format!("completions {shell}")).ok();
        for verb in verbs(&desk) {
            assert!(script.contains(&verb), "{shell} lacks {verb}");
        }
    }
    assert_eq!(desk.run("completions tcsh").code, 2);
}

#[test]
fn each_command_has_a_manual_page() {
    let desk = Desk::new();
    fs::create_dir(desk.path("man1")).unwrap();
    desk.run("man man1").ok();
    for verb in verbs(&desk).iter().filter(|verb| *verb != "help") {
        let page = fs::read_to_string(desk.path(&format!("man1/proxime-{verb}.1"))).unwrap();
        assert!(page.contains("Examples:"), "{verb}");
    }
    assert!(desk.path("man1/proxime.1").is_file());
    let ran = desk.run("man nowhere");
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("nowhere: not a directory"), "{ran:?}");
}
