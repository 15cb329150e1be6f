"""The packages of the peers: pinned by lock files beside them, put into a temporary folder, and no
dependencies of this project."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from scoreboard.errors import ConfigurationError

HERE = Path(__file__).parent


def need_node() -> None:
    """Raises ConfigurationError where Node.js or npm is missing."""
    for program, package in (("node", "Node.js"), ("npm", "npm")):
        if shutil.which(program) is None:
            raise ConfigurationError(
                f"this needs Node.js with npm, for the peer on redis-rank; there is no {package}"
            )


def install_fastapi(folder: Path) -> None:
    """The tutorial's service, and FastAPI with its drivers, in ``folder``. Raises
    ConfigurationError."""
    shutil.copytree(HERE / "fastapi_tutorial", folder)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--require-hashes", "--requirement", "requirements.txt", "--target", "."], folder)


def install_redis_rank(folder: Path) -> None:
    """The Node service, and redis-rank with its drivers, in ``folder``. Raises
    ConfigurationError."""
    shutil.copytree(HERE / "redis_rank", folder)
    _run(["npm", "ci", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"], folder)


def _run(command: Sequence[str], folder: Path) -> None:
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip().splitlines() or ["no reason given"]
        raise ConfigurationError(f"{' '.join(command[:4])} in {folder} failed: {said[-1]}")
