"""Scoreboard beside what a user would build instead, measured by one client in one run."""
