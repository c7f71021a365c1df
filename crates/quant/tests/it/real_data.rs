//! Recall of the codes alone, by looking at all of them, on real images: what the codecs' documentation states.

use proxime_quant::{Codes, CodesU4, ScalarI8};
use proxime_simd::{Isa, Level, Metric, Rows, WithIsa, reference};

use crate::fashion_mnist::{self, DIM};

const N: usize = 10_000;
const QUERIES: usize = 50;
const K: usize = 10;

/// Of the true ten nearest, how many are among the ten and the twenty nearest by codes: int8 codes, then 4-bit codes.
fn recalls(metric: Metric) -> [[f64; 2]; 2] {
    let (base, queries) = (fashion_mnist::base(N), fashion_mnist::queries(QUERIES));
    let rows = Rows::new(&base, DIM).unwrap();
    let sample: Vec<f32> = rows.iter().step_by(10).flatten().copied().collect();
    let codec = ScalarI8::train(Rows::new(&sample, DIM).unwrap(), metric).unwrap();
    let codes = Codes::encode(&codec, rows).unwrap();
    let codes_u4 = CodesU4::new(codes.stored(&codec));
    let mut found = [[0; 2]; 2];
    for query in Rows::new(&queries, DIM).unwrap() {
        let truth = nearest(&|row| reference::distance(metric, query, rows.row(row)));
        let prepared = codec.prepare(query).unwrap();
        let by_i8 = |row| prepared.distance_from_dot(prepared.dot(codes.row(row)), codes.term(row));
        let prepared_u4 = codes_u4.prepare(&codec, query).unwrap();
        let by_u4 = |row| {
            let [dot] = Level::detect().dispatch(Dot(prepared_u4.codes(), codes_u4.row(row)));
            codes_u4.distance_from_dot(&prepared_u4, dot, row)
        };
        let orders = [
            nearest(&|row| f64::from(by_i8(row))),
            nearest(&|row| f64::from(by_u4(row))),
        ];
        for (found, order) in found.iter_mut().zip(orders) {
            for (found, keep) in found.iter_mut().zip([K, 2 * K]) {
                *found += truth[..K]
                    .iter()
                    .filter(|row| order[..keep].contains(row))
                    .count();
            }
        }
    }
    found.map(|found| found.map(|found| found as f64 / (QUERIES * K) as f64))
}

/// All rows, nearest first.
fn nearest(distance: &dyn Fn(usize) -> f64) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = (0..N).map(|row| (distance(row), row)).collect();
    order.sort_by(|a, b| a.partial_cmp(b).unwrap());
    order.into_iter().map(|(_, row)| row).collect()
}

struct Dot<'a>(proxime_simd::I8Query<'a>, &'a [u8]);

impl WithIsa for Dot<'_> {
    type Output = [i32; 1];

    #[inline(always)]
    fn with_isa<I: Isa>(self, isa: I) -> [i32; 1] {
        isa.dots_u4(self.0, [self.1])
    }
}

#[test]
fn recall_on_fashion_mnist_is_what_the_documentation_says() {
    for metric in [Metric::L2, Metric::Cosine, Metric::Dot] {
        let [[i8_alone, i8_reranked], [u4_alone, u4_reranked]] = recalls(metric);
        println!(
            "{metric}: recall@10 {i8_alone:.3} from int8 codes, {i8_reranked:.3} after reranking 20; \
             {u4_alone:.3} and {u4_reranked:.3} from 4-bit codes"
        );
        assert!(i8_alone >= 0.97 && i8_reranked >= 1.0, "{metric}");
        assert!(u4_alone >= 0.93 && u4_reranked >= 0.99, "{metric}");
    }
}
