"""Whoever opens a link of a mail, fifty times and from wherever: nothing changes, and nothing of a case is shown."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

from deploy.local.browser import Answer
from tests.trust.calls import Call, answered
from tests.trust.routes import apps, doors
from tests.trust.scene import Side, like, pin_given, set_up
from tests.trust.tables import digests, rows, settled
from tests.trust.town import Town

TIMES = 50
READS = {"GET", "HEAD"}
NO_LIVE_LINK_HERE = ("/c/", "/r/", "/o/", "/t/")
"""Doors to which nobody in this scene has been sent a link: there every live link of another kind is opened instead."""
AGENTS = ("Mozilla/5.0", "Outlook-Link-Scanner/2.1", "curl/8", "", "GoogleImageProxy")
SAYS_SOMETHING = (
    *("police", "peer", "support", "crisis", "emergency", "urgent", "soon", "officer", "request"),
    *("accept", "decline", "contacted", "somebody@reach.test", "veteran"),
)


async def reads(folder: Path) -> set[tuple[str, str]]:
    """Every door of notify that is only read."""
    return {(method, path) for method, path in doors(apps(folder)["notify"]) if method in READS}


def calls(read: set[tuple[str, str]], side: Side) -> Iterator[Call]:
    """Each of them, with each live link of its kind, a used one and an unknown one."""
    for method, template in sorted(read):
        links = [value for first, value in side.links.items() if template.startswith(f"/{first}/")]
        if template.startswith(NO_LIVE_LINK_HERE):
            links = list(side.links.values())
        tokens = [*links, side.used_link, secrets.token_urlsafe(24)] if "{token}" in template else [""]
        assert "{token}" not in template or links, f"no live link for {template}"
        for token in tokens:
            yield Call("notify", method, template.replace("{token}", token).replace("{verb}", "advice"))


async def opened_often(town: Town, side: Side, call: Call) -> list[Answer]:
    every = []
    for number in range(TIMES):
        agent = {"User-Agent": AGENTS[number % len(AGENTS)]}
        forged = {"Cookie": like(side.sessions["m"])} if number % 2 else {}
        every.append(await answered(town.region, Call(call.service, call.method, call.path, None, agent | forged)))
    return every


async def test_opening_links_changes_no_row_and_shows_nothing_of_a_case(town: Town, tmp_path: Path) -> None:
    side = await set_up(town, "links")
    sql = await town.region.sql()
    await settled(sql)
    before = digests(await rows(sql))
    names = [str(one["name"]).lower() for one in side.agency.people] + [side.agency.slug]
    for call in calls(await reads(tmp_path), side):
        for answer in await opened_often(town, side, call):
            seen = answer.seen.lower() if "text/html" in answer.headers.get("content-type", "") else ""
            assert not [word for word in (*SAYS_SOMETHING, *names) if word in seen], call.path
            # The page without a PIN counts how often a source opens it.
            assert answer.status in ({200, 404, 429} if call.path.startswith("/o/") else {200, 404}), call.path
            assert "set-cookie" not in answer.headers, call.path
    assert digests(await rows(sql)) == before
    # What looks for changes does find one: a wrong PIN is counted.
    await pin_given(town, side.links["m"], "m", "000001")
    assert digests(await rows(sql)) != before


async def test_a_live_link_and_an_unknown_one_look_the_same_until_the_pin(town: Town) -> None:
    side = await set_up(town, "looks")
    for first, token in side.links.items():
        unknown = secrets.token_urlsafe(24)
        live = await answered(town.region, Call("notify", "GET", f"/{first}/{token}"))
        other = await answered(town.region, Call("notify", "GET", f"/{first}/{unknown}"))
        assert live.status == other.status == 200
        assert live.seen == other.seen
        assert len(live.text) - len(token) * live.text.count(token) == (
            len(other.text) - len(unknown) * other.text.count(unknown)
        )
