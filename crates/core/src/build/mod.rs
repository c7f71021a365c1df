//! Building a graph of many rows at once.
//!
//! A distance inside a matrix product is many times cheaper than one alone, and cheaper still between sketches of rows
//! (`sketch`), so rows are not inserted one by one. They are divided into many overlapping leaves of a few hundred
//! (`partition`); each leaf computes all its distances and links its rows by looking them up (`leaf`); each row merges its
//! lists by exact distances (`merge`). Upper levels are built the same way from the rows that reach them. Then what descents do not
//! arrive at is attached (`arrive`), and what cannot be reached at all (`connect`). By dot product rows are linked with more than those
//! that the reduction to L2 calls near (`product`). Where many rows are equal, all that is done with the first of each kind
//! (`copies`). After PiPNN (arXiv 2602.21247), with the HNSW heuristic inside the leaves.
//!
//! All distances that are compared are integers, every step reads only what the one before has finished, and ties are broken by row: the
//! graph is the same for any number of threads on any CPU.

mod agree;
mod arrive;
mod basis;
mod copies;
mod distances;
mod leaf;
mod lists;
mod merge;
mod partition;
mod product;
mod sketch;
mod view;

use rayon::ThreadPool;
use rayon::prelude::*;

use proxime_quant::Codes;
use proxime_simd::Level;

use self::agree::agree;
use self::arrive::{arrive, spare};
use self::copies::Copies;
use self::leaf::{CANDIDATES_MAX, LeafScratch, LinkLeaf};
use self::lists::Lists;
use self::merge::merge;
use self::partition::partition;
use self::product::add;
pub use self::product::lengths_differ;
use self::sketch::Sketches;
use self::view::View;
use crate::connect::connect;
use crate::level::{levels, node_hash};
use crate::links::{Links, ROWS_MAX, UpperLevel, degree_cap};
use crate::pool::Pool;
use crate::progress::{Progress, Step, Watch, break_if};
use crate::{Error, Graph, Params, Preset};

/// Which neighbours are looked for, and how hard.
#[derive(Clone, Copy, Debug)]
struct Effort {
    /// Leaves each row is in.
    fan: usize,
    /// Nearest rows of a leaf that compete for one list. With more in the race lists grow longer, and searches dearer, than they get
    /// better.
    candidates: usize,
    /// Rows that one takes from a leaf: a few from each of many leaves are more than fit its list.
    keep: usize,
    /// Candidates from all leaves that are pruned, nearest first.
    gathered: usize,
    /// Links of a list.
    cap: usize,
    /// Whether near is what a query would find near: see [`Codes::by_product`].
    by_product: bool,
}

impl Effort {
    /// On level 0. That two neighbours meet in one of many leaves is what recall beyond 0.98 needs.
    fn base(params: &Params, n: usize) -> Self {
        let fan = match params.preset() {
            Preset::Fast => 8,
            Preset::Default => 14,
            Preset::High => 24,
        };
        let (fan, m) = (fan_among(n, fan), params.m());
        Self {
            fan,
            candidates: m.max(5 * m / (2 * fan)),
            keep: m.div_ceil(4).max(2 * m / fan),
            gathered: (3 * (params.m0() + 1)).div_ceil(4),
            cap: degree_cap(m, 0),
            by_product: false,
        }
    }

    /// Of the lists of level 0 a part for neighbours by product, which fewer leaves find as well, and the rest.
    fn with_products(self, params: &Params, n: usize) -> [Self; 2] {
        let products = params.m() / 2;
        [
            Self {
                cap: self.cap - products,
                ..self
            },
            Self {
                fan: fan_among(n, self.fan.div_ceil(3)),
                cap: products,
                by_product: true,
                ..self
            },
        ]
    }

    /// On the levels above, whose graphs only lead to the one below, but have to lead from one cluster to any other: what is nearest
    /// may all be in one's own.
    fn above(params: &Params, n: usize) -> Self {
        let m = params.m();
        Self {
            fan: fan_among(n, FAN_ABOVE),
            candidates: CANDIDATES_MAX,
            keep: m.div_ceil(2),
            gathered: usize::MAX,
            cap: degree_cap(m, 1) - spare(m),
            by_product: false,
        }
    }
}

/// Of few rows each leaf has a large part already.
fn fan_among(n: usize, fan: usize) -> usize {
    match n {
        0..=SINGLE_LEAF_MAX => 1,
        _ => fan.min(n.div_ceil(LEAF_MEAN)),
    }
}

/// Leaves a row is in above.
const FAN_ABOVE: usize = 3;

/// Rows of a leaf at most. Twice as many leaves of half the size find more for the same price, down to about this.
const LEAF_MAX: usize = 768;

/// So few rows are one leaf.
const SINGLE_LEAF_MAX: usize = 1024;

/// Rows of a leaf aimed at when leaders are drawn.
const LEAF_MEAN: usize = 450;

