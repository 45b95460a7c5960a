-- Whose brain this is. One row, written once: a brain that carries another id is refused, not adopted.
CREATE TABLE brain_identity (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    database_id TEXT    NOT NULL CHECK (length(database_id) BETWEEN 1 AND 63),
    created_at  TEXT    NOT NULL,
    -- Opened for serving so often: tells a rotation that an engine ran in between.
    open_count  INTEGER NOT NULL DEFAULT 0 CHECK (open_count >= 0)
) STRICT;
