//! The model, broken in one place at a time: each break has its own error.

mod common;

use common::{none, pages, root, sources, table};
use threat_model::{Pages, Problem, Sources, Status, Table, Threat, check};

/// A model of one threat and one test, with nothing wrong but that it does not
/// speak of RFC 9124.
struct Model {
    table: Table,
    sources: Sources,
    pages: Pages,
}

const TEST: &str = "a/tests/b.rs::it_holds";

impl Model {
    fn new() -> Self {
        let table = "
            [assets]
            door = 'the door'
            [boundaries]
            street = 'street.md'
            [[threat]]
            id = 'DOOR-1'
            title = 'A door that is open'
            stride = 'elevation'
            asset = 'door'
            boundary = 'street'
            rfc9124 = ['THREAT.IMG.EXTRA']
            status = 'controlled'
            attack = 'Somebody goes in.'
            mitigation = 'A lock.'
            code = ['manifest/src']
            tests = ['a/tests/b.rs::it_holds']
            residual = 'The window.'
        ";
        let mut model = Self {
            table: Table::read(table).expect("is a table"),
            sources: Sources::default(),
            pages: Pages::default(),
        };
        model.source("/// Threat: DOOR-1\n#[test]\nfn it_holds() {}");
        model.pages.insert("street.md", "There is a lock [DOOR-1].");
        model
    }

    fn source(&mut self, text: &str) {
        self.sources.insert("a/tests/b.rs", text).expect("is Rust");
    }

    fn threat(&mut self) -> &mut Threat {
        &mut self.table.threats[0]
    }

    /// What is wrong with it, besides RFC 9124.
    fn problems(&self) -> Vec<Problem> {
        let mut problems = check(&self.table, &self.sources, &self.pages, &root());
        problems.retain(|problem| !matches!(problem, Problem::Rfc9124Missing(_)));
        problems
    }
}

/// What is wrong with the small model after this change.
fn after(change: impl FnOnce(&mut Model)) -> Vec<Problem> {
    let mut model = Model::new();
    change(&mut model);
    model.problems()
}

/// What is wrong with a changed copy of the tree's own table, and not with
/// the table itself.
fn of_a_copy(changed: &Table) -> Vec<Problem> {
    let (sources, pages) = (sources(), pages());
    let before = check(&table(), &sources, &pages, &root());
    let mut problems = check(changed, &sources, &pages, &root());
    problems.retain(|problem| !before.contains(problem));
    problems
}

fn door() -> String {
    "DOOR-1".to_owned()
}

#[test]
fn the_small_model_is_good_when_nothing_is_changed() {
    none(&after(|_| {}));
}

#[test]
fn a_repeated_name_is_found() {
    let mut table = table();
    let again = table.threats[3].clone();
    table.threats.push(again.clone());
    assert_eq!(of_a_copy(&table), [Problem::Repeated(again.id)]);
}

#[test]
fn a_name_has_its_form() {
    for name in ["door-1", "DOOR", "DOOR-", "DOOR-01", "D-1", "DOOR-1a"] {
        let problems = after(|m| m.threat().id = name.to_owned());
        assert!(problems.contains(&Problem::Name(name.to_owned())), "{name}");
    }
}

#[test]
fn a_controlled_threat_needs_a_test_code_and_words() {
    type Clear = fn(&mut Threat);
    let cases: [(&str, Clear); 6] = [
        ("title", |threat| threat.title.clear()),
        ("attack", |threat| threat.attack = "\n".into()),
        ("residual", |threat| threat.residual.clear()),
        ("mitigation", |threat| threat.mitigation.clear()),
        ("code", |threat| threat.code.clear()),
        ("tests", |threat| threat.tests.clear()),
    ];
    for (field, clear) in cases {
        // Without the tag, which would miss its mirror as well.
        let problems = after(|m| {
            m.source("#[test]\nfn it_holds() {}");
            clear(m.threat());
        });
        let empty = Problem::Empty {
            threat: door(),
            status: "controlled",
            field,
        };
        assert_eq!(problems, [empty]);
    }
}

