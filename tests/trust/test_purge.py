"""After the end of a case nothing in PostgreSQL joins a peer and the case, whatever table somebody looks at."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from uuid import UUID

from deploy.local.browser import Browser
from deploy.local.walk import Requester
from shared import vault
from shared.types import REGION, AgencyId
from shared.vault import read_keyring
from tests.trust.tables import Row, holding, joined, rows, settled, until
from tests.trust.town import Agency, Town, person

REACH = {"channel": "mail", "address": "requester@reach.test", "safe_times": "after six", "leave_message": False}
STATISTIC = {"statistic_id", "agency_id", "month", "relation", "urgency", "help", "outcome", "apart"}
TOMBSTONE = {"case_id", "agency_id", "closed", "at"}
SERVICES = {"intake", "matching", "referral", "notify"}
CLINICAL = {
    *("referral.pathways", "referral.consults", "referral.referrals"),
    *("notify.consults", "notify.referrals", "notify.matters", "notify.links"),
}
"""Tables that a case with a consult and a referral leaves something in."""
QUESTION = "They sleep badly since the fire. What has helped others?"


def people() -> list[dict[str, object]]:
    return [
        person("P1", "peer", "Ada Poe", contact="ada@purge.test", shows="801-555-0177", offers=["talk"]),
        person("P2", "peer", "Bea Roe", contact="bea@purge.test", offers=["talk"]),
        person("C1", "coordinator", "Cem Loe", contact="cem@purge.test"),
    ]


async def persons(town: Town) -> set[UUID]:
    return {
        UUID(row.values["person_id"]) for row in await rows(await town.region.sql()) if row.table == "intake.people"
    }


def may_stay(row: Row) -> bool:
    """What is left of a case: its id alone, its key destroyed, and acts without an actor."""
    if row.name == "tombstones":
        return set(row.values) == TOMBSTONE
    if row.table == "vault.data_keys":
        return row.values["wrapped"] is None and row.values["destroyed_at"] is not None
    return row.name == "audit" and row.values["actor"] is None


def assert_nothing_joins(listed: Collection[Row], case: UUID, whom: Collection[UUID], agency: Agency) -> None:
    left = holding(listed, case)
    assert not [row for row in left if not may_stay(row)]
    assert not [row for row in left if row.ids & set(whom)]
    ways = joined(listed, case, but={agency.agency_id, REGION})
    assert_sealing_stands_alone(listed)
    counted = {UUID(row.values["statistic_id"]) for row in listed if row.table == "intake.statistics"}
    assert counted
    assert not {tables for one, tables in ways.items() if one in {*whom, *counted}}


def assert_sealing_stands_alone(listed: Collection[Row]) -> None:
    """Links are written in transactions that write nothing else but how far the sealer is."""
    sealing = {stamp for row in listed if row.name == "audit_chain" for stamp in row.stamps}
    assert sealing
    assert {row.name for row in listed if row.stamps & sealing} <= {"audit_chain", "audit_counts", "audit_floor"}


def traces_of(listed: Collection[Row], case: UUID, but: Collection[UUID]) -> set[UUID]:
    """The ids that stood beside the case's: offers, assignments, links, replies, messages."""
    return {one for row in holding(listed, case) if row.name not in {"audit", "outbox"} for one in row.ids} - set(but)


async def opens(town: Town, agency: Agency, case: UUID, sealed: bytes) -> bytes | None:
    """What intake makes of a sealed reach with the keys that it has now."""
    return await unsealed(town, agency, ("intake", "case", "reach"), case, sealed)


async def unsealed(
    town: Town, agency: Agency, what: tuple[str, vault.Kind, str], subject: UUID, sealed: bytes
) -> bytes | None:
    """What a service makes of a field that is sealed under the key of a case or consult, with the keys that it has."""
    service, kind, field = what
    keyring, scope = read_keyring(town.region.keyring), AgencyId(agency.agency_id)
    async with town.region.database.opened(service) as db, db.transaction([scope]) as tx:
        key = (await vault.load(tx, keyring, kind, [subject])).get(subject)
    return key.open(field, sealed) if key else None


