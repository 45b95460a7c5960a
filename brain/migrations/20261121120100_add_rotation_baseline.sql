-- What the open rotation began with: why and when, the digest over every place and value before the first write, and how
-- often the brain had been opened then. As the other rotation columns, NULL while none is open.
ALTER TABLE key_state ADD COLUMN rotation_mode TEXT CHECK (rotation_mode IN ('Normal', 'Compromised'));
ALTER TABLE key_state ADD COLUMN rotation_started_at TEXT;
ALTER TABLE key_state ADD COLUMN inventory_root TEXT CHECK (length(inventory_root) = 64);
ALTER TABLE key_state ADD COLUMN inventory_opens INTEGER CHECK (inventory_opens >= 0);
