//! Modules from bytes.
//!
//! A library for fuzzers, and a program for tests: [`module`] makes a module of
//! any bytes, [`bytes`] makes bytes of a seed.

use std::sync::LazyLock;

use arbitrary::{Result, Unstructured};
use wasm_encoder::reencode::{Error as ReencodeError, Reencode};
use wasm_encoder::{
    AbstractHeapType, EntityType, GlobalType, ImportSection, Module as Encoder, TypeSection,
    ValType,
};
use wasm_smith::{Config, Module};

/// What a module may import. Who runs it, gives it something of these types.
static AVAILABLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    use ValType::{F64, I32, I64};

    let functions: [(&str, &[ValType], &[ValType]); 4] = [
        ("note", &[I32], &[]),
        ("notes", &[], &[I32]),
        ("mix", &[I32, I64], &[I64]),
        ("pair", &[F64], &[F64, I32]),
    ];
    let mut types = TypeSection::new();
    let mut imports = ImportSection::new();
    for ((name, params, results), index) in functions.into_iter().zip(0..) {
        let types = types.ty();
        types.function(params.iter().copied(), results.iter().copied());
        imports.import("support", name, EntityType::Function(index));
    }
    let seven = GlobalType {
        val_type: I32,
        mutable: false,
        shared: false,
    };
    imports.import("support", "seven", seven);
    let mut module = Encoder::new();
    module.section(&types).section(&imports);
    module.finish()
});

/// A module: mostly one that the engine profile allows, and sometimes one that
/// may use something else.
///
/// # Errors
///
/// That there are too few bytes.
pub fn module(source: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut config = within_the_profile(source)?;
    if source.ratio(1, 12)? {
        beyond_the_profile(&mut config, source)?;
        return Ok(Module::new(config, source)?.to_bytes());
    }
    let wasm = Module::new(config, source)?.to_bytes();
    Ok(without_externref(&wasm))
}

/// Every choice that decides what a module looks like, within the features
/// that devices have.
fn within_the_profile(source: &mut Unstructured<'_>) -> Result<Config> {
    Ok(Config {
        // None at all would stand for any.
        available_imports: Some(match source.ratio(1, 3)? {
            true => AVAILABLE.clone(),
            false => Encoder::new().finish(),
        }),
        max_imports: 4,
        min_types: 3,
        min_funcs: 2,
        max_funcs: source.int_in_range(2..=8)?,
        max_types: 12,
        max_type_size: 40,
        max_instructions: source.int_in_range(5..=150)?,
        max_globals: 6,
        min_memories: u32::from(source.ratio(3, 4)?),
        max_memories: 1,
        // Never less than a page of the usual size.
        max_memory32_bytes: source.int_in_range(65_536..=131_072)?,
        memory_max_size_required: source.arbitrary()?,
        custom_page_sizes_enabled: source.arbitrary()?,
        max_tables: source.int_in_range(0..=3)?,
        max_table_elements: 1000,
        max_data_segments: 4,
        max_element_segments: 4,
        max_elements: 12,
        max_exports: 0,
        export_everything: true,
        canonicalize_nans: true,
        disallow_traps: source.ratio(2, 3)?,
        allow_start_export: source.ratio(1, 4)?,
        reference_types_enabled: source.arbitrary()?,
        bulk_memory_enabled: source.arbitrary()?,
        multi_value_enabled: source.arbitrary()?,
        sign_extension_ops_enabled: source.arbitrary()?,
        saturating_float_to_int_enabled: source.arbitrary()?,
        extended_const_enabled: source.arbitrary()?,
        allow_floats: source.arbitrary()?,
        generate_custom_sections: source.ratio(1, 8)?,
        simd_enabled: false,
        relaxed_simd_enabled: false,
        tail_call_enabled: false,
        exceptions_enabled: false,
        gc_enabled: false,
        threads_enabled: false,
        memory64_enabled: false,
        wide_arithmetic_enabled: false,
        shared_everything_threads_enabled: false,
        custom_descriptors_enabled: false,
        ..Config::default()
    })
}

fn beyond_the_profile(config: &mut Config, source: &mut Unstructured<'_>) -> Result<()> {
    // References to the host's objects, which these modules keep.
    config.reference_types_enabled = true;
    match source.int_in_range(0..=8)? {
        0 => {
            config.simd_enabled = true;
            config.relaxed_simd_enabled = true;
        }
        1 => config.tail_call_enabled = true,
        2 => config.exceptions_enabled = true,
        3 => config.gc_enabled = true,
        4 => config.threads_enabled = true,
        5 => config.memory64_enabled = true,
        6 => config.wide_arithmetic_enabled = true,
        7 => config.max_memories = 3,
        _ => config.allow_invalid_funcs = true,
    }
    Ok(())
}

/// The same module with `funcref` in place of `externref`, which devices do
/// not have and wasm-smith makes wherever it makes the other.
fn without_externref(wasm: &[u8]) -> Vec<u8> {
    struct Functions;

    impl Reencode for Functions {
        type Error = std::convert::Infallible;

        fn abstract_heap_type(
            &mut self,
            ty: wasmparser::AbstractHeapType,
        ) -> std::result::Result<AbstractHeapType, ReencodeError> {
            Ok(match ty {
                wasmparser::AbstractHeapType::Extern => AbstractHeapType::Func,
                ty => ty.into(),
            })
        }
    }

    let mut module = Encoder::new();
    Functions
        .parse_core_module(&mut module, wasmparser::Parser::new(0), wasm)
        .expect("wasm-smith's own module");
    module.finish()
}

/// The bytes of a seed (SplitMix64).
#[must_use]
pub fn bytes(seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let words = 128 + next() % 896;
    (0..words).flat_map(|_| next().to_le_bytes()).collect()
}
