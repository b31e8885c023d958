//! Ephemeral capsules that export plain functions, as treVM's do.
//!
//! Their input is text: one call a line, a name and, where the function takes
//! one, a number. Their output is text, too: one line for each call that
//! returned something. Empty input calls the only function there is, if it
//! takes nothing.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use wasmtime::component::types::ComponentFunc;
use wasmtime::component::{Type, Val};

use super::MAX_OUTPUT;
use super::fault::Fault;
use super::imports::clean;
use super::load::{Held, Loaded};
use super::runtime::Instance;

/// The most calls that an input may ask for: each takes some RAM before any is made.
const MAX_CALLS: usize = 256;

/// What a function takes.
type Parameter = Option<Integer>;

/// The exported functions and what they take, if each can be called with a
/// line of text and returns what can be written as one.
pub(super) struct Functions(Vec<(String, Parameter)>);

/// A call: the name of the function, and its argument.
pub(super) type Call = (String, Option<Val>);

impl Functions {
    /// Those of a loaded artifact; `None` if it exports none.
    pub(super) fn of<P: Held>(loaded: &Loaded<P>) -> Result<Option<Self>, Fault> {
        let mut functions = Vec::new();
        let mut fault = None;
        loaded.functions(|name, ty| match parameter(ty) {
            Some(parameter) => functions.push((name.to_string(), parameter)),
            None => fault = Some(Fault::FunctionType(clean(name))),
        });
        match fault {
            Some(fault) => Err(fault),
            None => Ok((!functions.is_empty()).then_some(Self(functions))),
        }
    }

    /// The calls that an input asks for.
    pub(super) fn calls(&self, input: &[u8]) -> Result<Vec<Call>, Fault> {
        let text = core::str::from_utf8(input).map_err(|_| self.bad("the input is not text"))?;
        let mut calls = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            if calls.len() == MAX_CALLS {
                return Err(self.bad("more calls than the device makes at a time"));
            }
            calls.push(self.call(line)?);
        }
        if calls.is_empty() {
            let [(only, None)] = self.0.as_slice() else {
                return Err(self.bad("the input names no function"));
            };
            calls.push((only.clone(), None));
        }
        Ok(calls)
    }

    fn call(&self, line: &str) -> Result<Call, Fault> {
        let mut words = line.split_whitespace();
        let (name, argument) = (words.next().unwrap_or_default(), words.next());
        let function = self.0.iter().find(|(known, _)| known == name);
        let Some((name, parameter)) = function.filter(|_| words.next().is_none()) else {
            return Err(self.bad(&format!("`{line}` is no call")));
        };
        let argument = match (parameter, argument) {
            (None, None) => None,
            (Some(integer), Some(text)) => match integer.parse(text) {
                Some(value) => Some(value),
                None => return Err(self.bad(&format!("`{text}` is no {}", integer.name()))),
            },
            _ => return Err(self.bad(&format!("`{line}` is no call"))),
        };
        Ok((name.clone(), argument))
    }

    /// What is wrong with the input, and what would be right.
    fn bad(&self, what: &str) -> Fault {
        let mut text = format!("{what}; calls, one a line, are");
        for (i, (name, parameter)) in self.0.iter().enumerate() {
            text.push_str(if i == 0 { " " } else { ", " });
            text.push_str(name);
            if let Some(integer) = parameter {
                text.push(' ');
                text.push_str(integer.name());
            }
        }
        Fault::BadInput(clean(&text))
    }
}

/// Makes the calls, all on the fuel that there is.
pub(super) async fn run(instance: &mut Instance, calls: Vec<Call>) -> Result<Vec<u8>, Fault> {
    let mut lines = Lines::default();
    let result = call_all(instance, calls, &mut lines).await;
    // A fault of ours comes after what the capsule itself did.
    instance.end(result)??;
    Ok(lines.bytes)
}

async fn call_all(
    instance: &mut Instance,
    calls: Vec<Call>,
    lines: &mut Lines,
) -> wasmtime::Result<Result<(), Fault>> {
    let running = instance.running();
    for (name, argument) in calls {
        let Some((function, results)) = running.root_function(&name) else {
            return Ok(Err(Fault::FunctionType(name)));
        };
        // One result or none; whatever it is, it is replaced.
        let mut result = [Val::Bool(false)];
        let place = result.get_mut(..results).unwrap_or_default();
        let context = running.context();
        function
            .call_async(context, argument.as_slice(), place)
            .await?;
        let Some(line) = place.first().map(line) else {
            continue;
        };
        let written = match line {
            Some(line) => lines.push(&line),
            None => Err(Fault::FunctionType(name)),
        };
        if written.is_err() {
            return Ok(written);
        }
    }
    Ok(Ok(()))
}

/// The output: what each call returned, on a line of its own.
#[derive(Default)]
struct Lines {
    bytes: Vec<u8>,
    count: usize,
}

