"""What the agents remember of a user and of a device: small, bounded, independent of a model."""
