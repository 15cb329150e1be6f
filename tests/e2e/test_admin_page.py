"""The moderation page in a real browser, against the whole service."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import OpenPage
from tests.e2e.review_queue import LATER, REVIEWS, Queue, case, open_queue
from tests.integration.api.gated_service import USUAL, post
from tests.support.extent import kept
from tests.support.honest_season import SYDNEY
from tests.support.waiting import wait_until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_episode_is_one_card_and_several_are_decided_at_once(
    queue: Queue, new_page: OpenPage
) -> None:
    for i in range(3):
        await post(queue.api, "arena", "ann", f"trip-{i}", LATER + 60 * (i + 1), **SYDNEY)
    await wait_until(lambda: queue.has(7), description="ann's further trips in the queue")
    page = await new_page()
    await open_queue(page, queue)
    await expect(case(page, "ann").locator(".facts")).to_contain_text("4 actions of one episode")
    for user in ("ann", "bob"):
        await case(page, user).get_by_label("Select").check()
    await expect(page.locator("#selected")).to_have_text("2 selected")
    await page.get_by_role("button", name="Approve selected").press("Enter")
    await expect(page.locator(".case")).to_have_count(2)
    await expect(page.locator(".case").first).to_be_focused()
    assert await queue.has(5, "?status=approved")


async def test_a_case_shows_its_reasons_and_what_the_user_did(
    queue: Queue, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_queue(page, queue)
    ann = case(page, "ann")
    await ann.scroll_into_view_if_needed()
    await expect(ann.locator(".kind")).to_have_text("Refused")
    await expect(ann.locator(".facts")).to_contain_text("arena · action trip")
    speed = ann.locator(".finding").first
    await expect(speed.locator(".agent")).to_have_text("location")
    await expect(speed).to_contain_text("km/h")
    await expect(speed).to_contain_text("usually 0 to")
    # The value lies beyond the usual range.
    usual = await speed.locator(".usual").bounding_box()
    value = await speed.locator(".value").bounding_box()
    assert usual
    assert value
    assert value["x"] + value["width"] / 2 > usual["x"] + usual["width"]
    await expect(ann.locator(".recent .action")).to_have_count(len(USUAL) + 1)
    await expect(ann.locator(".recent .refused.own")).to_have_count(1)
    await expect(ann.locator("figcaption")).to_contain_text(
        f"{2 * len(USUAL)} in total · latest actions: {len(USUAL)} counted, 1 refused"
    )


async def test_keys_move_approve_and_confirm(queue: Queue, new_page: OpenPage) -> None:
    page = await new_page()
    await open_queue(page, queue)
    users = ["dan", "cy", "bob", "ann"]
    await expect(page.locator(".case h2 bdi")).to_have_text(users)
    await expect(case(page, "dan")).to_be_focused()
    for key, user in (("j", "cy"), ("j", "bob"), ("k", "cy"), ("j", "bob"), ("j", "ann")):
        await page.keyboard.press(key)
        await expect(case(page, user)).to_be_focused()

    await page.keyboard.press("a")
    await expect(case(page, "ann")).to_have_count(0)
    await expect(page.locator("#announcer")).to_have_text("ann: approved.")
    await expect(case(page, "bob")).to_be_focused()
    assert await queue.status("ann") == "approved"
    assert (await queue.api.top("arena"))["ann"] == 2 * len(USUAL) + 2

    await page.keyboard.press("c")
    await expect(page.locator("#announcer")).to_have_text("bob: confirmed.")
    assert await queue.status("bob") == "confirmed"
    await expect(page.locator("#tally")).to_contain_text("2 open · 2 decided")

    # A conflict can't be approved: the key does nothing.
    await expect(case(page, "cy")).to_be_focused()
    await page.keyboard.press("a")
    await page.keyboard.press("c")
    await expect(page.locator("#announcer")).to_have_text("cy: confirmed.")

    await expect(case(page, "dan")).to_be_focused()
    await page.keyboard.press("r")
    await page.keyboard.type("caught: a VPN")
    await page.keyboard.press("Escape")
    await page.keyboard.press("c")
    await expect(page.locator("#announcer")).to_have_text("dan: confirmed, 1 taken back.")
    assert (await queue.api.top("duel"))["dan"] == 2 * len(USUAL)
    await expect(page.get_by_text("Nothing waits for a decision.")).to_be_visible()

    await page.locator("#status").select_option("confirmed")
    await expect(case(page, "dan")).to_contain_text("confirmed by eve")
    await expect(case(page, "dan")).to_contain_text("caught: a VPN")


async def test_taking_back_earlier_actions_asks_first(queue: Queue, new_page: OpenPage) -> None:
    page = await new_page()
    await open_queue(page, queue)
    await page.keyboard.press("Shift+c")
    dialog = page.get_by_role("dialog", name="Confirm and take back")
    await expect(dialog).to_contain_text("dan on duel. Taken back: 2 points.")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()
    await expect(case(page, "dan")).to_be_focused()
    assert await queue.status("dan") == "open"

    await page.keyboard.press("Shift+c")
    await dialog.get_by_label("Take back all").check()
    await dialog.get_by_label("Hide the user").check()
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(page.locator("#announcer")).to_have_text(
        f"dan: confirmed, {len(USUAL) + 1} taken back."
    )
    assert await queue.api.top("duel") == {}


async def test_a_case_that_somebody_else_decided_leaves_with_that_decision(
    queue: Queue, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_queue(page, queue)
    admin = queue.api.bearing(queue.api.service.token("admin", subject="mia"))
    (ann,) = (await admin.get(f"{REVIEWS}?user=ann")).json["reviews"]
    assert (await admin.post(f"{REVIEWS}/{ann['id']}/confirm", {})).status == 200
    await case(page, "ann").get_by_role("button", name="Approve").click()
    await expect(page.locator("#announcer")).to_have_text("ann: already confirmed by mia.")
    await expect(case(page, "ann")).to_have_count(0)


async def test_new_cases_come_by_themselves_on_top(queue: Queue, new_page: OpenPage) -> None:
    page = await new_page()
    await page.clock.install()
    await open_queue(page, queue)
    await post(queue.api, "arena", "eli", "many", LATER, points=40)
    await wait_until(lambda: queue.has(5), description="the fifth case in the queue")
    await page.clock.run_for(16_000)
    await expect(page.locator(".case h2 bdi")).to_have_text(["eli", "dan", "cy", "bob", "ann"])
    await expect(page.locator("#announcer")).to_have_text("New cases: 1.")
    await expect(case(page, "dan")).to_be_focused()


async def test_a_decision_that_did_not_get_through_can_be_made_again(
    queue: Queue, new_page: OpenPage
) -> None:
    page = await new_page()
    await open_queue(page, queue)
    await page.route("**/confirm", lambda route: route.abort())
    button = case(page, "dan").get_by_role("button", name="Take back")
    await button.press("Enter")
    await expect(case(page, "dan").get_by_role("alert")).to_have_text(
        "The server can't be reached. Nothing is lost: try again."
    )
    await page.unroute("**/confirm")
    await expect(button).to_be_focused()
    await page.keyboard.press("c")
    await expect(page.locator("#announcer")).to_have_text("dan: confirmed, 1 taken back.")


async def test_the_queue_can_be_narrowed(queue: Queue, new_page: OpenPage) -> None:
    page = await new_page()
    await open_queue(page, queue)
    await page.locator("#board").fill("duel")
    await page.keyboard.press("Enter")
    await expect(page.locator(".case h2 bdi")).to_have_text(["dan"])
    await page.locator("#board").fill("")
    await page.locator("#user").fill("cy")
    await page.keyboard.press("Enter")
    await expect(page.locator(".case h2 bdi")).to_have_text(["cy"])


@pytest.mark.parametrize(
    ("scope", "complaint"),
    [("score:write", "The token lacks the scope admin."), ("", "lacks the scope admin")],
)
async def test_a_token_without_the_scope_is_told_so(
    queue: Queue, new_page: OpenPage, scope: str, complaint: str
) -> None:
    page = await new_page()
    await page.goto(queue.url)
    await page.get_by_label("Access token").fill(queue.token(scope))
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#login-error")).to_contain_text(complaint)
    await expect(page.locator("#console")).to_be_hidden()
    await page.get_by_label("Access token").fill("eyJhbGciOiJIUzI1NiJ9.e30.AAAA")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.locator("#login-error")).to_contain_text("was not accepted")


async def test_the_keys_are_explained(queue: Queue, new_page: OpenPage) -> None:
    page = await new_page()
    await open_queue(page, queue)
    await page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    await expect(dialog).to_contain_text("approve: the score counts")
    await page.keyboard.press("Escape")
    await expect(dialog).to_be_hidden()


@pytest.mark.parametrize("color_scheme", kept(["light", "dark"], "dark"))
@pytest.mark.parametrize("width", [360, 1280])
async def test_nothing_is_wider_than_the_screen(
    queue: Queue, new_page: OpenPage, width: int, color_scheme: str
) -> None:
    page = await new_page(viewport={"width": width, "height": 800}, color_scheme=color_scheme)
    await open_queue(page, queue)
    for one in await page.locator(".case").all():
        await one.scroll_into_view_if_needed()
    await expect(page.locator("figcaption")).to_have_count(4)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    for button in await page.locator(".decide button").all():
        box = await button.bounding_box()
        assert box is not None
        assert box["height"] >= 44
