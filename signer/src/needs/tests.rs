use super::*;

fn needs(text: &str) -> Needs {
    of(&wat::parse_str(text).expect("valid text")).expect("known")
}

#[test]
fn what_is_instantiated_counts_each_time() {
    let found = needs(
        "(component
                (core module $m (memory 3 (pagesize 1)) (table 5 funcref) (table 7 funcref))
                (core module $unused (memory 1))
                (core instance (instantiate $m))
                (core instance (instantiate $m)))",
    );
    let expected = Needs {
        components: 0,
        instances: 2,
        memories: 2,
        memory: 6,
        tables: 4,
        elements: 24,
        largest_table: 7,
    };
    assert_eq!(found, expected);
}

#[test]
fn components_in_components_count_with_what_is_in_them() {
    let found = needs(
        "(component $outer
                (core module $m (memory 1))
                (component $inner
                    (alias outer $outer $m (core module $n))
                    (core module $own (table 9 funcref))
                    (core instance (instantiate $n))
                    (core instance (instantiate $own)))
                (instance (instantiate $inner))
                (instance (instantiate $inner))
                (component $again
                    (alias outer $outer $inner (component $twice))
                    (instance (instantiate $twice)))
                (instance (instantiate $again)))",
    );
    let expected = Needs {
        components: 4,
        instances: 6,
        memories: 3,
        memory: 3 << 16,
        tables: 3,
        elements: 27,
        largest_table: 9,
    };
    assert_eq!(found, expected);
}

#[test]
fn modules_between_components_count() {
    let found = |text| {
        let found = needs(text);
        (found.components, found.instances)
    };
    // What the host offers is called without a module in between.
    let of_the_host = r#"(component
            (import "host" (func $host))
            (core module $user (import "a" "b" (func)))
            (core func $f (canon lower (func $host)))
            (core instance $bag (export "b" (func $f)))
            (core instance (instantiate $user (with "a" (instance $bag)))))"#;
    assert_eq!(found(of_the_host), (0, 1));
    let of_itself = r#"(component
            (core module $maker (func (export "b")))
            (core instance $maker (instantiate $maker))
            (func $own (canon lift (core func $maker "b")))
            (core func $f (canon lower (func $own)))
            (core module $user (import "a" "b" (func)))
            (core instance $bag (export "b" (func $f)))
            (core instance (instantiate $user (with "a" (instance $bag)))))"#;
    assert_eq!(found(of_itself), (0, 3));
    // Two that follow each other are in one module; after a core module that
    // calls them, a new one begins.
    let of_others = r#"(component
            (component $maker
                (core module $m (func (export "b")))
                (core instance $i (instantiate $m))
                (func (export "f") (canon lift (core func $i "b"))))
            (component $user
                (import "x" (func $x))
                (core module $user (import "a" "b" (func)))
                (core func $f1 (canon lower (func $x)))
                (core instance $bag (export "b" (func $f1)))
                (core instance (instantiate $user (with "a" (instance $bag))))
                (core func $f2 (canon lower (func $x)))
                (core func $f3 (canon lower (func $x)))
                (core instance $bag2 (export "b" (func $f3)))
                (core instance (instantiate $user (with "a" (instance $bag2)))))
            (instance $maker (instantiate $maker))
            (instance (instantiate $user (with "x" (func $maker "f"))))
            (alias export $maker "f" (func $f))
            (core func (canon lower (func $f))))"#;
    assert_eq!(found(of_others), (2, 1 + 2 + 2 + 1));
}

#[test]
fn what_comes_from_elsewhere_cannot_be_known() {
    let imported = wat::parse_str(
        r#"(component (import "m" (core module $m)) (core instance (instantiate $m)))"#,
    );
    let error = of(&imported.expect("valid text")).expect_err("unknown");
    assert!(matches!(error, Error::NotACapsule(_)), "{error}");
}

#[test]
fn each_limit_is_one_of_its_own() {
    let most = Needs {
        components: 64,
        instances: 8,
        memories: 2,
        memory: u64::MAX,
        tables: 4,
        elements: 4 * 4096,
        largest_table: 4096,
    };
    most.check().expect("as much as there is");
    for (more, said) in [
        (
            Needs {
                components: 65,
                ..most
            },
            "65 instances of components",
        ),
        (
            Needs {
                instances: 9,
                ..most
            },
            "9 core instances",
        ),
        (
            Needs {
                memories: 3,
                ..most
            },
            "3 memories",
        ),
        (Needs { tables: 5, ..most }, "5 tables"),
        (
            Needs {
                largest_table: 4097,
                ..most
            },
            "4097 elements",
        ),
    ] {
        let error = more.check().expect_err("too many").to_string();
        assert!(error.contains(said), "{error}");
    }
}
