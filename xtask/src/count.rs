//! How many checks and tests passed, failed or were skipped.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::run::{line, say};

/// The sum so far.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

impl Count {
    /// Runs one check that passes or fails as a whole.
    pub(crate) fn check(&mut self, what: &str, check: impl FnOnce() -> Result<()>) {
        say(what);
        match check() {
            Ok(()) => self.passed += 1,
            Err(error) => {
                eprintln!("FAILED: {what}: {error:#}");
                self.failed += 1;
            }
        }
    }

    /// Takes over what was counted elsewhere.
    pub(crate) fn add(&mut self, other: &Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    /// Says the sum in the words that CI reads.
    ///
    /// # Errors
    ///
    /// Where something failed.
    pub(crate) fn close(&self) -> Result<()> {
        let Self {
            passed,
            failed,
            skipped,
        } = self;
        match skipped {
            0 => println!("{passed} passed, {failed} failed"),
            _ => println!("{passed} passed, {failed} failed, {skipped} skipped"),
        }
        ensure!(*failed == 0, "some checks failed");
        Ok(())
    }

    /// Runs `cargo test`, shows its output and adds up its results.
    pub(crate) fn tests(&mut self, command: &mut Command) -> Result<()> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", line(command)))?;
        let output = child.stdout.take().context("no pipe from cargo test")?;
        let mut failed = 0;
        for text in BufReader::new(output).lines() {
            let text = text?;
            println!("{text}");
            if let Some((passed, more)) = results(&text) {
                self.passed += passed;
                failed += more;
            }
        }
        let status = child.wait()?;
        if !status.success() && failed == 0 {
            eprintln!("FAILED: the tests did not build or run to their end");
            failed = 1;
        }
        self.failed += failed;
        Ok(())
    }
}

/// `test result: ok. 3 passed; 0 failed; ...` as (3, 0).
fn results(text: &str) -> Option<(usize, usize)> {
    let (_, numbers) = text.strip_prefix("test result: ")?.split_once(". ")?;
    let mut numbers = numbers.split("; ").map(|part| {
        let (number, _) = part.split_once(' ')?;
        number.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_are_read_from_cargos_words() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured";
        assert_eq!(super::results(line), Some((12, 3)));
        assert_eq!(super::results("test a::b ... ok"), None);
    }
}
