"""Measures every part of the service (``python -m scripts.bench``, docs/performance.md)."""
