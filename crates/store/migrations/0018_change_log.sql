-- What changed, in the order in which it can be followed (docs/decisions/0022-identities-follow.md). Whoever changes a
-- person or writes a resolution notes it here in the same transaction, without a position and without a lock. Whoever
-- follows gives positions first, to all that is committed by then: what is committed later comes later.
CREATE TABLE change_log (
    entry_id uuid PRIMARY KEY,
    what text NOT NULL CHECK (what IN ('people', 'resolutions')),
    ids uuid[] NOT NULL,               -- people, or applications that were looked at
    position bigint                    -- from 1; NULL until somebody follows
);
CREATE UNIQUE INDEX change_by_position ON change_log (position);
CREATE INDEX change_without_position ON change_log (entry_id) WHERE position IS NULL;

-- How far those have come whose work must not begin anew when a program does.
CREATE TABLE change_cursor (
    reader text PRIMARY KEY,
    position bigint NOT NULL
);

-- Tells this database from any other: what is kept beside it in files must be of it.
INSERT INTO meta (key, value) VALUES ('installation.id', gen_random_uuid()::text) ON CONFLICT (key) DO NOTHING;
