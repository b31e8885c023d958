//! The Wi-Fi chip: an Infineon CYW43439 at a serial bus that PIO makes, with
//! firmware that the device has to give it at each start.

use core::hint::black_box;
use core::sync::atomic::{AtomicBool, Ordering};

use cyw43::{
    A4, Aligned, JoinError, JoinOptions, NetDriver, PowerManagementMode, SpiBus, State,
    aligned_bytes,
};
use cyw43_pio::{DEFAULT_CLOCK_DIVIDER, PioSpi};
use embassy_futures::select::{Either, select};
use embassy_net::Stack;
use embassy_rp::Peri;
use embassy_rp::dma;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::interrupt::typelevel::{Binding, DMA_IRQ_0, PIO0_IRQ_0};
use embassy_rp::peripherals::{DMA_CH0, PIN_23, PIN_24, PIN_25, PIN_29, PIO0};
use embassy_rp::pio::{self, Pio};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::signal::Signal;
use embassy_time::{Duration, Timer, with_timeout};
use sealift_provision::wifi::Wifi;
use static_cell::StaticCell;

/// The chip's program, what it may do in which country, and what is around it on
/// the board; empty where this image was built without them (`build.rs`).
static PROGRAM: &Aligned<A4, [u8]> = aligned_bytes!(env!("SEALIFT_CYW43_PROGRAM"));
static COUNTRIES: &Aligned<A4, [u8]> = aligned_bytes!(env!("SEALIFT_CYW43_COUNTRIES"));
static BOARD: &Aligned<A4, [u8]> = aligned_bytes!(env!("SEALIFT_CYW43_BOARD"));

/// Between attempts to join the network.
const PAUSE: Duration = Duration::from_secs(5);
/// The chip's pin that the light is at.
const LIGHT: u8 = 0;

/// Whether the light is to be on, and that this changed.
static LIT: AtomicBool = AtomicBool::new(false);
static CHANGED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// What drives the chip, and wants to run.
pub(crate) type Chip = cyw43::Runner<'static, SpiBus<Output<'static>, PioSpi<'static, PIO0, 0>>>;
/// What tells it what to do.
pub(crate) type Control = cyw43::Control<'static>;
/// The driver for the network.
pub(crate) type Driver = NetDriver<'static>;

/// How the chip hangs on the processor (Raspberry Pi Pico 2 W Datasheet, 2.1).
pub(crate) struct Pins {
    pub(crate) power: Peri<'static, PIN_23>,
    pub(crate) data: Peri<'static, PIN_24>,
    pub(crate) select: Peri<'static, PIN_25>,
    pub(crate) clock: Peri<'static, PIN_29>,
    pub(crate) pio: Peri<'static, PIO0>,
    pub(crate) dma: Peri<'static, DMA_CH0>,
}

/// Whether this image has the chip's firmware.
pub(crate) fn is_possible() -> bool {
    // The compiler is not to know, so that it builds what is behind this in an
    // image without firmware, too: that one is for looking at its size.
    black_box([PROGRAM, COUNTRIES, BOARD])
        .iter()
        .all(|blob| !blob.is_empty())
}

/// Switches the chip on and gives it its firmware.
pub(crate) async fn start(
    pins: Pins,
    interrupts: impl Binding<PIO0_IRQ_0, pio::InterruptHandler<PIO0>>
    + Binding<DMA_IRQ_0, dma::InterruptHandler<DMA_CH0>>
    + 'static,
) -> (Driver, Control, Chip) {
    static STATE: StaticCell<State> = StaticCell::new();
    let power = Output::new(pins.power, Level::Low);
    let select = Output::new(pins.select, Level::High);
    let mut pio = Pio::new(pins.pio, interrupts);
    let bus = PioSpi::new(
        &mut pio.common,
        pio.sm0,
        DEFAULT_CLOCK_DIVIDER,
        pio.irq0,
        select,
        pins.data,
        pins.clock,
        dma::Channel::new(pins.dma, interrupts),
    );
    let state = STATE.init_with(State::new);
    cyw43::new(state, power, bus, PROGRAM, BOARD).await
}

/// Changes the light, as soon as the chip has time for it.
pub(crate) fn toggle_light() {
    LIT.fetch_xor(true, Ordering::Relaxed);
    CHANGED.signal(());
}

/// Joins the network, again whenever it was lost, and sees to the light, for
/// ever.
pub(crate) async fn stay(mut control: Control, wifi: Wifi, stack: Stack<'static>) {
    control.init(COUNTRIES).await;
    control
        .set_power_management(PowerManagementMode::PowerSave)
        .await;
    loop {
        let options = match wifi.passphrase.as_bytes() {
            [] => JoinOptions::new_open(),
            passphrase => JoinOptions::new(passphrase),
        };
        match control.join(&wifi.name, options).await {
            Ok(()) => {
                log::info!("joined {}", wifi.name);
                until_lost(&mut control, stack).await;
                log::warn!("lost {}", wifi.name);
            }
            Err(error) => log::warn!("cannot join {}: {}", wifi.name, cause(&error)),
        }
        Timer::after(PAUSE).await;
    }
}

/// Sees to the light for as long as there is a network.
async fn until_lost(control: &mut Control, stack: Stack<'static>) {
    // The stack hears of it a little later; if not, there is none.
    let _ = with_timeout(PAUSE, stack.wait_link_up()).await;
    while let Either::Second(()) = select(stack.wait_link_down(), CHANGED.wait()).await {
        control.gpio_set(LIGHT, LIT.load(Ordering::Relaxed)).await;
    }
}

fn cause(error: &JoinError) -> &'static str {
    match error {
        JoinError::NetworkNotFound => "it is not there",
        JoinError::AuthenticationFailure => "it refuses the passphrase",
        JoinError::JoinFailure(_) => "it does not answer as it should",
    }
}
