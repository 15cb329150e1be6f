"""Connections before there is a request: who may have how many, for how long, and what is HTTP."""
