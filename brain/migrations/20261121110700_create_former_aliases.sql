-- Aliases of connections that were removed: a call by such a name is told that nothing is connected, not that there is no
-- such tool.
CREATE TABLE former_aliases (
    alias   TEXT NOT NULL PRIMARY KEY CHECK (length(alias) BETWEEN 1 AND 40),
    gone_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;
