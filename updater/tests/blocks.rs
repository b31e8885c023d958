//! Cutting bodies into blocks and putting them together again.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use updater::blocks::{BlockError, BlockSize, Download, Upload};

fn any_size() -> impl Strategy<Value = BlockSize> {
    (0_u8..=6).prop_map(|szx| BlockSize::from_szx(szx).unwrap())
}

/// Sends the rest of `body`, asking for other sizes as in `wishes`; returns
/// what the receiver has, which takes what it has not and nothing else.
fn send(
    upload: &mut Upload,
    body: &[u8],
    mut had: Vec<u8>,
    wishes: &[Option<BlockSize>],
) -> Vec<u8> {
    for step in 0.. {
        let block = upload.block().unwrap();
        let offset = usize::try_from(block.num).unwrap() * block.size.bytes();
        assert_eq!(offset, block.range.start);
        assert!(offset <= had.len(), "a gap");
        let bytes = &body[block.range.clone()];
        if block.more {
            assert_eq!(bytes.len(), block.size.bytes());
        }
        let known = had.len() - offset;
        had.extend_from_slice(bytes.get(known..).unwrap_or(&[]));
        if !block.more {
            break;
        }
        let wish = wishes.get(step).copied().flatten();
        if step % 3 == 2 && wish.is_some_and(|wish| wish < block.size) {
            // Refused with a smaller size instead: the same bytes again.
            had.truncate(offset + known.min(had.len() - offset));
            assert!(upload.too_large(wish));
        } else {
            upload.accepted(wish);
        }
    }
    had
}

proptest! {
    #[test]
    fn any_body_arrives_whole(
        body in vec(any::<u8>(), 0..5000),
        size in any_size(),
        wishes in vec(option::of(any_size()), 0..10),
    ) {
        let mut upload = Upload::new(body.len(), size);
        prop_assert_eq!(send(&mut upload, &body, Vec::new(), &wishes), body);
    }

    #[test]
    fn a_body_continues_from_any_offset(
        body in vec(any::<u8>(), 0..5000),
        received in 0_usize..=5000,
        size in any_size(),
        wishes in vec(option::of(any_size()), 0..10),
    ) {
        let received = received.min(body.len());
        let mut upload = Upload::resume(body.len(), received, size);
        let first = upload.block().unwrap().range.start;
        prop_assert!(first <= received);
        if received < body.len() {
            prop_assert!(received - first < size.bytes(), "sends less than a block again");
        }
        let had = body[..received].to_vec();
        prop_assert_eq!(send(&mut upload, &body, had, &wishes), body);
    }

    #[test]
    fn a_download_in_blocks_is_the_body(body in vec(any::<u8>(), 0..5000), size in any_size()) {
        let mut download = Download::default();
        let mut num = 0;
        loop {
            let start = usize::try_from(num).unwrap() * size.bytes();
            let end = body.len().min(start + size.bytes());
            let more = end < body.len();
            match download.take(Some((num, more, size)), None, &body[start..end]).unwrap() {
                Some((next, same)) => {
                    prop_assert!(more);
                    prop_assert_eq!(same, size);
                    num = next;
                }
                None => break,
            }
        }
        prop_assert_eq!(download.into_body(), body);
    }
}

#[test]
fn sizes_are_powers_of_two_from_16_to_1024() {
    let legal: Vec<_> = (0..2000)
        .filter(|bytes| BlockSize::from_bytes(*bytes).is_some())
        .collect();
    assert_eq!(legal, [16, 32, 64, 128, 256, 512, 1024]);
    assert_eq!(BlockSize::from_szx(7), None);
    assert_eq!(BlockSize::MAX.bytes(), 1024);
    assert_eq!(BlockSize::MIN.szx(), 0);
}

#[test]
fn a_complete_transfer_is_finished_with_its_last_block() {
    for (total, start) in [(2048, 1024), (2049, 2048), (1, 0), (0, 0)] {
        let upload = Upload::resume(total, total, BlockSize::MAX);
        let block = upload.block().unwrap();
        assert_eq!(block.range, start..total);
        assert!(!block.more);
    }
}

#[test]
fn more_than_a_million_blocks_are_refused() {
    let total = 16 << 20;
    let last = Upload::resume(total, total, BlockSize::MIN);
    assert_eq!(last.block().unwrap().num, (1 << 20) - 1);
    let beyond = Upload::resume(total + 1, total + 1, BlockSize::MIN);
    assert_eq!(beyond.block(), Err(BlockError::TooManyBlocks));
}

#[test]
fn a_download_takes_only_the_block_that_continues_it() {
    let size = BlockSize::MIN;
    let mut download = Download::default();
    assert_eq!(
        download.take(Some((1, true, size)), None, &[0; 16]),
        Err(BlockError::WrongBlock)
    );
    assert_eq!(
        download.take(Some((0, true, size)), None, &[0; 15]),
        Err(BlockError::WrongLength)
    );
    assert_eq!(
        download.take(Some((0, false, size)), None, &[0; 17]),
        Err(BlockError::WrongLength)
    );
    assert_eq!(
        download.take(Some((0, true, size)), Some(b"a"), &[1; 16]),
        Ok(Some((1, size)))
    );
    assert_eq!(
        download.take(Some((0, true, size)), Some(b"a"), &[1; 16]),
        Err(BlockError::WrongBlock)
    );
    assert_eq!(
        download.take(Some((1, false, size)), Some(b"b"), &[2]),
        Err(BlockError::Changed)
    );
    assert_eq!(download.take(None, None, &[2]), Err(BlockError::WrongBlock));
    assert_eq!(
        download.take(Some((1, false, size)), Some(b"a"), &[2]),
        Ok(None)
    );
    assert_eq!(download.into_body().len(), 17);
}

#[test]
fn a_download_is_bounded() {
    let mut download = Download::default();
    let size = BlockSize::MAX;
    for num in 0..1024 {
        assert!(
            download
                .take(Some((num, true, size)), None, &[0; 1024])
                .is_ok()
        );
    }
    assert_eq!(
        download.take(Some((1024, false, size)), None, &[0]),
        Err(BlockError::TooLong)
    );
}
