//! What the source has: tests, their tags, and `unsafe`.
//!
//! Files are read as tokens, not as syntax: so what stands in a macro, such as
//! `proptest!`, is seen as well, and what stands in a comment or in a string is
//! not.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};

use crate::Problem;

/// How a tag begins, in a doc comment.
const TAG: &str = "Threat:";

/// Folders that hold no source of ours.
const SKIPPED: [&str; 2] = ["target", ".git"];

/// All Rust files of a tree: what each has, by its path from the root.
#[derive(Clone, Debug, Default)]
pub struct Sources(BTreeMap<String, Scanned>);

/// What one file has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Its tests, by name.
    pub tests: BTreeMap<String, Test>,
    /// Functions that are no tests and are tagged like one, with the tag.
    pub stray_tags: Vec<(String, String)>,
    /// How often it says `unsafe`: blocks, functions, traits, `extern`s and
    /// attributes.
    pub unsafes: usize,
}

/// A test function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Test {
    /// Whether it is not run.
    pub ignored: bool,
    /// The threats that it is tagged with.
    pub tags: Vec<String>,
}

impl Sources {
    /// Reads all Rust files under `root`.
    ///
    /// # Errors
    ///
    /// [`Problem::File`] where one cannot be read, or is not Rust.
    pub fn read(root: &Path) -> Result<Self, Problem> {
        let mut sources = Self::default();
        sources.walk(root, root)?;
        Ok(sources)
    }

    /// Adds a file, or puts it in the place of another one.
    ///
    /// # Errors
    ///
    /// [`Problem::File`] where it is not Rust.
    pub fn insert(&mut self, path: &str, text: &str) -> Result<(), Problem> {
        let scanned = Scanned::read(text).map_err(|error| Problem::File {
            path: path.into(),
            error,
        })?;
        self.0.insert(path.to_owned(), scanned);
        Ok(())
    }

    /// What the file at this path has.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Scanned> {
        self.0.get(path)
    }

    /// All files, in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Scanned)> {
        self.0.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// The test that `path::function` names.
    #[must_use]
    pub fn test(&self, name: &str) -> Option<&Test> {
        let (path, function) = name.rsplit_once("::")?;
        self.get(path)?.tests.get(function)
    }

    fn walk(&mut self, root: &Path, folder: &Path) -> Result<(), Problem> {
        let failed = |path: &Path, error: &std::io::Error| Problem::File {
            path: path.to_owned(),
            error: error.to_string(),
        };
        for entry in fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
            let path = entry.map_err(|error| failed(folder, &error))?.path();
            let name = path.file_name().unwrap_or_default();
            if path.is_dir() {
                if !SKIPPED.iter().any(|skipped| name == *skipped) {
                    self.walk(root, &path)?;
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
                let inside = path.strip_prefix(root).unwrap_or(&path);
                self.insert(&inside.to_string_lossy(), &text)?;
            }
        }
        Ok(())
    }
}

impl Scanned {
    /// Scans the text of a Rust file.
    fn read(text: &str) -> Result<Self, String> {
        let tokens: TokenStream = text.parse().map_err(|_| "not Rust".to_owned())?;
        let mut scanned = Self::default();
        scanned.scan(tokens);
        Ok(scanned)
    }

    fn scan(&mut self, tokens: TokenStream) {
        let mut attributes = Vec::new();
        let mut tokens = tokens.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == '#' => {
                    if let Some(TokenTree::Group(group)) = tokens.peek()
                        && group.delimiter() == Delimiter::Bracket
                    {
                        attributes.push(Attribute::read(group));
                    }
                }
                // What ends an item takes its attributes along.
                TokenTree::Punct(punct) if matches!(punct.as_char(), ';' | ',') => {
                    attributes.clear();
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                TokenTree::Ident(ident) if ident == "unsafe" => self.unsafes += 1,
                TokenTree::Ident(ident) if ident == "fn" => {
                    if let Some(TokenTree::Ident(name)) = tokens.peek() {
                        self.function(name, &attributes);
                    }
                }
                TokenTree::Ident(_) => {}
                TokenTree::Group(group) => {
                    if group.delimiter() == Delimiter::Brace {
                        attributes.clear();
                    }
                    self.scan(group.stream());
                }
            }
        }
    }

    fn function(&mut self, name: &Ident, attributes: &[Attribute]) {
        let tags = attributes
            .iter()
            .filter_map(|attribute| match attribute {
                Attribute::Tag(ids) => Some(ids),
                _ => None,
            })
            .flatten()
            .cloned();
        let has = |wanted: &Attribute| attributes.contains(wanted);
        if has(&Attribute::Test) {
            let test = Test {
                ignored: has(&Attribute::Ignore),
                tags: tags.collect(),
            };
            self.tests.insert(name.to_string(), test);
        } else {
            self.stray_tags
                .extend(tags.map(|id| (name.to_string(), id)));
        }
    }
}

#[derive(PartialEq, Eq)]
enum Attribute {
    Test,
    Ignore,
    Tag(Vec<String>),
    Other,
}

impl Attribute {
    fn read(group: &Group) -> Self {
        let tokens: Vec<TokenTree> = group.stream().into_iter().collect();
        let path: Vec<String> = tokens
            .iter()
            .take_while(|token| match token {
                TokenTree::Ident(_) => true,
                TokenTree::Punct(punct) => punct.as_char() == ':',
                _ => false,
            })
            .filter(|token| matches!(token, TokenTree::Ident(_)))
            .map(ToString::to_string)
            .collect();
        match path.last().map_or("", String::as_str) {
            "test" => Self::Test,
            "ignore" => Self::Ignore,
            // A test that only Miri does not run is run.
            "cfg_attr" if !mentions(&tokens, "miri") && mentions(&tokens, "ignore") => Self::Ignore,
            "doc" => match tokens.last() {
                Some(TokenTree::Literal(text)) => Self::doc(&text.to_string()),
                _ => Self::Other,
            },
            _ => Self::Other,
        }
    }

    /// A line of a doc comment, still as a literal.
    fn doc(literal: &str) -> Self {
        let text = literal.trim_matches(['r', '#', '"']).trim();
        match text.strip_prefix(TAG) {
            Some(ids) => Self::Tag(ids.split(',').map(|id| id.trim().to_owned()).collect()),
            None => Self::Other,
        }
    }
}

/// Whether an identifier is among the tokens, at any depth.
fn mentions(tokens: &[TokenTree], name: &str) -> bool {
    tokens.iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == name,
        TokenTree::Group(group) => {
            let inner: Vec<TokenTree> = group.stream().into_iter().collect();
            mentions(&inner, name)
        }
        _ => false,
    })
}
