"""Everything on one machine: the servers and processes that ``scoreboard up`` runs."""
