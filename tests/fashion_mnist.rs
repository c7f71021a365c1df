//! The bundled Fashion-MNIST images as float32 rows, for the tests of several crates (see `data/README.md`).

/// Components of an image.
pub(crate) const DIM: usize = 784;

/// The first `n` of the 10,000 images, row after row.
pub(crate) fn base(n: usize) -> Vec<f32> {
    load("fashion-mnist-10k-base.npy", n)
}

/// The first `n` of the 1,000 query images.
pub(crate) fn queries(n: usize) -> Vec<f32> {
    load("fashion-mnist-10k-queries.npy", n)
}

fn load(name: &str, n: usize) -> Vec<f32> {
    /// A version 1 header of a short shape.
    const HEADER_BYTES: usize = 128;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../data")
        .join(name);
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        bytes.starts_with(b"\x93NUMPY\x01\x00"),
        "{} is no .npy file",
        path.display()
    );
    bytes[HEADER_BYTES..][..n * DIM]
        .iter()
        .map(|&pixel| f32::from(pixel))
        .collect()
}
