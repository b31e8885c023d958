//! Capsules that export functions, as treVM's ephemeral capsules do.

use alloc::string::String;

/// What a function of an ephemeral capsule takes and returns: an integer, or
/// nothing; it may return text, too.
pub trait Value {
    /// Its number in the component model, where it is a type.
    const TYPE: Option<u8>;
    /// What it is in core Wasm.
    type Core;
    /// To core Wasm.
    fn lower(self) -> Self::Core;
}

macro_rules! integers {
    ($($ty:ident = $number:literal),*) => {$(
        impl Value for $ty {
            const TYPE: Option<u8> = Some($number);
            type Core = Self;

            fn lower(self) -> Self {
                self
            }
        }
    )*};
}

integers!(
    i8 = 0x7e,
    u8 = 0x7d,
    i16 = 0x7c,
    u16 = 0x7b,
    i32 = 0x7a,
    u32 = 0x79,
    i64 = 0x78,
    u64 = 0x77
);

impl Value for () {
    const TYPE: Option<u8> = None;
    type Core = ();

    fn lower(self) {}
}

impl Value for String {
    const TYPE: Option<u8> = Some(0x73);
    #[cfg(target_arch = "wasm32")]
    type Core = *const u8;
    #[cfg(not(target_arch = "wasm32"))]
    type Core = Self;

    #[cfg(target_arch = "wasm32")]
    fn lower(self) -> *const u8 {
        // The device reads it, and then ends the instance.
        let text = self.leak();
        crate::abi::result([text.as_ptr().addr(), text.len(), 0, 0])
    }

    #[cfg(not(target_arch = "wasm32"))]
    fn lower(self) -> Self {
        self
    }
}

