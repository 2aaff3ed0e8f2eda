"""How every door of intake is tried with what belongs to another agency. `mine` tries; `theirs` must not be felt."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from tests.trust.calls import Call, answered, api, page
from tests.trust.routes import Door
from tests.trust.scene import REACH, Side, like
from tests.trust.town import Town, hash_of

BUTTONS = (
    *("close", "withdraw", "another-peer", "choose", "reach"),
    *("consent", "refuse-consent", "clinician", "peer", "emergency"),
)
"""What can be pressed at the page of a case."""
DIRECTORY, POLICY, KEYS, CASE = "/v1/agency/directory", "/v1/agency/policy", "/v1/agency/keys", "/v1/case"
VERIFICATIONS = f"{DIRECTORY}/verifications"
CONFLICTS, AVAILABILITY, COVERAGE = "/v1/agency/conflicts", "/v1/agency/availability", "/v1/agency/coverage"
TALLY, POOL, DRILLS = "/v1/agency/tally", "/v1/agency/pool", "/v1/agency/drills"
STRUCTURE, RESOURCES, LISTED = "/v1/agency/structure", "/v1/agency/resources", "/v1/resources"


@dataclass(frozen=True, repr=False)
class World:
    """Two agencies in full swing."""

    town: Town
    mine: Side
    theirs: Side


@dataclass(frozen=True)
class Pair:
    """The same call twice: with something of the other agency, and with something that nobody has."""

    foreign: Call
    unknown: Call


@dataclass(frozen=True)
class Nothing:
    """A door that takes no id, and why."""

    why: str


Probe = Callable[[World], AsyncIterator[Pair]]


def unknown() -> str:
    """A secret that leads nowhere."""
    return secrets.token_urlsafe(32)


def secrets_of(side: Side) -> list[str]:
    """Everything of an agency that somebody might try where a case code or a key belongs."""
    return [
        *(
            side.agency.key,
            side.asked.reference,
            *(side.links[first] for first in ("m", "w", "c", "r", "o")),
            *(side.sessions[first].partition("=")[2] for first in ("m", "r")),
        ),
        *(hash_of(side.asked.code), side.credentials[0], side.persons[0], str(side.agency.agency_id)),
        *side.things,
    ]


def bearers(method: str, path: str, document: object = None, *, codes: bool = True, **headers: str) -> Probe:
    """The other agency's secrets as bearer, where another kind of secret belongs."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        tried = secrets_of(world.theirs)
        if codes:
            tried = [one for one in tried if one != world.theirs.agency.key] + [world.mine.agency.key]
        else:
            tried = [one for one in tried if one != world.theirs.agency.key] + [world.theirs.asked.code]
        for one in tried:
            sent = {name: secrets.token_urlsafe(16) if value == "fresh" else value for name, value in headers.items()}
            yield Pair(
                api(method, path, document, bearer=one, **sent), api(method, path, document, bearer=unknown(), **sent)
            )

    return probe


def all_of(*probes: Probe) -> Probe:
    """One after the other."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        for one in probes:
            async for pair in one(world):
                yield pair

    return probe


def public(path: str) -> Probe:
    """Whoever knows the short name may read it: a key of another agency makes no difference."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        there = path.replace("{slug}", world.theirs.agency.slug)
        yield Pair(api("GET", there, bearer=world.mine.agency.key), api("GET", there))

    return probe


async def asking(world: World) -> AsyncIterator[Pair]:
    """A code that is somebody's elsewhere is as taken as one's own; names of another agency name nobody."""
    town, mine, theirs = world.town, world.mine.agency, world.theirs
    path = f"/v1/agencies/{mine.slug}/requests"
    for code in (theirs.asked.code, theirs.closed.code):
        taken = await town.body(mine, code, topics=["sleep"])
        yield Pair(
            api("POST", path, taken),
            api("POST", path, await town.body(mine, world.mine.asked.code, topics=["sleep"])),
        )
    for one in theirs.agency.people:
        for name in filter(None, (one["name"], one.get("badge"), one["person_ref"] + theirs.agency.slug)):
            own = {"choose": "shortlist", "avoid_people": [name], "about_me": {"supervisor": name}}
            nobody = {"choose": "shortlist", "avoid_people": ["Nobody X"], "about_me": {"supervisor": "Nobody X"}}
            yield Pair(
                api("POST", path, await town.body(mine, unknown(), **own)),
                api("POST", path, await town.body(mine, unknown(), **nobody)),
            )


