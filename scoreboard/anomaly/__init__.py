"""The anomaly gate: its agents, their memory, their training and how well they decide."""
