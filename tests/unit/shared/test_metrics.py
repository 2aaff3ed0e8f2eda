"""The closed list of metrics and what leaves the process of it."""

from __future__ import annotations

import pytest

from shared.metrics import GAUGES, HOUSE, Sample, exposition


def test_known_labels_are_told_as_zero_when_nothing_is_there() -> None:
    told = exposition("notify", ["peerline_unserved"], [Sample("peerline_unserved", 2, "soon")])
    assert 'peerline_unserved{service="notify",urgency="soon"} 2\n' in told
    assert 'peerline_unserved{service="notify",urgency="emergency"} 0\n' in told


def test_every_metric_has_help_and_type_and_ends_with_a_line_feed() -> None:
    lines = exposition("intake", GAUGES, []).splitlines()
    assert [line.split()[2] for line in lines if line.startswith("# TYPE")] == sorted(GAUGES)
    assert exposition("intake", GAUGES, []).endswith("\n")


@pytest.mark.parametrize("label", ["Riverton Police", 'x"} 1', "ann@home.test", "PAGING", "", "a" * 60])
def test_a_label_that_the_list_does_not_know_is_told_as_other(label: str) -> None:
    told = exposition("intake", ["peerline_open_things"], [Sample("peerline_open_things", 1, label)])
    assert told.splitlines()[2:] == ['peerline_open_things{service="intake",state="other"} 1']


def test_values_of_labels_that_become_other_are_added_up() -> None:
    odd = [Sample("peerline_unserved", 1, "odd"), Sample("peerline_unserved", 2, "odder")]
    assert 'urgency="other"} 3' in exposition("matching", ["peerline_unserved"], odd)


def test_the_database_tells_all_but_what_matching_or_the_process_alone_knows() -> None:
    apart = {"peerline_unserved", "peerline_unserved_oldest_seconds", "peerline_consumers_over_limit"}
    assert set(GAUGES) - set(HOUSE.names) == apart
