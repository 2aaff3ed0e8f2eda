"""Whoever opens a link of a mail, fifty times and from wherever: nothing changes, and nothing of a case is shown."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

from deploy.local.browser import Answer
from tests.trust.calls import TOO_MANY, Call, answered, answered_at_once
from tests.trust.routes import apps, doors
from tests.trust.scene import WITH_PIN, Side, like, pin_given, set_up
from tests.trust.tables import digests, rows, settled
from tests.trust.town import Town

TIMES = 50
READS = {"GET", "HEAD"}
AGENTS = ("Mozilla/5.0", "Outlook-Link-Scanner/2.1", "curl/8", "", "GoogleImageProxy")
SAYS_SOMETHING = (
    *("police", "peer", "support", "crisis", "emergency", "urgent", "soon", "officer", "request"),
    *("accept", "decline", "contacted", "veteran", "clinician", "consent", "sleep"),
)
NEVER_SAID = ("somebody@reach.test", "friend@", "since the call at the lake")
OPEN_TO_ITS_READER = "/o/"
"""The page of an outreach has no PIN: it says what there is, and counts how often it is opened."""


async def reads(folder: Path) -> set[tuple[str, str]]:
    """Every door of notify that is only read."""
    return {(method, path) for method, path in doors(apps(folder)["notify"]) if method in READS}


def calls(read: set[tuple[str, str]], side: Side) -> Iterator[tuple[Call, int]]:
    """Each of them, with each live link of its kind, a used one and an unknown one; and the status of the answer."""
    for method, template in sorted(read):
        links = [value for first, value in side.links.items() if template.startswith(f"/{first}/")]
        tokens = [*links, side.used_link, secrets.token_urlsafe(24)] if "{token}" in template else [""]
        assert "{token}" not in template or links, f"no live link for {template}"
        for token in tokens:
            # Behind a PIN nobody is told whether a link is one; without one there is nothing else to tell.
            known = not template.startswith(OPEN_TO_ITS_READER) or token in links
            path = template.replace("{token}", token).replace("{verb}", "advice")
            yield Call("notify", method, path), 200 if known else 404


async def opened_often(town: Town, side: Side, call: Call) -> list[Answer]:
    every = []
    for number in range(TIMES):
        agent = {"User-Agent": AGENTS[number % len(AGENTS)]}
        forged = {"Cookie": like(side.sessions["m"])} if number % 2 else {}
        one = Call(call.service, call.method, call.path, None, agent | forged)
        # The first one waits for its turn, so that it is known what is answered to whoever has one.
        every.append(await (answered_at_once if number else answered)(town.region, one))
    return every


async def test_opening_links_changes_no_row_and_shows_nothing_of_a_case(town: Town, tmp_path: Path) -> None:
    side = await set_up(town, "links")
    sql = await town.region.sql()
    await settled(sql)
    before = digests(await rows(sql))
    names = [str(one["name"]).lower() for one in side.agency.people] + [side.agency.slug]
    for call, status in calls(await reads(tmp_path), side):
        counted = call.path.startswith(OPEN_TO_ITS_READER)
        every = await opened_often(town, side, call)
        assert every[0].status == status, call.path
        assert {answer.status for answer in every} == ({status, TOO_MANY} if counted else {status}), call.path
        for answer in every:
            seen = answer.seen.lower() if "text/html" in answer.headers.get("content-type", "") else ""
            told = NEVER_SAID if counted and answer.status == status else (*NEVER_SAID, *SAYS_SOMETHING)
            assert not [word for word in (*told, *names) if word in seen], call.path
            assert "set-cookie" not in answer.headers, call.path
    assert digests(await rows(sql)) == before
    # What looks for changes does find one: a wrong PIN is counted.
    await pin_given(town, side.links["m"], "m", "000001")
    assert digests(await rows(sql)) != before


async def test_a_live_link_and_an_unknown_one_look_the_same_until_the_pin(town: Town) -> None:
    side = await set_up(town, "looks")
    for first in ("v", *WITH_PIN):
        token = side.links[first]
        unknown = secrets.token_urlsafe(24)
        live = await answered(town.region, Call("notify", "GET", f"/{first}/{token}"))
        other = await answered(town.region, Call("notify", "GET", f"/{first}/{unknown}"))
        assert live.status == other.status == 200
        assert live.seen == other.seen
        assert len(live.text) - len(token) * live.text.count(token) == (
            len(other.text) - len(unknown) * other.text.count(unknown)
        )
