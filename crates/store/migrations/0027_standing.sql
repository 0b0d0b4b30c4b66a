-- A receipt is a promise (docs/decisions/0034-durable-until.md): what the centre has of each kit's packets, which of
-- them a lost disk does not take away any more, and what the kit itself said last.

-- Up to this counter the centre has every packet.
ALTER TABLE kit ADD COLUMN whole_seq bigint NOT NULL DEFAULT 0 CHECK (whole_seq >= 0);
-- Of the packets that it has, those up to this counter are safe.
ALTER TABLE kit ADD COLUMN durable_seq bigint NOT NULL DEFAULT 0 CHECK (durable_seq >= 0);
-- What it had up to mark_seq was written before this byte of the write-ahead log.
ALTER TABLE kit ADD COLUMN mark_seq bigint CHECK (mark_seq > 0);
ALTER TABLE kit ADD COLUMN mark_lsn bigint CHECK ((mark_lsn IS NULL) = (mark_seq IS NULL));
-- Of which cluster's log both speak, and where packets must be to be safe: what was loaded into another cluster, or came
-- before there was an archive, is not in the archive of now.
ALTER TABLE kit ADD COLUMN safe_source text;
-- There seemed to be two of this kit at least once: nothing of it is called safe any more.
ALTER TABLE kit ADD COLUMN contradicted boolean NOT NULL DEFAULT false;
-- The kit's own word, and when it came.
ALTER TABLE kit ADD COLUMN told_at timestamptz;
ALTER TABLE kit ADD COLUMN told_total bigint CHECK (told_total >= 0);
ALTER TABLE kit ADD COLUMN told_unsent bigint CHECK (told_unsent >= 0);
ALTER TABLE kit ADD COLUMN told_durable bigint CHECK (told_durable >= 0);
ALTER TABLE kit ADD COLUMN told_forgotten bigint CHECK (told_forgotten >= 0);
ALTER TABLE kit ADD CHECK (num_nulls(told_at, told_total, told_unsent, told_durable, told_forgotten) IN (0, 5));

-- What the work does with it (crates/store/ROLES.md).
GRANT UPDATE (whole_seq, durable_seq, mark_seq, mark_lsn, safe_source, contradicted, told_at, told_total, told_unsent,
              told_durable, told_forgotten)
    ON kit TO dancu_work;
