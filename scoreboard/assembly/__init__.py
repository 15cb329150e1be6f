"""Where the parts of a process are put together."""
