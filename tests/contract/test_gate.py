"""The gate on a copy of the checkout whose models are really changed: it fails, says why, and writes nothing."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("shared", "tools", "docs/events", "tests/contract/golden", "tests/contract/golden.sha256")
EVENTS = "shared/events"
PUBLISHED = "docs/events/matching.peer_assigned.v1.json"


class Checkout:
    """What the gate reads, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def change(self, file: str, before: str, after: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert text.count(before) == 1, f"{file} does not say this once: {before}"
        path.write_text(text.replace(before, after))

    def gate(self, *words: str) -> tuple[int, str]:
        """Exit code and words of `python -m tools.contracts.gate`."""
        done = subprocess.run(
            [sys.executable, "-m", "tools.contracts.gate", *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def read(self, file: str) -> str:
        return (self.folder / file).read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return Checkout(tmp_path)


ASSIGNED = '    type: Literal["matching.peer_assigned.v1"] = "matching.peer_assigned.v1"\n    assignment: UUID\n'


def renamed(tree: Checkout) -> None:
    tree.change(f"{EVENTS}/matching.py", ASSIGNED, ASSIGNED.replace("assignment: UUID", "support: UUID"))


def needs_more(tree: Checkout) -> None:
    tree.change(f"{EVENTS}/matching.py", ASSIGNED, ASSIGNED + "    reason: str\n")


def one_more_urgency(tree: Checkout) -> None:
    tree.change("shared/types.py", '    SOON = "soon"\n', '    SOON = "soon"\n    TODAY = "today"\n')


def closer_limit(tree: Checkout) -> None:
    tree.change(f"{EVENTS}/policy.py", "offers_out: int = Field(ge=1, le=10)", "offers_out: int = Field(ge=1, le=9)")


def stops(tree: Checkout) -> None:
    tree.change(f"{EVENTS}/matching.py", ASSIGNED, "    STOP: ClassVar[bool] = True\n" + ASSIGNED)


def gone(tree: Checkout) -> None:
    tree.change(f"{EVENTS}/matching.py", "    | PeerAssigned\n", "")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (renamed, "matching.peer_assigned.v1: assignment: the field is gone"),
        (needs_more, "matching.peer_assigned.v1: reason: a new field is required"),
        (one_more_urgency, "intake.crisis_raised.v1: ask.urgency: the value today is new"),
        (closer_limit, "intake.request_submitted.v1: ask.policy.offers_out: maximum was 10 and is 9"),
        (stops, "matching.peer_assigned.v1: whether it is a stop event was False and is True"),
        (gone, "matching.peer_assigned.v1: it is published and no model reads it any more"),
    ],
)
def test_a_breaking_change_is_refused_and_never_written(
    checkout: Checkout, change: Callable[[Checkout], None], said: str
) -> None:
    before = checkout.read(PUBLISHED)
    change(checkout)
    for words in ((), ("write",)):
        code, told = checkout.gate(*words)
        assert code == 1
        assert said in told
    assert checkout.read(PUBLISHED) == before


def test_it_says_what_to_do_instead(checkout: Checkout) -> None:
    needs_more(checkout)
    assert "make matching.peer_assigned.v2 with a pure v1_to_v2" in checkout.gate()[1]


def test_an_optional_field_has_to_be_written_and_then_passes(checkout: Checkout) -> None:
    checkout.change(f"{EVENTS}/matching.py", ASSIGNED, ASSIGNED + '    reason: str = ""\n')
    code, told = checkout.gate()
    assert code == 1
    assert f"{PUBLISHED}: is not what the code says" in told
    assert checkout.gate("write")[0] == 0
    assert checkout.gate()[0] == 0
    assert '"reason"' in checkout.read(PUBLISHED)


NEXT = '''
class PeerAssignedV1(Fact):
    """A peer has accepted."""

    TOPIC: ClassVar[Topic] = MATCHING
    type: Literal["matching.peer_assigned.v1"] = "matching.peer_assigned.v1"
    assignment: UUID
    offer: UUID
    person: PersonId
    contact_by: AwareDatetime


def v1_to_v2(old: PeerAssignedV1) -> PeerAssigned:
    return PeerAssigned(reason="", **old.model_dump(exclude={"type"}))


EARLIER = {"matching.peer_assigned.v1": Earlier(PeerAssignedV1, v1_to_v2)}
'''
IMPORTS = """
from typing import ClassVar, Literal
from uuid import UUID
from pydantic import AwareDatetime
from shared.events.envelope import MATCHING, Fact, Topic
from shared.events.matching import PeerAssigned
from shared.types import PersonId
"""


def second_version(tree: Checkout) -> None:
    tree.change(f"{EVENTS}/matching.py", ASSIGNED, ASSIGNED.replace(".v1", ".v2") + "    reason: str\n")
    sample = tree.read("tests/contract/golden/matching.peer_assigned.v1.json").replace(
        "peer_assigned.v1", "peer_assigned.v2"
    )
    newer = tree.folder / "tests/contract/golden/matching.peer_assigned.v2.json"
    newer.write_text(sample.replace('"assignment"', '"reason": "x",\n    "assignment"'))


def test_a_new_version_needs_the_way_up_from_the_one_before(checkout: Checkout) -> None:
    second_version(checkout)
    code, told = checkout.gate()
    assert code == 1
    assert "keep its model in shared/events/earlier.py with a pure v1_to_v2" in told


def test_a_new_version_with_its_way_up_passes_and_the_one_before_stays_published(checkout: Checkout) -> None:
    second_version(checkout)
    earlier = "EARLIER: Mapping[str, Earlier] = {}"
    checkout.change(f"{EVENTS}/earlier.py", earlier, NEXT)
    checkout.change(f"{EVENTS}/earlier.py", "from shared.events.versions", IMPORTS + "from shared.events.versions")
    assert checkout.gate("write") == (0, "events: no offences\n")
    assert '"read_as": "matching.peer_assigned.v2"' in checkout.read(PUBLISHED)
    assert '"reason"' in checkout.read(PUBLISHED.replace(".v1", ".v2"))


def test_a_way_up_that_the_golden_samples_cannot_go_is_refused(checkout: Checkout) -> None:
    second_version(checkout)
    wrong = NEXT.replace('reason=""', "reason=None")
    checkout.change(f"{EVENTS}/earlier.py", "EARLIER: Mapping[str, Earlier] = {}", wrong)
    checkout.change(f"{EVENTS}/earlier.py", "from shared.events.versions", IMPORTS + "from shared.events.versions")
    said = "matching.peer_assigned.v1.json: this golden sample is not read any more (UnknownEvent)"
    assert said in checkout.gate("write")[1]


SAMPLE = "tests/contract/golden/matching.peer_assigned.v1.json"


def test_a_golden_sample_is_never_edited(checkout: Checkout) -> None:
    checkout.change(
        SAMPLE, '"matching.peer_assigned.v1",\n    "assignment"', '"matching.peer_assigned.v1",\n\n    "assignment"'
    )
    code, told = checkout.gate("write")
    assert code == 1
    assert "matching.peer_assigned.v1.json: this golden sample was edited" in told


def test_a_golden_sample_is_never_taken_away(checkout: Checkout) -> None:
    (checkout.folder / SAMPLE).unlink()
    told = checkout.gate()[1]
    assert "matching.peer_assigned.v1.json: this golden sample was published and is gone" in told
    assert "matching.peer_assigned.v1: has no golden sample" in told


def test_a_new_sample_is_listed_when_the_contracts_are_written(checkout: Checkout) -> None:
    shutil.copy(checkout.folder / SAMPLE, checkout.folder / SAMPLE.replace(".v1", ".v1+2"))
    assert "tests/contract/golden.sha256: is not what the code says" in checkout.gate()[1]
    assert checkout.gate("write")[0] == 0
    assert "  matching.peer_assigned.v1+2.json\n" in checkout.read("tests/contract/golden.sha256")
