"""Long-running jobs behind the write path: persisting, rebuilding, verifying."""