async def test_after_the_grace_nothing_joins_peer_and_case_and_the_reach_opens_no_more(town: Town) -> None:
    agency = await town.agency("purge-town", people(), grace_s=2)
    whom = await persons(town)
    requester, second = await town.released(agency, reach=REACH)
    case = await town.case_of(requester)
    sql = await town.region.sql()
    sealed = await sql.fetchval("SELECT sealed FROM notify.matters WHERE case_id = $1 AND sealed IS NOT NULL", case)
    assert b"requester@reach.test" in (await opens(town, agency, case, sealed) or b"")
    await town.press(agency, second, "contacted")
    await requester.until("in_contact")
    traces = traces_of(await rows(sql), case, {case, agency.agency_id, *whom})
    assert len(traces) > 5

    await town.press(agency, second, "close")
    listed = await town.purged(case)
    assert_nothing_joins(listed, case, whom, agency)
    assert {row.schema for row in holding(listed, case) if row.name == "tombstones"} == SERVICES
    assert not [row for row in listed if row.ids & traces and row.name not in {"audit", "inbox"}]
    assert await opens(town, agency, case, sealed) is None


def clinicians() -> list[dict[str, object]]:
    return [person("K1", "clinician", "Kay Moe", contact="kay@purge.test")]


async def referred(town: Town, agency: Agency) -> Requester:
    """A case with a peer in touch, a question that is open, and a clinician who has accepted."""
    requester, second = await town.released(agency, reach=REACH)
    await town.press(agency, second, "contacted")
    await town.advice(agency, second, QUESTION)
    await town.press(agency, await town.referred(agency, requester, second), "accept")
    await town.clinical(requester, "accepted")
    return requester


async def test_nothing_joins_peer_adviser_clinician_and_case_and_the_question_opens_no_more(town: Town) -> None:
    agency = await town.agency("clinic-town", [*people(), *clinicians()], grace_s=2)
    whom = await persons(town)
    requester = await referred(town, agency)
    case, sql = await town.case_of(requester), await town.region.sql()
    await settled(sql)
    before = await rows(sql)
    assert {row.table for row in holding(before, case)} >= CLINICAL
    (row,) = await sql.fetch("SELECT consult_id, sealed FROM referral.consults WHERE case_id = $1", case)
    consult, sealed = row["consult_id"], row["sealed"]
    of_question: tuple[str, vault.Kind, str] = ("notify", "consult", "question")
    assert await unsealed(town, agency, of_question, consult, sealed) == QUESTION.encode()
    traces = traces_of(before, case, {case, agency.agency_id, *whom})
    assert consult in traces

    assert (await requester.act("POST", "/close")).status == 200
    listed = await town.purged(case)
    assert_nothing_joins(listed, case, whom, agency)
    keys = [row for row in listed if row.table == "vault.data_keys" and consult in row.ids]
    assert keys
    assert all(may_stay(row) for row in keys)
    left = [row for row in listed if row.ids & traces and row.name not in {"audit", "inbox"} and row not in keys]
    assert not left
    assert not [row for row in listed if row.ids & traces and row.name == "audit" and row.values["actor"]]
    assert await unsealed(town, agency, of_question, consult, sealed) is None


async def test_a_withdrawal_at_any_clinical_stage_leaves_nothing_that_joins(town: Town) -> None:
    agency = await town.agency("clinic-back-town", [*people(), *clinicians()])
    whom = await persons(town)
    asked = {"accepted": await referred(town, agency)}
    asked["direct"] = await town.ask(agency, want="clinician", help=["counselling"], reach=REACH)
    await town.mail("/r/", agency.clinicians)
    asked["consent asked"], second = await town.released(agency, reach=REACH)
    await town.press(agency, second, "clinician")
    await town.clinical(asked["consent asked"], "consent_asked")
    about = {"about": "someone_else", "outreach": {"channel": "mail", "address": "friend@purge.test"}}
    asked["outreach"] = await town.ask(agency, choose="shortlist", **about)
    await town.mail("/o/", ["friend@purge.test"])
    for name, left in (await left_by_withdrawals(town, agency, whom, asked)).items():
        assert all(may_stay(row) for row in left), name


