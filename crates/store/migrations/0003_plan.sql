-- Targets, quotas, kits, slots and invitations.

CREATE TABLE target (
    unit_code text NOT NULL,
    name text NOT NULL,
    amount bigint,                     -- NULL: every eligible resident counts
    kind text NOT NULL CHECK (kind IN ('floor', 'exact')),
    starts_on date NOT NULL,
    deadline date NOT NULL,
    source text NOT NULL,
    PRIMARY KEY (unit_code, name)
);

-- One row per commune (or district without communes) of the campaign.
CREATE TABLE area (
    unit_code text PRIMARY KEY,
    unit_path text NOT NULL,
    residents bigint NOT NULL,
    eligible bigint NOT NULL,          -- aged 14 or more on eligible_on, alive, not merged
    eligible_on date NOT NULL,
    quota bigint NOT NULL
);

CREATE TABLE kit (
    kit_id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    unit_code text NOT NULL,
    public_key bytea NOT NULL,         -- uncompressed P-256 point, 65 bytes; packets are verified with it
    registered_at timestamptz NOT NULL,
    revoked_at timestamptz
);

CREATE TABLE slot (
    slot_id uuid PRIMARY KEY,
    kit_id uuid NOT NULL REFERENCES kit,
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    site text NOT NULL,
    day date NOT NULL,
    shift smallint NOT NULL CHECK (shift BETWEEN 1 AND 4),
    starts_at timestamptz NOT NULL,
    minutes smallint NOT NULL,
    capacity smallint NOT NULL CHECK (capacity > 0),
    round smallint NOT NULL,           -- 1 when everyone is invited; later ones are for those who missed
    UNIQUE (slot_id, capacity),
    UNIQUE (kit_id, starts_at)
);
CREATE INDEX slot_by_day ON slot (day);

-- A seat cannot be given twice and a slot cannot be overfilled, whoever writes: the seat number is unique within the
-- slot and at most the capacity, which the foreign key keeps equal to the slot's.
CREATE TABLE invitation (
    person_id uuid NOT NULL,
    round smallint NOT NULL,           -- 1 for the first invitation, then once more per missed slot
    slot_id uuid NOT NULL,
    slot_capacity smallint NOT NULL,
    seat smallint NOT NULL,
    unit_path text NOT NULL,
    state text NOT NULL CHECK (state IN ('invited', 'attended', 'missed')),
    invited_at timestamptz NOT NULL,
    PRIMARY KEY (person_id, round),
    FOREIGN KEY (slot_id, slot_capacity) REFERENCES slot (slot_id, capacity),
    UNIQUE (slot_id, seat),
    CHECK (seat BETWEEN 1 AND slot_capacity)
);
CREATE UNIQUE INDEX invitation_one_open ON invitation (person_id) WHERE state = 'invited';
