-- Packets that are set aside, and clocks of kits that are wrong.

-- A packet that cannot be opened is tried again, then set aside with its reason, until somebody has it opened again:
-- it hides nothing that came after it. What a kit sends after it was revoked is set aside at once.
ALTER TABLE packet ADD COLUMN attempts smallint NOT NULL DEFAULT 0;  -- that failed for no fault of the content
ALTER TABLE packet ADD COLUMN quarantined text;                      -- reason; NULL when it is not set aside
ALTER TABLE packet ADD COLUMN quarantined_at timestamptz;
DROP INDEX packet_unopened;
CREATE INDEX packet_unopened ON packet (received_at, packet_id)
    WHERE wrapped_key IS NULL AND refused IS NULL AND quarantined IS NULL;
CREATE INDEX packet_quarantined ON packet (quarantined_at, packet_id) WHERE quarantined IS NOT NULL;

-- `captured_at` lies between the kit's last contact and the receipt; what the kit's clock said beyond that is kept.
ALTER TABLE application ADD COLUMN kit_clock_at timestamptz;
-- When the centre last took something over from the kit, by the centre's clock.
ALTER TABLE kit ADD COLUMN heard_at timestamptz;

-- A key that came from outside is sealed for what it belongs to, and is longer than one that was wrapped
-- (docs/decisions/0027-keys-with-one-purpose.md).
ALTER TABLE blank_box DROP CONSTRAINT blank_box_wrapped_key_check;
ALTER TABLE blank_box ADD CONSTRAINT blank_box_wrapped_key_check CHECK (octet_length(wrapped_key) = 88)
    NOT VALID;