#[test]
fn another_status_needs_a_reason() {
    for status in [Status::Accepted, Status::Transferred, Status::OutOfScope] {
        let problems = after(|m| {
            m.threat().status = status;
            m.threat().mitigation.clear();
        });
        let empty = Problem::Empty {
            threat: door(),
            status: status.name(),
            field: "reason",
        };
        assert_eq!(problems, [empty]);
    }
}

#[test]
fn reason_and_mitigation_exclude_each_other() {
    let useless = |status: Status, field| Problem::Useless {
        threat: door(),
        status: status.name(),
        field,
    };
    let problems = after(|m| m.threat().reason = "Why not.".into());
    assert_eq!(problems, [useless(Status::Controlled, "reason")]);
    let problems = after(|m| {
        m.threat().status = Status::Accepted;
        m.threat().reason = "It is a small house.".into();
    });
    assert_eq!(problems, [useless(Status::Accepted, "mitigation")]);
}

#[test]
fn a_test_that_is_not_there_is_found() {
    for gone in [
        "a/tests/b.rs::it_does_not_hold",
        "a/tests/c.rs::it_holds",
        "it_holds",
    ] {
        let problems = after(|m| m.threat().tests.push(gone.into()));
        let missing = Problem::NoSuchTest {
            threat: door(),
            test: gone.into(),
        };
        assert_eq!(problems, [missing]);
    }
    // A function of that name is not enough.
    let problems = after(|m| m.source("fn it_holds() {}"));
    assert!(matches!(problems[..], [Problem::NoSuchTest { .. }]));
    // Nor is one in a comment or in a string.
    let problems = after(|m| {
        m.source("// #[test] fn it_holds() {}\n const A: &str = \"#[test] fn it_holds() {}\";")
    });
    assert!(matches!(problems[..], [Problem::NoSuchTest { .. }]));
}

#[test]
fn a_test_that_is_ignored_is_found() {
    for ignored in [
        "#[test] #[ignore] fn it_holds() {}",
        "#[ignore = \"slow\"] #[test] fn it_holds() {}",
        "#[test] #[cfg_attr(not(feature = \"slow\"), ignore)] fn it_holds() {}",
        "mod tests { #[test] #[ignore] pub(crate) fn it_holds() {} }",
    ] {
        let problems = after(|m| m.source(ignored));
        let found = Problem::IgnoredTest {
            threat: door(),
            test: TEST.into(),
        };
        assert_eq!(problems, [found], "{ignored}");
    }
    for run in [
        "#[test] #[cfg_attr(miri, ignore)] fn it_holds() {}",
        "#[ignore] fn another() {} #[test] fn it_holds() {}",
        "trait T { #[ignore] fn another(); #[test] fn it_holds() {} }",
        "proptest! { #[test] fn it_holds(x in 0..9) { } }",
    ] {
        none(&after(|m| m.source(run)));
    }
}

#[test]
fn a_path_that_is_gone_is_found() {
    let problems = after(|m| m.threat().code.push("manifest/src/magic.rs".into()));
    let gone = Problem::NoSuchPath {
        threat: door(),
        path: "manifest/src/magic.rs".into(),
    };
    assert_eq!(problems, [gone]);
}

#[test]
fn a_threat_of_rfc_9124_that_is_missing_is_found() {
    let id = "THREAT.IMG.LOCATION";
    let mut table = table();
    for threat in &mut table.threats {
        threat.rfc9124.retain(|named| named != id);
    }
    assert_eq!(of_a_copy(&table), [Problem::Rfc9124Missing(id)]);
}

#[test]
fn what_rfc_9124_does_not_have_is_found() {
    let problems = after(|m| m.threat().rfc9124.push("THREAT.IMG.SMELL".into()));
    let unknown = Problem::NotInRfc9124 {
        threat: door(),
        id: "THREAT.IMG.SMELL".into(),
    };
    assert_eq!(problems, [unknown]);
}

#[test]
fn assets_and_boundaries_are_known() {
    let problems = after(|m| m.threat().asset = "window".into());
    let unknown = Problem::UnknownAsset {
        threat: door(),
        asset: "window".into(),
    };
    assert_eq!(problems, [unknown]);
    let problems = after(|m| m.threat().boundary = "garden".into());
    let unknown = Problem::UnknownBoundary {
        threat: door(),
        boundary: "garden".into(),
    };
    assert_eq!(problems, [unknown]);
}

