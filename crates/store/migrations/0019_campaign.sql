-- A campaign as it was opened: of which unit, from when to when. Its number and deadline stand in `target` too, which
-- reports read; here they are what a repeat is compared with.
CREATE TABLE campaign (
    unit_code text NOT NULL,
    starts_on date NOT NULL,
    unit_path text NOT NULL,           -- 42/445/
    deadline date NOT NULL,
    deadline_wording text NOT NULL CHECK (deadline_wording IN ('before', 'through')),
    amount bigint CHECK (amount > 0),  -- NULL: every eligible resident counts
    opened_at timestamptz NOT NULL,
    opened_by text NOT NULL,
    PRIMARY KEY (unit_code, starts_on)
);

-- Why a kit may send no more; code or words of whoever revoked it.
ALTER TABLE kit ADD COLUMN revoked_reason text;
