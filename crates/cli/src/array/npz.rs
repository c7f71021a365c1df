//! `.npz`: a zip archive of `.npy` files.
//!
//! What `np.savez` stored as it is, is read where it lies. What `np.savez_compressed` made small is inflated to a temporary file
//! without a name first: rows are read in any order, and more than once.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek};

use zip::{CompressionMethod, ZipArchive};

use super::bytes::Bytes;
use super::{ArrayError, Problem};
use crate::error::Error;

/// The array of that name, or the only one.
pub(super) fn member(name: &str, bytes: Bytes, member: Option<&str>) -> Result<Bytes, Error> {
    let problem = |problem| ArrayError {
        file: name.to_owned(),
        offset: 0,
        problem,
    };
    match bytes {
        Bytes::Memory(bytes) => {
            let mut archive =
                ZipArchive::new(Cursor::new(&bytes)).map_err(|e| problem(Problem::NotNpz(e)))?;
            let index = choose(&archive, member).map_err(problem)?;
            inflated(&mut archive, index).map_err(|e| problem(e).into())
        }
        Bytes::File { file, .. } => {
            let mut archive = ZipArchive::new(&file).map_err(|e| problem(Problem::NotNpz(e)))?;
            let index = choose(&archive, member).map_err(problem)?;
            let stored = stored(&mut archive, index).map_err(problem)?;
            match stored {
                Some((start, len)) => Ok(Bytes::File { file, start, len }),
                None => inflated(&mut archive, index).map_err(|e| problem(e).into()),
            }
        }
    }
}

fn choose<R: Read + Seek>(archive: &ZipArchive<R>, member: Option<&str>) -> Result<usize, Problem> {
    let names = archive.file_names().flatten();
    let arrays = names.filter_map(|name| Some(name.strip_suffix(".npy")?.to_owned()));
    let names: Vec<String> = arrays.collect();
    let wanted = match (member, &names[..]) {
        (Some(member), _) => Some(member),
        (None, [only]) => Some(only.as_str()),
        (None, _) => None,
    };
    wanted
        .and_then(|wanted| archive.index_for_name(&format!("{wanted}.npy")))
        .ok_or_else(|| Problem::WhichArray {
            names: names.join(", "),
        })
}

/// Where an array lies that is stored as it is.
fn stored<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    index: usize,
) -> Result<Option<(u64, u64)>, Problem> {
    let member = archive.by_index(index).map_err(Problem::NotNpz)?;
    let as_it_is = member.compression() == CompressionMethod::Stored && !member.encrypted();
    Ok(member
        .data_start()
        .filter(|_| as_it_is)
        .map(|start| (start, member.size())))
}

fn inflated<R: Read + Seek>(archive: &mut ZipArchive<R>, index: usize) -> Result<Bytes, Problem> {
    let mut member = archive.by_index(index).map_err(Problem::NotNpz)?;
    let mut file: File = tempfile::tempfile().map_err(Problem::Read)?;
    // No more than the archive announces, whatever is in it.
    let len = member.size();
    io::copy(&mut member.by_ref().take(len), &mut file).map_err(Problem::Read)?;
    let len = file.metadata().map_err(Problem::Read)?.len();
    Ok(Bytes::File {
        file,
        start: 0,
        len,
    })
}
