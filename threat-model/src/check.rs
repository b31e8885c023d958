//! `threats.toml` against everything that it speaks of.

use std::collections::BTreeSet;
use std::path::Path;

use crate::pages::{self, is_id, links, references};
use crate::{Pages, Problem, REQUIREMENTS, Sources, Status, THREATS, Table, Threat};

/// Everything that is wrong with the threat model; `root` is the folder of the
/// repository, in which paths are looked up.
#[must_use]
pub fn check(table: &Table, sources: &Sources, pages: &Pages, root: &Path) -> Vec<Problem> {
    let mut problems = Vec::new();
    names(table, &mut problems);
    for threat in &table.threats {
        fields(threat, table, &mut problems);
        tests(threat, sources, &mut problems);
        paths(threat, root, &mut problems);
        ids(threat, &mut problems);
    }
    rfc9124(table, &mut problems);
    tags(table, sources, &mut problems);
    boundaries(table, pages, &mut problems);
    for (page, text) in pages.iter() {
        links_of(page, text, root, &mut problems);
        tests_of(page, text, sources, &mut problems);
    }
    problems
}

fn names(table: &Table, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for threat in &table.threats {
        if !is_id(&threat.id) {
            problems.push(Problem::Name(threat.id.clone()));
        }
        if !seen.insert(&threat.id) {
            problems.push(Problem::Repeated(threat.id.clone()));
        }
    }
}

fn fields(threat: &Threat, table: &Table, problems: &mut Vec<Problem>) {
    let id = || threat.id.clone();
    if !table.assets.contains_key(&threat.asset) {
        problems.push(Problem::UnknownAsset {
            threat: id(),
            asset: threat.asset.clone(),
        });
    }
    if !table.boundaries.contains_key(&threat.boundary) {
        problems.push(Problem::UnknownBoundary {
            threat: id(),
            boundary: threat.boundary.clone(),
        });
    }
    let controlled = threat.status == Status::Controlled;
    let text = |text: &str| !text.trim().is_empty();
    // Field, whether it is there, whether controlled and other threats need it.
    let needed = [
        ("title", text(&threat.title), true, true),
        ("attack", text(&threat.attack), true, true),
        ("residual", text(&threat.residual), true, true),
        ("mitigation", text(&threat.mitigation), true, false),
        ("code", !threat.code.is_empty(), true, false),
        ("tests", !threat.tests.is_empty(), true, false),
        ("reason", text(&threat.reason), false, true),
    ];
    for (field, there, by_controlled, by_others) in needed {
        let is_needed = if controlled { by_controlled } else { by_others };
        if is_needed && !there {
            problems.push(Problem::Empty {
                threat: id(),
                status: threat.status.name(),
                field,
            });
        }
    }
    let useless = match controlled {
        true => ("reason", text(&threat.reason)),
        false => ("mitigation", text(&threat.mitigation)),
    };
    if let (field, true) = useless {
        problems.push(Problem::Useless {
            threat: id(),
            status: threat.status.name(),
            field,
        });
    }
}

fn tests(threat: &Threat, sources: &Sources, problems: &mut Vec<Problem>) {
    for name in &threat.tests {
        let (threat, test) = (threat.id.clone(), name.clone());
        match sources.test(name) {
            None => problems.push(Problem::NoSuchTest { threat, test }),
            Some(found) if found.ignored => problems.push(Problem::IgnoredTest { threat, test }),
            Some(_) => {}
        }
    }
}

fn paths(threat: &Threat, root: &Path, problems: &mut Vec<Problem>) {
    for path in &threat.code {
        if !root.join(path).exists() {
            problems.push(Problem::NoSuchPath {
                threat: threat.id.clone(),
                path: path.clone(),
            });
        }
    }
}

fn ids(threat: &Threat, problems: &mut Vec<Problem>) {
    for id in &threat.rfc9124 {
        if !THREATS.contains(&id.as_str()) && !REQUIREMENTS.contains(&id.as_str()) {
            problems.push(Problem::NotInRfc9124 {
                threat: threat.id.clone(),
                id: id.clone(),
            });
        }
    }
}

fn rfc9124(table: &Table, problems: &mut Vec<Problem>) {
    for id in THREATS.into_iter().chain(REQUIREMENTS) {
        let mut named = table.threats.iter().flat_map(|threat| &threat.rfc9124);
        if !named.any(|named| named == id) {
            problems.push(Problem::Rfc9124Missing(id));
        }
    }
}

fn tags(table: &Table, sources: &Sources, problems: &mut Vec<Problem>) {
    for (path, file) in sources.files() {
        for (function, id) in &file.stray_tags {
            problems.push(Problem::TagOnNoTest {
                function: format!("{path}::{function}"),
                id: id.clone(),
            });
        }
        for (function, test) in &file.tests {
            let name = format!("{path}::{function}");
            for id in &test.tags {
                let (test, id) = (name.clone(), id.clone());
                match table.get(&id) {
                    None => problems.push(Problem::UnknownTag { test, id }),
                    Some(threat) if !threat.tests.contains(&name) => {
                        problems.push(Problem::TagNotMirrored { test, id });
                    }
                    Some(_) => {}
                }
            }
        }
    }
}

fn boundaries(table: &Table, pages: &Pages, problems: &mut Vec<Problem>) {
    for (boundary, page) in &table.boundaries {
        let Some(text) = pages.get(page) else {
            problems.push(Problem::NoSuchPage {
                boundary: boundary.clone(),
                page: page.clone(),
            });
            continue;
        };
        let spoken_of = references(text);
        for threat in &table.threats {
            if threat.boundary == *boundary && !spoken_of.contains(&threat.id) {
                problems.push(Problem::NotOnPage {
                    page: page.clone(),
                    id: threat.id.clone(),
                });
            }
        }
    }
    for (page, text) in pages.iter() {
        for id in references(text) {
            if table.get(&id).is_none() {
                problems.push(Problem::UnknownOnPage {
                    page: page.to_owned(),
                    id,
                });
            }
        }
    }
}

fn links_of(page: &str, text: &str, root: &Path, problems: &mut Vec<Problem>) {
    for link in links(text) {
        if !root.join("threat-model").join(link).exists() {
            problems.push(Problem::BrokenLink {
                page: page.to_owned(),
                link: link.to_owned(),
            });
        }
    }
}

fn tests_of(page: &str, text: &str, sources: &Sources, problems: &mut Vec<Problem>) {
    for test in pages::tests(text) {
        if sources.test(test).is_none_or(|test| test.ignored) {
            problems.push(Problem::NoSuchTestOnPage {
                page: page.to_owned(),
                test: test.to_owned(),
            });
        }
    }
}
