//! Records as a table of Arrow, in a Parquet file or in Arrow's own: ids, vectors, a column for each field, and what fits no column.
//!
//! A field becomes a column of the type of its first value that is a boolean, an integer, a float, a text, a time or bytes. Values of other types, lists and objects stay in the column `metadata`, as JSON, so that
//! nothing is lost or changed: import puts both together again.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, FixedSizeBinaryArray, FixedSizeListArray, Float32Array,
    Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;
use proxime::{Key, Metadata, Record, Value};

use crate::format::Format;
use crate::rows::table::{EXTENSION, JSON, UUID};
use crate::typed;

/// Columns that are not fields; a field of such a name stays in the last of them.
const ID: &str = "id";
const VECTOR: &str = "vector";
const METADATA: &str = "metadata";

/// What the columns are; every record has to be looked at to know.
#[derive(Default)]
pub(super) struct Layout {
    id: Option<DataType>,
    fields: BTreeMap<String, DataType>,
}

impl Layout {
    /// Errors: ids of several kinds, which no column can hold.
    pub(super) fn look(&mut self, records: &[Record]) -> Result<(), String> {
        for record in records {
            let kind = key_type(&record.id);
            let id = self.id.get_or_insert_with(|| kind.clone());
            if *id != kind {
                return Err(several_kinds());
            }
            for (name, value) in &record.metadata {
                let own = [ID, VECTOR, METADATA].contains(&name.as_str());
                if let Some(kind) = value_type(value).filter(|_| !own)
                    && !self.fields.contains_key(name)
                {
                    self.fields.insert(name.clone(), kind);
                }
            }
        }
        Ok(())
    }

    fn schema(&self, dim: usize) -> Schema {
        let id = self.id.clone().unwrap_or(DataType::Int64);
        let id = match &id {
            DataType::FixedSizeBinary(_) => extended(Field::new(ID, id, false), UUID),
            _ => Field::new(ID, id, false),
        };
        let mut columns = vec![id, Field::new(VECTOR, vector_type(dim), false)];
        let fields = self.fields.iter();
        columns.extend(fields.map(|(name, kind)| Field::new(name, kind.clone(), true)));
        columns.push(extended(Field::new(METADATA, DataType::Utf8, true), JSON));
        Schema::new(columns)
    }
}

fn several_kinds() -> String {
    "ids are of several kinds, which no column can hold; export to .jsonl instead".to_owned()
}

fn extended(field: Field, name: &str) -> Field {
    field.with_metadata([(EXTENSION.to_owned(), name.to_owned())])
}

fn component() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float32, false))
}

fn vector_type(dim: usize) -> DataType {
    DataType::FixedSizeList(component(), dim as i32)
}

fn key_type(key: &Key) -> DataType {
    match key {
        Key::Int(_) => DataType::Int64,
        Key::Text(_) => DataType::Utf8,
        Key::Uuid(_) => DataType::FixedSizeBinary(16),
        Key::Bytes(_) => DataType::Binary,
    }
}

/// The type of the column that holds a value exactly; not for lists, objects and nothing.
fn value_type(value: &Value) -> Option<DataType> {
    match value {
        Value::Bool(_) => Some(DataType::Boolean),
        Value::Int(_) => Some(DataType::Int64),
        Value::Float(_) => Some(DataType::Float64),
        Value::Text(_) => Some(DataType::Utf8),
        Value::Time(_) => Some(DataType::Timestamp(
            TimeUnit::Microsecond,
            Some("UTC".into()),
        )),
        Value::Bytes(_) => Some(DataType::Binary),
        Value::Null | Value::List(_) | Value::Object(_) => None,
    }
}

/// A file that takes batches of records.
pub(super) struct TableWriter<W: Write + Send> {
    layout: Layout,
    schema: SchemaRef,
    writer: Writer<W>,
}

enum Writer<W: Write + Send> {
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
}

impl<W: Write + Send> TableWriter<W> {
    pub(super) fn new(out: W, format: Format, layout: Layout, dim: usize) -> Result<Self, String> {
        let schema = Arc::new(layout.schema(dim));
        let writer = match format {
            Format::Parquet => {
                let compression = Compression::ZSTD(ZstdLevel::default());
                let properties = WriterProperties::builder().set_compression(compression);
                let writer = ArrowWriter::try_new(out, schema.clone(), Some(properties.build()));
                Writer::Parquet(Box::new(writer.map_err(|e| e.to_string())?))
            }
            _ => {
                let writer = FileWriter::try_new(out, &schema);
                Writer::Arrow(Box::new(writer.map_err(|e| e.to_string())?))
            }
        };
        Ok(TableWriter {
            layout,
            schema,
            writer,
        })
    }

