//! A writer of GGUF, the file format of llama.cpp; only what the repacked embedding model needs.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, version 3, little-endian. The same
//! entries in the same order give the same bytes, so that the result can be pinned by its hash.

use std::io::{self, Write};

const MAGIC: &[u8; 4] = b"GGUF";
const VERSION: u32 = 3;
/// The format's default; tensors begin at multiples of it.
const ALIGNMENT: usize = 32;

/// A metadata value.
pub(super) enum Value {
    U32(u32),
    F32(f32),
    Bool(bool),
    Text(String),
    Texts(Vec<String>),
    I32s(Vec<i32>),
}

/// How a tensor's numbers are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Precision {
    F32,
    F16,
}

pub(super) struct Tensor {
    pub name: String,
    /// The fastest-changing dimension first, which is the reverse of safetensors' order.
    pub dimensions: Vec<u64>,
    pub precision: Precision,
    /// Little-endian numbers of that precision.
    pub data: Vec<u8>,
}

/// Writes a whole file.
pub(super) fn write(out: &mut impl Write, metadata: &[(&str, Value)], tensors: &[Tensor]) -> io::Result<()> {
    let mut head = Vec::new();
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    put_length(&mut head, tensors.len());
    put_length(&mut head, metadata.len());
    for (key, value) in metadata {
        put_text(&mut head, key);
        put_value(&mut head, value);
    }
    let mut offset = 0;
    for tensor in tensors {
        put_text(&mut head, &tensor.name);
        head.extend_from_slice(&(tensor.dimensions.len() as u32).to_le_bytes());
        for dimension in &tensor.dimensions {
            head.extend_from_slice(&dimension.to_le_bytes());
        }
        let kind: u32 = match tensor.precision {
            Precision::F32 => 0,
            Precision::F16 => 1,
        };
        head.extend_from_slice(&kind.to_le_bytes());
        put_length(&mut head, offset);
        offset += tensor.data.len().next_multiple_of(ALIGNMENT);
    }
    put_padded(out, &head)?;
    tensors.iter().try_for_each(|tensor| put_padded(out, &tensor.data))
}

fn put_value(out: &mut Vec<u8>, value: &Value) {
    const U32: u32 = 4;
    const I32: u32 = 5;
    const F32: u32 = 6;
    const BOOL: u32 = 7;
    const TEXT: u32 = 8;
    const ARRAY: u32 = 9;
    let kind = |out: &mut Vec<u8>, kind: u32| out.extend_from_slice(&kind.to_le_bytes());
    match value {
        Value::U32(value) => {
            kind(out, U32);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::F32(value) => {
            kind(out, F32);
            out.extend_from_slice(&value.to_le_bytes());
        }
        Value::Bool(value) => {
            kind(out, BOOL);
            out.push(u8::from(*value));
        }
        Value::Text(value) => {
            kind(out, TEXT);
            put_text(out, value);
        }
        Value::Texts(values) => {
            kind(out, ARRAY);
            kind(out, TEXT);
            put_length(out, values.len());
            values.iter().for_each(|value| put_text(out, value));
        }
        Value::I32s(values) => {
            kind(out, ARRAY);
            kind(out, I32);
            put_length(out, values.len());
            values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_length(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(&(length as u64).to_le_bytes());
}

fn put_padded(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    let padding = bytes.len().next_multiple_of(ALIGNMENT) - bytes.len();
    out.write_all([0; ALIGNMENT].get(..padding).unwrap_or_default())
}

/// The nearest half-precision number, ties to even (IEEE 754).
pub(super) fn f16_bits(number: f32) -> u16 {
    let bits = number.to_bits();
    let sign = ((bits >> 16) & 0x8000) as u16;
    let exponent = ((bits >> 23) & 0xff) as i32 - 127 + 15;
    let mantissa = bits & 0x7f_ffff;
    let (kept, dropped_bits) = if exponent >= 31 {
        let is_nan = number.is_nan();
        return sign | if is_nan { 0x7e00 } else { 0x7c00 };
    } else if exponent > 0 {
        (((exponent as u32) << 23 | mantissa) >> 13, 13)
    } else if exponent >= -10 {
        // Too small for a normal half: the hidden bit becomes visible and moves right.
        let shift = (14 - exponent) as u32;
        ((mantissa | 0x80_0000) >> shift, shift)
    } else {
        return sign;
    };
    let source = if exponent > 0 { mantissa } else { mantissa | 0x80_0000 };
    let dropped = source & ((1 << dropped_bits) - 1);
    let half_way = 1 << (dropped_bits - 1);
    let up = dropped > half_way || (dropped == half_way && kept & 1 == 1);
    // A carry out of the mantissa raises the exponent, up to infinity, which is what rounding means.
    sign | (kept + u32::from(up)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_to_nearest_even() {
        for (number, bits) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (0.1, 0x2e66),
            (65504.0, 0x7bff),
            (65520.0, 0x7c00),
            (1e9, 0x7c00),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 0x0001),
            (2.980_232_2e-8, 0x0000),
            (1e-10, 0x0000),
            (1.000_488_3, 0x3c00),
            (1.001_464_8, 0x3c02),
        ] {
            assert_eq!(f16_bits(number), bits, "{number}");
        }
        assert_eq!(f16_bits(f32::NAN) & 0x7c00, 0x7c00);
        assert_ne!(f16_bits(f32::NAN) & 0x03ff, 0);
    }

    #[test]
    fn a_file_has_head_metadata_and_aligned_tensors() {
        let tensors = ["a", "b"].map(|name| Tensor {
            name: name.to_owned(),
            dimensions: vec![3],
            precision: Precision::F32,
            data: [1.0_f32, 2.0, 3.0].iter().flat_map(|number| number.to_le_bytes()).collect(),
        });
        let mut file = Vec::new();
        write(&mut file, &[("general.architecture", Value::Text("bert".to_owned()))], &tensors).unwrap();
        assert_eq!(&file[..8], b"GGUF\x03\0\0\0");
        assert_eq!(file.len() % 32, 0);
        assert_eq!(file[file.len() - 64..][..4], 1.0_f32.to_le_bytes());
        assert_eq!(file[file.len() - 32..][..4], 1.0_f32.to_le_bytes());
    }
}
