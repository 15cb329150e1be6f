"""Programs for those who work on Scoreboard; not installed with it."""
