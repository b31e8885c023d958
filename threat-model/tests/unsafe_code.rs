//! The list of unsafe code, broken in one place at a time.

mod common;

use common::none;
use threat_model::{Census, Problem, Sources, UnsafeFile, census};

const PATH: &str = "a/src/b.rs";

fn of(text: &str, files: &[(&str, usize, &str)]) -> Vec<Problem> {
    let mut sources = Sources::default();
    sources.insert(PATH, text).expect("is Rust");
    sources.insert("a/src/lib.rs", "mod b;").expect("is Rust");
    let files = files
        .iter()
        .map(|(path, count, reason)| UnsafeFile {
            path: (*path).to_owned(),
            count: *count,
            reason: (*reason).to_owned(),
            miri: "run".to_owned(),
        })
        .collect();
    census(&Census { files }, &sources)
}

fn count(path: &str, listed: usize, found: usize) -> Problem {
    Problem::UnsafeCount {
        path: path.to_owned(),
        listed,
        found,
    }
}

#[test]
fn every_kind_of_unsafe_counts_and_words_do_not() {
    let text = r#"
        //! Without unsafe code, unsafe as it is.
        #![forbid(unsafe_code)]
        /* unsafe { } */
        const WORDS: &str = "unsafe { }";
        unsafe impl Send for A {}
        unsafe fn f() { unsafe { g() } }
        unsafe extern "C" { fn g(); }
        #[unsafe(no_mangle)] fn h() {}
        macro_rules! m { () => { unsafe { g() } } }
    "#;
    none(&of(text, &[(PATH, 6, "for a test")]));
}

#[test]
fn one_more_and_one_less_are_found() {
    let text = "fn f() { unsafe { g() } }";
    none(&of(text, &[(PATH, 1, "for a test")]));
    for listed in [0, 2] {
        let problems = of(text, &[(PATH, listed, "for a test")]);
        assert_eq!(problems, [count(PATH, listed, 1)]);
    }
}

#[test]
fn a_file_that_is_not_listed_is_found() {
    let text = "fn f() { unsafe { g() } }";
    assert_eq!(of(text, &[]), [count(PATH, 0, 1)]);
}

#[test]
fn a_file_that_has_none_any_more_or_is_gone_is_found() {
    for (path, listed) in [("a/src/lib.rs", 1), ("a/src/gone.rs", 1), (PATH, 0)] {
        let problems = of("fn f() {}", &[(path, listed, "for a test")]);
        assert_eq!(problems, [count(path, listed, 0)]);
    }
}

#[test]
fn each_file_is_listed_once_and_with_a_reason() {
    let text = "fn f() { unsafe { g() } }";
    let twice = of(text, &[(PATH, 1, "for a test"), (PATH, 1, "again")]);
    assert_eq!(twice, [Problem::UnsafeRepeated(PATH.into())]);
    let silent = of(text, &[(PATH, 1, " ")]);
    assert_eq!(silent, [Problem::UnsafeWithoutReason(PATH.into())]);
}

#[test]
fn each_file_says_whether_miri_runs_it() {
    let mut sources = Sources::default();
    sources.insert(PATH, "unsafe fn f() {}").expect("is Rust");
    let list = format!("[[file]]\npath = '{PATH}'\ncount = 1\nreason = 'for a test'");
    let silent = census(&Census::read(&list).expect("a list"), &sources);
    assert_eq!(silent, [Problem::UnsafeWithoutMiri(PATH.into())]);
}

#[test]
fn the_message_says_what_to_write() {
    let problem = of("unsafe impl Send for A {}", &[]).remove(0);
    let message = problem.to_string();
    assert!(
        message.contains("path = \"a/src/b.rs\"\ncount = 1\n"),
        "{message}"
    );
}
