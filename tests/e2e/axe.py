"""axe-core, which looks for what keeps people from using a page: faults against WCAG 2.1 and
good practice that a machine can see."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from playwright.async_api import Page

from tests.support.programs import lacking

SOURCE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
OF_COLOURS = ["color-contrast", "link-in-text-block"]

# Over a gradient axe-core can't tell the contrast: the plain colour that lies below stands for it.
FLATTEN = """() => {
    document.body.style.backgroundImage = "none";
    for (const row of document.querySelectorAll(".row")) row.style.background = "var(--card)";
}"""
LOADED = "typeof axe === 'object'"
RUN = """async ([exclude, runOnly]) => {
    const { violations } = await axe.run(
        { exclude }, { runOnly, resultTypes: ["violations"] }
    );
    return violations.flatMap(({ id, help, nodes }) => nodes.map(
        ({ target, html }) => `${id} at ${target.flat().join(" >> ")}: ${help}\\n    ${html}`
    ));
}"""


def source() -> str:
    """The text of axe-core. Where it is not installed the test is skipped, and in CI it fails."""
    if not SOURCE.exists():
        lacking("axe-core is not installed (`make check` does it, or `npm ci`)")
    return SOURCE.read_text(encoding="utf-8")


async def expect_no_fault(page: Page, *, exclude: list[str] | None = None) -> None:
    """Fails with the rule, the element, what is meant and the element's text of each fault in the
    page as it is shown now, in light or in dark, but for those in what the selectors ``exclude``
    choose. The page may follow the scheme by its colours alone, so that in dark these are looked
    at, and all else in light. The browser runs axe-core apart from the page's own scripts, so the
    page's policy need not allow it."""
    await page.evaluate(FLATTEN)
    if not await page.evaluate(LOADED):
        await page.evaluate(source())
    looked_at: tuple[tuple[Literal["dark", "light"], object], ...] = (
        ("dark", {"type": "rule", "values": OF_COLOURS}),
        ("light", RULES),
    )
    for scheme, rules in looked_at:
        await page.emulate_media(color_scheme=scheme)
        faults: list[str] = await page.evaluate(RUN, [exclude or [], rules])
        assert not faults, f"in {scheme}:\n" + "\n".join(faults)
