//! Bad parameters, vectors and bytes: typed errors.

use std::ops::ControlFlow;

use proxime_core::{Done, Error, Graph, Index, Params};
use proxime_simd::{Metric, Rows};

use crate::support::{encode, mixture};

#[test]
fn parameters_have_limits() {
    assert_eq!(
        Params::default().with_m(1),
        Err(Error::Parameter {
            name: "m",
            value: 1,
            min: 2,
            max: 128
        })
    );
    assert!(Params::default().with_m(129).is_err());
    assert!(Params::default().with_ef_construction(0).is_err());
    let error = Params::default().with_ef_search(0).unwrap_err();
    assert_eq!(error.to_string(), "ef_search is 0; it must be 1 to 1000000");
}

#[test]
fn queries_are_checked() {
    let data = mixture(300, 4, 3);
    let index = Index::build(
        Rows::new(&data, 4).unwrap(),
        Metric::Cosine,
        &Params::default(),
    )
    .unwrap();
    let message = |query: &[f32]| index.search(query, 5, None).unwrap_err().to_string();
    assert_eq!(
        message(&[1.0; 3]),
        "vectors have 3 components, the codec was trained on 4"
    );
    assert_eq!(
        message(&[1.0, f32::NAN, 1.0, 1.0]),
        "row 0, component 1 is NaN; every component must be finite"
    );
    assert!(message(&[0.0; 4]).contains("all zeros"));
    assert_eq!(index.search(&data[..4], 0, None).unwrap(), []);
    assert_eq!(index.search(&data[..4], 1000, Some(1)).unwrap().len(), 300);
}

#[test]
fn a_build_can_be_stopped() {
    let (_, codes) = encode(&mixture(1000, 4, 3), 4, Metric::L2);
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let stop = |done: Done| {
        if done.rows > 100 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    };
    assert_eq!(
        Graph::build(&codes, &Params::default(), &pool, &stop),
        Err(Error::Interrupted)
    );
}
