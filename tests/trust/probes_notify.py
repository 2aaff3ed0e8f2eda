"""How every page behind a mail's link is tried with links, sessions and forms of another agency's people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from deploy.local.browser import Answer
from tests.trust.calls import Call, answered, page
from tests.trust.probes_intake import HEALTH, PUBLIC_FILE, Nothing, Pair, Probe, World, unknown
from tests.trust.routes import Door
from tests.trust.scene import First

VERBS: Mapping[First, tuple[str, ...]] = {"m": ("accept",), "w": ("contacted", "close"), "p": ("acknowledge",)}


def opening(method: str, first: First) -> Probe:
    """Another's link in one's own session shows what an unknown link shows."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        for session in world.mine.sessions.values():
            foreign = page("notify", f"/{first}/{world.theirs.links[first]}", cookie=session)
            nobody = page("notify", f"/{first}/{unknown()}", cookie=session)
            yield Pair(replace(foreign, method=method), replace(nobody, method=method))

    return probe


def entering(first: First) -> Probe:
    """The form of one's own link, with the own PIN, sent to another's link."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        mine = await answered(world.town.region, page("notify", f"/{first}/{world.mine.links[first]}"))
        pin = world.mine.agency.pin
        fields = {"nonce": mine.form(has="pin").values["nonce"], "pin": pin, "pin_again": pin}
        for token in (world.theirs.links[first], world.theirs.used_link):
            yield Pair(page("notify", f"/{first}/{token}", fields), page("notify", f"/{first}/{unknown()}", fields))

    return probe


def answering(first: First) -> Probe:
    """One's own session and the nonce of its buttons, sent to another's link."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        for own, session in world.mine.sessions.items():
            shown = await answered(world.town.region, page("notify", f"/{own}/{world.mine.links[own]}", cookie=session))
            fields = {"nonce": shown.form(has="nonce").values["nonce"]}
            for verb in VERBS[first]:
                yield Pair(
                    *(
                        page("notify", f"/{first}/{token}/answer", {**fields, "verb": verb}, cookie=session)
                        for token in (world.theirs.links[first], unknown())
                    )
                )

    return probe


def elsewhere(method: str, path: str) -> Probe:
    """Another agency's links at a door of another kind, in one's own session: each is as unknown there as any."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        # One session is enough: a page without a PIN counts how often a source opens it.
        session = world.mine.sessions["w"]
        for token in world.theirs.links.values():
            foreign, nobody = (
                page("notify", path.replace("{token}", one), cookie=session) for one in (token, unknown())
            )
            yield Pair(replace(foreign, method=method), replace(nobody, method=method))

    return probe


def entering_elsewhere(first: str) -> Probe:
    """The form of such a door with the own PIN, sent to another agency's links."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        mine = await answered(world.town.region, page("notify", f"/{first}/{world.mine.links['w']}"))
        fields = {"nonce": mine.form(has="pin").values["nonce"], "pin": world.mine.agency.pin}
        for token in world.theirs.links.values():
            yield Pair(page("notify", f"/{first}/{token}", fields), page("notify", f"/{first}/{unknown()}", fields))

    return probe


def answering_elsewhere(first: str, verb: str) -> Probe:
    """One's own session and the nonce of its buttons, sent to another agency's links at such a door."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        session = world.mine.sessions["w"]
        shown = await answered(world.town.region, page("notify", f"/w/{world.mine.links['w']}", cookie=session))
        fields = {"nonce": shown.form(has="nonce").values["nonce"], "verb": verb, "text": "Nothing to see"}
        for token in world.theirs.links.values():
            yield Pair(
                *(page("notify", f"/{first}/{one}/answer", fields, cookie=session) for one in (token, unknown()))
            )

    return probe


@dataclass(frozen=True)
class Held:
    """A link that a stranger has got hold of, with its own form: the one thing that tells it from an unknown one.

    The token is the secret (128 bits and more), and its owner has to be told "wrong PIN" where a stranger is. So the
    answers differ by design; nothing of the case may be in them, and nothing may change but the count of tries.
    """

    first: First
    call: Call


HELD_CHANGES = {"notify.pins"}
"""A try with a wrong PIN is counted for the person, at whichever link it was made."""


async def held(world: World) -> AsyncIterator[Held]:
    """Every kind of link of the other agency, with its own nonce and this agency's PIN."""
    pin = world.mine.agency.pin
    links: list[tuple[First, str]] = [(one, world.theirs.links[one]) for one in ("m", "w", "p")]
    for first, token in [*links, ("v", world.theirs.used_link)]:
        path = f"/{first}/{token}"
        form: Answer = await answered(world.town.region, page("notify", path))
        nonce = form.form(has="pin").values["nonce"]
        yield Held(first, page("notify", path, {"nonce": nonce, "pin": pin, "pin_again": pin}))


PROBES: Mapping[Door, Probe | Nothing] = {
    **{
        (method, f"/{first}/{{token}}"): opening(method, first)
        for first in ("v", "m", "w", "p")
        for method in ("GET", "HEAD")
    },
    **{("POST", f"/{first}/{{token}}"): entering(first) for first in ("v", "m", "w", "p")},
    **{("POST", f"/{first}/{{token}}/answer"): answering(first) for first in ("m", "w", "p")},
    **{
        (method, path): elsewhere(method, path.replace("{verb}", "advice"))
        for path in ("/c/{token}", "/r/{token}", "/t/{token}", "/o/{token}", "/w/{token}/{verb}")
        for method in ("GET", "HEAD")
    },
    **{("POST", f"/{first}/{{token}}"): entering_elsewhere(first) for first in ("c", "r", "t")},
    ("POST", "/c/{token}/answer"): answering_elsewhere("c", "answer"),
    ("POST", "/r/{token}/answer"): answering_elsewhere("r", "accept"),
    ("GET", "/style.css"): Nothing(PUBLIC_FILE),
    ("HEAD", "/style.css"): Nothing(PUBLIC_FILE),
    ("GET", "/health/live"): Nothing(HEALTH),
    ("GET", "/health/ready"): Nothing(HEALTH),
}
