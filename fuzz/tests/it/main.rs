//! The corpus, run once: seeds, and inputs that once did harm.

use std::fs;
use std::path::Path;

use proxime_fuzz::{TARGETS, section_seeds};

fn corpus() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

#[test]
fn every_target_survives_its_corpus() {
    for (name, target) in TARGETS {
        let files: Vec<_> = fs::read_dir(corpus().join(name)).unwrap().collect();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(&path).unwrap());
        }
    }
}

/// Random changes of the seeds, the same every time: what a fuzzer does, without its guidance.
#[test]
fn every_target_survives_changed_seeds() {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut below = |limit: usize| {
        random = random
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        (random >> 33) as usize % limit
    };
    for (name, target) in TARGETS {
        for file in fs::read_dir(corpus().join(name)).unwrap() {
            let seed = fs::read(file.unwrap().path()).unwrap();
            for _ in 0..20 {
                let mut input = seed.clone();
                for _ in 0..1 + below(4) {
                    let at = below(input.len());
                    match below(3) {
                        0 => input[at] ^= 1 << below(8),
                        1 => input.truncate(at + 1),
                        _ => input[at] = below(256) as u8,
                    }
                }
                target(&input);
            }
        }
    }
}

#[test]
#[ignore = "makes the seeds that the others read"]
fn make() {
    for (number, (target, seed)) in section_seeds().into_iter().enumerate() {
        let folder = corpus().join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("seed-{number}")), seed).unwrap();
    }
}
