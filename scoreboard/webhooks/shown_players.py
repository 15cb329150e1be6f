"""How players stand in a message: as all readers see them, unless its webhook is for a service that
has to know who they are.

What is recorded names them by their ids. What is shown of them is looked up at each attempt, so who
has become anonymous or hidden meanwhile is so in what is sent from then on."""

from __future__ import annotations

from typing import Any

import msgspec

from scoreboard.domain.profiles import KnownProfile, pseudonym
from scoreboard.domain.webhooks import DueDelivery
from scoreboard.webhooks.ports import Profiles


class ShownPlayers:
    """Raises Unavailable when Postgres is away."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    async def presented(self, due: DueDelivery) -> DueDelivery:
        """The delivery as its receiver gets it. What tells of an erased player stays as it is: the
        receiver is to know whom to erase."""
        if due.real_ids or due.event == "player.erased":
            return due
        data = msgspec.json.decode(due.data)
        top = data.get("topScores", [])
        users = {entry["userId"] for entry in top} | {data.get("userId")} - {None}
        known = await self._profiles.known(users)
        if all(one.visibility == "public" for one in known.values()):
            return due
        secret = await self._profiles.secret()

        def named(entry: dict[str, Any]) -> dict[str, Any]:
            user = entry["userId"]
            if known[user].visibility == "public":
                return entry
            return entry | {"userId": pseudonym(secret, data["board"], user)}

        if "topScores" in data:
            data["topScores"] = [
                named(entry) for entry in top if _is_listed(known[entry["userId"]])
            ]
        if "userId" in data:
            data = named(data)
        return msgspec.structs.replace(due, data=msgspec.json.encode(data))


def _is_listed(known: KnownProfile) -> bool:
    return known.visibility != "hidden"