async def left_by_withdrawals(
    town: Town, agency: Agency, whom: Collection[UUID], asked: Mapping[str, Requester]
) -> Mapping[str, list[Row]]:
    """Everything is taken back; what then stands of each case, besides the audit trail and the inbox. Nothing joins."""
    cases = {name: await town.case_of(requester) for name, requester in asked.items()}
    sql = await town.region.sql()
    await settled(sql)
    before = await rows(sql)
    traces = {name: traces_of(before, case, {case, agency.agency_id, *whom}) for name, case in cases.items()}
    for name, requester in asked.items():
        assert await withdrawn(requester) == 200, name
    found = {}
    for name, case in cases.items():
        listed = await town.purged(case)
        assert_nothing_joins(listed, case, whom, agency)
        found[name] = [row for row in listed if row.ids & traces[name] and row.name not in {"audit", "inbox"}]
    return found


async def stages(town: Town, agency: Agency) -> Mapping[str, Requester]:
    """A case at each stage at which its requester may take it back."""
    before = await town.ask(agency, choose="shortlist", reach=REACH)
    await before.until("choosing")
    nobody = await town.ask(agency, preferences={"require": ["veteran"]}, reach=REACH)
    await nobody.until("unserved")
    offered = await town.ask(agency, reach=REACH)
    await town.mail("/m/", agency.contacts)
    accepted = await town.ask(agency, release="ask_me", reach=REACH)
    await town.press(agency, await town.mail("/m/", agency.contacts), "accept")
    await accepted.until("accepted")
    released, _ = await town.released(agency, reach=REACH)
    return {"choosing": before, "unserved": nobody, "offered": offered, "accepted": accepted, "released": released}


async def test_a_withdrawal_leaves_nothing_that_joins_at_whatever_stage(town: Town) -> None:
    agency = await town.agency("back-town", people())
    whom = await persons(town)
    asked = await stages(town, agency)
    for name, left in (await left_by_withdrawals(town, agency, whom, asked)).items():
        assert not left, name
    kept = [row for row in await rows(await town.region.sql()) if row.name == "statistics"]
    assert {row.values["outcome"] for row in kept} == {"withdrawn"}


async def withdrawn(requester: Requester) -> int:
    return (await Browser().api("DELETE", f"{requester.intake}/v1/case", bearer=requester.code)).status


async def test_a_load_and_a_statistic_stand_in_no_transaction_of_a_case_and_the_statistic_leads_nowhere(
    town: Town,
) -> None:
    agency = await town.agency("apart-town", people(), grace_s=0)
    requester, second = await town.released(agency, reach=REACH)
    case = await town.case_of(requester)
    await town.press(agency, second, "contacted")
    await town.press(agency, second, "close")
    sql = await town.region.sql()
    kept = {"matching.peer_load", "intake.statistics"}

    def beside(listed: Collection[Row]) -> set[str]:
        of_case = {stamp for row in holding(listed, case) for stamp in row.stamps}
        return {row.table for row in listed if row.stamps & of_case} & kept

    # They are written with the case at first, which shows that this test can tell.
    await until(sql, lambda listed: beside(listed) == kept, "the load and the statistic of the case", every=0.05)
    listed = await town.purged(case)
    assert not beside(listed)
    (statistic,) = [row for row in listed if row.name == "statistics"]
    assert set(statistic.values) == STATISTIC
    assert statistic.values["month"].endswith("-01")
    assert holding(listed, UUID(statistic.values["statistic_id"])) == [statistic]
