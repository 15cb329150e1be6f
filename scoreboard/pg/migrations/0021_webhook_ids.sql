-- Whether a webhook is told players' ids who are anonymous to readers. Unless it asks for that, their
-- pseudonyms are put in when a message is sent.
ALTER TABLE webhook ADD COLUMN real_ids boolean NOT NULL DEFAULT false;