async def choosing(world: World) -> AsyncIterator[Pair]:
    """Somebody of another agency is as unknown as nobody."""
    for mine in (world.mine.choosing, world.mine.asked, world.mine.released):
        for one in world.theirs.persons:
            yield Pair(
                api("PUT", f"{CASE}/choice", {"person": one}, bearer=mine.code),
                api("PUT", f"{CASE}/choice", {"person": str(uuid4())}, bearer=mine.code),
            )


async def recipients(world: World) -> AsyncIterator[Pair]:
    """Whom one consents to is a word of the program: nobody of another agency, and none of its referrals."""
    mine, theirs = world.mine.released, world.theirs
    for one in (*theirs.persons, *theirs.things, theirs.links["r"]):
        for method in ("PUT", "DELETE"):
            yield Pair(
                api(method, f"{CASE}/consents/{one}", bearer=mine.code),
                api(method, f"{CASE}/consents/{uuid4()}", bearer=mine.code),
            )


def once(name: str) -> Probe:
    """An Idempotency-Key that somebody else has used is a new one here."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        town, agency = world.town, world.mine.agency
        wanted = {"choose": "shortlist", "reach": REACH}
        first, second = await town.ask(agency, **wanted), await town.ask(agency, **wanted)
        for one in (first, second):
            await one.until("choosing")
        path, used = f"{CASE}/{name}", world.theirs.closing_key
        yield Pair(
            api("POST", path, bearer=first.code, Idempotency_Key=used),
            api("POST", path, bearer=second.code, Idempotency_Key=secrets.token_urlsafe(16)),
        )

    return probe


def naming(path: str) -> Probe:
    """An agency is told by the key alone: naming another one changes nothing."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        key, theirs = world.mine.agency.key, world.theirs.agency
        for name, tried in (("agency", str(theirs.agency_id)), ("slug", theirs.slug), ("agency_id", theirs.slug)):
            yield Pair(
                api("GET", f"{path}?{name}={tried}", bearer=key, X_Agency=str(theirs.agency_id)),
                api("GET", f"{path}?{name}={uuid4()}", bearer=key, X_Agency=str(uuid4())),
            )

    return probe


async def replacing_directory(world: World) -> AsyncIterator[Pair]:
    """Another agency's tag is stale here; its references, names and addresses are nobody's."""
    mine, theirs = world.mine.agency, world.theirs
    people = {"people": list(mine.people)}
    yield Pair(
        api("PUT", DIRECTORY, people, bearer=mine.key, If_Match=theirs.directory_tag),
        api("PUT", DIRECTORY, people, bearer=mine.key, If_Match='"77"'),
    )
    other = theirs.agency.people[0]
    tried = {"supervisor_ref": "theirs", "contact": other["contact"], "name": other["name"], "badge": other["badge"]}
    nobody = {"supervisor_ref": "nobody", "contact": "nobody@nowhere.test", "name": "Nobody X", "badge": "B0"}
    for field, value in tried.items():
        yield Pair(*(_checked(world, {field: one}) for one in (value, nobody[field])))
    # What an agency says of its own people never touches somebody else's, whose address it may have typed.
    one = {"person_ref": "X", "role": "peer", "name": "X", "contact": other["contact"]}
    changed = api("PUT", DIRECTORY, {"people": [*mine.people, one]}, bearer=mine.key, If_Match="*")
    assert (await answered(world.town.region, changed)).status == 200


async def asking_again(world: World) -> AsyncIterator[Pair]:
    """A person of another agency is nobody here, by whatever they are called."""
    key, theirs = world.mine.agency.key, world.theirs
    named = [str(one[field]) for one in theirs.agency.people for field in ("badge", "name", "contact") if field in one]
    for one in (*theirs.persons, *named):
        yield Pair(
            api("POST", VERIFICATIONS, {"person_ref": one}, bearer=key),
            api("POST", VERIFICATIONS, {"person_ref": str(uuid4())}, bearer=key),
        )


def _checked(world: World, changed: Mapping[str, object]) -> Call:
    one = {"person_ref": "X", "role": "peer", "name": "X", "contact": "x@home.test", **changed}
    people = {"people": [*world.mine.agency.people, one]}
    return api("PUT", f"{DIRECTORY}?check=true", people, bearer=world.mine.agency.key)


