"""The `peerline` command: what a regional operator does by hand. `peerline --help` lists it."""

from __future__ import annotations

import typer

from deploy.cli import agency, audit, dead_letters, directory, drill, plan, region, restore, waiting

app = typer.Typer(
    name="peerline",
    no_args_is_help=True,
    add_completion=False,
    # A traceback with local variables would show keys.
    pretty_exceptions_enable=False,
    help="Regional police peer support, operated by hand.",
)
app.add_typer(agency.app, name="agency")
app.add_typer(region.app, name="region")
app.add_typer(directory.app, name="directory")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(audit.app, name="audit")
app.add_typer(restore.app, name="restore")
waiting.register(app)
plan.register(app)
drill.register(app)


if __name__ == "__main__":
    app()
