"""Write `jars.lock.json` again: `python -m deploy.local.relock` after a version below was changed.

Dependencies are resolved by jgo from the packages' own POM files; sizes and SHA-256 are those of the files as
downloaded now, so review the change of the lock file like code.
"""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path

from jgo.maven import MavenContext
from jgo.parse import Coordinate

from deploy.local.jars import LOCK_FILE
from deploy.local.maven import find_repository, opener

KAFKA = "4.3.1"
# kafka-clients is named beside kafka_2.13, else a managed version picks an older client.
WANTED = {
    "kafka": (
        f"org.apache.kafka:kafka_2.13:{KAFKA}",
        f"org.apache.kafka:kafka-clients:{KAFKA}",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5",
    ),
    "zipkin": ("io.zipkin:zipkin-server:3.6.1:exec",),
}


def resolve(coordinates: tuple[str, ...], *, alone: bool) -> list[str]:
    """Repository paths of the packages and, unless `alone`, of everything they need at run time."""
    repository = find_repository()
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(repo_cache=Path(scratch), remote_repos={"central": repository.url})
        wanted = [context.create_dependency(Coordinate.parse(text)) for text in coordinates]
        if alone:
            return [_path(dependency.artifact) for dependency in wanted]
        roots, needed = context.resolver.resolve(wanted)
        return [
            _path(item.artifact)
            for item in (*roots, *(item for item in needed if item.scope in {"compile", "runtime"}))
        ]


def _path(artifact: object) -> str:
    group, name, version, file = (getattr(artifact, key) for key in ("groupId", "artifactId", "version", "filename"))
    return f"{group.replace('.', '/')}/{name}/{version}/{file}"


def lock(path: str) -> dict[str, object]:
    """Lock row of one file: path, SHA-256, size in bytes; reads it from the repository."""
    repository = find_repository()
    with opener(repository).open(f"{repository.url}/{path}") as answer:
        body = answer.read()
    return {"path": path, "sha256": hashlib.sha256(body).hexdigest(), "size": len(body)}


def main() -> None:
    """Resolve, hash and write."""
    rows = {
        name: [lock(path) for path in resolve(coordinates, alone=name == "zipkin")]
        for name, coordinates in WANTED.items()
    }
    LOCK_FILE.write_text(json.dumps(rows, indent=1) + "\n")
    sys.stdout.write(f"{LOCK_FILE}: {sum(map(len, rows.values()))} files\n")


if __name__ == "__main__":
    main()
