-- Operators look for players by how their names begin, whatever the capitals. In the order of bytes, in which
-- all names with one beginning lie together.
CREATE INDEX profile_name ON profile ((lower(display_name) COLLATE "C"), user_id)
    WHERE display_name IS NOT NULL;
