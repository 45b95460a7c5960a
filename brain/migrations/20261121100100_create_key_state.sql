-- The only authority on which key seals. One row, read in the same transaction as the write it decides.
-- The three rotation columns are set together while a rotation is open, and NULL otherwise.
CREATE TABLE key_state (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    write_kid     TEXT    NOT NULL CHECK (length(write_kid) = 16),
    epoch         INTEGER NOT NULL DEFAULT 0 CHECK (epoch >= 0),
    rotation_id   TEXT,
    rotation_from TEXT,
    rotation_to   TEXT,
    CHECK ((rotation_id IS NULL) = (rotation_from IS NULL) AND (rotation_id IS NULL) = (rotation_to IS NULL))
) STRICT;
