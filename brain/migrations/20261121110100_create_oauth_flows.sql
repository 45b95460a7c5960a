-- One row an authorization that a person has not finished. `state` is kept as its SHA-256; the PKCE verifier is sealed.
CREATE TABLE oauth_flows (
    state_hash  TEXT NOT NULL PRIMARY KEY CHECK (length(state_hash) = 64),
    ref_id      TEXT NOT NULL REFERENCES connections (ref_id) ON DELETE CASCADE,
    verifier    TEXT NOT NULL,
    kid         TEXT NOT NULL CHECK (length(kid) = 16),
    -- Issuer, endpoints, client, resource, redirect URI and requested scopes of this flow. JSON, nothing secret.
    request     TEXT NOT NULL,
    return_url  TEXT,
    created_at  TEXT NOT NULL,
    expires_at  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX oauth_flows_of_connection ON oauth_flows (ref_id);
