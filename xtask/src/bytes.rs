//! Where the bytes of an image's code go, crate by crate.

use std::collections::BTreeMap;

use object::{Object, ObjectSection, ObjectSymbol, SectionKind, SymbolKind};
use rustc_demangle::demangle;

/// Crates that are named; the rest is one line.
const NAMED: usize = 20;
/// Functions that are named.
const FUNCTIONS: usize = 12;
/// Characters of a function's name.
const NAME: usize = 100;

/// Prints the crates with the most code, and the largest functions. What was
/// inlined counts for the function that it is in.
pub(crate) fn print(file: &object::File<'_>) {
    let functions = functions(file);
    let mut crates = BTreeMap::<&str, u64>::new();
    for (name, size) in &functions {
        *crates.entry(home(name)).or_default() += size;
    }
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    println!("code, by crate:");
    for (name, size) in crates.iter().take(NAMED) {
        println!("{size:>8} {name}");
    }
    let rest: u64 = crates.iter().skip(NAMED).map(|(_, size)| size).sum();
    println!(
        "{rest:>8} (the other {})",
        crates.len().saturating_sub(NAMED)
    );
    println!("the largest functions:");
    for (name, size) in functions.iter().take(FUNCTIONS) {
        let name: String = name.chars().take(NAME).collect();
        println!("{size:>8} {name}");
    }
}

/// All functions and their sizes, the largest first.
fn functions(file: &object::File<'_>) -> Vec<(String, u64)> {
    let in_code = |symbol: &object::Symbol<'_, '_>| {
        let section = symbol.section_index();
        let section = section.and_then(|index| file.section_by_index(index).ok());
        section.is_some_and(|section| section.kind() == SectionKind::Text)
    };
    let mut functions: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0)
        .filter(in_code)
        // Folded into one, functions have several names at one place.
        .map(|symbol| (symbol.address(), symbol))
        .collect::<BTreeMap<_, _>>()
        .into_values()
        .filter_map(|symbol| {
            Some((
                format!("{:#}", demangle(symbol.name().ok()?)),
                symbol.size(),
            ))
        })
        .collect();
    functions.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    functions
}

/// The crate that a function is from: the first that its path names.
fn home(name: &str) -> &str {
    let path = name.trim_start_matches(['<', '&', '*', '(', '[']);
    let path = ["mut ", "const ", "dyn "]
        .iter()
        .fold(path, |path, word| path.trim_start_matches(word));
    if name.starts_with("OUTLINED_FUNCTION") {
        return "(what functions share)";
    }
    match path.split_once("::") {
        Some((first, _)) if first.chars().all(|c| c.is_alphanumeric() || c == '_') => first,
        // A primitive type's method, or a name without a path.
        _ => "(others)",
    }
}

#[cfg(test)]
mod tests {
    use super::home;

    #[test]
    fn a_function_is_at_home_in_the_first_crate_that_it_names() {
        for (name, crate_name) in [
            ("core::fmt::write", "core"),
            ("<wasmtime::engine::Engine>::new", "wasmtime"),
            ("<<a_b::C as serde::D>::e::V as serde::F>::g::<h::I>", "a_b"),
            (
                "<&mut alloc::vec::Vec<u8> as core::fmt::Write>::write_str",
                "alloc",
            ),
            ("<str as core::fmt::Debug>::fmt", "(others)"),
            ("memcpy", "(others)"),
            ("OUTLINED_FUNCTION_7", "(what functions share)"),
        ] {
            assert_eq!(home(name), crate_name, "{name}");
        }
    }
}
