//! Tables of Arrow: Parquet files, and Arrow's own in both of its forms. A column for ids, for vectors, and for each field of the metadata.
//!
//! A file is read a batch of rows at a time: of Parquet so many rows, of Arrow what was written as one. A cell that is null is no field. What a
//! type of Arrow has no equal for here (decimals, maps, durations) makes a bad record, with the type in its reason.

use std::fs::File;
use std::io::{self, BufRead, Seek};
use std::panic::{self, AssertUnwindSafe};

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Date64Type, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader};
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, Field, Schema, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use proxime::{Key, Metadata, Value};

use super::csv::vector_names;
use super::{Columns, Entry, Record, Source};
use crate::args::IdType;
use crate::typed;

/// Rows of Parquet that are in memory at once.
const BATCH_ROWS: usize = 1024;
/// With what the form of Arrow begins that has its index at the end; the other one is for pipes.
const FILE_MAGIC: &[u8] = b"ARROW1";
/// Where a field of Arrow says what it is beyond its type, and the names of what is known here.
pub(crate) const EXTENSION: &str = "ARROW:extension:name";
pub(crate) const JSON: &str = "arrow.json";
pub(crate) const UUID: &str = "arrow.uuid";
const MICROS_PER_DAY: i64 = 86_400_000_000;

pub(crate) type Batches = Box<dyn RecordBatchReader>;

/// The batches of a Parquet file.
pub(crate) fn parquet(file: File) -> Result<Batches, String> {
    guarded::<Batches>(|| {
        let builder = ParquetRecordBatchReaderBuilder::try_new(file)?;
        Ok(Box::new(builder.with_batch_size(BATCH_ROWS).build()?))
    })
}

/// The batches of a file of Arrow, of either form.
pub(crate) fn arrow(mut file: impl BufRead + Seek + 'static) -> Result<Batches, String> {
    match begins_as_file(&mut file)? {
        true => guarded::<Batches>(|| Ok(Box::new(FileReader::try_new(file, None)?))),
        false => arrow_stream(file),
    }
}

/// The batches of the form for pipes.
pub(crate) fn arrow_stream(mut reader: impl BufRead + 'static) -> Result<Batches, String> {
    if begins_as_file(&mut reader)? {
        let wrong = "this form of Arrow has its index at the end and cannot come from a pipe; name the file";
        return Err(wrong.to_owned());
    }
    guarded::<Batches>(|| Ok(Box::new(StreamReader::try_new(reader, None)?)))
}

/// What a library reads; on some damaged files it panics, and that is an error, too.
fn guarded<T>(read: impl FnOnce() -> Result<T, ArrowError>) -> Result<T, String> {
    // Nothing else runs meanwhile whose panic should be seen.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let outcome = panic::catch_unwind(AssertUnwindSafe(read));
    panic::set_hook(hook);
    match outcome {
        Ok(read) => read.map_err(|e| e.to_string()),
        Err(_) => Err("damaged: its parts do not fit together".to_owned()),
    }
}

fn begins_as_file(reader: &mut impl BufRead) -> Result<bool, String> {
    let start = reader.fill_buf().map_err(|e| e.to_string())?;
    Ok(start.starts_with(FILE_MAGIC))
}

pub(crate) struct Table {
    batches: Batches,
    /// The one that is being read, and how far.
    batch: Option<RecordBatch>,
    at: usize,
    row: usize,
    id: Option<usize>,
    id_type: IdType,
    vector: Vec<usize>,
    fields: Vec<usize>,
}

impl Table {
    /// Errors: a column that is needed is not there.
    pub(crate) fn new(batches: Batches, columns: &Columns) -> Result<Table, String> {
        let schema = batches.schema();
        let find = |name: &str| {
            schema
                .fields()
                .iter()
                .position(|field| field.name() == name)
        };
        let need = |name: &str, option: &str| {
            let missing = || format!("there is no column {name:?}; {option} names it");
            find(name).ok_or_else(missing)
        };
        let names = vector_names(&columns.vector);
        let vector = names.iter().map(|name| need(name, "--vector-columns"));
        let vector: Vec<usize> = vector.collect::<Result<_, _>>()?;
        let id = match &columns.id {
            Some(name) => Some(need(name, "--id-column")?),
            None => find(columns.id()),
        };
        let others = (0..schema.fields().len()).filter(|i| Some(*i) != id && !vector.contains(i));
        Ok(Table {
            fields: others.collect(),
            batches,
            batch: None,
            at: 0,
            row: 0,
            id,
            id_type: match (columns.id_type, id) {
                (IdType::Auto, Some(i)) if is(schema.field(i), UUID) => IdType::Uuid,
                (id_type, _) => id_type,
            },
            vector,
        })
    }

