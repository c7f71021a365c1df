//! What the components of stored vectors are: float32, or narrower.
//!
//! Vectors come in and go out as float32. What is stored is the nearest value that the type has, or nothing: a component that it
//! has no value for is an error, never something else in silence. Searches compare with what is stored, widened to float32 again,
//! which is exact. Rows that are in the log only are float32 there, holding values of the type.

use std::fmt;
use std::str::FromStr;

use half::f16;
use half::slice::HalfFloatSliceExt;

use crate::Error;

/// Half precision numbers that are converted at once, on the stack.
const HALVES: usize = 128;

/// The type of a collection's stored components. Fixed at creation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Dtype {
    /// 4 bytes, exactly what came in.
    #[default]
    F32,
    /// 2 bytes, IEEE 754 half precision: three digits, magnitudes up to 65,504. A component is rounded to the nearest; one that
    /// would become infinite is refused.
    F16,
    /// 1 byte, for vectors that were quantized before: integers from -128 to 127, as they are. Nothing is scaled, so a component
    /// that is no such integer is refused. Scale floats before, or store [`Dtype::F16`].
    Int8,
}

impl Dtype {
    /// All of them, widest first.
    pub const ALL: [Dtype; 3] = [Dtype::F32, Dtype::F16, Dtype::Int8];

    /// Its name in files and on command lines: `f32`, `f16` or `int8`.
    pub fn name(self) -> &'static str {
        match self {
            Dtype::F32 => "f32",
            Dtype::F16 => "f16",
            Dtype::Int8 => "int8",
        }
    }

    /// Of one component.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F32 => 4,
            Dtype::F16 => 2,
            Dtype::Int8 => 1,
        }
    }

    /// Puts in the place of each component the value that is stored for it. What is not finite stays: it is refused elsewhere.
    ///
    /// Errors: the place of the first that there is no value for. Some before it may be rounded then.
    pub(crate) fn round(self, components: &mut [f32]) -> Result<(), usize> {
        match self {
            Dtype::F32 => Ok(()),
            Dtype::F16 => {
                let becomes_infinite =
                    |(half, x): (&f16, &f32)| half.is_infinite() && x.is_finite();
                for (number, some) in components.chunks_mut(HALVES).enumerate() {
                    let mut halves = [f16::ZERO; HALVES];
                    let (halves, _) = halves.split_at_mut(some.len());
                    halves.convert_from_f32_slice(some);
                    if let Some(at) = halves.iter().zip(&*some).position(becomes_infinite) {
                        return Err(number * HALVES + at);
                    }
                    halves.convert_to_f32_slice(some);
                }
                Ok(())
            }
            Dtype::Int8 => {
                for (at, x) in components
                    .iter_mut()
                    .enumerate()
                    .filter(|(_, x)| x.is_finite())
                {
                    let stored = f32::from(*x as i8);
                    if stored != *x {
                        return Err(at);
                    }
                    *x = stored;
                }
                Ok(())
            }
        }
    }

    /// What a component must be, for messages.
    pub(crate) fn limit(self) -> &'static str {
        match self {
            Dtype::F32 => "any finite number",
            Dtype::F16 => "magnitudes up to 65504",
            Dtype::Int8 => "integers from -128 to 127, as they are",
        }
    }

    /// Components that were rounded, as they are stored: where they lie, or in `out`.
    pub(crate) fn stored<'a>(self, components: &'a [f32], out: &'a mut Vec<u8>) -> &'a [u8] {
        out.clear();
        match self {
            Dtype::F32 => return bytemuck::cast_slice(components),
            Dtype::F16 => {
                for some in components.chunks(HALVES) {
                    let mut halves = [f16::ZERO; HALVES];
                    let (halves, _) = halves.split_at_mut(some.len());
                    halves.convert_from_f32_slice(some);
                    out.extend_from_slice(bytemuck::cast_slice(halves));
                }
            }
            Dtype::Int8 => out.extend(components.iter().map(|&x| x as i8 as u8)),
        }
        out
    }

    /// Stored components as numbers: `stored` has as many as `out`.
    pub(crate) fn widen(self, stored: &[u8], out: &mut [f32]) {
        match self {
            Dtype::F32 => {
                let (stored, _) = stored.as_chunks();
                let numbers = stored.iter().map(|&bytes| f32::from_le_bytes(bytes));
                out.iter_mut().zip(numbers).for_each(|(out, x)| *out = x);
            }
            Dtype::F16 => {
                for (some, out) in stored.chunks(2 * HALVES).zip(out.chunks_mut(HALVES)) {
                    // Wherever the bytes lie.
                    let mut halves = [f16::ZERO; HALVES];
                    let (halves, _) = halves.split_at_mut(out.len());
                    bytemuck::cast_slice_mut(halves).copy_from_slice(some);
                    halves.convert_to_f32_slice(out);
                }
            }
            Dtype::Int8 => {
                let numbers = stored.iter().map(|&byte| f32::from(byte as i8));
                out.iter_mut().zip(numbers).for_each(|(out, x)| *out = x);
            }
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Dtype::ALL.into_iter().find(|dtype| dtype.name() == name);
        found.ok_or_else(|| Error::Parameter {
            name: "dtype",
            value: name.to_owned(),
            limit: "f32, f16 or int8".to_owned(),
        })
    }
}
