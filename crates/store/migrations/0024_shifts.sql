-- Where a kit was to be when it captured somebody (docs/decisions/0033-kits-at-their-post.md).

-- Applications that were resolved, by the kit's shift in which they were captured: those whose person had a seat at that
-- kit on that day, and those who came without. Written with the resolution, in its transaction.
CREATE TABLE kit_shift (
    kit_id uuid NOT NULL,
    day date NOT NULL,
    shift smallint NOT NULL,
    invited integer NOT NULL DEFAULT 0 CHECK (invited >= 0),
    walk_ins integer NOT NULL DEFAULT 0 CHECK (walk_ins >= 0),
    PRIMARY KEY (kit_id, day, shift)
);
