//! Ethernet over the board's USB port: class CDC-NCM, which Linux, macOS and
//! Windows 11 have a driver for.

use embassy_nrf::Peri;
use embassy_nrf::interrupt::typelevel::{Binding, CLOCK_POWER, USBD as UsbInterrupt};
use embassy_nrf::pac::FICR;
use embassy_nrf::peripherals::USBD;
use embassy_nrf::usb::vbus_detect::{self, HardwareVbusDetect};
use embassy_nrf::usb::{Driver, InterruptHandler};
use embassy_usb::class::cdc_ncm::embassy_net::{Device, Runner, State as NetworkState};
use embassy_usb::class::cdc_ncm::{CdcNcmClass, State};
use embassy_usb::{Builder, Config, UsbDevice};
use static_cell::{ConstStaticCell, StaticCell};

/// The longest Ethernet frame, without its checksum.
const FRAME: usize = 1514;
/// Frames that wait at the most, each way.
const QUEUE: usize = 2;
/// Of an endpoint at full speed (USB 2.0, 5.8.3).
const PACKET: u16 = 64;

/// For tests among oneself (<https://pid.codes/1209/0001/>). A product needs
/// numbers of its own.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;

type Port = Driver<'static, HardwareVbusDetect>;

/// The USB device.
pub(crate) type Usb = UsbDevice<'static, Port>;
/// What carries frames between it and the network.
pub(crate) type Link = Runner<'static, Port, FRAME>;
/// The driver for the network.
pub(crate) type Ethernet = Device<'static, FRAME>;

/// Prepares the port; the first two want to run.
pub(crate) fn start(
    port: Peri<'static, USBD>,
    interrupts: impl Binding<UsbInterrupt, InterruptHandler<USBD>>
    + Binding<CLOCK_POWER, vbus_detect::InterruptHandler>
    + 'static,
) -> (Usb, Link, Ethernet) {
    static CONFIG_DESCRIPTOR: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
    static BOS_DESCRIPTOR: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);
    static CONTROL: ConstStaticCell<[u8; 128]> = ConstStaticCell::new([0; 128]);
    static CLASS: StaticCell<State<'static>> = StaticCell::new();
    static FRAMES: ConstStaticCell<NetworkState<FRAME, QUEUE, QUEUE>> =
        ConstStaticCell::new(NetworkState::new());

    let mut config = Config::new(VENDOR, PRODUCT);
    config.manufacturer = Some("Sealift");
    config.product = Some("Sealift on nRF52840");
    config.max_power = 100;
    let driver = Driver::new(port, interrupts, HardwareVbusDetect::new(interrupts));
    let mut builder = Builder::new(
        driver,
        config,
        CONFIG_DESCRIPTOR.take(),
        BOS_DESCRIPTOR.take(),
        &mut [],
        CONTROL.take(),
    );
    let (here, host) = addresses();
    let class = CdcNcmClass::new(&mut builder, CLASS.init(State::new()), host, PACKET);
    let (link, ethernet) = class.into_embassy_net_device(FRAMES.take(), here);
    (builder.build(), link, ethernet)
}

/// The device's and the host's Ethernet address at this cable: locally
/// administered, and from the number that the chip has from its factory (Product
/// Specification, 4.4.1), so that a host can tell two boards apart.
fn addresses() -> ([u8; 6], [u8; 6]) {
    let [a, b, c, d] = FICR.deviceid(0).read().to_le_bytes();
    ([0x02, a, b, c, d, 0], [0x02, a, b, c, d, 1])
}
