"""`make load-test`: game servers and players in an open loop, measured and audited."""
