"""The four agents: features, forests, training and the gate that asks them."""