    fn record(&self, batch: &RecordBatch) -> Result<Record, String> {
        let schema = batch.schema_ref();
        let in_column = |i: usize| {
            let name = schema.field(i).name();
            move |problem| format!("{name}: {problem}")
        };
        let mut vector = Vec::new();
        for &i in &self.vector {
            push_components(batch.column(i), self.at, &mut vector).map_err(in_column(i))?;
        }
        let id = match self.id {
            Some(i) => {
                let value = value(batch.column(i), self.at).and_then(|id| self.key(id));
                Some(value.map_err(in_column(i))?)
            }
            None => None,
        };
        Ok(Record {
            id,
            vector,
            metadata: self.metadata(schema, batch)?,
        })
    }

    fn key(&self, value: Value) -> Result<Key, String> {
        match (self.id_type, value) {
            (_, Value::Null) => Err("the id is missing".to_owned()),
            (IdType::Auto, Value::Int(id)) => Ok(Key::Int(id)),
            (IdType::Uuid, Value::Text(text)) => typed::uuid(&text),
            (IdType::Bytes, Value::Text(text)) => typed::hex(&text).map(Key::Bytes),
            (IdType::Auto | IdType::Text, Value::Text(text)) => Ok(Key::Text(text)),
            (IdType::Text, Value::Int(id)) => Ok(Key::Text(id.to_string())),
            (IdType::Auto | IdType::Bytes, Value::Bytes(bytes)) => Ok(Key::Bytes(bytes)),
            (IdType::Uuid, Value::Bytes(bytes)) => (bytes.try_into().map(Key::Uuid))
                .map_err(|bytes: Vec<u8>| format!("{} bytes are not a UUID", bytes.len())),
            (_, other) => Err(format!("{} cannot be an id", other.to_json())),
        }
    }

    fn metadata(&self, schema: &Schema, batch: &RecordBatch) -> Result<Metadata, String> {
        let mut metadata = Metadata::new();
        for &i in &self.fields {
            let field = schema.field(i);
            let value = value(batch.column(i), self.at);
            let value = value.and_then(|value| read_json(field, value));
            match value.map_err(|problem| format!("{}: {problem}", field.name()))? {
                Value::Null => {}
                Value::Object(fields) if field.name() == "metadata" => metadata.extend(fields),
                value => {
                    metadata.insert(field.name().clone(), value);
                }
            }
        }
        Ok(metadata)
    }
}

impl Source for Table {
    fn next(&mut self) -> io::Result<Option<Entry>> {
        let failed = |problem| io::Error::new(io::ErrorKind::InvalidData, problem);
        loop {
            if let Some(batch) = self.batch.take_if(|batch| self.at < batch.num_rows()) {
                let record = self.record(&batch);
                self.batch = Some(batch);
                self.at += 1;
                self.row += 1;
                return Ok(Some(Entry {
                    row: self.row - 1,
                    line: None,
                    input: String::new(),
                    record,
                }));
            }
            self.batch = guarded(|| self.batches.next().transpose()).map_err(failed)?;
            self.at = 0;
            if self.batch.is_none() {
                return Ok(None);
            }
        }
    }
}

fn is(field: &Field, extension: &str) -> bool {
    let name = field.metadata().get(EXTENSION);
    name.is_some_and(|name| name == extension)
}

/// What a text is that its column says is JSON.
fn read_json(field: &Field, value: Value) -> Result<Value, String> {
    match value {
        Value::Text(text) if is(field, JSON) => {
            let json = serde_json::from_str(&text).map_err(|e| typed::json_problem(&e))?;
            let wrapped = serde_json::Map::from_iter([(String::new(), json)]);
            let mut read = typed::metadata_from_json(&wrapped.into())?;
            Ok(read.remove("").unwrap_or(Value::Null))
        }
        value => Ok(value),
    }
}

/// The components of a cell: a list of numbers, or one number.
fn push_components(column: &ArrayRef, row: usize, out: &mut Vec<f32>) -> Result<(), String> {
    if column.is_null(row) {
        return Err("the vector is missing".to_owned());
    }
    let numbers = match elements(column, row) {
        Some(numbers) => numbers,
        None => column.slice(row, 1),
    };
    if let Some(missing) = (0..numbers.len()).find(|&i| numbers.is_null(i)) {
        return Err(format!("component {missing} is missing"));
    }
    match numbers.data_type() {
        DataType::Float32 => out.extend_from_slice(numbers.as_primitive::<Float32Type>().values()),
        DataType::Float64 => extend::<Float64Type>(&numbers, out, |x| x as f32),
        DataType::Float16 => extend::<Float16Type>(&numbers, out, f32::from),
        DataType::Int8 => extend::<Int8Type>(&numbers, out, f32::from),
        DataType::UInt8 => extend::<UInt8Type>(&numbers, out, f32::from),
        DataType::Int16 => extend::<Int16Type>(&numbers, out, f32::from),
        DataType::UInt16 => extend::<UInt16Type>(&numbers, out, f32::from),
        DataType::Int32 => extend::<Int32Type>(&numbers, out, |x| x as f32),
        DataType::Int64 => extend::<Int64Type>(&numbers, out, |x| x as f32),
        other => return Err(format!("{other} are not components of a vector")),
    }
    Ok(())
}

