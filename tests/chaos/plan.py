"""What goes wrong, in which order and for how long: decided by a seed, so that the same seed is the same plan."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from shared.migrate import SERVICES

Family = Literal["kill", "freeze", "kafka", "postgres", "cut", "mail"]
REPLICAS = ("0", "1")
PROCESSES = tuple(f"{service}-{replica}" for service in SERVICES for replica in REPLICAS)
SHORT_S = 20.0
"""A single fault that is over within this is one under which a page has a minute (trust, I4)."""


@dataclass(frozen=True)
class Kind:
    """A kind of fault: whom it can befall, and how many seconds it lasts. A blow lasts none."""

    name: str
    family: Family
    targets: Sequence[str]
    lasts: tuple[float, float] = (0.0, 0.0)


KINDS: Sequence[Kind] = (
    Kind("killed", "kill", PROCESSES),
    Kind("frozen", "freeze", PROCESSES, (5, 40)),
    Kind("restarted", "kafka", ("kafka",)),
    Kind("killed", "kafka", ("kafka",)),
    Kind("frozen", "kafka", ("kafka",), (3, 15)),
    Kind("stopped fast", "postgres", ("postgres",)),
    Kind("stopped at once", "postgres", ("postgres",)),
    Kind("connections ended", "cut", SERVICES),
    Kind("wire to the database silent", "cut", PROCESSES, (3, 18)),
    Kind("refused", "mail", ("mail",), (3, 18)),
    Kind("busy", "mail", ("mail",), (3, 18)),
    Kind("no", "mail", ("mail",), (3, 18)),
    Kind("hanging", "mail", ("mail",), (5, 18)),
    Kind("mute", "mail", ("mail",), (3, 18)),
)
QUICK_S = (2.0, 6.0)
"""How long a fault lasts in a run of a minute."""
PAIRS = 0.25
"""The share of moments at which two things go wrong at once, after the first round."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: `mail mute` for so many seconds, or `notify-1 killed`."""

    family: Family
    kind: str
    target: str
    seconds: float

    def __str__(self) -> str:
        lasting = f" for {self.seconds:.0f} s" if self.seconds else ""
        return f"{self.target} {self.kind}{lasting}"


@dataclass(frozen=True)
class Moment:
    """When the region has been whole for `after_s`, these go wrong together."""

    after_s: float
    faults: tuple[Fault, ...]

    @property
    def single(self) -> bool:
        """One fault alone, and a short one."""
        return len(self.faults) == 1 and self.faults[0].seconds <= SHORT_S

    def __str__(self) -> str:
        return " and ".join(map(str, self.faults))


FAMILIES = tuple(dict.fromkeys(kind.family for kind in KINDS))
"""What can go wrong, by family: each has its turn in every round."""


def plan(seed: int, *, quick: bool = False) -> Iterator[Moment]:
    """Moments without end. Each round has one of every family, in an order of its own, so that none is left out."""
    chance = random.Random(seed)
    turns = {family: _shuffled(chance, family) for family in FAMILIES}
    for round_number in _counted():
        families = list(turns)
        chance.shuffle(families)
        for family in families:
            faults = [_fault(chance, next(turns[family]), quick=quick)]
            if round_number and chance.random() < PAIRS:
                other = chance.choice([one for one in turns if one != family])
                faults.append(_fault(chance, next(turns[other]), quick=quick))
            yield Moment(round(chance.uniform(*((0.5, 1.5) if quick else (2, 8))), 1), tuple(faults))


def _counted() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


def _shuffled(chance: random.Random, family: str) -> Iterator[Kind]:
    """The kinds of a family, each before any comes again."""
    while True:
        kinds = [kind for kind in KINDS if kind.family == family]
        chance.shuffle(kinds)
        yield from kinds


def _fault(chance: random.Random, kind: Kind, *, quick: bool) -> Fault:
    lasts = QUICK_S if quick and kind.lasts[1] else kind.lasts
    return Fault(kind.family, kind.name, chance.choice(kind.targets), round(chance.uniform(*lasts), 1))
