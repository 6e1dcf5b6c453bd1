"""`llkd models` and `llkd export`."""

from pathlib import Path
from typing import Annotated

import typer

from llkd_client.cli import output
from llkd_client.cli.connection import connected
from llkd_client.cli.output import AsJson

ModelName = Annotated[
    str, typer.Argument(metavar="MODEL", help="Its id, its name (the newest version), name@alias.")
]


def list_models(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", "-n", help="Versions of this one.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    as_json: AsJson = None,
) -> None:
    """Models, newest first."""
    with connected(context) as client:
        found = client.models.list(name=name, limit=limit)
        if output.wants_json(as_json):
            output.print_each(found)
            return
        output.print_table(
            ("id", "name", "version", "aliases", "labels", "size", "created"),
            (
                (
                    model.id,
                    model.name,
                    model.version,
                    ", ".join(model.aliases) or None,
                    len(model.labels),
                    f"{model.size_bytes / 1e6:,.0f} MB",
                    f"{model.created_at:%Y-%m-%d %H:%M}",
                )
                for model in found
            ),
            empty="There are no models yet; a job makes one.",
        )


def export(
    context: typer.Context,
    model: ModelName,
    target: Annotated[
        Path, typer.Option("--output", "-o", help="A file, or a folder that is there.")
    ] = Path(),
    archive: Annotated[
        str, typer.Option("--format", help="onnx, to predict; safetensors, to train further.")
    ] = "onnx",
    as_json: AsJson = None,
) -> None:
    """Take a model away, as a tar archive with its model card."""
    if not target.is_dir() and not target.parent.is_dir():
        raise typer.BadParameter(f"There is no folder {target.parent}.", param_hint="--output")
    with connected(context) as client:
        written = client.models.export(model, target, format=archive)
    size = written.stat().st_size
    if output.wants_json(as_json):
        output.print_json({"file": str(written), "size_bytes": size})
    else:
        output.print_facts([("file", written), ("size", f"{size / 1e6:,.1f} MB")])
