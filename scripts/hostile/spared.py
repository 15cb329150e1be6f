"""Hooks of Schemathesis: what it learns of the honest client by one call, it does not use to change
its board or its players by another. An administrator may do that, so it would be no fault."""

from __future__ import annotations

from typing import Any

import schemathesis

from scripts.hostile.honest import BOARD, SECOND, USER

_SPARED = {BOARD, USER, SECOND}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], _: Any) -> None:
    """Turns such a call to a board, or a player, of which nobody knows."""
    if case.method not in ("GET", "HEAD"):
        for name, value in case.path_parameters.items():
            if value in _SPARED:
                case.path_parameters[name] = f"not-{value}"