impl Graph {
    /// Builds the graph of all rows of `codes` on `pool`.
    ///
    /// The same codes, `m` and seed give the same graph for any number of threads and on any CPU. Every row is reachable
    /// from the entry point on level 0.
    /// Errors: more rows than a graph can number; `progress` asked to stop.
    /// Memory beside the codes and the graph, at preset default: about 1.4 KB a row, half the bytes of 768 floats.
    pub fn build(
        codes: &Codes,
        params: &Params,
        pool: &ThreadPool,
        progress: Progress<'_>,
    ) -> Result<Self, Error> {
        if codes.n() > ROWS_MAX {
            return Err(Error::TooManyRows {
                n: codes.n(),
                max: ROWS_MAX,
            });
        }
        pool.install(|| build(codes, params, progress))
    }
}

fn build(codes: &Codes, params: &Params, progress: Progress<'_>) -> Result<Graph, Error> {
    let watch = Watch::new(progress, Effort::base(params, codes.n()).fan);
    let mut graph = match Copies::of(codes) {
        None => link_levels(codes, params, &watch)?,
        Some(copies) => {
            let firsts = codes.select(copies.firsts());
            copies.hang_on(&link_levels(&firsts, params, &watch)?)
        }
    };
    let stop = || watch.report(Step::Connect).is_err();
    connect(&mut graph, codes, params.ef_construction(), stop);
    watch.report(Step::Connect)?;
    Ok(graph)
}

/// The graph but for what a walk from its entry point may miss.
fn link_levels(codes: &Codes, params: &Params, watch: &Watch<'_>) -> Result<Graph, Error> {
    let hash = |node: u32| node_hash(params.seed(), node);
    let levels = levels(codes.n(), params);
    // A node's level falls as its hash grows, so the least hash is on the top level.
    let entry = (0..codes.n() as u32).min_by_key(|&node| (hash(node), node));
    let mut graph = Graph::empty(params);
    graph.grow(&levels);
    graph.entry = entry;
    watch.report(Step::Partition)?;
    let sketches = Sketches::of(codes, params.seed(), watch)?;
    let stop_along = |_| break_if(watch.stopped());
    let silent = Watch::new(&stop_along, FAN_ABOVE);
    let select = |upper: &UpperLevel| sketches.as_ref().map(|all| all.select(upper.nodes()));
    let sketches_above: Vec<_> = graph.upper.iter().map(select).collect();
    let base = || link_base(codes, sketches, params, watch);
    let link_above = |(upper, sketches): (&mut UpperLevel, _)| -> Result<(), Error> {
        let codes = codes.select(upper.nodes());
        let effort = Effort::above(params, codes.n());
        upper.set_links(link(&codes, sketches, params, effort, params.m(), &silent)?);
        Ok(())
    };
    let mut upper = graph.upper.iter_mut().zip(sketches_above);
    // Beside each other, so that no thread is idle where one has a step of its own.
    let (base, above) = rayon::join(base, || upper.try_for_each(link_above));
    let (base, products) = base?;
    graph.base = base;
    above?;
    arrive(&mut graph, codes, watch)?;
    if let Some(products) = products {
        add(&mut graph.base, &products);
    }
    Ok(graph)
}

/// Level 0, and the links that are to be added to it.
fn link_base(
    codes: &Codes,
    sketches: Option<Sketches>,
    params: &Params,
    watch: &Watch<'_>,
) -> Result<(Links, Option<Links>), Error> {
    let (effort, m0) = (Effort::base(params, codes.n()), params.m0());
    if !lengths_differ(codes) {
        return Ok((link(codes, sketches, params, effort, m0, watch)?, None));
    }
    let [effort, products] = effort.with_products(params, codes.n());
    let links = link(codes, sketches.clone(), params, effort, m0, watch)?;
    // For whoever follows, still the merging of lists.
    let merging = |_| break_if(watch.report(Step::Merge).is_err());
    let watch = Watch::new(&merging, products.fan);
    let products = link(codes, sketches, params, products, m0, &watch)?;
    Ok((links, Some(products)))
}

/// Links all rows of `codes`, in lists of `stride` slots.
fn link(
    codes: &Codes,
    mut sketches: Option<Sketches>,
    params: &Params,
    effort: Effort,
    stride: usize,
    watch: &Watch<'_>,
) -> Result<Links, Error> {
    let view = View::of(codes, sketches.as_ref());
    let leaves = partition(view, codes.n(), effort.fan, params.seed(), watch)?;
    if sketches
        .as_ref()
        .is_some_and(|sketches| !agree(codes, sketches, &leaves))
    {
        drop((leaves, sketches));
        return link(codes, None, params, effort, stride, watch);
    }
    watch.report(Step::Leaves)?;
    let products;
    let codes = match effort.by_product {
        false => codes,
        true => {
            sketches = sketches.map(Sketches::by_product);
            products = codes.by_product();
            &products
        }
    };
    let view = View::of(codes, sketches.as_ref());
    let scratches = Pool::<LeafScratch>::default();
    let link_leaf = |rows: &Vec<u32>| -> Result<Lists<u32>, Error> {
        let lists = scratches.with(|scratch| {
            Level::detect().dispatch(LinkLeaf {
                view,
                rows,
                candidates: effort.candidates,
                keep: effort.keep,
                scratch,
            })
        });
        watch.multiplied(rows.len(), rows.len(), view.dim());
        watch.count(Step::Leaves, rows.len())?;
        Ok(lists)
    };
    let lists = leaves.par_iter().map(link_leaf).collect::<Result<_, _>>()?;
    drop(sketches);
    merge(codes, leaves, lists, effort, stride, watch)
}
