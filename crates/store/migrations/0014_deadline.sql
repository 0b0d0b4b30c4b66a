-- A deadline as its document words it: "trước" (before) leaves the day out, "đến" and "tính đến" (through)
-- count it. Until now every deadline was taken as "before"; of the targets that came with the program, three
-- were worded "through".
ALTER TABLE target ADD COLUMN deadline_wording text NOT NULL DEFAULT 'before'
    CHECK (deadline_wording IN ('before', 'through'));
UPDATE target SET deadline_wording = 'through'
    WHERE (unit_code, deadline) IN (('91', '2021-06-30'), ('36', '2021-06-15'), ('01', '2021-06-05'));
-- Whoever writes a target says how it is worded.
ALTER TABLE target ALTER COLUMN deadline_wording DROP DEFAULT;

-- Counting people with an application, one person once, also for a single commune of a whole country: from a
-- person to the applications that name them before they are linked, and to the records that were merged into
-- theirs.
CREATE INDEX application_by_claim ON application (claimed_person_id)
    WHERE person_id IS NULL AND claimed_person_id IS NOT NULL;
CREATE INDEX person_by_survivor ON person (same_as) WHERE same_as IS NOT NULL;
