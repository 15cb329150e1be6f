-- A change of the number of partitions that is under way (scoreboard repartition): until it is done no
-- process starts, and no board is made live under another number.
ALTER TABLE setup ADD COLUMN repartition integer CHECK (repartition BETWEEN 1 AND 1024);  -- the number to come; null: none is
