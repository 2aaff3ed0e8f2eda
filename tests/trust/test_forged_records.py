"""Records that no service of the region has written: they change nothing, whoever's records travel with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from uuid import UUID

from deploy.local.mails import Mail
from deploy.local.walk import Requester
from services.intake import subscribers as of_intake
from services.matching import subscribers as of_matching
from services.referral import subscribers as of_referral
from shared import clock
from shared.delivery import Absorb, Delivery
from shared.events import Fact
from shared.events.intake import Ask, CaseClosed, CaseWithdrawn, ConsentGiven, DirectAsked
from shared.events.notify import ConsultReplied, ReferralReplied, ReferralVerb
from shared.events.policy import Capabilities, Policy
from shared.events.referral import ReferralAccepted
from shared.parking import Raw
from shared.types import AgencyId, Help, PersonId, Relation, Structure, Urgency
from tests.harness.probe import Sender
from tests.trust.scene import QUESTION, REACH, SLOW, people
from tests.trust.tables import Row, holding, rows, settled, until
from tests.trust.town import Agency, Town, person

KEY = b"fingerprint key of these tests, 32+ bytes"
HANDLERS: Mapping[str, Absorb] = MappingProxyType(
    {"intake": of_intake.ordinary, "matching": of_matching.crisis, "referral": of_referral.ordinary}
)
AROUND = {"audit", "inbox", "outbox", "parked"}
"""Tables that tell what was heard and refused, and nothing of how a case stands."""
ADVISOR = {"structure": "clinical-advisor", "contract": {"from": "2020-01-01"}}


async def taken(town: Town, *raws: Raw, by: str = "matching") -> None:
    """What a service makes of these records in one batch."""
    async with town.region.database.opened(by) as db:
        topics = sorted({raw.topic for raw in raws})
        delivery = Delivery(db, HANDLERS[by], group=f"{by}.forged", topics=topics, fingerprint_key=KEY)
        await delivery.take(raws)


async def test_a_record_of_another_writer_is_dead_at_once_and_changes_nothing(town: Town) -> None:
    agency = await town.agency("forged-town", people("forged-town"))
    case = await town.case_of(await town.ask(agency))
    sql = await town.region.sql()
    await settled(sql)
    before = [row for row in holding(await rows(sql), case) if row.schema == "matching"]
    sender = Sender(AgencyId(agency.agency_id))
    await taken(town, sender.raw(CaseWithdrawn(), case, headers={"ce_source": b"/peerline/notify"}))
    after = await rows(sql)
    kept = [row for row in holding(after, case) if row.schema == "matching" and row.name != "parked"]
    assert sorted(row.text for row in kept) == sorted(row.text for row in before)
    parked = [row.values["state"] for row in after if row.table == "matching.parked"]
    assert parked == ["dead"]


async def test_an_end_in_the_name_of_another_agency_ends_nothing_even_beside_its_owners_records(town: Town) -> None:
    owner = await town.agency("owner-town", people("owner-town"))
    case = await town.case_of(await town.ask(owner))
    sql = await town.region.sql()
    await settled(sql)

    def own(listed: list[Row]) -> list[str]:
        return sorted(
            row.text
            for row in holding(listed, case)
            if row.schema == "matching" and row.values.get("agency_id") == str(owner.agency_id)
        )

    before = own(await rows(sql))
    assert before
    sender = Sender(AgencyId(owner.agency_id))
    beside = sender.raw(CaseWithdrawn(), clock.random_id())
    forged = sender.raw(CaseClosed(), case, agency=AgencyId(clock.random_id()))
    await taken(town, beside, forged)
    assert own(await rows(sql)) == before


@dataclass(frozen=True, repr=False)
class Clinical:
    """A case of an agency with clinicians: one was asked for advice, one to take the requester on."""

    town: Town
    agency: Agency
    stranger: Agency
    requester: Requester
    case: UUID
    referral: UUID
    consult: UUID
    asked: PersonId
    """Who was asked to take the requester on, and may accept."""
    others: Mapping[str, PersonId]
    """Who was not, by what they are."""
    invitation: Mail

    @property
    def sender(self) -> Sender:
        return Sender(AgencyId(self.agency.agency_id))

    async def stands(self) -> list[str]:
        """Everything that any service holds of the case, or of its consult and referral, for its own agency."""
        sql = await self.town.region.sql()
        await settled(sql)
        things = {self.case, self.referral, self.consult}
        own = [row for row in await rows(sql) if row.ids & things and row.name not in AROUND]
        return sorted(row.text for row in own if row.values.get("agency_id") == str(self.agency.agency_id))

    async def refused(self) -> Counter[str]:
        """The acts by which referral has refused something in this case."""
        listed = holding(await rows(await self.town.region.sql()), self.case)
        acts = (row.values["act"] for row in listed if row.table == "referral.audit")
        return Counter(act for act in acts if act.endswith("refused"))


async def clinical(town: Town) -> Clinical:
    """Both are open: nobody has answered yet."""
    named = [*people("asking-town"), person("K2", "clinician", "Lou asking-town", contact="lou@asking-town.test")]
    agency = await town.agency("asking-town", named, **SLOW)
    stranger = await town.agency("strange-town", people("strange-town"), **SLOW)
    requester, second = await town.released(agency, reach=REACH)
    await town.advice(agency, second, QUESTION)
    invitation = await town.referred(agency, requester, second)
    case, sql = await town.case_of(requester), await town.region.sql()
    (row,) = await sql.fetch("SELECT referral_id, clinician_id FROM referral.referrals WHERE case_id = $1", case)
    (consult,) = await sql.fetch("SELECT consult_id, asked_by FROM referral.consults WHERE case_id = $1", case)
    clinicians = {
        one["agency_id"]: one["all"]
        for one in await sql.fetch(
            "SELECT agency_id, array_agg(person_id) AS all FROM referral.people WHERE role = 'clinician' GROUP BY 1"
        )
    }
    (beside,) = {*clinicians[agency.agency_id]} - {row["clinician_id"]}
    (abroad,) = clinicians[stranger.agency_id]
    return Clinical(
        *(town, agency, stranger, requester, case, row["referral_id"], consult["consult_id"]),
        asked=PersonId(row["clinician_id"]),
        others={"not asked": beside, "of another agency": abroad, "the peer": consult["asked_by"]},
        invitation=invitation,
    )


def advised(consult: UUID, who: PersonId) -> ConsultReplied:
    return ConsultReplied(
        reply=clock.random_id(), consult=consult, person=who, verb="answer", sealed=b"x", received_at=clock.now()
    )


def said(referral: UUID, who: PersonId, verb: ReferralVerb = "accept") -> ReferralReplied:
    return ReferralReplied(reply=clock.random_id(), referral=referral, person=who, verb=verb, received_at=clock.now())


def agrees(referral: UUID) -> ConsentGiven:
    expires = clock.now() + timedelta(days=300)
    return ConsentGiven(
        consent=clock.random_id(), recipient="clinician", purpose="referral", referral=referral, expires=expires
    )


def taken_on(case: Clinical, who: PersonId) -> ReferralAccepted:
    due = clock.now() + timedelta(days=1)
    return ReferralAccepted(referral=case.referral, clinician=who, consent=clock.random_id(), due=due)


async def test_what_nobody_who_was_asked_has_said_moves_neither_consult_nor_referral(town: Town) -> None:
    case = await clinical(town)
    before = await case.stands()
    assert not await case.refused()
    await another_actor(case)
    assert await case.stands() == before
    await another_agency(case)
    assert await case.stands() == before
    assert (await case.requester.status())["clinical"]["state"] == "requested"
    assert len([mail for one in case.agency.clinicians for mail in await town.mailbox.all(one) if _asks(mail)]) == 2

    # What was asked for counts, by the very same way: this test can tell.
    await taken(town, case.sender.raw(said(case.referral, case.asked), case.case), by="referral")
    await town.clinical(case.requester, "accepted")
    before = await case.stands()
    await another_writer(case)
    assert await case.stands() == before


def _asks(mail: Mail) -> bool:
    return mail.leads_to("/c/") or mail.leads_to("/r/")


async def another_actor(case: Clinical) -> None:
    """Everything is as it should be, but for who says it, or of which referral."""
    forged: list[Fact] = [said(case.referral, who) for who in case.others.values()]
    # Who is asked to take the requester on may well have been asked for advice as well.
    sql = await case.town.region.sql()
    advisers = await sql.fetchval("SELECT asked FROM referral.consults WHERE consult_id = $1", case.consult)
    outside = [who for who in (case.asked, *case.others.values()) if who not in advisers]
    assert len(outside) == 3
    forged += [advised(case.consult, who) for who in outside]
    forged += [said(clock.random_id(), case.asked), advised(clock.random_id(), case.asked)]
    forged += [agrees(clock.random_id())]
    await taken(case.town, *(case.sender.raw(fact, case.case) for fact in forged), by="referral")
    assert await case.refused() == {
        "referral reply refused": 4,
        "consult reply refused": 4,
        "consent refused": 1,
    }


async def another_agency(case: Clinical) -> None:
    """Everything is as it should be, but for the agency that it is said to be of."""
    sql = await case.town.region.sql()
    (adviser, *_) = await sql.fetchval("SELECT asked FROM referral.consults WHERE consult_id = $1", case.consult)
    abroad = AgencyId(case.stranger.agency_id)
    sender, whom = case.sender, case.others["of another agency"]
    forged = [agrees(case.referral), said(case.referral, case.asked), said(case.referral, whom)]
    raws = [sender.raw(fact, case.case, agency=abroad) for fact in (*forged, advised(case.consult, adviser))]
    await taken(case.town, *raws, by="referral")
    # Beside a record of the owner both agencies are in view.
    beside = sender.raw(agrees(clock.random_id()), case.case)
    raws = [sender.raw(fact, case.case, agency=abroad) for fact in (*forged, advised(case.consult, adviser))]
    await taken(case.town, beside, *raws, by="referral")
    told = [sender.raw(taken_on(case, who), case.case, agency=abroad) for who in (case.asked, whom)]
    await taken(case.town, *told, by="intake")


async def another_writer(case: Clinical) -> None:
    """Everything is as it should be, but for the service that says it: dead at once, and what follows waits."""
    held = said(case.referral, case.asked, "hold")
    notified = case.sender.raw(held, case.case, headers={"ce_source": b"/peerline/intake"})
    consented = case.sender.raw(agrees(case.referral), case.case, headers={"ce_source": b"/peerline/notify"})
    await taken(case.town, notified, consented, by="referral")
    told = case.sender.raw(taken_on(case, case.asked), case.case, headers={"ce_source": b"/peerline/matching"})
    await taken(case.town, told, by="intake")
    listed = await rows(await case.town.region.sql())
    dead = Counter(row.schema for row in listed if row.name == "parked" and row.values["state"] == "dead")
    assert dead == {"referral": 2, "intake": 1}


def widened(ask_of: Structure) -> Ask:
    """What a request of an agency with clinicians would have stamped on it."""
    every = Capabilities(consult=True, accept_referral=True, direct_employee=True, direct_family=True, on_call=True)
    policy = Policy(
        structure=ask_of,
        capabilities=every,
        offers_out=1,
        answer_within_s=3600,
        contact_within_s=3600,
        choose_within_s=3600,
        rung_within_s=300,
        grace_s=600,
        open_cases_per_peer=4,
        crisis_cases_per_peer=1,
        crisis_cooldown_s=0,
    )
    return Ask(
        relation=Relation.OFFICER,
        urgency=Urgency.SOON,
        help=(Help.COUNSELLING,),
        choose="anyone",
        release="on_accept",
        manner="call",
        language="en",
        policy=policy,
        jurisdiction="US-UT",
    )


async def without_clinician(town: Town, slug: str, structure: Mapping[str, object]) -> Agency:
    """An agency whose clinician, if it names one, takes nobody on."""
    agency = await town.agency(slug, people(slug), **SLOW)
    await town.put(agency, "structure", dict(structure))

    def heard_of(listed: Collection[Row]) -> bool:
        known = [row for row in listed if row.table == "referral.agencies"]
        own = [row.values["capabilities"] for row in known if row.values["agency_id"] == str(agency.agency_id)]
        return bool(own) and not own[0]["accept_referral"]

    await until(await town.region.sql(), heard_of, "referral knows the structure")
    return agency


async def test_where_no_clinician_takes_anybody_on_no_forged_answer_or_consent_opens_a_referral(town: Town) -> None:
    for structure in ({"structure": "team-coordinator"}, ADVISOR):
        await no_referral_opens(town, await without_clinician(town, str(structure["structure"]), structure))


async def no_referral_opens(town: Town, agency: Agency) -> None:
    requester, _ = await town.released(agency, reach=REACH)
    case, sql = await town.case_of(requester), await town.region.sql()
    clinician = PersonId(
        await sql.fetchval(
            "SELECT person_id FROM referral.people WHERE agency_id = $1 AND role = 'clinician'", agency.agency_id
        )
    )
    sender, referral = Sender(AgencyId(agency.agency_id)), clock.random_id()
    ask = widened(Structure.CLINICAL_SUPERVISOR)
    expires = clock.now() + timedelta(days=30)
    direct = DirectAsked(referral=referral, consent=clock.random_id(), expires=expires, ask=ask)
    forged = (agrees(referral), said(referral, clinician), direct, agrees(referral), said(referral, clinician))
    # Each alone and all at once: neither the order nor what travels beside makes a difference.
    for fact in forged:
        await taken(town, sender.raw(fact, case), by="referral")
    await taken(town, *(sender.raw(fact, case) for fact in forged), by="referral")
    told = ReferralAccepted(referral=referral, clinician=clinician, consent=clock.random_id(), due=expires)
    await taken(town, sender.raw(told, case), by="intake")
    await settled(sql)
    listed = holding(await rows(sql), case)
    assert not [row for row in listed if row.table == "referral.referrals"]
    assert not [row for row in listed if row.name == "matters" and row.values["person_id"] == str(clinician)]
    assert (await requester.status())["clinical"] is None
    assert not [mail for mail in await town.mailbox.all(agency.clinicians[0]) if mail.leads_to("/r/")]
