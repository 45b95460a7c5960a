//! What keeps the protocol safe, each with a switch: without it, the check must find how it goes wrong.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Guard {
    /// A row is replaced only if it still is what was read.
    CompareAndSwap,
    /// Only the holder of the brain's epoch writes.
    EpochFence,
    /// A key leaves the ring only after every row opened with the other one alone.
    VerifyBeforeWithhold,
    /// A key is staged only after its Secret was read back.
    ReadBackBeforeStaging,
    /// The Job comes only when no pod mounts the claim.
    PodsGone,
    /// The Job comes only when no pod can come any more.
    NoPodCanCome,
    /// An engine seals with the key that the brain names in that transaction.
    WriteKeyFence,
    /// A key is destroyed only on fresh proof that nothing needs it.
    ProofBeforeDestroy,
    /// A key is minted only after the rotation was recorded.
    RecordBeforeMint,
    /// An id is carried out once.
    ConsumedIds,
    /// Once an attempt ended in silence, no refusal takes its key out of the ring.
    DoubtAfterSilence,
    /// Of two orders the brain begins only the later one.
    LaterOrder,
    /// The brain's gate: a Job whose order is old does not begin.
    Gate,
}