def of_person(method: str) -> Probe:
    """A person of another agency is nobody here, by whatever they are called."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        key, theirs = world.mine.agency.key, world.theirs
        body: dict[str, object] | None = {"entries": []} if method == "PUT" else None
        headers = {"If_Match": "*"} if method == "PUT" else {}
        for one in (*theirs.persons, "X-of-theirs"):
            yield Pair(
                api(method, f"{AVAILABILITY}/{one}", body, bearer=key, **headers),
                api(method, f"{AVAILABILITY}/{uuid4()}", body, bearer=key, **headers),
            )

    return probe


async def swapping(world: World) -> AsyncIterator[Pair]:
    """Nor can anything be swapped with one of them."""
    key, when = world.mine.agency.key, {"start": "2030-01-01", "end": "2030-01-02"}
    for one in world.theirs.persons:
        for mine, other in (("gives", "takes"), ("takes", "gives")):
            yield Pair(
                api("POST", f"{AVAILABILITY}/swaps", {mine: one, other: str(uuid4()), **when}, bearer=key),
                api("POST", f"{AVAILABILITY}/swaps", {mine: str(uuid4()), other: str(uuid4()), **when}, bearer=key),
            )


async def conflicting(world: World) -> AsyncIterator[Pair]:
    """A person of another agency is nobody here, by whatever they are called: in a whole list, or one more in it."""
    key, theirs = world.mine.agency.key, world.theirs

    def listed(person: str) -> Call:
        said = {"conflicts": [{"kind": "evaluator", "people": [person]}]}
        return api("PUT", CONFLICTS, said, bearer=key, If_None_Match="*")

    def added(person: str) -> Call:
        return api("POST", CONFLICTS, {"kind": "evaluator", "people": [person]}, bearer=key)

    for one in (*theirs.persons, *(str(one["name"]) for one in theirs.agency.people)):
        yield Pair(listed(one), listed(str(uuid4())))
        yield Pair(added(one), added(str(uuid4())))


async def borrowing(world: World) -> AsyncIterator[Pair]:
    """Whoever does not offer themselves to the region is nobody to another agency, even where both take part."""
    region, key = world.town.region, world.mine.agency.key
    stands = (await answered(region, api("GET", POLICY, bearer=key))).json()["overrides"]
    joined = await answered(region, api("PUT", POLICY, stands | {"pool": True}, bearer=key, If_Match="*"))
    assert joined.status == 200

    def taken(person: str) -> Call:
        return api("PUT", POOL, {"peers": [{"peer": person}]}, bearer=key, If_None_Match="*")

    for one in world.theirs.persons:
        yield Pair(taken(one), taken(str(uuid4())))


def replacing(path: str, document: object) -> Probe:
    """Another agency's tag is stale here."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        key = world.mine.agency.key
        theirs = await answered(world.town.region, api("GET", path, bearer=world.theirs.agency.key))
        yield Pair(
            api("PUT", path, document, bearer=key, If_Match=theirs.headers["etag"]),
            api("PUT", path, document, bearer=key, If_Match='"77"'),
        )

    return probe


async def page_of_resources(world: World) -> AsyncIterator[Pair]:
    """It shows the same to everybody: a session of another agency's page makes no difference."""
    path = f"/a/{world.theirs.agency.slug}/resources"
    yield Pair(page("intake", path, cookie=world.mine.page_session), page("intake", path))


async def making_keys(world: World) -> AsyncIterator[Pair]:
    """An Idempotency-Key of another agency is a new one here, and no key of theirs comes back for it."""
    key, wanted = world.mine.agency.key, {"scopes": ["agency:read"]}
    yield Pair(
        api("POST", KEYS, wanted, bearer=key, Idempotency_Key=world.theirs.closing_key),
        api("POST", KEYS, wanted, bearer=key, Idempotency_Key=unknown()),
    )


async def practising(world: World) -> AsyncIterator[Pair]:
    """The other agency's Idempotency-Key begins a case of one's own, with a code of its own."""
    key = world.mine.agency.key
    yield Pair(
        api("POST", DRILLS, {"urgency": "emergency"}, bearer=key, Idempotency_Key=world.theirs.closing_key),
        api("POST", DRILLS, {"urgency": "emergency"}, bearer=key, Idempotency_Key=unknown()),
    )


async def revoking(world: World) -> AsyncIterator[Pair]:
    """A key of another agency is unknown, and so is anything else of theirs."""
    key = world.mine.agency.key
    for one in (*world.theirs.credentials, *world.theirs.persons[:1], str(world.theirs.agency.agency_id)):
        yield Pair(api("DELETE", f"{KEYS}/{one}", bearer=key), api("DELETE", f"{KEYS}/{uuid4()}", bearer=key))


