"""One request finds a peer: the whole way, as the requester and the peer see it, to the purge."""

from __future__ import annotations

from deploy.local import walk
from deploy.local.browser import Browser
from shared.events.intake import CaseClosed, RequestSubmitted
from shared.events.matching import OfferMade, PeerAssigned
from shared.types import CaseId
from tests.harness.town import Town

SAID = ("police", "peer", "support", "crisis", "riverton", "kim", "aldous", "555-0142")


async def case_of(town: Town) -> CaseId:
    seen, _ = await town.seen.first(RequestSubmitted)
    return CaseId(seen.envelope.subject)


async def test_a_request_finds_a_peer_and_is_walked_to_its_purge(town: Town) -> None:
    requester = await town.ask()
    case = await case_of(town)
    offer = await town.mail("/m/")
    assert await requester.until("asked") == "asked"

    await town.answer(offer, "accept")
    await requester.until("released")
    second = await town.mail("/w/", to=[offer.to])
    _, page = await town.behind(second)
    assert "+18015550142" in page.text.replace("-", "").replace(" ", "")

    await town.answer(second, "contacted")
    await requester.until("in_contact")
    await town.answer(second, "close")
    await town.seen.first(CaseClosed, case=case)
    await walk.purged(town.local, case)
    assert await rows_that_join(town, case) == []


async def test_the_mails_name_nothing_and_the_link_alone_shows_nothing(town: Town) -> None:
    await town.ask()
    offer = await town.mail("/m/")
    (mail,) = [mail for mail in await town.region.mails(to=offer.to) if mail.id == offer.id]
    words = f"{mail.sender} {mail.subject} {mail.text}".lower()
    assert not [word for word in SAID if word in words.replace(offer.link.lower(), "")]
    page = await Browser().get(offer.link)
    assert not [word for word in (*SAID, "soon", "accept") if word in page.seen.lower()]


async def test_a_decline_moves_on_to_somebody_else_and_the_refused_peer_is_not_asked_again(town: Town) -> None:
    await town.ask()
    case = await case_of(town)
    first = await town.mail("/m/")
    await town.answer(first, "decline")
    second = await town.mail("/m/")
    assert second.to != first.to
    await town.answer(second, "accept")
    await town.seen.first(PeerAssigned, case=case)
    asked = [one.fact.person for one in town.seen.of(case) if isinstance(one.fact, OfferMade)]
    assert len(asked) == len(set(asked)) == 2


async def rows_that_join(town: Town, case: CaseId) -> list[str]:
    """Tables in which any text still holds the case's id beside another id, tombstones and audit apart."""
    sql = await town.region.sql()
    tables = await sql.fetch(
        "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND n.nspname IN ('intake', 'matching', 'referral', 'notify', 'vault')"
        " AND c.relname NOT IN ('tombstones', 'audit', 'data_keys')"
    )
    found = []
    for row in tables:
        name = f"{row['nspname']}.{row['relname']}"
        if await sql.fetchval(f"SELECT true FROM {name} t WHERE t::text LIKE $1 LIMIT 1", f"%{case}%"):  # noqa: S608
            found.append(name)
    return found
