"""`python -m migrations VERB`: upgrade, downgrade, check or draft a revision of the database."""

import argparse
import sys

from alembic.util import CommandError

from core.config import load_settings
from migrations.schema import BASE, HEAD, check, downgrade, upgrade, write_revision


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit status: 0, or 1 when the command was refused."""
    chosen = _parser().parse_args(arguments)
    url = load_settings().database
    try:
        match chosen.verb:
            case "upgrade":
                upgrade(url, chosen.revision)
            case "downgrade":
                downgrade(url, chosen.revision)
            case "check":
                check(url)
            case "revision":
                write_revision(url, chosen.message)
    except CommandError as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migrations", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("upgrade").add_argument("revision", nargs="?", default=HEAD)
    verbs.add_parser("downgrade").add_argument("revision", nargs="?", default=BASE)
    verbs.add_parser("check")
    verbs.add_parser("revision").add_argument("message")
    return parser


if __name__ == "__main__":
    sys.exit(main())
