//! CRC service functions and seed parsing, mirroring `core_util.c`.

/// Update a 16b CRC with one byte, mirroring the C `crcu8`.
///
/// The update matches the reference implementation bit-for-bit, including the
/// final `crc &= 0x7fff` on the non-carry path.
#[inline]
pub(crate) fn crcu8(data: u8, crc: u16) -> u16 {
    let mut crc = crc;
    let mut data = data;
    for _ in 0..8 {
        let x16 = (data & 1) ^ ((crc & 1) as u8);
        data >>= 1;
        let carry = x16 == 1;
        if carry {
            crc ^= 0x4002;
        }
        crc >>= 1;
        if carry {
            crc |= 0x8000;
        } else {
            crc &= 0x7fff;
        }
    }
    crc
}

/// Update a 16b CRC with a 16b value.
#[inline]
pub(crate) fn crcu16(newval: u16, crc: u16) -> u16 {
    let crc = crcu8(newval as u8, crc);
    crcu8((newval >> 8) as u8, crc)
}

/// Update a 16b CRC with a signed 16b value.
#[inline]
pub(crate) fn crc16(newval: i16, crc: u16) -> u16 {
    crcu16(newval as u16, crc)
}

/// Update a 16b CRC with a 32b value.
#[inline]
pub(crate) fn crcu32(newval: u32, crc: u16) -> u16 {
    let crc = crc16(newval as i16, crc);
    crc16((newval >> 16) as i16, crc)
}
