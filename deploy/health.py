"""Whether the service in this container is ready: its health check, as the image has no other tool for it.

`python -m deploy.health` asks loopback at PEERLINE_HTTP_PORT, or at the port and path that it is given.
"""

from __future__ import annotations

import http.client
import os
import sys

WITHIN_S = 4.0
OK = 200


def is_well(port: int, path: str) -> bool:
    """Whether a GET on loopback is answered with 200 in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        not is_well(
            int(given[0] if given else os.environ["PEERLINE_HTTP_PORT"]), given[1] if given[1:] else "/health/ready"
        )
    )
