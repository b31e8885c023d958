use super::*;

fn slimmed(text: &str) -> String {
    let wasm = wat::parse_str(text).expect("valid text");
    let bare = wasm::without_custom_sections(&wasm).expect("valid");
    let out = slim(&bare).expect("valid");
    wasmparser::Validator::new_with_features(sealift_engine::FEATURES)
        .validate_all(&out)
        .expect("still valid");
    assert_eq!(slim(&out).expect("valid").len(), out.len());
    String::from_utf8_lossy(&out).into_owned()
}

#[test]
fn names_inside_go_and_those_outside_stay() {
    let out = slimmed(
        r#"(component
              (import "outer-import" (func $f))
              (core module $a
                (import "module-name" "field-name" (func))
                (export "exported-name" (func 0)))
              (core func $lowered (canon lower (func $f)))
              (core instance $bag (export "field-name" (func $lowered)))
              (core instance $i (instantiate $a (with "module-name" (instance $bag))))
              (core module $b (import "exported-name" "exported-name" (func)))
              (core instance (instantiate $b (with "exported-name" (instance $i))))
              (component (core module (export "exported-name" (memory 0)) (memory 1)))
              (func (export "outer-export") (canon lift (core func $i "exported-name"))))"#,
    );
    for gone in ["module-name", "field-name", "exported-name"] {
        assert!(!out.contains(gone), "{gone}");
    }
    for stays in ["outer-import", "outer-export"] {
        assert!(out.contains(stays), "{stays}");
    }
}

#[test]
fn names_in_types_become_their_places() {
    let out = slimmed(
        r#"(component
              (import "outer-import" (instance $i
                (type $e (enum "first-case" "second-case"))
                (export "enum-name" (type $enum (eq $e)))
                (type $v (variant (case "third-case" $enum)))
                (export "variant-name" (type $variant (eq $v)))
                (type $r (record (field "first-field" $variant) (field "second-field" u8)))
                (export "record-name" (type $record (eq $r)))
                (export "resource-name" (type (sub resource)))
                (export "function-name" (func (param "parameter-name" $record)))))
              (alias export $i "record-name" (type $record))
              (alias export $i "resource-name" (type $resource))
              (alias export $i "function-name" (func $f))
              (type $own (own $resource))
              (type (func (param "own-parameter" $own) (result $record)))
              (export "outer-export" (func $f)))"#,
    );
    for gone in [
        "-case",
        "-field",
        "enum-",
        "variant-",
        "record-",
        "-parameter",
        "parameter-",
    ] {
        assert!(!out.contains(gone), "{gone}");
    }
    for stays in [
        "outer-import",
        "resource-name",
        "function-name",
        "outer-export",
    ] {
        assert!(out.contains(stays), "{stays}");
    }
}

#[test]
fn types_that_components_take_from_each_other_keep_their_names() {
    let maker = r#"(component $maker
        (type $e (enum "a" "b"))
        (export "type-name" (type $e)))"#;
    let user = r#"(component $user
        (import "maker" (instance $maker
            (type $e (enum "a" "b"))
            (export "type-name" (type (eq $e)))))
        (alias export $maker "type-name" (type $t)))"#;
    // One of the host has that name, too, and loses it.
    let own = r#"(import "outer-import" (instance $host
            (type $e (enum "a" "b" "c"))
            (export "type-name" (type (eq $e)))))
        (alias export $host "type-name" (type $t))"#;
    let out = slimmed(&format!(
        r#"(component {own} {maker} {user}
            (instance $made (instantiate $maker))
            (instance (instantiate $user (with "maker" (instance $made))))
            (alias export $made "type-name" (type $u)))"#
    ));
    // Where one is made, taken, and named again by either of the two.
    assert_eq!(out.matches("type-name").count(), 4);
}

#[test]
fn types_of_the_host_that_are_handed_on_keep_their_names() {
    let host = r#"(type $e (enum "case-name" "b")) (export "type-name" (type (eq $e)))"#;
    let out = slimmed(&format!(
        r#"(component
            (import "host" (instance $host {host}))
            (component $user (import "host" (instance {host})))
            (instance (instantiate $user (with "host" (instance $host)))))"#
    ));
    assert_eq!(out.matches("type-name").count(), 2);
    assert!(!out.contains("case-name"));
}

#[test]
fn what_nobody_asks_a_module_for_goes() {
    let out = slimmed(
        r#"(component
              (core module $a (func (export "asked")) (memory (export "unasked") 1))
              (core instance $i (instantiate $a))
              (func (export "outer-export") (canon lift (core func $i "asked"))))"#,
    );
    let exports = Parser::new(0)
        .parse_all(out.as_bytes())
        .filter_map(|payload| match payload.expect("valid") {
            Payload::ExportSection(exports) => Some(exports.count()),
            _ => None,
        });
    assert_eq!(exports.collect::<Vec<_>>(), [1]);
}

#[test]
fn modules_that_others_know_keep_their_names() {
    let out = slimmed(
        r#"(component
              (core type $t (module (export "exported-name" (func))))
              (core module $a (func (export "exported-name")))
              (export "module" (core module $a) (core module (type $t))))"#,
    );
    assert!(out.contains("exported-name"));
}

#[test]
fn every_number_has_its_own_letters() {
    let all: HashSet<_> = (0..5000).map(letters).collect();
    assert_eq!(all.len(), 5000);
    assert_eq!(
        [0, 25, 26, 701, 702].map(letters),
        ["a", "z", "aa", "zz", "aaa"]
    );
}
