"""Fetch Redoc, which shows the API's description at /docs, from npm, and write the file that the
service serves and its licence.

    .venv/bin/python -m scripts.renew_redoc

To renew it, change VERSION and INTEGRITY (`npm view redoc@VERSION dist.integrity`), run this, look
at /docs, and set SHA256 to what it prints. The bundle is Redoc's own but for the addresses in
OUTSIDE, which are emptied: a reader's browser asks no other host for anything, not for a picture,
and tells nobody what it was used for.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "3.0.1"
INTEGRITY = "sha512-KDfoKaYW19LCl4YStgBnwlaNjYEFfs5zCNt1s1WZ2YM5u8d26Yuzd2l43fZO851ZsgIMe/D640fDJkD8eaRQKQ=="  # noqa: E501
SHA256 = "001a5e934479bc135c353c207f78f36143b278d3bbe01f113095a8196d5029fa"

STATIC = Path(__file__).parents[1] / "scoreboard" / "api" / "static"
BUNDLE, LICENSE = STATIC / "redoc.js.gz", STATIC / "redoc.LICENSE.txt"

OUTSIDE = (
    "https://cdn.redoc.ly/redoc/logo-mini-full.svg",
    "https://cdn.redoc.ly/redoc/logo-mini.svg",
    "https://otel.cloud.redocly.com/v1/traces",
)


def without_outside(bundle: str) -> str:
    for address in OUTSIDE:
        if address not in bundle:
            sys.exit(f"{address} is not in this version: look at what it asks other hosts for.")
        bundle = bundle.replace(address, "")
    return bundle


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", folder, f"redoc@{VERSION}"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        (packed,) = Path(folder).iterdir()
        found = "sha512-" + base64.b64encode(hashlib.sha512(packed.read_bytes()).digest()).decode()
        if found != INTEGRITY:
            sys.exit(f"npm gave another file: {found}")
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")
        package = Path(folder, "package")
        bundle = package.joinpath("bundles", "redoc.standalone.js").read_text(encoding="utf-8")
        content = without_outside(bundle).encode()
        BUNDLE.write_bytes(gzip.compress(content, 9, mtime=0))
        LICENSE.write_bytes(package.joinpath("LICENSE").read_bytes())
    print(f"SHA256 = {hashlib.sha256(content).hexdigest()!r}".replace("'", '"'))


if __name__ == "__main__":
    main()
