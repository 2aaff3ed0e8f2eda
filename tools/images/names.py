"""Names of the images that are made on this machine, and the variables by which compose and the tests find them."""

from __future__ import annotations

BASE = "peerline-local/python:bookworm"
KAFKA = "peerline-local/kafka:4.3.1"
POSTGRES = "peerline-local/postgres:18.4"
PEERLINE = "peerline:0.1.0"
MAILBOX = "peerline-mailbox:0.1.0"

VARIABLES = {
    "PEERLINE_PYTHON_IMAGE": BASE,
    "PEERLINE_KAFKA_IMAGE": KAFKA,
    "PEERLINE_POSTGRES_IMAGE": POSTGRES,
    "PEERLINE_IMAGE": PEERLINE,
    "PEERLINE_MAILBOX_IMAGE": MAILBOX,
}
