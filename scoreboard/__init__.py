"""Scoreboard: a Redis-native leaderboard service with a durable ledger in Postgres."""

__version__ = "0.1.0"
