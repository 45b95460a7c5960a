-- The clients that were registered dynamically (RFC 7591), one an issuer and redirect URI. A secret, if the provider gave
-- one, is sealed.
CREATE TABLE oauth_clients (
    id            TEXT NOT NULL PRIMARY KEY,
    issuer        TEXT NOT NULL,
    redirect_uri  TEXT NOT NULL,
    -- client_id, authentication method and expiry. JSON, nothing secret.
    registration  TEXT NOT NULL,
    client_secret TEXT,
    kid           TEXT CHECK (length(kid) = 16),
    created_at    TEXT NOT NULL,
    UNIQUE (issuer, redirect_uri),
    CHECK ((client_secret IS NULL) = (kid IS NULL))
) STRICT;
