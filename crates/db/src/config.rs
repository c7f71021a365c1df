//! A collection's configuration, as the manifest keeps it, and the codes for it in segment headers.

use proxime_storage::SegmentHeader;
use serde::{Deserialize, Serialize};

use crate::{CollectionConfig, Dtype, Error, Metric, Params, Preset, Result, Schema};

/// The longest name of a collection, in bytes.
const NAME_BYTES_MAX: usize = 255;
const DIM_MAX: usize = 65_536;

/// As in the manifest. Unknown fields stay in the manifest, which is never written from this.
#[derive(Serialize, Deserialize)]
struct Stored {
    dim: usize,
    dtype: String,
    metric: String,
    m: usize,
    /// Absent before it existed.
    #[serde(default = "preset_default")]
    preset: String,
    ef_construction: usize,
    ef_search: usize,
    seed: u64,
    /// Absent if there is none.
    #[serde(default, skip_serializing_if = "Schema::is_empty")]
    schema: Schema,
}

fn preset_default() -> String {
    Preset::Default.to_string()
}

/// Errors: a dimension out of range; a schema that is none.
pub(crate) fn to_json(config: &CollectionConfig) -> Result<serde_json::Value> {
    if !(1..=DIM_MAX).contains(&config.dim) {
        return Err(Error::Parameter {
            name: "dim",
            value: config.dim.to_string(),
            limit: format!("between 1 and {DIM_MAX}"),
        });
    }
    let CollectionConfig {
        dim,
        metric,
        dtype,
        params,
        schema,
    } = config;
    schema.check()?;
    Ok(serde_json::json!(Stored {
        dim: *dim,
        dtype: dtype.to_string(),
        metric: metric.to_string(),
        m: params.m(),
        preset: params.preset().to_string(),
        ef_construction: params.ef_construction(),
        ef_search: params.ef_search(),
        seed: params.seed(),
        schema: schema.clone(),
    }))
}

/// What is wrong with it, in words, if [`to_json`] did not write it.
pub(crate) fn from_json(json: &serde_json::Value) -> Result<CollectionConfig, String> {
    let stored = Stored::deserialize(json).map_err(|e| e.to_string())?;
    let params = || {
        Params::default()
            .with_m(stored.m)?
            .with_preset(stored.preset.parse()?)
            .with_ef_construction(stored.ef_construction)?
            .with_ef_search(stored.ef_search)
    };
    let config = CollectionConfig {
        dim: stored.dim,
        metric: stored
            .metric
            .parse()
            .map_err(|e: crate::MetricError| e.to_string())?,
        dtype: stored.dtype.parse().map_err(|e: Error| e.to_string())?,
        params: params()
            .map_err(|e: proxime_core::Error| e.to_string())?
            .with_seed(stored.seed),
        schema: stored.schema,
    };
    to_json(&config).map(|_| config).map_err(|e| e.to_string())
}

/// Errors: empty or too long.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if (1..=NAME_BYTES_MAX).contains(&name.len()) {
        return Ok(());
    }
    Err(Error::Name {
        name: name.to_owned(),
        reason: "a name has 1 to 255 bytes",
    })
}

/// What the segments of a collection say about themselves.
pub(crate) fn header(config: &CollectionConfig, collection_id: u64, rows: u32) -> SegmentHeader {
    let metric = match config.metric {
        Metric::L2 => 0,
        Metric::Cosine => 1,
        Metric::Dot => 2,
    };
    let dtype = match config.dtype {
        Dtype::F32 => 0,
        Dtype::F16 => 1,
        Dtype::Int8 => 2,
    };
    // At most DIM_MAX, or the collection would not exist.
    SegmentHeader {
        collection_id,
        rows,
        dim: config.dim as u32,
        dtype,
        metric,
    }
}

/// What can be told from a segment's header; the rest is as for a new collection. `None` for codes that are not known.
pub(crate) fn of_header(header: &SegmentHeader) -> Option<CollectionConfig> {
    let config = CollectionConfig::new(header.dim as usize);
    let all = Metric::ALL.into_iter().flat_map(|metric| {
        let config = config.clone().metric(metric);
        Dtype::ALL.map(|dtype| config.clone().dtype(dtype))
    });
    let told = |config: &CollectionConfig| {
        *header == self::header(config, header.collection_id, header.rows)
    };
    all.into_iter().find(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FieldType;

    #[test]
    fn what_is_stored_comes_back() {
        for metric in Metric::ALL {
            let params = Params::default().with_m(7).unwrap().with_seed(u64::MAX);
            let params = params.with_preset(Preset::High);
            let schema = Schema::new()
                .required("a.b", FieldType::Time)
                .optional("c", FieldType::List);
            let config = CollectionConfig::new(65_536).metric(metric).params(params);
            let config = config.schema(schema);
            for dtype in Dtype::ALL {
                let config = config.clone().dtype(dtype);
                assert_eq!(from_json(&to_json(&config).unwrap()).unwrap(), config);
                let header = header(&config, 7, 9);
                assert_eq!(of_header(&header).unwrap().dtype, dtype);
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let valid = to_json(&CollectionConfig::new(3)).unwrap();
        for (field, bad) in [
            ("dim", 0.into()),
            ("dim", 65_537.into()),
            ("metric", "manhattan".into()),
            ("dtype", "f64".into()),
            ("m", 0.into()),
            ("preset", "best".into()),
            ("ef_search", (-1).into()),
            ("seed", serde_json::Value::Null),
            ("schema", serde_json::json!({"a": {"type": "date"}})),
            ("schema", serde_json::json!({"a\\": {"type": "int"}})),
        ] {
            let mut json = valid.clone();
            json[field] = bad;
            assert!(from_json(&json).is_err(), "{field}");
        }
        assert!(from_json(&serde_json::Value::Null).is_err());
    }
}
