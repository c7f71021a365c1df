//! The same rows give the same graph: any number of threads, any tier, any architecture.

use std::process::Command;

use proxime_core::Params;
use proxime_simd::{Level, Metric};

use crate::fashion_mnist::{self, DIM};
use crate::support::{build, encode, mixture};

/// Of 3,000 seeded points by each metric. Changes only when the construction does: say so in the changelog.
const GOLDEN: [&str; 3] = [
    "9c59431e3ee100dc2a7efca108b93331",
    "2c03a3794495f0bdb0c238f563976064",
    "e903054d0684b0fcb40ddf1ce26202c2",
];

fn digests(threads: usize) -> Vec<String> {
    let data = mixture(3000, 40, 1);
    let digest = |metric| {
        format!(
            "{:032x}",
            build(&encode(&data, 40, metric).1, &Params::default(), threads).digest()
        )
    };
    [Metric::L2, Metric::Cosine, Metric::Dot]
        .map(digest)
        .to_vec()
}

#[test]
fn the_graph_of_seeded_points_is_known() {
    assert_eq!(digests(2), GOLDEN);
}

#[test]
fn threads_do_not_matter() {
    let base = fashion_mnist::base(2000);
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
