"""The calls about players, and how players are shown where an answer leaves the service."""
