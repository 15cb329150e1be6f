"""Attacks on a service of our own, while an honest client watches what becomes of it."""
