"""Where the traces of a case are found: a search in Zipkin's page."""

from __future__ import annotations

from datetime import datetime, timedelta
from urllib.parse import quote

from shared.types import CaseId


def search_link(zipkin: str, case: CaseId | str, now: datetime) -> str:
    """The address of a page that shows every trace of a case in the week before tomorrow.

    Zipkin's page runs a search by itself only when it is told an end, in milliseconds.
    """
    end = int((now + timedelta(days=1)).timestamp() * 1000)
    query = quote(f"peerline.case={case}", safe="")
    return f"{zipkin.rstrip('/')}/zipkin/?annotationQuery={query}&lookback=7d&endTs={end}&limit=100"
