"""Proves on real processes that nothing acknowledged is lost and nothing counted twice, while
everything is killed again and again (``python -m scripts.chaos --help``, docs/durability.md)."""
