//! The floors of the house: which package may use which. An edge that is not here is a decision, and belongs in a commit
//! of its own that changes this table.

use std::collections::BTreeSet;

use super::Problem;
use crate::workspace::Package;

/// Every package of the workspace and the members that it uses, whether for building, testing or running.
const FLOORS: [(&str, &[&str]); 9] = [
    ("proxime-simd", &[]),
    ("proxime-quant", &["proxime-simd"]),
    ("proxime-core", &["proxime-quant", "proxime-simd"]),
    ("proxime-storage", &[]),
    (
        "proxime",
        &[
            "proxime-core",
            "proxime-quant",
            "proxime-simd",
            "proxime-storage",
        ],
    ),
    ("proxime-py", &["proxime"]),
    ("proxime-cli", &["proxime"]),
    (
        "proxime-fuzz",
        &[
            "proxime",
            "proxime-core",
            "proxime-quant",
            "proxime-storage",
        ],
    ),
    ("xtask", &[]),
];

/// The packages and the edges between them are exactly [`FLOORS`].
pub(super) fn check(packages: &[Package]) -> Vec<Problem> {
    let planned: BTreeSet<_> = FLOORS
        .iter()
        .flat_map(|(name, uses)| edges(name, uses.iter().copied()))
        .collect();
    let found: BTreeSet<_> = packages
        .iter()
        .flat_map(|package| edges(&package.name, members_used(package)))
        .collect();
    let added = found
        .difference(&planned)
        .map(|edge| format!("{} is not in the plan of the floors", shown(edge)));
    let gone = planned
        .difference(&found)
        .map(|edge| format!("{} is in the plan of the floors, but gone", shown(edge)));
    added
        .chain(gone)
        .map(|what| Problem {
            path: "Cargo.toml".to_owned(),
            line: 1,
            what,
        })
        .collect()
}

/// From, and to; a package alone is an edge to nothing.
type Edge<'a> = (&'a str, Option<&'a str>);

fn edges<'a>(from: &'a str, to: impl Iterator<Item = &'a str>) -> impl Iterator<Item = Edge<'a>> {
    [(from, None)]
        .into_iter()
        .chain(to.map(move |to| (from, Some(to))))
}

fn members_used(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some())
        .map(|dependency| dependency.name.as_str())
}

fn shown(edge: &Edge<'_>) -> String {
    match edge {
        (from, None) => format!("package {from}"),
        (from, Some(to)) => format!("the edge {from} -> {to}"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::workspace::Dependency;

    fn planned() -> Vec<Package> {
        let dependency = |name: &str| Dependency {
            name: name.to_owned(),
            path: Some(PathBuf::from(name)),
        };
        let package = |(name, uses): &(&str, &[&str])| Package {
            name: (*name).to_owned(),
            dependencies: uses.iter().map(|name| dependency(name)).collect(),
        };
        FLOORS.iter().map(package).collect()
    }

    fn complaint(packages: &[Package]) -> String {
        let problems = check(packages);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems[0].what.clone()
    }

    #[test]
    fn the_plan_itself_passes() {
        assert_eq!(check(&planned()), []);
    }

    #[test]
    fn an_edge_too_many_fails() {
        let mut packages = planned();
        packages[3].dependencies.push(Dependency {
            name: "proxime-simd".to_owned(),
            path: Some(PathBuf::new()),
        });
        assert_eq!(
            complaint(&packages),
            "the edge proxime-storage -> proxime-simd is not in the plan of the floors"
        );
    }

    #[test]
    fn an_edge_too_few_fails() {
        let mut packages = planned();
        packages[1].dependencies.clear();
        assert_eq!(
            complaint(&packages),
            "the edge proxime-quant -> proxime-simd is in the plan of the floors, but gone"
        );
    }

    #[test]
    fn an_unknown_package_fails() {
        let mut packages = planned();
        packages.push(Package {
            name: "attic".to_owned(),
            dependencies: Vec::new(),
        });
        assert_eq!(
            complaint(&packages),
            "package attic is not in the plan of the floors"
        );
    }

    #[test]
    fn a_crate_from_the_registry_is_no_edge() {
        let mut packages = planned();
        packages[0].dependencies.push(Dependency {
            name: "pulp".to_owned(),
            path: None,
        });
        assert_eq!(check(&packages), []);
    }
}