impl Lines {
    fn push(&mut self, line: &[u8]) -> Result<(), Fault> {
        let end: &[u8] = if self.count > 0 { b"\n" } else { b"" };
        let added = end.len().saturating_add(line.len());
        if self.bytes.len().saturating_add(added) > MAX_OUTPUT {
            return Err(Fault::OutputTooLong);
        }
        self.bytes.extend_from_slice(end);
        self.bytes.extend_from_slice(line);
        self.count = self.count.saturating_add(1);
        Ok(())
    }
}

/// A result as it is written.
fn line(result: &Val) -> Option<Vec<u8>> {
    match result {
        Val::String(text) => Some(text.as_bytes().to_vec()),
        Val::List(list) => list
            .iter()
            .map(|value| match value {
                Val::U8(byte) => Some(*byte),
                _ => None,
            })
            .collect(),
        number => text(number).map(String::into_bytes),
    }
}

macro_rules! integers {
    ($($name:ident $primitive:ident $wit:literal,)*) => {
        /// The integers of WIT.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        enum Integer {
            $($name,)*
        }

        impl Integer {
            fn of(ty: &Type) -> Option<Self> {
                match ty {
                    $(Type::$name => Some(Self::$name),)*
                    _ => None,
                }
            }

            fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $wit,)*
                }
            }

            fn parse(self, text: &str) -> Option<Val> {
                match self {
                    $(Self::$name => text.parse::<$primitive>().ok().map(Val::$name),)*
                }
            }
        }

        /// An integer as text.
        fn text(value: &Val) -> Option<String> {
            match value {
                $(Val::$name(number) => Some(number.to_string()),)*
                _ => None,
            }
        }
    };
}

integers! {
    U8 u8 "u8",
    U16 u16 "u16",
    U32 u32 "u32",
    U64 u64 "u64",
    S8 i8 "s8",
    S16 i16 "s16",
    S32 i32 "s32",
    S64 i64 "s64",
}

/// What a function takes, if it can be called with a line of text.
fn parameter(ty: &ComponentFunc) -> Option<Parameter> {
    let mut parameters = ty.params().map(|(_, ty)| ty);
    let parameter = match (parameters.next(), parameters.next()) {
        (None, _) => None,
        (Some(only), None) => Some(Integer::of(&only)?),
        _ => return None,
    };
    let mut results = ty.results();
    let fits = match (results.next(), results.next()) {
        (None, _) | (Some(Type::String), None) => true,
        (Some(Type::List(list)), None) => matches!(list.ty(), Type::U8),
        (Some(only), None) => Integer::of(&only).is_some(),
        _ => false,
    };
    fits.then_some(parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn functions() -> Functions {
        Functions(alloc::vec![
            ("fib".into(), Some(Integer::U32)),
            ("shift".into(), Some(Integer::S8)),
            ("run".into(), None),
        ])
    }

    #[test]
    fn a_call_is_a_name_and_at_most_a_number() {
        let calls = functions().calls(b"fib 30\n\n  run \r\nshift -128\nrun");
        let expected = [
            ("fib", Some(Val::U32(30))),
            ("run", None),
            ("shift", Some(Val::S8(-128))),
            ("run", None),
        ];
        let expected = expected.map(|(name, argument)| (name.to_string(), argument));
        assert_eq!(calls.unwrap(), expected);
    }

    #[test]
    fn what_is_no_call_is_refused_before_anything_runs() {
        for input in [
            "fib",
            "fib x",
            "fib -1",
            "fib 4294967296",
            "fib 1.5",
            "fib 1 2",
            "shift 128",
            "run 1",
            "Fib 1",
            "walk",
            "run\nwalk",
            "",
            " \n",
        ] {
            let fault = functions().calls(input.as_bytes()).unwrap_err();
            let Fault::BadInput(text) = fault else {
                panic!("{input}: {fault}");
            };
            assert!(text.ends_with("are fib u32, shift s8, run"), "{text}");
        }
        assert!(functions().calls(b"\xff").is_err());
        assert!(functions().calls(&b"run\n".repeat(MAX_CALLS)).is_ok());
        assert!(functions().calls(&b"run\n".repeat(MAX_CALLS + 1)).is_err());
    }

    #[test]
    fn empty_input_calls_the_only_function_if_it_takes_nothing() {
        let only = |parameter| Functions(alloc::vec![("run".into(), parameter)]).calls(b"\n");
        assert_eq!(only(None).unwrap(), [("run".into(), None)]);
        assert!(only(Some(Integer::U32)).is_err());
    }

    #[test]
    fn the_output_has_a_line_for_each_result_and_a_longest_length() {
        let mut lines = Lines::default();
        for result in [Val::String("".into()), Val::U8(7), Val::S64(-7)] {
            lines.push(&line(&result).unwrap()).unwrap();
        }
        assert_eq!(lines.bytes, b"\n7\n-7");
        let long = "x".repeat(MAX_OUTPUT - 5);
        assert_eq!(lines.push(long.as_bytes()), Err(Fault::OutputTooLong));
        assert_eq!(lines.push(&long.as_bytes()[1..]), Ok(()));
        assert_eq!(lines.bytes.len(), MAX_OUTPUT);
        assert_eq!(lines.push(b""), Err(Fault::OutputTooLong));
        assert_eq!(line(&Val::Bool(true)), None);
    }
}
