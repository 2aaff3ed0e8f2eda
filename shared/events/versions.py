"""Reading a record of any version that may still be about: validated as it was published, then raised step by step.

Records live seven days in Kafka and longer where they are parked, so an earlier version is read long after its last
producer is gone. Services know the newest version alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from shared.errors import UnknownEvent, Unprocessable
from shared.events.envelope import Fact, Value

F = TypeVar("F", bound=Fact)


@dataclass(frozen=True)
class Earlier:
    """A version that nobody says any more: its model as it was published, and the pure `vN_to_vN+1` that raises it."""

    model: type[Fact]
    upcast: Callable[[Any], Fact]


class Versions:
    """The facts that services know, by type name, and the earlier versions that become them."""

    def __init__(self, facts: Mapping[str, type[Fact]], earlier: Mapping[str, Earlier]) -> None:
        """Types of `facts` and `earlier` are apart; every chain of `earlier` ends in `facts`."""
        self._facts, self._earlier = facts, earlier
        models = [*facts.values(), *(one.model for one in earlier.values()), *Value.__subclasses__()]
        self._fields = frozenset(name for model in models for name in model.model_fields)

    def decode(self, kind: str, body: bytes) -> Fact:
        """The fact in a record's body, in its newest version.

        Raises `UnknownEvent`, also where a step up fails: the record waits for an upgrade that can do it.
        Raises `Unprocessable` with field paths and error types only.
        """
        if kind in self._facts:
            return self._validated(self._facts[kind], body)
        if kind in self._earlier:
            return self._raised(self._validated(self._earlier[kind].model, body))
        raise UnknownEvent

    def _validated(self, model: type[F], body: bytes) -> F:
        try:
            return model.model_validate_json(body)
        except ValidationError as error:
            found = error.errors(include_input=False, include_url=False, include_context=False)
            places = sorted({f"{'.'.join(self._shown(part) for part in one['loc'])}: {one['type']}" for one in found})
            raise Unprocessable("; ".join(places[:10])) from None

    def _shown(self, part: int | str) -> str:
        # The key of a map is caller input too: only names of fields are shown.
        return str(part) if isinstance(part, int) or part in self._fields else "*"

    def _raised(self, fact: Fact) -> Fact:
        try:
            for _ in self._earlier:
                fact = _valid(self._earlier[fact.type].upcast(fact))
                if fact.type in self._facts:
                    return fact
        except Exception:  # noqa: BLE001 - whatever is wrong with a step is wrong with this release, not with the record
            raise UnknownEvent from None
        raise UnknownEvent


def _valid(fact: Fact) -> Fact:
    """The same, validated: a step may have built it by ways that validate nothing. Warnings would quote its values."""
    return type(fact).model_validate_json(fact.model_dump_json(warnings=False))
