"""How the live page reacts to what a server rarely does: silence, gaps and refusals."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.stand_in import Feed, Scores, expect_shown, hold_the_clock, is_true, stop_the_clock
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_older_version_is_ignored(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await feed.open(page)
    feed.send("snapshot", 5, {"ann": 50})
    feed.send("update", 4, {"ann": 40})
    feed.send("update", 6, {"ann": 60, "bob": 10})
    feed.send("update", 6, {"ann": 1})
    await expect_shown(page, {"ann": 60, "bob": 10})


async def test_a_silent_connection_is_replaced(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await page.clock.install()
    await feed.open(page)
    feed.send("snapshot", 1, {"ann": 50})
    await expect(page.locator("#state-text")).to_have_text("Live")
    await page.clock.fast_forward(40_000)
    feed.send("heartbeat", 1)
    await page.evaluate("1")  # the heartbeat has arrived when a later call is answered
    await page.clock.fast_forward(40_000)
    assert len(feed.sockets) == 1
    await page.clock.fast_forward(25_000)
    await page.clock.fast_forward(2_000)
    await feed.connected(2)
    feed.send("snapshot", 2, {"ann": 70})
    await expect_shown(page, {"ann": 70})


async def test_a_heartbeat_that_shows_a_gap_makes_the_page_read_again(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    await feed.open(page)
    feed.send("snapshot", 1, {"ann": 50})
    feed.send("heartbeat", 3)
    await expect(page.locator("#state-text")).to_have_text("Live")
    await page.clock.fast_forward(3_000)
    await page.clock.fast_forward(2_000)
    await feed.connected(2)
    feed.send("snapshot", 3, {"bob": 80})
    await expect_shown(page, {"bob": 80})


async def test_it_comes_back_with_growing_waits_of_at_most_thirty_seconds(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await stop_the_clock(page)
    await page.add_init_script("Math.random = () => 0.999999")
    feed.refusal = 1012
    await feed.open(page)
    for attempt, seconds in enumerate((2, 4, 8, 16, 30, 30), start=1):
        await feed.connected(attempt)
        await expect(page.locator("#state-text")).to_have_text(f"Reconnecting in {seconds} s")
        await page.clock.fast_forward(seconds * 1_000 - 10)
        assert len(feed.sockets) == attempt
        await page.clock.fast_forward(10)


async def test_the_shortest_wait_is_half_a_second(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await stop_the_clock(page)
    await page.add_init_script("Math.random = () => 0")
    feed.refusal = 1012
    await feed.open(page)
    await expect(page.locator("#state-text")).to_have_text("Reconnecting in 1 s")
    await page.clock.fast_forward(490)
    assert len(feed.sockets) == 1
    await page.clock.fast_forward(10)
    await feed.connected(2)


async def test_a_reader_may_reconnect_at_once(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await page.add_init_script("Math.random = () => 0.999999")
    feed.refusal = 4429
    await feed.open(page)
    await expect(page.get_by_role("heading", name="Too many viewers")).to_be_visible()
    feed.refusal = None
    await page.get_by_role("button", name="Try now").press("Enter")
    await feed.connected(2)
    trying = page.get_by_role("button", name="Trying…")
    await expect(trying).to_be_focused()
    await expect(trying).to_have_attribute("aria-disabled", "true")
    await page.keyboard.press("Enter")
    assert len(feed.sockets) == 2
    feed.send("snapshot", 1, {"ann": 50})
    await expect(trying).to_be_hidden()
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    await expect_shown(page, {"ann": 50})
    await expect(page.get_by_role("heading", name="Too many viewers")).to_be_hidden()


async def test_a_user_id_is_text_whatever_it_holds(new_page: OpenPage, feed: Feed) -> None:
    page = await new_page()
    await feed.open(page)
    hostile = ["<img src=x onerror=alert(1)>", "\u202egnissorc", "日本語", "x" * 128, "&amp;"]
    feed.send("snapshot", 1, {user: 50 - n for n, user in enumerate(hostile)})
    await expect(page.locator(".user")).to_have_text(hostile, use_inner_text=False)
    assert await page.locator(".rows img").count() == 0
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_screen_reader_hears_ranks_names_and_points_and_a_change_now_and_then(
    new_page: OpenPage, feed: Feed
) -> None:
    page = await new_page()
    await page.clock.install()
    await feed.open(page)
    feed.send("snapshot", 1, {"ann": 1050, "bob": 40})
    await expect_shown(page, {"ann": 1050, "bob": 40})
    await expect(page.get_by_role("list", name="arena")).to_match_aria_snapshot("""
        - list "arena":
          - listitem:
            - text: Rank 1
            - link "ann"
            - text: leads by 1,010 1,050 points
          - listitem:
            - text: Rank 2
            - link "bob"
            - text: 1,010 behind 40 points
    """)
    await page.evaluate("""() => {
        window.said = [];
        const announcer = document.getElementById("announcer");
        new MutationObserver(() => said.push(announcer.textContent))
            .observe(announcer, {childList: true, characterData: true, subtree: true});
    }""")
    await hold_the_clock(page)  # or ten seconds may pass amid the updates

    async def update(version: int, scores: Scores) -> None:
        feed.send("update", version, scores)
        await page.evaluate("1")  # it has arrived when a later call is answered
        await page.clock.run_for(700)  # it is drawn, and has counted
        await expect_shown(page, scores)

    await update(2, {"bob": 2000, "ann": 1050})
    await wait_until(is_true(page, "said.length === 1"), description="the change is said")
    for version in range(3, 9):
        leader, other = ("ann", "bob") if version % 2 else ("bob", "ann")
        await update(version, {leader: 3000 + version, other: 2000})
    await page.clock.fast_forward(10_000)
    await wait_until(is_true(page, "said.length === 2"), description="the rest is said at once")
    assert await page.evaluate("said") == [
        "bob takes the lead with 2,000.",
        "bob takes the lead with 3,008.",
    ]


@pytest.mark.parametrize(("preference", "glides"), [("reduce", False), ("no-preference", True)])
async def test_rows_glide_unless_the_reader_prefers_less_motion(
    new_page: OpenPage, feed: Feed, preference: str, glides: bool
) -> None:
    page = await new_page(reduced_motion=preference)
    await feed.open(page)
    feed.send("snapshot", 1, {"ann": 50, "bob": 40})
    await expect_shown(page, {"ann": 50, "bob": 40})
    await page.evaluate("""() => {
        window.moved = 0;
        const animate = Element.prototype.animate;
        Element.prototype.animate = function (frames, options) {
            moved += [frames].flat().some((frame) => frame.transform);
            return animate.call(this, frames, options);
        };
    }""")
    feed.send("update", 2, {"bob": 60, "ann": 50})
    await expect(page.locator(".user").first).to_have_text("bob")
    await expect(page.locator(".gain").first).to_have_text("+20")
    frame = "new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"
    await page.evaluate(frame)
    assert (await page.evaluate("moved") > 0) is glides
