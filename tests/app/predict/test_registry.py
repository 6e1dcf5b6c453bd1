"""Models in memory: each loaded once, kept while they fit, damaged ones remembered."""

import gc
import subprocess
import sys
import time
import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Lock

import pytest
from sqlalchemy import make_url

from app.predict import registry as registry_module
from app.predict.errors import ModelUnavailable
from app.predict.names import ModelRef
from app.predict.registry import MEMORY_PER_BYTE, ModelRegistry
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.ids import new_model_id
from llkd.predictor import Predictor
from tests.app.predict.tiny_model import write_tiny_model

MIB = 1024 * 1024


class World:
    """A registry over real files, which counts what it loads."""

    def __init__(self, folder: Path, *, cache_mib: int = 8) -> None:
        self.folder = folder
        self.artifacts = ArtifactStore(folder / "artifacts")
        self.loads: Counter[Path] = Counter()
        self.hold = Event()
        self.hold.set()
        self._lock = Lock()
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
            data_dir=folder,
            predict_cache_bytes=cache_mib * MIB,
        )
        database = Database(make_url("sqlite://"))
        self.registry = ModelRegistry(settings, database, self.artifacts, load=self._load)

    def model(self, *, ballast: int = 0) -> ModelRef:
        """A stored model of its own; no two have equal files."""
        model_id = new_model_id()
        folder = self.folder / model_id
        write_tiny_model(folder, votes={model_id.lower(): (1.0, 0.0, 0.0)}, ballast=ballast)
        return ModelRef(model_id, self.artifacts.put_tree(folder))

    def get(self, model: ModelRef) -> Predictor:
        return self.registry.load(model).result(timeout=30)

    def _load(self, files: Mapping[str, Path]) -> Predictor:
        with self._lock:
            self.loads[files["model.onnx"]] += 1
        assert self.hold.wait(30)
        return Predictor.load(files)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.registry.close()


class TestLoad:
    def test_a_loaded_model_is_not_loaded_again(self, world: World) -> None:
        model = world.model()
        assert world.get(model) is world.get(model)
        assert world.loads.total() == 1

    def test_fifty_first_requests_at_once_load_it_once(self, world: World) -> None:
        model = world.model()
        world.hold.clear()
        start = Barrier(50)

        def ask(_: int) -> "Future[Predictor]":
            start.wait()
            return world.registry.load(model)

        with ThreadPoolExecutor(50) as threads:
            futures = list(threads.map(ask, range(50)))
        world.hold.set()
        assert len({id(future.result(30)) for future in futures}) == 1
        assert world.loads.total() == 1

    def test_a_slow_load_keeps_nobody_else_waiting(self, world: World) -> None:
        known, slow = world.model(), world.model()
        world.get(known)
        world.hold.clear()
        waiting = world.registry.load(slow)
        assert world.registry.load(known).done()
        assert not waiting.done()
        world.hold.set()
        assert waiting.result(30).labels

    def test_a_flipped_byte_is_noticed(self, world: World) -> None:
        model = world.model(ballast=100)
        path = world.artifacts.tree(model.artifact)["model.onnx"]
        content = bytearray(path.read_bytes())
        content[-30] ^= 1
        path.write_bytes(content)
        with pytest.raises(ModelUnavailable):
            world.get(model)
        assert world.loads.total() == 0

    def test_a_failed_load_is_not_tried_again_for_a_while(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry_module, "FAILED_SECONDS", 0.3)
        model = world.model()
        path = world.artifacts.tree(model.artifact)["llkd.json"]
        sound = path.read_bytes()
        path.write_bytes(b"{}")
        with pytest.raises(ModelUnavailable):
            world.get(model)
        path.write_bytes(sound)
        with pytest.raises(ModelUnavailable) as refused:
            world.registry.load(model)
        assert int(refused.value.headers["Retry-After"]) >= 1
        time.sleep(0.35)
        assert world.get(model).labels


class TestRoom:
    """Each model counts as 3 MiB of files here, so two fit into 8 MiB, and three do not."""

    BALLAST = 3 * MIB

    def test_the_one_used_longest_ago_makes_room(self, world: World) -> None:
        first, second, third = (world.model(ballast=self.BALLAST) for _ in range(3))
        world.get(first)
        world.get(second)
        world.get(first)
        world.get(third)
        loaded = [world.registry.is_loaded(model) for model in (first, second, third)]
        assert loaded == [True, False, True]

    def test_a_model_larger_than_the_room_is_served_alone(self, world: World) -> None:
        small, huge = world.model(), world.model(ballast=9 * MIB)
        world.get(small)
        assert world.get(huge).classify(["a"]).tokens == 1
        assert not world.registry.is_loaded(small)

    def test_one_that_was_pushed_out_finishes_what_it_began(self, world: World) -> None:
        first, *others = (world.model(ballast=self.BALLAST) for _ in range(3))
        predictor = world.get(first)
        for model in others:
            world.get(model)
        assert not world.registry.is_loaded(first)
        assert len(predictor.classify(["a", "b"]).probabilities) == 2
        gone = weakref.ref(predictor)
        del predictor
        gc.collect()
        assert gone() is None

    def test_memory_stays_bounded_under_threads(self, world: World) -> None:
        models = [world.model(ballast=MIB) for _ in range(12)]
        most = 0

        def use(turn: int) -> None:
            nonlocal most
            model = models[turn * 7 % len(models)]
            assert len(world.get(model).classify(["a"]).probabilities) == 1
            loaded = sum(world.registry.is_loaded(model) for model in models)
            most = max(most, loaded)

        with ThreadPoolExecutor(8) as threads:
            list(threads.map(use, range(300)))
        size = world.get(models[0]).size_bytes * MEMORY_PER_BYTE
        assert 1 < most <= 8 * MIB / size


class TestWithoutTorch:
    def test_the_api_process_never_imports_what_trains(self, tmp_path: Path) -> None:
        write_tiny_model(tmp_path)
        program = (
            "import sys, app.main\n"
            "from pathlib import Path\n"
            "from llkd.predictor import Predictor\n"
            f"files = {{path.name: path for path in Path({str(tmp_path)!r}).iterdir()}}\n"
            "assert Predictor.load(files).classify(['crash']).tokens == 1\n"
            "heavy = {'torch', 'transformers', 'sklearn', 'onnx', 'worker'} & set(sys.modules)\n"
            "assert not heavy, heavy\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
