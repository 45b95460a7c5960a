-- Written last at a stop, read and deleted first at a start: the row says that the stop was a clean one.
CREATE TABLE handover (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    closed_at TEXT    NOT NULL,
    epoch     INTEGER NOT NULL
) STRICT;
