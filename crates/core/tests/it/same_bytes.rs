//! The same rows give the same graph: any number of threads, any tier, any architecture.

use std::process::Command;

use proxime_core::Params;
use proxime_simd::{Level, Metric};

use crate::fashion_mnist::{self, DIM};
use crate::support::{build, encode, mixture};

/// Of 3,000 seeded points by each metric, and of points so many and long that they are linked by sketches. Changes only when
/// the construction does: say so in the changelog.
const GOLDEN: [&str; 4] = [
    "6e4504e958de48bdf9716aed86a05112",
    "1d08d9e9d4e187796eb83843d18c6809",
    "40469fcac5cfbfffcd8f82ae14920aff",
    "7ce1de414f2ff6f9958fe6eae22a4ed7",
];

fn digests(threads: usize) -> Vec<String> {
    let digest = |n, dim, metric| {
        let (_, codes) = encode(&mixture(n, dim, 1), dim, metric);
        format!(
            "{:032x}",
            build(&codes, &Params::default(), threads).digest()
        )
    };
    vec![
        digest(3000, 40, Metric::L2),
        digest(3000, 40, Metric::Cosine),
        digest(3000, 40, Metric::Dot),
        digest(4200, 260, Metric::Dot),
    ]
}

#[test]
fn the_graph_of_seeded_points_is_known() {
    assert_eq!(digests(2), GOLDEN);
}

#[test]
fn threads_do_not_matter() {
    let base = fashion_mnist::base(5000);
    let (_, codes) = encode(&base, DIM, Metric::L2);
    let one = build(&codes, &Params::default(), 1);
    for threads in [2, 3, 8] {
        assert_eq!(
            build(&codes, &Params::default(), threads).digest(),
            one.digest(),
            "{threads} threads"
        );
    }
}

/// Not a test of its own: prints digests for the test below, which runs it under each tier.
#[test]
#[ignore = "run by tiers_do_not_matter"]
fn print_digests() {
    println!("digests {} {:?}", Level::detect(), digests(1));
}

#[test]
fn tiers_do_not_matter() {
    for level in Level::available() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "same_bytes::print_digests",
                "--ignored",
                "--nocapture",
            ])
            .env("PROXIME_ISA", level.name())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains(&format!("digests {level} {GOLDEN:?}")),
            "{level} differs: {text}"
        );
    }
}

#[test]
fn a_seed_gives_another_graph() {
    let (_, codes) = encode(&mixture(500, 8, 2), 8, Metric::L2);
    let graph = |seed| build(&codes, &Params::default().with_seed(seed), 1);
    assert_ne!(graph(1).digest(), graph(2).digest());
    assert_eq!(graph(1).digest(), graph(1).digest());
}
