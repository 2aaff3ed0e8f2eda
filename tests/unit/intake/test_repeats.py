"""A POST that comes again: the same one is let through, another one under its key is not."""

import pytest

from services.intake.domain.repeats import require_same
from shared.errors import Refused


def test_the_same_body_is_let_through_and_another_one_refused() -> None:
    require_same(stored=b"a", given=b"a")
    with pytest.raises(Refused) as refused:
        require_same(stored=b"a", given=b"b")
    assert (refused.value.status, refused.value.slug) == (422, "idempotency-key-reused")
    assert [one.pointer for one in refused.value.problems] == ["/header/idempotency-key"]
