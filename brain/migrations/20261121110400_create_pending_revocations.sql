-- Tokens of connections that are gone, to be revoked at the provider (RFC 7009). Tried for up to 24 hours.
CREATE TABLE pending_revocations (
    id          TEXT    NOT NULL PRIMARY KEY,
    ref_id      TEXT    NOT NULL,
    server_name TEXT    NOT NULL,
    -- Endpoint, client and tokens, as JSON.
    request     TEXT    NOT NULL,
    kid         TEXT    NOT NULL CHECK (length(kid) = 16),
    attempts    INTEGER NOT NULL DEFAULT 0,
    next_at     TEXT    NOT NULL,
    give_up_at  TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
