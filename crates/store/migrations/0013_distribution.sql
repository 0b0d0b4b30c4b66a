-- What a distributed engine refuses is let go (docs/decisions/0019-fit-for-distribution.md): triggers, policies with a
-- sub-query, and advisory locks, which each server keeps for itself.

-- Blanks go forward and spoiled cards stay spoiled by the conditions of the statements that write them.
DROP TRIGGER blank_goes_forward ON blank;
DROP FUNCTION blank_goes_forward();
DROP TRIGGER card_stays_spoiled ON card;
DROP FUNCTION card_stays_spoiled();

-- Rows that are locked instead: who takes one waits for whoever has it.
INSERT INTO meta (key, value) VALUES
    ('lock.import', 'held by whoever asks what the register knows and then writes to it'),
    ('lock.resolve', 'held by whoever decides who somebody is')
ON CONFLICT (key) DO NOTHING;
