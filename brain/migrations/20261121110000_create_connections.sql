-- One row a connection to an MCP server. `credentials` is sealed: the tokens of an OAuth connection or the static
-- credential, as JSON. NULL while a person has not come back from the provider, and after the credential was dropped.
CREATE TABLE connections (
    ref_id           TEXT    NOT NULL PRIMARY KEY CHECK (length(ref_id) = 25),
    server_name      TEXT    NOT NULL CHECK (length(server_name) BETWEEN 1 AND 40),
    alias            TEXT    NOT NULL UNIQUE CHECK (length(alias) BETWEEN 1 AND 40),
    auth_method      TEXT    NOT NULL CHECK (auth_method IN ('oauth', 'static', 'none')),
    status           TEXT    NOT NULL CHECK (status IN ('pending_oauth', 'connected', 'expired', 'revoked')),
    -- Granted scopes and scopes that a call was refused for, each separated by spaces.
    scopes           TEXT    NOT NULL DEFAULT '',
    missing_scopes   TEXT    NOT NULL DEFAULT '',
    credentials      TEXT,
    kid              TEXT    CHECK (length(kid) = 16),
    -- Counts every change of the credential: whoever got a 401 with an older one only has to try again.
    generation       INTEGER NOT NULL DEFAULT 0 CHECK (generation >= 0),
    expires_at       TEXT,
    -- Who issued the tokens, and how to renew and revoke them (RFC 8414, RFC 8707, RFC 7009). JSON, nothing secret.
    authorization    TEXT,
    created_at       TEXT    NOT NULL,
    connected_at     TEXT,
    refreshed_at     TEXT,
    last_error       TEXT,
    last_error_at    TEXT,
    CHECK ((credentials IS NULL) = (kid IS NULL))
) STRICT;
