-- The definition of each tool as it was first seen, or as it was last accepted.
CREATE TABLE tool_pins (
    ref_id     TEXT NOT NULL REFERENCES connections (ref_id) ON DELETE CASCADE,
    action     TEXT NOT NULL,
    -- SHA-256 of the canonical JSON (RFC 8785) of name, description, schemas and annotations.
    digest     TEXT NOT NULL CHECK (length(digest) = 64),
    definition TEXT NOT NULL,
    pinned_at  TEXT NOT NULL,
    PRIMARY KEY (ref_id, action)
) STRICT, WITHOUT ROWID;
