-- What became of every rotation. Append-only: each entry carries the hash of the one before it, so one that was changed or
-- taken out is missed. `write_kid` is the key that sealed when the entry was written.
CREATE TABLE rotation_log (
    seq       INTEGER NOT NULL PRIMARY KEY CHECK (seq > 0),
    at        TEXT    NOT NULL,
    event     TEXT    NOT NULL
              CHECK (event IN ('begun', 'resumed', 'superseded', 'set_aside', 'certified', 'refused', 'verified')),
    -- NULL for a check that no rotation asked for.
    rotation  TEXT    CHECK (length(rotation) BETWEEN 1 AND 63),
    write_kid TEXT    NOT NULL CHECK (length(write_kid) = 16),
    -- More about it, by event. JSON; the certificate, if it is one.
    details   TEXT    NOT NULL,
    previous  TEXT    NOT NULL CHECK (length(previous) = 64),
    hash      TEXT    NOT NULL UNIQUE CHECK (length(hash) = 64)
) STRICT;

CREATE TRIGGER rotation_log_is_a_chain BEFORE INSERT ON rotation_log
WHEN NEW.seq IS NOT (SELECT COALESCE(MAX(seq), 0) + 1 FROM rotation_log)
    OR NEW.previous IS NOT COALESCE((SELECT hash FROM rotation_log ORDER BY seq DESC LIMIT 1),
                                    '0000000000000000000000000000000000000000000000000000000000000000')
BEGIN
    SELECT RAISE(ABORT, 'the rotation log only grows at its end');
END;

CREATE TRIGGER rotation_log_is_never_changed BEFORE UPDATE ON rotation_log
BEGIN
    SELECT RAISE(ABORT, 'the rotation log is never changed');
END;

CREATE TRIGGER rotation_log_is_never_cut BEFORE DELETE ON rotation_log
BEGIN
    SELECT RAISE(ABORT, 'the rotation log is never cut');
END;
