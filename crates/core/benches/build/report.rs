//! The findings, as JSON for bench-compare or as a page to read.

use serde::Serialize;

use crate::changes::Change;
use crate::quality::Point;
use crate::stages::Stage;

#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) n: usize,
    pub(crate) dim: usize,
    pub(crate) preset: String,
    /// From vectors in memory to a graph that can be searched.
    pub(crate) seconds: f64,
    /// Of all threads.
    pub(crate) cpu_seconds: f64,
    pub(crate) vec_s: f64,
    /// Most that was resident.
    pub(crate) peak_bytes: usize,
    /// That less what was resident before, the vectors included.
    pub(crate) extra_bytes: usize,
    /// Codes and graph.
    pub(crate) index_bytes: usize,
    pub(crate) stages: Vec<Stage>,
    pub(crate) mean_degree: f64,
    pub(crate) levels: usize,
    pub(crate) unreachable: usize,
    pub(crate) quality: Option<Quality>,
}

#[derive(Serialize)]
pub(crate) struct Quality {
    pub(crate) curve: Vec<Point>,
    pub(crate) changes: Vec<Change>,
}

impl Report {
    /// Bytes beside the vectors and what remains, for each byte of the vectors.
    fn working_share(&self) -> f64 {
        let working = self.extra_bytes as f64 - self.index_bytes as f64;
        working / (4 * self.n * self.dim) as f64
    }

    pub(crate) fn print(&self) {
        println!(
            "{} x {}, preset {}: {:.0} vectors/s in {:.3} s ({:.3} s on processors)",
            self.n, self.dim, self.preset, self.vec_s, self.seconds, self.cpu_seconds
        );
        println!(
            "{:.1} links a row on level 0, {} levels, {} unreachable; {:.0} MB at most beside the vectors, {:.0} MB of it \
             the index: {:.2} of the vectors' bytes to work in\n",
            self.mean_degree,
            self.levels,
            self.unreachable,
            self.extra_bytes as f64 / 1e6,
            self.index_bytes as f64 / 1e6,
            self.working_share()
        );
        self.print_stages();
        if let Some(quality) = &self.quality {
            quality.print();
        }
    }

    fn print_stages(&self) {
        println!("| step | ms | share | 10^9 multiply-adds/s |");
        println!("|---|---:|---:|---:|");
        for Stage {
            step,
            seconds,
            multiply_adds,
        } in &self.stages
        {
            let share = 100.0 * seconds / self.seconds;
            let rate = match multiply_adds {
                0 => String::new(),
                _ => format!("{:.0}", *multiply_adds as f64 / seconds / 1e9),
            };
            println!("| {step} | {:.1} | {share:.1} % | {rate} |", 1e3 * seconds);
        }
    }
}

impl Quality {
    fn print(&self) {
        println!("\n| ef | recall@10 | distances | exact ones |");
        println!("|---:|---:|---:|---:|");
        for Point {
            ef,
            recall,
            distances,
            exact_distances,
        } in &self.curve
        {
            println!("| {ef} | {recall:.4} | {distances:.1} | {exact_distances:.1} |");
        }
        println!("\nRecall@10 / distances of each query, before and after:\n");
        println!("| change | rows | rows/s | before | after | built of the same | unreachable |");
        println!("|---|---:|---:|---:|---:|---:|---:|");
        for change in &self.changes {
            let built = change.built.as_ref().map(shown).unwrap_or_default();
            println!(
                "| {} | {} | {:.0} | {} | {} | {built} | {} |",
                change.what,
                change.rows,
                change.rows_s,
                shown(&change.before),
                shown(&change.after),
                change.unreachable
            );
        }
    }
}

fn shown(point: &Point) -> String {
    format!("{:.4} / {:.0}", point.recall, point.distances)
}
