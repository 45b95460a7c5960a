-- Written before a refresh token is sent, deleted with the transaction that stores the answer. A row found at start says
-- that the refresh token may be spent.
CREATE TABLE refresh_intents (
    ref_id     TEXT    NOT NULL PRIMARY KEY REFERENCES connections (ref_id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    -- The key that will seal the answer. It is not a sealed row, hence not called kid.
    write_kid  TEXT    NOT NULL CHECK (length(write_kid) = 16),
    started_at TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
