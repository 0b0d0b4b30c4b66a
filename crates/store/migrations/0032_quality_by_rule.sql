-- A curve is asked for one rule over its days; the index of 0030 began with the day and was of no use for it.
CREATE INDEX quality_day_by_rule ON quality_day (rule, day);
DROP INDEX quality_day_by_day;
