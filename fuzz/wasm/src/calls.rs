//! What is called, with which arguments, and how arguments and results are
//! written: eight bytes each, little-endian, on the way in after a byte for
//! the function.

use arbitrary::Unstructured;
use wasmtime::{FuncType, GlobalType, TableType, ValType};

/// What a module exports.
#[derive(Debug, Default)]
pub struct Exports {
    /// Names and types, as of all of these.
    pub functions: Vec<(String, FuncType)>,
    /// Its globals.
    pub globals: Vec<(String, GlobalType)>,
    /// Its tables.
    pub tables: Vec<(String, TableType)>,
    /// Its name and the size of a page.
    pub memory: Option<(String, u64)>,
}

/// An argument; a reference is always null.
#[derive(Clone)]
pub struct Argument {
    /// Its type.
    pub ty: ValType,
    /// Its bits; those of a narrow one come first.
    pub bits: u64,
}

impl std::fmt::Debug for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:#x}", self.ty, self.bits)
    }
}

/// One call of an exported function.
#[derive(Clone, Debug)]
pub struct Call {
    /// The function's place in [`Exports::functions`].
    pub function: usize,
    /// What it is given.
    pub arguments: Vec<Argument>,
}

/// Calls in one instance.
#[derive(Clone, Debug)]
pub struct Run(pub(crate) Vec<Call>);

/// The most runs that a module gets: each is a new instance.
const MAX_RUNS: usize = 6;

/// The runs of a module: all functions one after the other; and, since a trap
/// hides what comes behind it, the first of them by themselves, twice each.
pub fn runs(exports: &Exports, source: &mut Unstructured<'_>) -> Vec<Run> {
    let count = exports.functions.len().min(200);
    let mut call = |function| Call {
        function,
        arguments: arguments(&exports.functions[function].1, source),
    };
    let all = Run((0..count).map(&mut call).collect());
    let singles = (0..count.min(MAX_RUNS - 1)).map(|function| Run(vec![call(function); 2]));
    let mut runs: Vec<_> = singles.collect();
    runs.insert(0, all);
    runs
}

/// What a capsule of [`wrap`](crate::wrap) takes as its input.
pub fn encode(run: &Run) -> Vec<u8> {
    let mut input = Vec::new();
    for call in &run.0 {
        input.push(call.function as u8);
        for argument in &call.arguments {
            write_number(&mut input, argument.bits);
        }
    }
    input
}

pub(crate) fn write_number(output: &mut Vec<u8>, number: u64) {
    output.extend_from_slice(&number.to_le_bytes());
}

/// Writes a float of either width; every NaN is the same.
pub(crate) fn write_float(output: &mut Vec<u8>, value: f64, bits: u64) {
    write_number(output, if value.is_nan() { u64::MAX } else { bits });
}

fn arguments(ty: &FuncType, source: &mut Unstructured<'_>) -> Vec<Argument> {
    ty.params()
        .map(|ty| Argument {
            bits: bits(&ty, source),
            ty,
        })
        .collect()
}

/// A number: often one at the edge of something. Without bytes left, zero.
fn bits(ty: &ValType, source: &mut Unstructured<'_>) -> u64 {
    let choice = source.int_in_range(0..=9).unwrap_or(0);
    let edge = match choice {
        0 => Some(0_i64),
        1 => Some(1),
        2 => Some(-1),
        3 => Some(i64::MIN),
        4 => Some(i64::MAX),
        5 => source.int_in_range(0..=70_000).ok(),
        _ => None,
    };
    let any = source.arbitrary::<u64>().unwrap_or_default();
    match ty {
        ValType::I32 => {
            let edge = edge.map(|edge| match edge {
                i64::MIN => i64::from(i32::MIN),
                i64::MAX => i64::from(i32::MAX),
                edge => edge,
            });
            u64::from(edge.map_or(any, i64::cast_unsigned) as u32)
        }
        ValType::I64 => edge.map_or(any, i64::cast_unsigned),
        ValType::F32 => {
            let value = edge.map_or(f32::from_bits(any as u32), |edge| edge as f32);
            u64::from(if value.is_nan() { f32::NAN } else { value }.to_bits())
        }
        ValType::F64 => {
            let value = edge.map_or(f64::from_bits(any), |edge| edge as f64);
            if value.is_nan() { f64::NAN } else { value }.to_bits()
        }
        _ => 0,
    }
}
