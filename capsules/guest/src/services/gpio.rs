//! One button and one light. Needs the grant `gpio`.

use super::{Unavailable, sys};

/// Waits until the button is pressed.
///
/// # Errors
///
/// Where there is no button.
pub fn wait_for_button() -> Result<(), Unavailable> {
    sys::wait_for_button()
}

/// Switches the light on or off.
///
/// # Errors
///
/// Where there is no light.
pub fn toggle_led() -> Result<(), Unavailable> {
    sys::toggle_led()
}
