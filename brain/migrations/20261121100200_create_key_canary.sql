-- A known text sealed with each key that this brain has seen: a ring that cannot open it is another brain's.
CREATE TABLE key_canary (
    kid    TEXT NOT NULL PRIMARY KEY CHECK (length(kid) = 16),
    sealed TEXT NOT NULL
) STRICT, WITHOUT ROWID;
