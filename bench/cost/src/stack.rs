//! How much stack something takes.
#![expect(
    unsafe_code,
    reason = "to run on another stack is unsafe; it is one that nobody else has"
)]

/// Bytes of the stack that it runs on: much more than anything here takes.
const SIZE: usize = 1 << 20;
/// What is on a stack that nobody has used.
const PAINT: u64 = 0x5AFE_C0DE_5AFE_C0DE;

/// Runs it on a stack of its own. Returns how much of that was written to, to 16
/// bytes, and the heap that the stack itself takes.
pub fn used(step: &mut dyn FnMut()) -> (usize, usize) {
    // Of this type so that both ends are aligned as the stack has to be.
    let mut stack = vec![[PAINT; 2]; SIZE / size_of::<[u64; 2]>()];
    let own = size_of_val(stack.as_slice());
    // SAFETY: the memory is writable, aligned to 16 bytes and not used otherwise
    // until the call returns; it grows down, as on every target here.
    unsafe { psm::on_stack(stack.as_mut_ptr().cast(), own, step) };
    let untouched = stack.iter().take_while(|words| **words == [PAINT; 2]);
    (own - untouched.count() * size_of::<[u64; 2]>(), own)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    #[test]
    fn a_buffer_on_the_stack_is_seen() {
        let (nothing, _) = super::used(&mut || {});
        let (buffer, _) = super::used(&mut || {
            black_box([1_u8; 5000]);
        });
        assert!((5000..6000).contains(&(buffer - nothing)), "{buffer}");
    }
}
