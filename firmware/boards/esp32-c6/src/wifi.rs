//! The radio, and staying in the network.

use embassy_time::{Duration, Timer};
use esp_hal::peripherals::WIFI;
use esp_radio::wifi::sta::StationConfig;
use esp_radio::wifi::{
    AuthenticationMethodConfig, Config, ControllerConfig, Interface, WifiController, WifiError,
};
use sealift_provision::wifi::Wifi;

/// Between attempts to join the network.
const PAUSE: Duration = Duration::from_secs(5);

/// Starts the radio; the driver for the network stack, and what joins a network.
///
/// # Errors
///
/// What the radio's own software says.
pub(crate) fn start(
    radio: WIFI<'static>,
    wifi: &Wifi,
) -> Result<(Interface, WifiController<'static>), WifiError> {
    let authentication = match wifi.passphrase.as_str() {
        "" => AuthenticationMethodConfig::Open,
        passphrase => AuthenticationMethodConfig::Wpa2Personal(passphrase.try_into()?),
    };
    let station = StationConfig::default()
        .with_ssid(wifi.name.as_str().try_into()?)
        .with_authentication(authentication);
    let config = ControllerConfig::default().with_initial_config(Config::Station(station));
    let control = WifiController::new(radio, config)?;
    Ok((Interface::station(), control))
}

/// Joins the network, again whenever it was lost, for ever.
pub(crate) async fn stay(mut control: WifiController<'static>, wifi: Wifi) {
    loop {
        match control.connect_async().await {
            Ok(_) => {
                log::info!("joined {}", wifi.name);
                let _ = control.wait_for_disconnect_async().await;
                log::warn!("lost {}", wifi.name);
            }
            Err(error) => log::warn!("cannot join {}: {error}", wifi.name),
        }
        Timer::after(PAUSE).await;
    }
}
