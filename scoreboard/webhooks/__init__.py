"""Tells outsiders what happened: deliveries of webhooks."""
