-- Officers' own fingers (docs/decisions/0035-officers-fingers.md): every application is compared with them, so that an
-- officer who puts a finger of their own under a citizen's name is found.

-- By account and not by credential: a person has one set of fingers, whatever kits they work on and whenever.
CREATE TABLE officer_fingers (
    account_id uuid PRIMARY KEY,
    taken_at timestamptz NOT NULL,
    taken_by text NOT NULL,
    fingers smallint NOT NULL CHECK (fingers BETWEEN 0 AND 10),
    -- One record of ISO/IEC 19794-2:2005, under a key drawn for this row alone, which is wrapped; NULL of whoever has none.
    sealed bytea CHECK ((sealed IS NULL) = (fingers = 0)),
    -- Why some are lacking, in the words of whoever took them.
    lacking text CHECK (fingers > 0 OR lacking IS NOT NULL)
);

-- What the work does with it (crates/store/ROLES.md). Pages have nothing to do with it.
GRANT SELECT, INSERT, UPDATE, DELETE ON officer_fingers TO dancu_work;
