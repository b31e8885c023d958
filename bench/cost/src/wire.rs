//! What a payload takes on the wire: a count of bytes, the same each time.

use anyhow::Result;

use crate::cases::{SIZES, WINDOW, wire};

/// The figures as a table in Markdown.
///
/// # Errors
/// Where the device does not take the blocks.
pub fn table() -> Result<String> {
    let mut table = String::from(
        "| block, bytes | datagrams each way | to the device, bytes | from it, bytes | for each byte of payload |\n\
         |--:|--:|--:|--:|--:|\n",
    );
    for (szx, (to, from)) in SIZES.into_iter().zip(wire()?) {
        let size = 16 << szx;
        let hundredths = (to + from) * 100 / WINDOW;
        table += &format!(
            "| {size} | {} | {to} | {from} | {}.{:02} |\n",
            WINDOW / size,
            hundredths / 100,
            hundredths % 100
        );
    }
    Ok(table)
}
