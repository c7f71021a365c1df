//! The same rows give the same codes on every tier.

use std::process::Command;

use proxime_quant::{Codes, ScalarI8};
use proxime_simd::{Level, Metric, Rows};

use crate::fashion_mnist::{self, DIM};

/// Everything a codec and its codes hold, as text: of real images and of numbers that are no integers.
fn fingerprint() -> String {
    let pixels = fashion_mnist::base(500);
    let fractions: Vec<f32> = pixels
        .iter()
        .enumerate()
        .map(|(i, x)| (x - 70.0) / (1.0 + (i % 101) as f32))
        .collect();
    let mut sums = Vec::new();
    for data in [&pixels, &fractions] {
        for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
            let rows = Rows::new(data, DIM).unwrap();
            let codec = ScalarI8::train(rows, metric).unwrap();
            let codes = Codes::encode(&codec, rows).unwrap();
            let derived = (0..codes.n()).flat_map(|row| {
                [
                    u64::from(codes.norm(row)),
                    u64::from(codes.extra(row)),
                    u64::from(codes.term(row).to_bits()),
                ]
            });
            let bytes = codes
                .as_bytes()
                .iter()
                .chain(&codec.to_bytes())
                .map(|&byte| u64::from(byte))
                .collect::<Vec<_>>();
            // FNV-1a: any change of any byte or its place shows.
            let sum = bytes
                .into_iter()
                .chain(derived)
                .fold(0xcbf2_9ce4_8422_2325u64, |sum, x| {
                    (sum ^ x).wrapping_mul(0x100_0000_01b3)
                });
            sums.push(format!("{sum:016x}"));
        }
    }
    sums.join(" ")
}

/// Not a test of its own: prints the fingerprint for the test below, which runs it under each tier.
#[test]
#[ignore = "run by every_tier_gives_the_same_codes"]
fn print_fingerprint() {
    println!("fingerprint {} {}", Level::detect(), fingerprint());
}

#[test]
fn every_tier_gives_the_same_codes() {
    let here = fingerprint();
    for level in Level::available() {
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "same_bytes::print_fingerprint",
                "--ignored",
                "--nocapture",
            ])
            .env("PROXIME_ISA", level.name())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            text.contains(&format!("fingerprint {level} {here}")),
            "{level} differs: {text}"
        );
    }
}
