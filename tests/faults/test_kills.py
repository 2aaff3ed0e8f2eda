"""kill -9 of each service at each step that it has. The case is walked to its end all the same, and nothing is lost."""

from __future__ import annotations

import pytest

from deploy.local import demo
from shared.events import TOPICS
from shared.migrate import SERVICES
from tests.faults.kills import CASES, GROUPS, LANES, PEOPLE, PUBLISHED, Course, Step
from tests.faults.stand import Stand
from tests.faults.story import Story, nobody, survived
from tests.harness.waiting import eventually
from tests.trust.town import Document, person

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("course", CASES, ids=str)
async def test_a_case_is_walked_to_its_end_whatever_dies_on_the_way(stand: Stand, course: Course) -> None:
    await Story(stand, course).told()


@pytest.mark.parametrize("course", PEOPLE, ids=str)
async def test_somebody_new_is_verified_once_whatever_dies_on_the_way(stand: Stand, course: Course) -> None:
    mark = stand.duty.partition("@")[2]
    # The number tells this test's newcomer from those before.
    address = f"new{course.number}@{mark}"
    newcomer = person(f"N{course.number}", "peer", "Fay New", contact=address, offers=["talk"])

    async def listed(step: Step, *more: Document) -> None:
        async def put() -> None:
            await stand.town.put(stand.agency, "directory", {"people": [*stand.agency.people, *more]})

        kill = course.steps.get(step)
        await (survived(stand, kill, put, nobody) if kill else put())

    await listed("join", newcomer)
    mail = await stand.town.mailbox.next("/v/", [address])
    await demo.verify(mail.link, stand.agency.pin)
    await eventually(lambda: _verified(stand, 1), what="matching knows the newcomer")
    await listed("leave")
    await eventually(lambda: _verified(stand, 0), what="matching knows that the newcomer left")
    await stand.at_rest()
    links = [one for one in await stand.town.mailbox.all(address) if one.leads_to("/v/")]
    assert [one.id for one in links] == [mail.id]
    # The other one says that the address was taken out.
    assert len(await stand.region.mails(to=address)) <= 2
    stand.spoiled = False


async def _verified(stand: Stand, more: int) -> bool:
    query = "SELECT count(*) FROM matching.peers WHERE active AND verified AND role = 'peer' AND agency_id = $1"
    found: int = await (await stand.sql()).fetchval(query, stand.agency.agency_id)
    return found == len(stand.agency.contacts) + more


async def test_the_matrix_names_every_group_and_every_topic_that_is_used(stand: Stand) -> None:
    prefix = stand.ledger.topics.prefix
    wanted = {
        f"{prefix}{service}.{LANES[walk]}": set(topics)
        for service in GROUPS
        for walk, topics in GROUPS[service].items()
    }
    found = await stand.ledger.subscribed()
    assert {group: {name.removeprefix(prefix) for name in names} for group, names in found.items()} == wanted
    published = {topic for topics in PUBLISHED.values() for topic in topics}
    # Nothing is said on referral's ordinary topic where there is no clinician.
    assert published == set(TOPICS) - {"peerline.referral"}
    assert {TOPICS[name].writer for name in published} == set(SERVICES)
    stand.spoiled = False