fn extend<T: ArrowPrimitiveType>(
    numbers: &ArrayRef,
    out: &mut Vec<f32>,
    number: impl Fn(T::Native) -> f32,
) {
    let values = numbers.as_primitive::<T>().values();
    out.extend(values.iter().map(|&x| number(x)));
}

/// What is in a cell of a column of lists.
fn elements(column: &ArrayRef, row: usize) -> Option<ArrayRef> {
    match column.data_type() {
        DataType::List(_) => Some(column.as_list::<i32>().value(row)),
        DataType::LargeList(_) => Some(column.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => Some(column.as_fixed_size_list().value(row)),
        _ => None,
    }
}

/// A cell of metadata.
fn value(column: &ArrayRef, row: usize) -> Result<Value, String> {
    if column.is_null(row) {
        return Ok(Value::Null);
    }
    if let Some(list) = elements(column, row) {
        let values = (0..list.len()).map(|i| value(&list, i));
        return Ok(Value::List(values.collect::<Result<_, _>>()?));
    }
    Ok(match column.data_type() {
        DataType::Null => Value::Null,
        DataType::Boolean => Value::Bool(column.as_boolean().value(row)),
        DataType::Int8 => Value::Int(number::<Int8Type>(column, row).into()),
        DataType::Int16 => Value::Int(number::<Int16Type>(column, row).into()),
        DataType::Int32 => Value::Int(number::<Int32Type>(column, row).into()),
        DataType::Int64 => Value::Int(number::<Int64Type>(column, row)),
        DataType::UInt8 => Value::Int(number::<UInt8Type>(column, row).into()),
        DataType::UInt16 => Value::Int(number::<UInt16Type>(column, row).into()),
        DataType::UInt32 => Value::Int(number::<UInt32Type>(column, row).into()),
        DataType::UInt64 => {
            let n = number::<UInt64Type>(column, row);
            let too_large = |_| format!("{n} is above the largest integer, {}", i64::MAX);
            Value::Int(n.try_into().map_err(too_large)?)
        }
        DataType::Float16 => Value::Float(number::<Float16Type>(column, row).into()),
        DataType::Float32 => Value::Float(number::<Float32Type>(column, row).into()),
        DataType::Float64 => Value::Float(number::<Float64Type>(column, row)),
        DataType::Utf8 => Value::from(column.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => Value::from(column.as_string::<i64>().value(row)),
        DataType::Utf8View => Value::from(column.as_string_view().value(row)),
        DataType::Binary => Value::Bytes(column.as_binary::<i32>().value(row).to_vec()),
        DataType::LargeBinary => Value::Bytes(column.as_binary::<i64>().value(row).to_vec()),
        DataType::BinaryView => Value::Bytes(column.as_binary_view().value(row).to_vec()),
        DataType::FixedSizeBinary(_) => {
            Value::Bytes(column.as_fixed_size_binary().value(row).to_vec())
        }
        DataType::Timestamp(unit, _) => moment(column, row, unit)?,
        DataType::Date32 => {
            Value::Time(i64::from(number::<Date32Type>(column, row)).saturating_mul(MICROS_PER_DAY))
        }
        DataType::Date64 => Value::Time(number::<Date64Type>(column, row).saturating_mul(1000)),
        DataType::Dictionary(..) => {
            let dictionary = column.as_any_dictionary();
            let keys = dictionary.keys().slice(row, 1);
            match value(&keys, 0)? {
                Value::Int(key) => value(dictionary.values(), key as usize)?,
                _ => Value::Null,
            }
        }
        DataType::Struct(fields) => {
            let columns = fields.iter().zip(column.as_struct().columns());
            let values = columns.map(|(field, inner)| {
                let value = value(inner, row)?;
                Ok((field.name().clone(), value))
            });
            Value::Object(values.collect::<Result<_, String>>()?)
        }
        other => return Err(format!("metadata cannot hold {other}")),
    })
}

fn number<T: ArrowPrimitiveType>(column: &ArrayRef, row: usize) -> T::Native {
    column.as_primitive::<T>().value(row)
}

/// A moment; a part of a microsecond would be lost, and is refused.
fn moment(column: &ArrayRef, row: usize, unit: &TimeUnit) -> Result<Value, String> {
    let micros = match unit {
        TimeUnit::Second => number::<TimestampSecondType>(column, row).checked_mul(1_000_000),
        TimeUnit::Millisecond => number::<TimestampMillisecondType>(column, row).checked_mul(1000),
        TimeUnit::Microsecond => Some(number::<TimestampMicrosecondType>(column, row)),
        TimeUnit::Nanosecond => {
            let nanos = number::<TimestampNanosecondType>(column, row);
            (nanos % 1000 == 0).then_some(nanos / 1000)
        }
    };
    let unfit = || "a time that is no whole microsecond, or too far away".to_owned();
    micros.map(Value::Time).ok_or_else(unfit)
}
