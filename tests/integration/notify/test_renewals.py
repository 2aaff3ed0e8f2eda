"""What runs out soon: each peer is told, coordinators once for all of them, and nobody else anything."""

from __future__ import annotations

from shared import clock
from shared.events.intake import RenewalDue
from shared.events.matching import CheckInDue
from shared.types import PersonId
from tests.integration.notify.stand import Stand

ANA, BEN, COR = "ana@example.org", "ben@example.org", "cor@example.org"


async def verified(stand: Stand, address: str) -> PersonId:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): address}))
    await stand.send()
    assert (await stand.browser().verify(stand.mailman.link(address))).status == 200
    return person


async def test_each_is_told_once_and_without_a_link(stand: Stand) -> None:
    ana, ben, cor = [await verified(stand, address) for address in (ANA, BEN, COR)]
    before = {address: len(stand.mailman.to(address)) for address in (ANA, BEN, COR)}
    await stand.hear(stand.agency, RenewalDue(people=(ana, ben), coordinators=(cor,)))
    await stand.send()
    new = {address: stand.mailman.to(address)[before[address] :] for address in (ANA, BEN, COR)}
    assert {address: len(mails) for address, mails in new.items()} == {ANA: 1, BEN: 1, COR: 1}
    assert "http" not in str(new[ANA][0])
    assert "your people" in str(new[COR][0])


async def test_who_has_verified_nothing_is_told_nothing(stand: Stand) -> None:
    person = PersonId(clock.random_id())
    await stand.hear(person, await stand.points(person, {clock.random_id(): ANA}))
    await stand.send()
    await stand.hear(stand.agency, RenewalDue(people=(person,), coordinators=()))
    await stand.send()
    assert len(stand.mailman.to(ANA)) == 1


async def test_who_has_been_in_something_hard_is_asked_how_they_are_in_words_that_say_nothing_of_it(
    stand: Stand,
) -> None:
    ana, ben = [await verified(stand, address) for address in (ANA, BEN)]
    before = {address: len(stand.mailman.to(address)) for address in (ANA, BEN)}
    await stand.hear(stand.agency, CheckInDue(people=(ana,)))
    await stand.send()
    new = {address: stand.mailman.to(address)[before[address] :] for address in (ANA, BEN)}
    assert {address: len(mails) for address, mails in new.items()} == {ANA: 1, BEN: 0}
    shown = str(new[ANA][0]).lower()
    assert "how are you" in shown
    assert not [word for word in ("http", "crisis", "emergency", "case", "request") if word in shown]
    assert ben != ana