#[test]
fn a_page_that_is_not_there_is_found() {
    let problems = after(|m| m.pages.remove("street.md"));
    let missing = Problem::NoSuchPage {
        boundary: "street".into(),
        page: "street.md".into(),
    };
    assert_eq!(problems, [missing]);
}

#[test]
fn a_page_refers_to_threats_that_there_are_and_to_all_of_its_own() {
    let problems = after(|m| {
        m.pages.insert(
            "street.md",
            "Lock and bell [DOOR-1, BELL-7], CRC-32, [AES-256].",
        );
    });
    let unknown = |id: &str| Problem::UnknownOnPage {
        page: "street.md".into(),
        id: id.into(),
    };
    assert_eq!(problems, [unknown("AES-256"), unknown("BELL-7")]);
    let problems = after(|m| m.pages.insert("street.md", "There is a lock."));
    let silent = Problem::NotOnPage {
        page: "street.md".into(),
        id: door(),
    };
    assert_eq!(problems, [silent]);
}

#[test]
fn a_link_that_leads_nowhere_is_found() {
    let text = "[DOOR-1] [good](../README.md#x) [far](https://example.org) [bad](nowhere.md)";
    let problems = after(|m| m.pages.insert("street.md", text));
    let broken = Problem::BrokenLink {
        page: "street.md".into(),
        link: "nowhere.md".into(),
    };
    assert_eq!(problems, [broken]);
}

#[test]
fn a_test_that_a_page_names_is_there() {
    let page = |text: &str| {
        let text = format!("[DOOR-1] `other code` {text}");
        after(|m| m.pages.insert("street.md", &text))
    };
    none(&page("`a/tests/b.rs::it_holds`"));
    let missing = |test: &str| Problem::NoSuchTestOnPage {
        page: "street.md".into(),
        test: test.into(),
    };
    let gone = "a/tests/b.rs::it_held";
    assert_eq!(page(&format!("`{gone}`, and more")), [missing(gone)]);
    let problems = after(|m| {
        m.source("#[test] #[ignore] fn it_holds() {}");
        m.pages.insert("street.md", &format!("[DOOR-1] `{TEST}`"));
    });
    assert!(problems.contains(&missing(TEST)));
}

#[test]
fn a_tag_names_a_threat_that_names_the_test() {
    let tagged = |tag: &str| {
        let text = format!("/// It holds.\n///\n/// Threat: {tag}\n#[test]\nfn it_holds() {{}}");
        after(|m| m.source(&text))
    };
    none(&tagged("DOOR-1"));
    for tag in ["BELL-7", "DOOR-1, BELL-7"] {
        let unknown = Problem::UnknownTag {
            test: TEST.into(),
            id: "BELL-7".into(),
        };
        assert_eq!(tagged(tag), [unknown]);
    }

    let problems = after(|m| {
        m.source("#[test] fn it_holds() {} /// Threat: DOOR-1\n #[test] fn another() {}");
    });
    let silent = Problem::TagNotMirrored {
        test: "a/tests/b.rs::another".into(),
        id: door(),
    };
    assert_eq!(problems, [silent]);

    let problems =
        after(|m| m.source("#[test] fn it_holds() {} /// Threat: DOOR-1\n fn helper() {}"));
    let stray = Problem::TagOnNoTest {
        function: "a/tests/b.rs::helper".into(),
        id: door(),
    };
    assert_eq!(problems, [stray]);
}

#[test]
fn what_is_no_table_is_an_error() {
    let good = "[assets]\n[boundaries]\n";
    for bad in [
        "",
        "[assets",
        &format!("{good}[[threat]]\nid = 'DOOR-1'"),
        &format!("{good}threat = []\nmore = 1"),
    ] {
        assert!(matches!(Table::read(bad), Err(Problem::Table(_))), "{bad}");
    }
    assert!(matches!(
        Sources::default().insert("a.rs", "fn ("),
        Err(Problem::File { .. })
    ));
}
