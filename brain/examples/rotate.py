"""What Python's library offers for the rows that rotate.rs made: MultiFernet.rotate and a blind update by id.

    python3 rotate.py FOLDER        the folder that `rotate FOLDER ROWS fill` made

Prints one line of JSON. Nothing is checked, compared or verified here.
"""

import base64, json, sqlite3, sys, time
from cryptography.fernet import Fernet, MultiFernet

key = lambda number: base64.urlsafe_b64encode(bytes([number]) * 32)
ring = MultiFernet([Fernet(key(2)), Fernet(key(1))])
brain = sqlite3.connect(sys.argv[1] + "/brain.sqlite", isolation_level=None)
brain.execute("PRAGMA synchronous = FULL")
began = time.monotonic()
rows = brain.execute("SELECT ref_id FROM connections").fetchall()
for first in range(0, len(rows), 1000):
    brain.execute("BEGIN IMMEDIATE")
    for (row,) in rows[first : first + 1000]:
        (token,) = brain.execute("SELECT credentials FROM connections WHERE ref_id = ?", (row,)).fetchone()
        anew = ring.rotate(token.encode()).decode()
        brain.execute("UPDATE connections SET credentials = ? WHERE ref_id = ?", (anew, row))
    brain.execute("COMMIT")
took = time.monotonic() - began
print(json.dumps({"rows": len(rows), "rotate_s": round(took, 3), "rotate_rows_per_s": round(len(rows) / took)}))
