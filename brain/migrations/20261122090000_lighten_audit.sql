-- A row costs one page: no index of times, because rows lie in the order of time as it is; and no AUTOINCREMENT, which
-- writes the last id elsewhere with each row, because the newest row is never deleted.
CREATE TABLE lighter (
    id          INTEGER PRIMARY KEY,
    at          TEXT    NOT NULL,
    kind        TEXT    NOT NULL,
    ref_id      TEXT,
    server_name TEXT,
    tool        TEXT,
    -- started, ok, error or a code of the API.
    outcome     TEXT    NOT NULL,
    duration_ms INTEGER,
    request_id  TEXT,
    -- More about it, by kind. JSON.
    details     TEXT    NOT NULL DEFAULT '{}'
) STRICT;
INSERT INTO lighter (id, at, kind, ref_id, server_name, tool, outcome, duration_ms, request_id, details)
SELECT id, at, kind, ref_id, server_name, tool, outcome, duration_ms, request_id, details FROM audit ORDER BY id;
DROP TABLE audit;
ALTER TABLE lighter RENAME TO audit;