async def entering_the_team(world: World) -> AsyncIterator[Pair]:
    """A key of another agency opens this one's page as little as one that nobody has."""
    path = f"/a/{world.mine.agency.slug}/team"
    for one in (world.theirs.agency.key, world.theirs.asked.code, world.mine.asked.code):
        yield Pair(page("intake", path, {"key": one}), page("intake", path, {"key": unknown()}))


def of_the_team(last: str, fields: Mapping[str, str] | None) -> Probe:
    """A session of one agency's team page opens nothing at another's, nor does a requester's."""

    async def probe(world: World) -> AsyncIterator[Pair]:
        mine, theirs = f"/a/{world.mine.agency.slug}/team", f"/a/{world.theirs.agency.slug}/team"
        opened = await answered(world.town.region, page("intake", mine, {"key": world.mine.agency.key}))
        cookie = opened.headers["set-cookie"].partition(";")[0]
        assert cookie.startswith("t=")
        for one in (cookie, world.mine.page_session):
            told = dict(fields) if fields is not None else None
            yield Pair(
                page("intake", theirs + last, told, cookie=one),
                page("intake", theirs + last, told, cookie=like(cookie)),
            )

    return probe


async def page_of_asking(world: World) -> AsyncIterator[Pair]:
    """A session of another agency's page is none here."""
    path = f"/a/{world.theirs.agency.slug}"
    yield Pair(
        page("intake", path, cookie=world.mine.page_session), page("intake", path, cookie=like(world.mine.page_session))
    )


async def form_of_asking(world: World) -> AsyncIterator[Pair]:
    """The nonce of one's own page fits neither another agency's page nor another one's code."""
    mine, theirs = f"/a/{world.mine.agency.slug}", f"/a/{world.theirs.agency.slug}"
    own = (await answered(world.town.region, page("intake", mine))).form(has="code").values
    fields = {"screen": "emergency", "relation": "officer", "code": own["code"], "nonce": own["nonce"]}
    yield Pair(page("intake", theirs, fields), page("intake", theirs, {**fields, "nonce": unknown()}))
    for one in (world.theirs.asked.code, world.theirs.closed.code):
        yield Pair(page("intake", mine, {**fields, "code": one}), page("intake", mine, {**fields, "code": unknown()}))


async def page_of_case(world: World) -> AsyncIterator[Pair]:
    """A session of one agency's page opens nothing at another's."""
    path = f"/a/{world.theirs.agency.slug}/case"
    yield Pair(
        page("intake", path, cookie=world.mine.page_session), page("intake", path, cookie=like(world.mine.page_session))
    )
    path = f"/a/{world.mine.agency.slug}/case"
    yield Pair(
        page("intake", path, cookie=world.theirs.page_session),
        page("intake", path, cookie=like(world.mine.page_session)),
    )


async def entering(world: World) -> AsyncIterator[Pair]:
    """Only codes of this agency's cases lead anywhere from its page."""
    path = f"/a/{world.mine.agency.slug}/case"
    for one in (*secrets_of(world.theirs), world.theirs.asked.code):
        yield Pair(page("intake", path, {"code": one}), page("intake", path, {"code": unknown()}))


async def pressing(world: World) -> AsyncIterator[Pair]:
    """The buttons of a case: one's own session at another agency's page, and another agency's peer on one's own."""
    mine, theirs = world.mine, world.theirs
    own = f"/a/{mine.agency.slug}/case"
    shown = await answered(world.town.region, page("intake", own, cookie=mine.page_session))
    fields = {"nonce": shown.form(has="nonce").values["nonce"], "key": theirs.closing_key}
    for name in BUTTONS:
        there = f"/a/{theirs.agency.slug}/case/{name}"
        yield Pair(
            page("intake", there, fields, cookie=mine.page_session),
            page("intake", there, fields, cookie=like(mine.page_session)),
        )
        here = f"{own}/{name}"
        yield Pair(
            page("intake", here, fields, cookie=theirs.page_session),
            page("intake", here, fields, cookie=like(mine.page_session)),
        )
    for one in theirs.persons:
        yield Pair(
            page("intake", f"{own}/choose", {**fields, "person": one}, cookie=mine.page_session),
            page("intake", f"{own}/choose", {**fields, "person": str(uuid4())}, cookie=mine.page_session),
        )


