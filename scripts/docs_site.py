"""Lays out what the site of the documents is built from, in build/site-source (`make docs`).

Documents keep their places in the repository, where their links are checked by the tests; the site
is built from a copy in the same places, so that the links hold there too. Added are the files that
they link to, and the pages made from the code.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from pathlib import Path

from scripts.reference_pages import calls_page, commands_page, metrics_page

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
DOCUMENTS = ("*.md", "docs/**/*.md", "lua/*.md", "clients/*.md", "clients/*/README.md")
_LINK = re.compile(r"\[([^]]*)\]\((?!\w+:|#)([^)\s#]+)[^)]*\)")
# Python-Markdown takes a comment and the line below it for one block of HTML.
_COMMENT = re.compile(r"^(<!-- .* -->)\n(?=.)", re.MULTILINE)


def lay_out(source: Path) -> None:
    """Makes the folder ``source`` anew."""
    shutil.rmtree(source, ignore_errors=True)
    for pattern in DOCUMENTS:
        for document in ROOT.glob(pattern):
            _copy_document(document.relative_to(ROOT), source)
    for name, text in reference().items():
        _write(source / "reference" / f"{name}.md", text)


def reference() -> dict[str, str]:
    """The pages that are made from the code, by name."""
    return {
        "calls": calls_page(),
        "commands": commands_page(),
        "metrics": metrics_page(),
    }


def _copy_document(document: Path, source: Path) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")

    def followed(link: re.Match[str]) -> str:
        target = Path(posixpath.normpath(posixpath.join(document.parent.as_posix(), link[2])))
        if (ROOT / target).is_dir():
            return link[1]  # a folder has no page
        if target.suffix != ".md":
            _copy_file(target, source)
        return link[0]

    _write(source / document, _COMMENT.sub(r"\1\n\n", _LINK.sub(followed, text)))


def _copy_file(file: Path, source: Path) -> None:
    (source / file).parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / file, source / file)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")


# What makes a browser ask another host when it opens a page; a link that a reader follows does not.
_FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?(?:https?:)?//[^\s>]*"
    r"|<link\b(?![^>]*\brel=[\"']?canonical)[^>]*\bhref=[\"']?(?:https?:)?//[^\s>]*"
)


def foreign(site: Path) -> list[str]:
    """Each thing that a page of the built site would fetch from another host."""
    return [
        f"{page.relative_to(site)}: {found}"
        for page in sorted(site.rglob("*.html"))
        for found in _FETCHED.findall(page.read_text(encoding="utf-8"))
    ]


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["lay-out"]:
            lay_out(BUILD / "site-source")
        case ["check"]:
            sys.exit("\n".join(foreign(BUILD / "site")) or None)
        case _:
            sys.exit("say lay-out or check")
