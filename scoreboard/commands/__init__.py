"""The commands of ``scoreboard``, one module each."""
