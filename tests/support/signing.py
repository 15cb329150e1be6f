"""The key that signs the tests' tokens."""

from __future__ import annotations

import json

TEST_KEY = "a key for tests only, long enough for HS256"
JWT_KEYS = json.dumps({"test": TEST_KEY})  # as SCOREBOARD_JWT_KEYS has it
