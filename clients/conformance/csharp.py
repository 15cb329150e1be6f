"""The C# client as its two kinds of users get it: which files .NET's project and Unity's assembly
name, and the ``.meta`` files, without which Unity leaves out what a package has.

``python -m clients.conformance.csharp`` writes these; a test compares them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree

CSHARP = Path(__file__).parents[1] / "csharp"
PACKAGE = json.loads((CSHARP / "package.json").read_text(encoding="utf-8"))


def project() -> ElementTree.Element:
    """The project of .NET."""
    return ElementTree.parse(CSHARP / "ScoreboardClient.csproj").getroot()


def named_by_project() -> list[Path]:
    """The sources that .NET compiles."""
    named = [one.attrib["Include"] for one in project().iterfind("ItemGroup/Compile")]
    return sorted(file for pattern in named for file in CSHARP.glob(pattern))


def named_by_assembly() -> list[Path]:
    """The sources that Unity compiles: those below the one assembly definition that it sees."""
    (definition,) = (file for file in seen_by_unity() if file.suffix == ".asmdef")
    sources = (file for file in seen_by_unity() if file.suffix == ".cs")
    return sorted(file for file in sources if definition.parent in file.parents)


def seen_by_unity() -> list[Path]:
    """The files and folders of the package that Unity takes in."""
    return sorted(
        file
        for file in CSHARP.rglob("*")
        if file.suffix != ".meta"
        and not any(
            part.startswith(".") or part.endswith("~") for part in file.relative_to(CSHARP).parts
        )
    )


def meta_of(file: Path) -> str:
    """What Unity keeps of a file: an id, by which scenes refer to it, the same for ever."""
    name = f"{PACKAGE['name']}/{file.relative_to(CSHARP).as_posix()}"
    guid = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
    kind = "folderAsset: yes\n" if file.is_dir() else ""
    return f"fileFormatVersion: 2\nguid: {guid}\n{kind}"


def metas() -> dict[Path, str]:
    """The ``.meta`` files."""
    return {file.with_name(f"{file.name}.meta"): meta_of(file) for file in seen_by_unity()}


if __name__ == "__main__":
    for meta in CSHARP.rglob("*.meta"):
        meta.unlink()
    for path, text in metas().items():
        path.write_text(text, encoding="utf-8")
