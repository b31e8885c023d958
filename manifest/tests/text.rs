//! Text for humans.

mod common;

use common::{fake_key, spec};
use sealift_manifest::{Sign, Text, TextError, build_envelope, inspect};

#[test]
fn a_language_has_the_form_of_a_tag() {
    for good in [
        "en",
        "de-CH",
        "a",
        "abcdefgh",
        "en-1a",
        "es-419",
        "zh-Hant-TW",
    ] {
        let text = Text::new(good).expect(good);
        assert_eq!(text.language(), good);
    }
    for bad in [
        "",
        "1a",
        "a1",
        "abcdefghi",
        "en-",
        "-en",
        "en--US",
        "en_US",
        "en-abcdefghi",
        "en US",
    ] {
        assert_eq!(Text::new(bad).err(), Some(TextError::Language), "{bad}");
    }
    assert_eq!(Text::describing("x").language(), "en");
}

#[test]
fn any_fields_of_a_text_come_through() {
    let key = fake_key(1);
    for fields in 0_u32..256 {
        let mut text = Text::new("fr").expect("is a language tag");
        for (bit, field) in [
            &mut text.manifest_description,
            &mut text.update_description,
            &mut text.vendor_name,
            &mut text.model_name,
            &mut text.vendor_domain,
            &mut text.model_info,
            &mut text.component_description,
            &mut text.component_version,
        ]
        .into_iter()
        .enumerate()
        {
            if fields & (1 << bit) != 0 {
                *field = Some(format!("field {bit}"));
            }
        }
        let envelope =
            build_envelope(&spec(), &[&key as &dyn Sign], None, Some(&text)).expect("builds");
        let inspected = inspect(&envelope).expect("is an envelope");
        assert_eq!(inspected.untrusted().text.as_ref(), Some(&text));
    }
}

#[test]
fn what_says_nothing_of_the_component_does_not_name_it() {
    let key = fake_key(1);
    let text = Text::describing("x");
    let envelope =
        build_envelope(&spec(), &[&key as &dyn Sign], None, Some(&text)).expect("builds");
    // {"en": {1: "x"}}
    let encoded = b"\xa1\x62en\xa1\x01\x61x";
    assert!(envelope.ends_with(encoded), "{envelope:02x?}");
}
