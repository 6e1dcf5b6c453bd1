"""Models are measured on this machine, and their rows say what was found."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import QueuePool

from core.artifacts import ArtifactStore
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId
from llkd.engines.base import REFERENCE
from llkd.engines.catalog import INT8_FILES
from llkd.engines.machine import this_machine
from llkd.measure_engines import Measured
from tests.app.predict.tiny_model import LABELS, VOTES, write_tiny_model
from tests.factories import TENANT, make_job
from worker import measure_engines as module
from worker.engines import ValidationTexts, chosen_on, with_engines

TEXTS = [f"{word} {'x ' * number}" for word in VOTES for number in range(40)]
GOLD = np.repeat(np.arange(3), 40)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tiny_model(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def no_nncf(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.engines.quantize", lambda folder, texts: "not installed")


def register(database: Database, store: ArtifactStore, folder: Path, engines: object) -> ModelId:
    with database.write() as session:
        new = NewModel(
            name="tickets",
            job_id=make_job(session).id,
            artifact=store.put_tree(folder),
            labels=list(LABELS),
            base_model="tiny",
            metrics={},
            export={"parity": {"rows": 64}} | ({"engines": engines} if engines else {}),
            size_bytes=1,
        )
        return ModelRepository(session).register(TENANT, new).id


def engines_of(database: Database, model_id: ModelId) -> dict[str, object]:
    with database.read() as session:
        row = session.get(ModelRow, model_id)
        assert row is not None
        assert row.export["parity"] == {"rows": 64}
        found: dict[str, object] = row.export["engines"]
        return found


@pytest.mark.usefixtures("no_nncf")
class TestWithEngines:
    def test_figures_and_texts_are_kept(self, folder: Path, store: ArtifactStore) -> None:
        validation = ValidationTexts.draw(TEXTS, GOLD)
        engines = with_engines(folder, validation, TEXTS, artifacts=store)
        assert engines["not_quantized"] == "not installed"
        (machine,) = engines["machines"]
        assert (machine["machine"], machine["texts"]) == (this_machine().to_json(), len(TEXTS))
        assert chosen_on(engines) == machine["chosen"]
        kept = ValidationTexts.load(store, engines["validation"])
        assert (kept.texts, kept.labels.tolist()) == (validation.texts, validation.labels.tolist())

    def test_a_quantized_graph_that_did_not_pass_is_not_kept(
        self, folder: Path, store: ArtifactStore
    ) -> None:
        for name in INT8_FILES:
            (folder / name).write_text("nonsense")
        engines = with_engines(folder, ValidationTexts.draw(TEXTS, GOLD), TEXTS, artifacts=store)
        states = {each["engine"]: each["state"] for each in engines["machines"][0]["engines"]}
        assert states["openvino_int8"] == "failed"
        assert not any((folder / name).exists() for name in INT8_FILES)

    def test_of_few_texts_none_is_kept(self, folder: Path, store: ArtifactStore) -> None:
        few = ValidationTexts.draw(TEXTS[:50], GOLD[:50])
        engines = with_engines(folder, few, TEXTS, artifacts=store)
        assert engines["validation"] is None
        assert chosen_on(engines) == REFERENCE


class TestMain:
    @pytest.fixture
    def run(
        self, sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("LLKD_DATA_DIR", str(tmp_path))
        url = sqlite_database.engine.url.render_as_string(hide_password=False)
        monkeypatch.setenv("LLKD_DATABASE_URL", url)

    @pytest.mark.usefixtures("run")
    def test_every_model_gets_the_figures_of_this_machine(
        self,
        sqlite_database: Database,
        store: ArtifactStore,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        digest = ValidationTexts.draw(TEXTS, GOLD).store(store)
        elsewhere = {"machine": {"processor": "another"}, "chosen": "onnxruntime"}
        engines = {"validation": digest, "machines": [elsewhere]}
        model_id = register(sqlite_database, store, folder, engines)
        for names in ([], [model_id]):
            assert module.main(names) == 0
            machines = engines_of(sqlite_database, model_id)["machines"]
            assert isinstance(machines, list)
            assert machines[0] == elsewhere
            assert [each["machine"] for each in machines[1:]] == [this_machine().to_json()]
        assert capsys.readouterr().out.count(model_id) == 2

    def test_no_transaction_is_open_while_a_model_is_measured(
        self, database: Database, store: ArtifactStore, folder: Path
    ) -> None:
        model_id = register(database, store, folder, {})
        assert isinstance(database.engine.pool, QueuePool)
        for name, row in module._named(database, [model_id, "tickets"]):
            assert (row is not None) == (name == model_id)
            assert database.engine.pool.checkedout() == 0

    @pytest.mark.usefixtures("run")
    def test_a_reference_that_does_not_answer_leaves_earlier_figures(
        self,
        sqlite_database: Database,
        store: ArtifactStore,
        folder: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        digest = ValidationTexts.draw(TEXTS, GOLD).store(store)
        earlier = [{"machine": this_machine().to_json(), "chosen": "openvino_bf16"}]
        model_id = register(
            sqlite_database, store, folder, {"validation": digest, "machines": earlier}
        )
        nothing = Measured(this_machine(), datetime.now(UTC), 0, REFERENCE, "it ended", ())
        monkeypatch.setattr(module, "measure", lambda *_: nothing)
        assert module.main([model_id]) == 1
        assert engines_of(sqlite_database, model_id)["machines"] == earlier
        assert f"{model_id} was not measured: it ended" in capsys.readouterr().err

    @pytest.mark.usefixtures("run")
    def test_what_cannot_be_measured_is_named(
        self,
        sqlite_database: Database,
        store: ArtifactStore,
        folder: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        old = register(sqlite_database, store, folder, None)
        gone = register(sqlite_database, store, folder, {"validation": "0" * 64})
        assert module.main([old, gone, "tickets"]) == 1
        told = capsys.readouterr().err
        assert f"{old} was not measured: no validation texts were kept" in told
        assert f"{gone} was not measured: artifact 000000000000 is missing" in told
        assert "tickets was not measured: there is no model of this id" in told


@pytest.mark.parametrize("asked", ["--help", "-h"])
def test_help_is_a_usage_and_no_models_name(asked: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert module.main([asked]) == 0
    told = capsys.readouterr()
    assert told.out.startswith("usage: ./run measure")
    assert told.err == ""
