"""Zipkin, the tracing dashboard, with its traces in memory."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from deploy.local import java
from deploy.local.ports import LOOPBACK, Ports
from deploy.local.supervisor import Program

if TYPE_CHECKING:
    from pathlib import Path

HEAP_MEGABYTES = 256
KEPT_SPANS = 200_000


def program(jar: Path, *, archive: java.Archive, state: Path, ports: Ports) -> Program:
    """Zipkin as a process to supervise; it forgets its traces when it ends, and the oldest beyond 200,000 spans."""
    folder = state / "zipkin"
    folder.mkdir(parents=True, exist_ok=True)
    return Program(
        name="zipkin",
        argv=java.command(heap_megabytes=HEAP_MEGABYTES, options=archive.reading, run=("-jar", str(jar))),
        env={
            "QUERY_PORT": str(ports.zipkin),
            "ARMERIA_PORTS_0_IP": LOOPBACK,
            "ARMERIA_PORTS_0_PORT": str(ports.zipkin),
            "ARMERIA_PORTS_0_PROTOCOLS_0": "http",
            "STORAGE_TYPE": "mem",
            "MEM_MAX_SPANS": str(KEPT_SPANS),
            "AUTOCOMPLETE_KEYS": "peerline.case",
            "SELF_TRACING_ENABLED": "false",
        },
        ready=f"http://{LOOPBACK}:{ports.zipkin}/health",
        inherit=False,
        # It has nothing to save, and its graceful stop takes two seconds.
        stop_signal=signal.SIGKILL,
        cwd=folder,
    )