/// Makes functions the exports of this component, which a device runs once and
/// then forgets, and defines the panic handler and the allocator, as
/// [`persistent!`](crate::persistent) does.
///
/// ```
/// fn fibonacci(n: u32) -> u32 {
///     (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0
/// }
///
/// sealift_guest::functions!("fibonacci" = fibonacci(n: u32) -> u32);
/// # assert_eq!(fibonacci(10), 55);
/// ```
///
/// A function takes nothing or one integer, and returns nothing, an integer
/// or a `String`. Whoever runs the capsule says which function, with what.
///
/// `heap = none` leaves away what a function needs to get lists or text from
/// the device: random bytes, readings, datagrams. `heap = once` takes the
/// smallest allocator that gives it those, which takes no memory back.
#[macro_export]
macro_rules! functions {
    (
        $($name:literal = $function:ident($($arg:ident: $ty:ty)?) $(-> $result:ty)?),+
        $(; panic = $panic:ident)? $(; heap = $heap:ident)?
    ) => {
        $crate::__component!("services", $($heap)?);
        $crate::__panic_handler!($($panic)?);
        $($crate::__function!($name, $function, ($($arg: $ty)?), ($($result)?));)+
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __function {
    ($name:literal, $function:ident, ($($arg:ident: $ty:ty)?), ($($result:ty)?)) => {
        // Elsewhere, tests alone use it.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn($($ty)?) $(-> $result)? = $function;

        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code, reason = "an export of the canonical ABI, and a section")]
        const _: () = {
            use $crate::__private::{Value, encode, length};

            const PARAMETER: Option<(&str, u8)> = $crate::__parameter!($($arg: $ty)?);
            const RESULT: Option<u8> = <($($result)?) as Value>::TYPE;
            const LENGTH: usize = length($name, PARAMETER);

            #[unsafe(link_section = concat!("component-type:sealift-guest:function:", $name))]
            static WORLD: [u8; LENGTH] = encode($name, PARAMETER, RESULT);

            #[unsafe(export_name = $name)]
            extern "C" fn export($($arg: $ty)?) -> <($($result)?) as Value>::Core {
                Value::lower($function($($arg)?))
            }
        };
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __parameter {
    () => {
        None
    };
    ($arg:ident: $ty:ty) => {
        match <$ty as Value>::TYPE {
            Some(number) => Some((stringify!($arg), number)),
            None => panic!("a function takes an integer or nothing"),
        }
    };
}

/// What comes before the types in a description of a world: magic number,
/// version, and the section that says that strings are UTF-8.
const START: &[u8] = b"\0asm\x0d\0\x01\0\0\x19\x16wit-component-encoding\x04\0";

/// The package of the worlds that [`encode`] describes.
const PACKAGE: &[u8] = b"sealift:function/";

/// How long the section of types is, its head aside.
const fn types_length(name: &str, parameter: Option<(&str, u8)>) -> usize {
    let parameter = match parameter {
        Some((name, _)) => 3 + name.len(),
        None => 1,
    };
    let function = 2 + parameter + 2;
    let export = 5 + name.len();
    let world = 5 + PACKAGE.len() + name.len();
    6 + function + export + world
}

/// How long what [`encode`] makes is.
#[must_use]
pub const fn length(name: &str, parameter: Option<(&str, u8)>) -> usize {
    START.len() + 2 + types_length(name, parameter) + 8 + name.len()
}

/// Describes a world that exports one function, as a component that has the
/// world as a type; what `wit-component` makes of such a WIT.
///
/// # Panics
///
/// While compiling, where the names are too long.
#[must_use]
pub const fn encode<const N: usize>(
    name: &str,
    parameter: Option<(&str, u8)>,
    result: Option<u8>,
) -> [u8; N] {
    // All lengths take one byte then.
    let types = types_length(name, parameter);
    assert!(types < 128, "the names of a function are too long");
    let mut out = Writer {
        bytes: [0; N],
        len: 0,
    };
    out.write(START);
    // One type, a component of two parts: the world, and its name.
    out.write(&[7, types as u8, 1, 0x41, 2]);
    // The world: the function's type, and its export.
    out.write(&[1, 0x41, 2, 1, 0x40]);
    match parameter {
        Some((name, number)) => {
            out.write(&[1, name.len() as u8]);
            out.write(name.as_bytes());
            out.write(&[number]);
        }
        None => out.write(&[0]),
    }
    match result {
        Some(number) => out.write(&[0, number]),
        None => out.write(&[1, 0]),
    }
    out.write(&[4, 0, name.len() as u8]);
    out.write(name.as_bytes());
    out.write(&[1, 0]);
    out.write(&[4, 0, (PACKAGE.len() + name.len()) as u8]);
    out.write(PACKAGE);
    out.write(name.as_bytes());
    out.write(&[4, 0]);
    // The type's export, by the world's name.
    out.write(&[11, 6 + name.len() as u8, 1, 0, name.len() as u8]);
    out.write(name.as_bytes());
    out.write(&[3, 0, 0]);
    assert!(out.len == N);
    out.bytes
}

struct Writer<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Writer<N> {
    #[expect(
        clippy::indexing_slicing,
        reason = "it runs in the compiler, which says what is wrong"
    )]
    const fn write(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() {
            self.bytes[self.len] = bytes[at];
            self.len += 1;
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use alloc::format;

    use wit_component::{DecodedWasm, StringEncoding};
    use wit_parser::Resolve;

    /// The description of one function, beside the one that wit-component makes.
    fn both<const N: usize>(
        name: &str,
        parameter: Option<(&str, u8)>,
        result: Option<u8>,
        wit: &str,
    ) {
        let ours: [u8; N] = encode(name, parameter, result);
        let mut resolve = Resolve::default();
        let wit = format!("package sealift:function; world {name} {{ export {name}: {wit}; }}");
        let package = resolve.push_str("test.wit", &wit).unwrap();
        let world = resolve.select_world(&[package], None).unwrap();
        let theirs =
            wit_component::metadata::encode(&resolve, world, StringEncoding::UTF8, None).unwrap();
        // Behind it, they name the program that made it.
        assert_eq!(theirs.get(..N), Some(&ours[..]), "{wit}");
        assert!(matches!(
            wit_component::decode(&ours),
            Ok(DecodedWasm::WitPackage(..))
        ));
    }

    #[test]
    fn descriptions_are_those_of_wit_component() {
        const N: usize = length("fibonacci", Some(("n", 0x79)));
        both::<N>(
            "fibonacci",
            Some(("n", 0x79)),
            u32::TYPE,
            "func(n: u32) -> u32",
        );
        const RUN: usize = length("run", None);
        both::<RUN>("run", None, String::TYPE, "func() -> string");
        both::<RUN>("run", None, <()>::TYPE, "func()");
        const BIND: usize = length("bind-socket", Some(("port", 0x7b)));
        both::<BIND>("bind-socket", Some(("port", 0x7b)), None, "func(port: u16)");
        const ALL: [(u8, &str); 7] = [
            (0x7e, "s8"),
            (0x7d, "u8"),
            (0x7c, "s16"),
            (0x7a, "s32"),
            (0x78, "s64"),
            (0x77, "u64"),
            (0x73, "string"),
        ];
        for (number, name) in ALL {
            both::<RUN>("run", None, Some(number), &format!("func() -> {name}"));
        }
    }
}
