"""The guards that are taken out one by one are there: a catalogue that has drifted shows nothing."""

from __future__ import annotations

import pytest

from deploy.local.settings import checkout
from tests.mutations.catalogue import MUTATIONS, Mutation


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_each_guard_stands_where_the_catalogue_takes_it_out(mutation: Mutation) -> None:
    text = (checkout() / mutation.file).read_text()
    assert text.count(mutation.old) == 1
    assert mutation.old != mutation.new
