"""How much of what takes long is done: all of it with WHOLE=1, as CI sets it, else a part."""

from __future__ import annotations

import os

WHOLE = bool(os.environ.get("WHOLE"))
