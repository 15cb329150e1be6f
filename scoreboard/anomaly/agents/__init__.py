"""The registry of the gate's agents: a file each in this folder, and a line below.

All other code uses this list and names no agent. Verdicts list the agents in this order, and
training draws random numbers in it; a new agent at the end leaves the other agents' forests as they
are.
"""

from __future__ import annotations

from scoreboard.anomaly.agent import Agent
from scoreboard.anomaly.agents import behavior, device, location, time

REGISTERED: tuple[Agent, ...] = (
    time.AGENT,
    location.AGENT,
    device.AGENT,
    behavior.AGENT,
)


def names() -> tuple[str, ...]:
    """Returns the agents' names, in order."""
    return tuple(agent.name for agent in REGISTERED)
