"""`python -m worker.measure_engines [MODEL...]`: which engine is the fastest on this machine?

Adds the figures of this machine to registered models, all of them or those named by id. An API
on such a machine serves by them from the next time that it loads the model.
"""

import sys
from collections.abc import Iterator, Sequence

from pydantic import ValidationError

from core.artifacts import ArtifactDamaged, ArtifactStore
from core.config import load_settings
from core.db.repositories.models import ModelRepository
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId, is_id
from llkd.engine_choice import with_measurement
from worker.engines import ValidationTexts, measure

ROWS_A_PAGE = 100
USAGE = """usage: ./run measure [MODEL_ID...]

Find the fastest engine of registered models on this machine: of all, or of those named by id.
Prints each model's id with the engine that won; the exit status is 1 if one was not measured.
"""


class NotMeasured(Exception):
    """A model that cannot be measured, and why."""


def measure_model(database: Database, artifacts: ArtifactStore, row: ModelRow) -> str:
    """Measure one model here and add the figures to its row; returns the engine that won.

    Raises:
        NotMeasured: its validation texts or files are not there, the reference did not answer, or
            the model was deleted meanwhile.
    """
    digest = (row.export.get("engines") or {}).get("validation")
    if digest is None:
        raise NotMeasured("no validation texts were kept with it")
    try:
        validation = ValidationTexts.load(artifacts, digest)
        files = artifacts.tree(row.artifact)
    except ArtifactDamaged as error:
        # Validation texts go with the dataset that they are of.
        raise NotMeasured(str(error)) from error
    measured = measure(files, validation)
    if measured.note is not None:
        # What was found here on a quieter day stands.
        raise NotMeasured(measured.note)
    with database.write() as session:
        kept = ModelRepository(session).set_engines(
            row.id, lambda engines: with_measurement(engines, measured.to_json())
        )
    if not kept:
        raise NotMeasured("it was deleted")
    return measured.chosen.value


def _named(database: Database, names: Sequence[str]) -> Iterator[tuple[str, ModelRow | None]]:
    for name in names:
        row = None
        if is_id(name, prefix="model"):
            with database.read() as session:
                row = ModelRepository(session).any_tenants(ModelId(name))
        # Outside of the transaction: measuring takes minutes.
        yield name, row


def _all(database: Database) -> Iterator[tuple[str, ModelRow | None]]:
    after: ModelId | None = None
    while True:
        with database.read() as session:
            rows = ModelRepository(session).living(after=after, limit=ROWS_A_PAGE)
        if not rows:
            return
        yield from ((row.id, row) for row in rows)
        after = rows[-1].id


def main(names: Sequence[str]) -> int:
    """Returns the exit status: 0 when every model was measured or help was asked for, else 1."""
    if {"-h", "--help"} & set(names):
        sys.stdout.write(USAGE)
        return 0
    try:
        settings = load_settings()
    except ValidationError as error:
        # Without their values, some of which are secrets.
        faults = error.errors(include_input=False, include_url=False)
        told = [f"LLKD_{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in faults]
        sys.stderr.write("\n".join([*told, ""]))
        return 1
    database = Database(settings.database)
    artifacts = ArtifactStore(settings.data_dir / "artifacts")
    failed = 0
    try:
        for name, row in _named(database, names) if names else _all(database):
            try:
                if row is None:
                    raise NotMeasured("there is no model of this id")
                sys.stdout.write(f"{name} {measure_model(database, artifacts, row)}\n")
            except NotMeasured as why:
                failed += 1
                sys.stderr.write(f"{name} was not measured: {why}\n")
    finally:
        database.dispose()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
