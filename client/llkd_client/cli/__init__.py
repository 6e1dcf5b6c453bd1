"""`llkd`: the service from a terminal."""

import sys
from io import TextIOWrapper

from llkd_client.cli.exit_codes import USAGE


def main() -> None:
    """Run the command line, or say what it needs."""
    try:
        from llkd_client.cli.main import app
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("typer", "rich", "yaml"):
            raise
        sys.stderr.write(
            f"llkd: the command line needs {error.name}: pip install 'llkd-client[cli]'\n"
        )
        sys.exit(USAGE)
    if isinstance(sys.stdout, TextIOWrapper):
        # A table is better with a question mark in it than broken off.
        sys.stdout.reconfigure(errors="replace")
    app()
