"""How a batch is sorted before the database is asked: what takes effect, what is parked, what parks behind it."""

from dataclasses import dataclass, replace
from types import SimpleNamespace

from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from shared import records
from shared.delivery import raw_of
from shared.events.intake import CaseWithdrawn
from shared.parking import Raw, Ticket
from shared.records import Arrival
from tests.harness.probe import Sender, a_case, numbered

CASES = [a_case() for _ in range(3)]


@dataclass(frozen=True)
class Said:
    """One record of a made-up batch: of which case, whether it is a stop event, whether it can be read."""

    case: int
    stop: bool
    readable: bool

    def raw(self, sender: Sender) -> Raw:
        type_ = {} if self.readable else {"ce_type": b"intake.not_known_yet.v9"}
        fact = CaseWithdrawn() if self.stop else numbered(1)
        raw = sender.raw(fact, CASES[self.case], headers=type_)
        # Both kinds on one topic, so that one can stand before the other.
        return Raw("peerline.intake.crisis", 0, raw.pos, raw.key, raw.headers, raw.value) if self.stop else raw


batches = st.lists(st.builds(Said, st.integers(0, 2), st.booleans(), st.booleans()), max_size=12)


def sorted_out(batch: list[Said]) -> tuple[list[Raw], list[Arrival], list[Ticket]]:
    sender = Sender()
    raws = [said.raw(sender) for said in batch]
    passing, parked, _ = records.apart([records.sorted_out(raw, "") for raw in raws], set())
    return raws, passing, parked


@given(batches)
def test_every_record_either_passes_or_is_parked_and_keeps_its_order(batch: list[Said]) -> None:
    raws, passing, parked = sorted_out(batch)
    for found in ([one.raw for one in passing], [one.raw for one in parked]):
        places = [next(n for n, raw in enumerate(raws) if raw is one) for one in found]
        assert places == sorted(places)
    assert len(passing) + len(parked) == len(raws)


@given(batches)
def test_nothing_but_a_stop_event_passes_what_is_parked_before_it(batch: list[Said]) -> None:
    raws, passing, _ = sorted_out(batch)
    through = {id(one.raw) for one in passing}
    for n, raw in enumerate(raws):
        held = any((b.topic, b.key) == (raw.topic, raw.key) and id(b) not in through for b in raws[:n])
        assert (id(raw) in through) == (batch[n].readable and (batch[n].stop or not held))


def test_what_is_behind_already_keeps_holding_back() -> None:
    sender = Sender()
    held, free = sender.raw(numbered(1), CASES[0]), sender.raw(numbered(2), CASES[1])
    passing, parked, _ = records.apart(
        [records.sorted_out(held, ""), records.sorted_out(free, "")], {(held.topic, held.key)}
    )
    assert [one.raw for one in passing] == [free]
    assert [(one.raw, one.error_class) for one in parked] == [(held, "Behind")]


def test_a_transaction_names_the_agencies_of_what_is_parked_too() -> None:
    effective, parked, unreadable = Sender(), Sender(), Sender()
    found = [
        records.sorted_out(effective.raw(numbered(1), CASES[0]), ""),
        records.sorted_out(parked.raw(numbered(1), CASES[1]), "ValueError"),
        records.sorted_out(unreadable.raw(numbered(1), CASES[2], headers={"ce_id": b"\xff"}), ""),
    ]
    assert records.agencies(found) == {effective.agency, parked.agency}


def test_a_record_of_the_bus_is_taken_by_its_logical_topic() -> None:
    record: ConsumerRecord[bytes, bytes] = SimpleNamespace(
        topic="t0.peerline.intake", partition=1, offset=7, key=None, headers=[("a", b"b")], value=None
    )
    assert raw_of(record, "t0.") == Raw("peerline.intake", 1, 7, b"", (("a", b"b"),), b"")


@given(batches)
def test_a_key_counts_once_and_an_unknown_type_not_at_all_however_many_records_it_makes_wait(batch: list[Said]) -> None:
    raws, *_ = sorted_out(batch)
    bad = [replace(raw, value=b"?") if n % 2 else raw for n, raw in enumerate(raws)]
    found = [records.sorted_out(raw, "") for raw in bad]
    _, _, outcomes = records.apart(found, set())
    dead = {(one.raw.topic, one.raw.key) for one in found if isinstance(one, Ticket) and one.dead}
    assert len(outcomes) == len(batch)
    assert outcomes.count(True) <= len(dead)


def test_what_waits_behind_is_neither_parked_for_its_own_fault_nor_taken() -> None:
    sender = Sender()
    held, bad, good = (sender.raw(numbered(1), CASES[n]) for n in range(3))
    found = [records.sorted_out(held, ""), records.sorted_out(bad, "ValueError"), records.sorted_out(good, "")]
    assert records.apart(found, {(held.topic, held.key)})[2] == [None, True, False]