async def going_elsewhere(world: World) -> AsyncIterator[Pair]:
    """A session of one agency's page moves nothing at another's."""
    mine, theirs = world.mine, world.theirs
    fields = {"agency": mine.agency.slug, "screen": "move"}
    for there, session in ((theirs.agency.slug, mine.page_session), (mine.agency.slug, theirs.page_session)):
        path = f"/a/{there}/elsewhere"
        yield Pair(
            page("intake", path, fields, cookie=session), page("intake", path, fields, cookie=like(mine.page_session))
        )


PUBLIC_FILE = "the same bytes for everybody; it reads nothing of the request"
DEADMAN = "names of services and checks, and ages; it knows no agency"
HEALTH = "what this process needs, by name; it knows no agency"

PROBES: Mapping[Door, Probe | Nothing] = {
    ("GET", "/v1/agencies/{slug}"): public("/v1/agencies/{slug}"),
    ("GET", "/v1/agencies/{slug}/notice"): public("/v1/agencies/{slug}/notice?relation=officer"),
    ("POST", "/v1/agencies/{slug}/requests"): asking,
    ("GET", CASE): bearers("GET", CASE),
    ("DELETE", CASE): bearers("DELETE", CASE),
    ("GET", f"{CASE}/peers"): bearers("GET", f"{CASE}/peers"),
    ("PUT", f"{CASE}/choice"): all_of(bearers("PUT", f"{CASE}/choice", {"anyone": True}), choosing),
    ("PUT", f"{CASE}/reach"): bearers("PUT", f"{CASE}/reach", {"reach": REACH}),
    **{
        ("POST", f"{CASE}/{name}"): all_of(bearers("POST", f"{CASE}/{name}", Idempotency_Key="fresh"), once(name))
        for name in ("clinician", "emergency", "peer", "release", "another-peer", "close")
    },
    **{
        (method, f"{CASE}/consents/{{recipient}}"): all_of(bearers(method, f"{CASE}/consents/clinician"), recipients)
        for method in ("PUT", "DELETE")
    },
    ("PUT", f"{CASE}/agency"): bearers(
        "PUT", f"{CASE}/agency", {"agency": "x", "notice": {"version": "1"}, "code_hash": "A" * 43}
    ),
    ("POST", "/a/{slug}/elsewhere"): going_elsewhere,
    ("GET", "/v1/agency"): all_of(bearers("GET", "/v1/agency", codes=False), naming("/v1/agency")),
    ("GET", DIRECTORY): all_of(bearers("GET", DIRECTORY, codes=False), naming(DIRECTORY)),
    ("PUT", DIRECTORY): all_of(bearers("PUT", DIRECTORY, {"people": []}, codes=False), replacing_directory),
    ("POST", VERIFICATIONS): all_of(bearers("POST", VERIFICATIONS, {}, codes=False), asking_again),
    ("GET", POLICY): all_of(bearers("GET", POLICY, codes=False), naming(POLICY)),
    ("PUT", POLICY): all_of(bearers("PUT", POLICY, {}, codes=False, If_Match="*"), replacing(POLICY, {"grace_s": 60})),
    ("GET", STRUCTURE): all_of(bearers("GET", STRUCTURE, codes=False), naming(STRUCTURE)),
    ("PUT", STRUCTURE): all_of(
        bearers("PUT", STRUCTURE, {"structure": "team-coordinator"}, codes=False, If_Match="*"),
        replacing(STRUCTURE, {"structure": "team-coordinator"}),
    ),
    ("GET", RESOURCES): all_of(bearers("GET", RESOURCES, codes=False), naming(RESOURCES)),
    ("PUT", RESOURCES): all_of(
        bearers("PUT", RESOURCES, {"resources": []}, codes=False, If_Match="*"),
        replacing(RESOURCES, {"resources": []}),
    ),
    ("PUT", CONFLICTS): all_of(
        bearers("PUT", CONFLICTS, {"conflicts": []}, codes=False, If_None_Match="*"), conflicting
    ),
    ("POST", CONFLICTS): all_of(
        bearers("POST", CONFLICTS, {"kind": "evaluator", "people": ["x"]}, codes=False), conflicting
    ),
    **{
        (method, f"{AVAILABILITY}/{{person_ref}}"): all_of(
            bearers(method, f"{AVAILABILITY}/x", {"entries": []} if method == "PUT" else None, codes=False),
            of_person(method),
        )
        for method in ("GET", "PUT")
    },
    ("POST", f"{AVAILABILITY}/swaps"): all_of(bearers("POST", f"{AVAILABILITY}/swaps", {}, codes=False), swapping),
    ("GET", COVERAGE): all_of(bearers("GET", COVERAGE, codes=False), naming(COVERAGE)),
    ("GET", TALLY): all_of(bearers("GET", TALLY, codes=False), naming(TALLY)),
    ("PUT", TALLY): bearers("PUT", TALLY, {"month": "2026-11-01", "counts": {"errand": 1}}, codes=False),
    ("GET", POOL): all_of(bearers("GET", POOL, codes=False), naming(POOL)),
    ("PUT", POOL): all_of(bearers("PUT", POOL, {"peers": []}, codes=False, If_None_Match="*"), borrowing),
    ("POST", DRILLS): all_of(bearers("POST", DRILLS, {}, codes=False, Idempotency_Key="fresh-drill"), practising),
    ("GET", "/a/{slug}/team"): of_the_team("", None),
    ("POST", "/a/{slug}/team"): entering_the_team,
    ("POST", "/a/{slug}/team/tally"): of_the_team("/tally", {"month": "2026-11-01", "errand": "1"}),
    ("GET", "/a/{slug}/team/person"): of_the_team("/person?ref=P1", None),
    ("POST", "/a/{slug}/team/person"): of_the_team("/person", {"was": "P1", "act": "remove"}),
    ("POST", "/a/{slug}/team/away"): of_the_team("/away", {"ref": "P1", "start": "2030-01-01", "end": "2030-01-02"}),
    ("GET", "/a/{slug}/team/conflicts"): of_the_team("/conflicts", None),
    ("POST", "/a/{slug}/team/conflicts"): of_the_team("/conflicts", {"kind": "evaluator", "people": "P1"}),
    ("POST", "/a/{slug}/team/conflicts/none"): of_the_team("/conflicts/none", {"sure": "yes"}),
    ("POST", "/a/{slug}/team/shift"): of_the_team("/shift", {"ref": "P1", "start": "2030-01-01", "end": "2030-01-02"}),
    ("POST", "/a/{slug}/team/swap"): of_the_team("/swap", {"ref": "P1", "takes": "P2", "act": "swap"}),
    ("POST", "/a/{slug}/team/unsaid"): of_the_team("/unsaid", {"ref": "P1", "entry": "{}"}),
    ("GET", "/a/{slug}/team/sheet"): of_the_team("/sheet", None),
    ("POST", "/a/{slug}/team/sheet"): of_the_team("/sheet", {"act": "put"}),
    ("GET", "/a/{slug}/team/calendar"): of_the_team("/calendar?ref=P1", None),
    ("POST", "/a/{slug}/team/calendar"): of_the_team("/calendar", {"ref": "P1"}),
    ("POST", "/a/{slug}/team/pool"): of_the_team("/pool", {"peer": str(uuid4()), "act": "take"}),
    ("POST", "/a/{slug}/team/pool/part"): of_the_team("/pool/part", {"act": "join"}),
    ("POST", "/a/{slug}/team/drill"): of_the_team("/drill", {}),
    ("POST", "/a/{slug}/team/leave"): of_the_team("/leave", {}),
    ("GET", LISTED): public(LISTED + "?agency={slug}"),
    ("GET", KEYS): all_of(bearers("GET", KEYS, codes=False), naming(KEYS)),
    ("POST", KEYS): all_of(bearers("POST", KEYS, {}, codes=False, Idempotency_Key="fresh"), making_keys),
    ("DELETE", f"{KEYS}/{{credential_id}}"): revoking,
    ("GET", "/a/{slug}"): page_of_asking,
    ("POST", "/a/{slug}"): form_of_asking,
    ("GET", "/a/{slug}/resources"): page_of_resources,
    ("GET", "/a/{slug}/case"): page_of_case,
    ("POST", "/a/{slug}/case"): entering,
    ("POST", "/a/{slug}/case/{name}"): pressing,
    ("GET", "/assets/page.css"): Nothing(PUBLIC_FILE),
    ("GET", "/docs"): Nothing(PUBLIC_FILE),
    ("GET", "/openapi.json"): Nothing(PUBLIC_FILE),
    ("HEAD", "/openapi.json"): Nothing(PUBLIC_FILE),
    ("GET", "/leave"): Nothing("it leads away and forgets the session, whosever it is"),
    ("GET", "/health/live"): Nothing(HEALTH),
    ("GET", "/health/ready"): Nothing(HEALTH),
    ("GET", "/health/deadman"): Nothing(DEADMAN),
}