    pub(super) fn write(&mut self, records: &[Record]) -> Result<(), String> {
        let mut columns = vec![
            ids(self.schema.field(0).data_type(), records)?,
            vectors(self.schema.field(1).data_type(), records)?,
        ];
        for (name, kind) in &self.layout.fields {
            columns.push(column(name, kind, records));
        }
        columns.push(Arc::new(self.rest(records)));
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        let batch = batch.map_err(|e| e.to_string())?;
        match &mut self.writer {
            Writer::Parquet(writer) => writer.write(&batch).map_err(|e| e.to_string()),
            Writer::Arrow(writer) => writer.write(&batch).map_err(|e| e.to_string()),
        }
    }

    pub(super) fn finish(self) -> Result<(), String> {
        match self.writer {
            Writer::Parquet(writer) => writer.close().map(drop).map_err(|e| e.to_string()),
            Writer::Arrow(mut writer) => writer.finish().map_err(|e| e.to_string()),
        }
    }

    /// Of each record what is in no column of its own.
    fn rest(&self, records: &[Record]) -> StringArray {
        let in_column = |name: &String, value: &Value| {
            let kind = self.layout.fields.get(name);
            kind.is_some() && kind == value_type(value).as_ref()
        };
        let texts = records.iter().map(|record| {
            let fields = record.metadata.iter();
            let rest: Metadata = fields
                .filter(|(name, value)| !in_column(name, value))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            (!rest.is_empty()).then(|| typed::metadata_to_json(&rest).to_string())
        });
        texts.collect()
    }
}

fn ids(kind: &DataType, records: &[Record]) -> Result<ArrayRef, String> {
    let keys = || records.iter().map(|record| &record.id);
    if keys().any(|key| key_type(key) != *kind) {
        return Err(several_kinds());
    }
    let bytes = || {
        keys().filter_map(|key| match key {
            Key::Bytes(bytes) => Some(bytes.as_slice()),
            Key::Uuid(bytes) => Some(bytes.as_slice()),
            _ => None,
        })
    };
    let integers = keys().filter_map(|key| match key {
        Key::Int(id) => Some(*id),
        _ => None,
    });
    let texts = keys().filter_map(|key| match key {
        Key::Text(text) => Some(text.as_str()),
        _ => None,
    });
    Ok(match kind {
        DataType::Utf8 => Arc::new(StringArray::from_iter_values(texts)),
        DataType::Binary => Arc::new(BinaryArray::from_iter_values(bytes())),
        DataType::FixedSizeBinary(_) => {
            let ids = FixedSizeBinaryArray::try_from_iter(bytes());
            Arc::new(ids.map_err(|e: ArrowError| e.to_string())?)
        }
        _ => Arc::new(Int64Array::from_iter_values(integers)),
    })
}

fn vectors(kind: &DataType, records: &[Record]) -> Result<ArrayRef, String> {
    let DataType::FixedSizeList(_, dim) = kind else {
        return Err(format!("{kind} is not of vectors"));
    };
    let components = records.iter().flat_map(|record| &record.vector).copied();
    let components = Arc::new(Float32Array::from_iter_values(components));
    let lists = FixedSizeListArray::try_new(component(), *dim, components, None);
    Ok(Arc::new(lists.map_err(|e| e.to_string())?))
}

/// A field of the records that have it with a value of that type.
fn column(name: &str, kind: &DataType, records: &[Record]) -> ArrayRef {
    let values = || records.iter().map(|record| record.metadata.get(name));
    match kind {
        DataType::Boolean => Arc::new(BooleanArray::from_iter(values().map(|value| match value {
            Some(Value::Bool(x)) => Some(*x),
            _ => None,
        }))),
        DataType::Int64 => Arc::new(Int64Array::from_iter(values().map(|value| match value {
            Some(Value::Int(x)) => Some(*x),
            _ => None,
        }))),
        DataType::Float64 => Arc::new(Float64Array::from_iter(values().map(|value| match value {
            Some(Value::Float(x)) => Some(*x),
            _ => None,
        }))),
        DataType::Binary => Arc::new(BinaryArray::from_iter(values().map(|value| match value {
            Some(Value::Bytes(x)) => Some(x),
            _ => None,
        }))),
        DataType::Timestamp(..) => {
            let times = values().map(|value| match value {
                Some(Value::Time(micros)) => Some(*micros),
                _ => None,
            });
            Arc::new(TimestampMicrosecondArray::from_iter(times).with_timezone("UTC"))
        }
        _ => Arc::new(StringArray::from_iter(values().map(|value| match value {
            Some(Value::Text(x)) => Some(x),
            _ => None,
        }))),
    }
}
