"""Processes in a network of their own, which can be cut."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from scripts.load.network import Host, Network, NoNetwork


@contextmanager
def private_network() -> Iterator[Network]:
    """A network for as long as the block lasts; skips the test where none can be made."""
    network = Network()
    try:
        network.open()
    except NoNetwork as error:
        pytest.skip(str(error))
    try:
        yield network
    finally:
        network.close()


@contextmanager
def cut_network() -> Iterator[Host]:
    """The same, with one host in it."""
    with private_network() as network:
        yield network.add()
