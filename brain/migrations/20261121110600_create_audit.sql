-- What was done, by whom, with which outcome. Never arguments, results, tokens or codes.
CREATE TABLE audit (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
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
CREATE INDEX audit_by_time ON audit (at);
