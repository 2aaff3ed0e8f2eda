"""How every page behind a mail's link is tried with links, sessions and forms of another agency's people."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace

from deploy.local.browser import Answer
from tests.trust.calls import Call, answered, page
from tests.trust.probes_intake import DEADMAN, HEALTH, PUBLIC_FILE, Nothing, Pair, Probe, World, all_of, unknown
from tests.trust.routes import Door
from tests.trust.scene import ANSWERED, WITH_PIN, First

VERBS: Mapping[First, tuple[str, ...]] = {
    "m": ("accept",),
    "w": ("contacted", "advice", "clinician", "close"),
    "p": ("acknowledge",),
    "c": ("answer", "cannot"),
    "r": ("accept", "reject"),
}
FORMS = ("advice", "resources")
"""What has a form of its own, at the page of a case."""


def opening(method: str, path: str, first: First) -> Probe:
    """Another's link in one's own session shows what an unknown link shows; one of another kind does so as well."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        theirs, mine = world.theirs, world.mine
        tried = [(theirs.links[first], session) for session in mine.sessions.values()]
        tried += [(token, mine.sessions["w"]) for token in (*theirs.links.values(), theirs.used_link)]
        for token, session in tried:
            foreign, nobody = (
                page("notify", path.replace("{token}", one), cookie=session) for one in (token, unknown())
            )
            yield Pair(replace(foreign, method=method), replace(nobody, method=method))

    return probe


def reading(method: str) -> Probe:
    """Whoever has the link of an outreach may read its page: a session makes no difference, nor a link of another kind.

    The page names nobody; that the address has a link at all is known to its owner alone.
    """

    async def probe(world: World) -> AsyncIterator[Pair]:
        session = world.mine.sessions["w"]
        for first, token in world.theirs.links.items():
            foreign = page("notify", f"/o/{token}", cookie=session)
            same_page = page("notify", f"/o/{token if first == 'o' else unknown()}")
            yield Pair(replace(foreign, method=method), replace(same_page, method=method))

    return probe


def entering(first: First) -> Probe:
    """The form of one's own link, with the own PIN, sent to another's link, of whatever kind."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        mine = await answered(world.town.region, page("notify", f"/{first}/{world.mine.links[first]}"))
        pin = world.mine.agency.pin
        fields = {"nonce": mine.form(has="pin").values["nonce"], "pin": pin, "pin_again": pin}
        for token in (*world.theirs.links.values(), world.theirs.used_link):
            yield Pair(page("notify", f"/{first}/{token}", fields), page("notify", f"/{first}/{unknown()}", fields))

    return probe


def answering(first: First) -> Probe:
    """One's own session and the nonce of its buttons, sent to another's link."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        for own in ANSWERED:
            session = world.mine.sessions[own]
            shown = await answered(world.town.region, page("notify", f"/{own}/{world.mine.links[own]}", cookie=session))
            fields = {"nonce": shown.form(has="nonce").values["nonce"], "text": "Nothing to see", "to": "clinician"}
            for verb in VERBS[first]:
                yield Pair(
                    *(
                        page("notify", f"/{first}/{token}/answer", {**fields, "verb": verb}, cookie=session)
                        for token in (world.theirs.links[first], unknown())
                    )
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
    links: list[tuple[First, str]] = [(one, world.theirs.links[one]) for one in WITH_PIN]
    for first, token in [*links, ("v", world.theirs.used_link)]:
        path = f"/{first}/{token}"
        form: Answer = await answered(world.town.region, page("notify", path))
        nonce = form.form(has="pin").values["nonce"]
        yield Held(first, page("notify", path, {"nonce": nonce, "pin": pin, "pin_again": pin}))


PROBES: Mapping[Door, Probe | Nothing] = {
    **{
        (method, f"/{first}/{{token}}"): opening(method, f"/{first}/{{token}}", first)
        for first in ("v", *WITH_PIN)
        for method in ("GET", "HEAD")
    },
    **{
        (method, "/w/{token}/{verb}"): all_of(*(opening(method, f"/w/{{token}}/{verb}", "w") for verb in FORMS))
        for method in ("GET", "HEAD")
    },
    **{(method, "/o/{token}"): reading(method) for method in ("GET", "HEAD")},
    **{("POST", f"/{first}/{{token}}"): entering(first) for first in ("v", *WITH_PIN)},
    **{("POST", f"/{first}/{{token}}/answer"): answering(first) for first in ANSWERED},
    ("GET", "/style.css"): Nothing(PUBLIC_FILE),
    ("HEAD", "/style.css"): Nothing(PUBLIC_FILE),
    ("GET", "/health/live"): Nothing(HEALTH),
    ("GET", "/health/ready"): Nothing(HEALTH),
    ("GET", "/health/deadman"): Nothing(DEADMAN),
}
