//! The files of the project, read once: relative paths and texts. Builds, caches and git's own files are left out.
//!
//! The folders are walked instead of asking git, so that an export without history can be checked too.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// What `.gitignore` names, and git itself.
const LEFT_OUT: [&str; 6] = [
    ".git",
    ".hypothesis",
    ".pytest_cache",
    "__pycache__",
    "dist",
    "target",
];

/// All files, sorted by path.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

/// One file.
pub(super) struct File {
    /// Relative to the root, with `/`.
    pub(super) path: String,
    /// Empty when the file is no text.
    pub(super) text: String,
}

impl Tree {
    /// Reads the tree under `root`.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut files = Vec::new();
        read_folder(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// The files of one kind, by the end of their path.
    pub(super) fn ending(&self, end: &str) -> impl Iterator<Item = &File> {
        self.files
            .iter()
            .filter(move |file| file.path.ends_with(end))
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        let files = files.iter().map(|(path, text)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        });
        Self {
            files: files.collect(),
        }
    }
}

fn read_folder(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<()> {
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?
    {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if LEFT_OUT.contains(&name.as_str()) || name.ends_with(".so") {
            continue;
        }
        if entry.file_type()?.is_dir() {
            read_folder(&entry.path(), &format!("{path}/"), files)?;
        } else {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
            files.push(File {
                path,
                text: String::from_utf8(bytes).unwrap_or_default(),
            });
        }
    }
    Ok(())
}
