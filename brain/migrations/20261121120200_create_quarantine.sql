-- Values that no key of the ring opened, and that somebody decided to set aside: as they lay, with the key that was said to
-- have sealed them. That key is kept as long as there is a row for it here.
CREATE TABLE quarantine (
    id         INTEGER NOT NULL PRIMARY KEY,
    row_table  TEXT    NOT NULL,
    row_id     TEXT    NOT NULL,
    row_column TEXT    NOT NULL,
    kid        TEXT    NOT NULL CHECK (length(kid) = 16),
    token      TEXT    NOT NULL,
    set_aside_at TEXT  NOT NULL,
    rotation   TEXT    NOT NULL
) STRICT;
