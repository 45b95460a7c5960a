//! Buffers for answers of any length up to a limit.

/// From this many bytes on, an answer is long.
const LONG: usize = 256 * 1024;

/// Appends to a buffer that will not grow beyond `limit` bytes. A long one gets all the room that it may need, at
/// once: pages that are never written to cost nothing, while a buffer that doubles leaves its former ones in the heap.
pub fn append(buffer: &mut Vec<u8>, part: &[u8], limit: usize) {
    let needed = buffer.len() + part.len();
    if needed > buffer.capacity() && needed > LONG {
        buffer.reserve_exact(limit.max(needed) - buffer.len());
    }
    buffer.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_buffer_grows_once() {
        let (mut buffer, part, limit) = (Vec::new(), [0; 1024], 4 * LONG);
        let mut grown_when_long = 0;
        while buffer.len() < limit {
            let before = buffer.capacity();
            append(&mut buffer, &part, limit);
            grown_when_long += u32::from(buffer.len() > LONG && buffer.capacity() != before);
        }
        assert_eq!((grown_when_long, buffer.capacity()), (1, limit));
    }

    #[test]
    fn a_short_buffer_stays_small() {
        let mut buffer = Vec::new();
        append(&mut buffer, b"short", usize::MAX);
        assert!(buffer.capacity() < 64);
    }
}
