"""Models in memory: each loaded once, kept while they fit, damaged ones remembered."""

import gc
import subprocess
import sys
import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Lock

import pytest
from sqlalchemy import make_url

from app.predict import registry as registry_module
from app.predict.errors import ModelTooLarge, ModelUnavailable, NoRoom
from app.predict.lanes import Lane
from app.predict.memory import BATCHES_SHARE, memory_of
from app.predict.names import ModelRef
from app.predict.pace import Pace
from app.predict.registry import ModelRegistry
from app.predict.shelf import Held, Shelf
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.ids import new_model_id
from llkd.engine_choice import EngineChoice
from llkd.engines.base import REFERENCE
from llkd.predictor import Predictor
from tests.app.predict.test_batcher import Silent
from tests.app.predict.tiny_model import write_tiny_model

MIB = 1024 * 1024
# Of a model with this ballast, once it is loaded and while it is.
BALLAST = 3 * MIB
MODEL_BYTES = round(BALLAST * 1.1) + 2 * MIB
LOADING_BYTES = BALLAST * 2 + 2 * MIB


class World:
    """A registry over real files, which counts what it loads.

    Its room is for so many models with BALLAST, the last of them being loaded.
    """

    def __init__(self, folder: Path, *, models: int = 2) -> None:
        self.folder = folder
        self.artifacts = ArtifactStore(folder / "artifacts")
        self.loads: Counter[Path] = Counter()
        self.hold = Event()
        self.hold.set()
        self._lock = Lock()
        self.room = (models - 1) * MODEL_BYTES + LOADING_BYTES + MIB // 2
        settings = Settings(
            _env_file=None,  # type: ignore[call-arg] # a developer's own must not decide
            data_dir=folder,
            predict_cache_bytes=round(self.room / (1 - BATCHES_SHARE)),
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
        """The predictor, whose user gives it back at once."""
        held = self.take(model)
        try:
            return held.predictor
        finally:
            self.registry.give_back(held)

    def take(self, model: ModelRef) -> Held:
        """The loaded model, for a user who gives it back."""
        held = self.registry.take(model)
        try:
            held.loaded.result(timeout=30)
        except Exception:
            self.registry.give_back(held)
            raise
        return held

    def until_gone(self, model: ModelRef) -> None:
        deadline = time.monotonic() + 10
        while self.registry.is_loaded(model):
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def is_loaded(self, *models: ModelRef) -> list[bool]:
        return [self.registry.is_loaded(model) for model in models]

    def _load(self, files: Mapping[str, Path], _: EngineChoice) -> Predictor:
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

        def ask(_: int) -> Held:
            start.wait()
            return world.registry.take(model)

        with ThreadPoolExecutor(50) as threads:
            all_held = list(threads.map(ask, range(50)))
        world.hold.set()
        assert len({id(held.loaded.result(30)) for held in all_held}) == 1
        assert world.loads.total() == 1
        assert all_held[0].users == 50

    def test_a_slow_load_keeps_nobody_else_waiting(self, world: World) -> None:
        known, slow = world.model(), world.model()
        world.get(known)
        world.hold.clear()
        waiting = world.registry.take(slow)
        assert world.registry.take(known).loaded.done()
        assert not waiting.loaded.done()
        world.hold.set()
        assert waiting.loaded.result(30).labels

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
            world.registry.take(model)
        assert int(refused.value.headers["Retry-After"]) >= 1
        time.sleep(0.35)
        assert world.get(model).labels


class TestWarming:
    def test_a_model_is_warm_and_timed_before_anyone_has_it(self, world: World) -> None:
        held = world.take(world.model())
        assert held.lane.pace.seconds_a_token != Pace().seconds_a_token


class TestRoom:
    """Two models with BALLAST fit."""

    def test_the_one_used_longest_ago_makes_room(self, world: World) -> None:
        first, second, third = (world.model(ballast=BALLAST) for _ in range(3))
        world.get(first)
        world.get(second)
        world.get(first)
        world.get(third)
        assert world.is_loaded(first, second, third) == [True, False, True]

    def test_memory_is_reserved_before_a_model_is_loaded(self, world: World) -> None:
        first, second, third = (world.model(ballast=BALLAST) for _ in range(3))
        world.get(first)
        world.get(second)
        world.hold.clear()
        waiting = world.registry.take(third)
        world.until_gone(first)
        assert not waiting.loaded.done()
        assert world.registry.used_bytes <= world.room
        world.hold.set()
        assert waiting.loaded.result(30).labels

    def test_a_model_larger_than_all_room_is_refused(self, world: World) -> None:
        small, huge = world.model(), world.model(ballast=5 * BALLAST)
        world.get(small)
        with pytest.raises(ModelTooLarge) as refused:
            world.get(huge)
        assert refused.value.status == 507
        assert str(world.room) in refused.value.detail
        assert world.is_loaded(small, huge) == [True, False]
        assert world.loads.total() == 1

    def test_one_in_use_stays_while_an_idle_one_can_leave(self, world: World) -> None:
        used, idle, third = (world.model(ballast=BALLAST) for _ in range(3))
        held = world.take(used)
        world.get(idle)
        world.get(third)
        assert world.is_loaded(used, idle, third) == [True, False, True]
        world.registry.give_back(held)

    def test_a_load_waits_until_one_in_use_is_given_back(self, world: World) -> None:
        first, second, third = (world.model(ballast=BALLAST) for _ in range(3))
        one, other = world.take(first), world.take(second)
        waiting = world.registry.take(third)
        world.until_gone(first)
        # It leaves, and serves its user to the end.
        assert len(one.predictor.classify(["a", "b"]).probabilities) == 2
        assert not waiting.loaded.done()
        assert world.registry.used_bytes <= world.room
        gone = weakref.ref(one.predictor)
        world.registry.give_back(one)
        assert waiting.loaded.result(30).labels
        gc.collect()
        assert gone() is None
        assert world.is_loaded(second, third) == [True, True]
        world.registry.give_back(other)

    def test_a_model_that_was_loading_is_asked_to_leave_as_soon_as_it_is_there(
        self, tmp_path: Path
    ) -> None:
        world = World(tmp_path, models=1)
        first, second = (world.model(ballast=BALLAST) for _ in range(2))
        world.hold.clear()
        one = world.registry.take(first)
        while not world.registry.used_bytes:
            time.sleep(0.001)
        waiting = world.registry.take(second)
        world.hold.set()
        one.loaded.result(30)
        # Somebody uses it without a pause, so that nobody else tells when to look again.
        world.until_gone(first)
        world.registry.give_back(one)
        assert waiting.loaded.result(30).labels
        world.registry.close()

    def test_who_waits_for_a_load_that_never_began_is_told_at_the_end(self) -> None:
        shelf = Shelf(1, unload=lambda _: None)
        held = Held(ModelRef(new_model_id(), "0" * 64), Lane(Silent()))
        shelf.put(held)
        loaded = held.loaded
        shelf.clear()
        with pytest.raises(NoRoom):
            loaded.result(0)

    def test_a_load_that_nobody_makes_room_for_gives_up(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(registry_module, "PATIENCE_SECONDS", 0.05)
        first, second, third = (world.model(ballast=BALLAST) for _ in range(3))
        one, other = world.take(first), world.take(second)
        with pytest.raises(NoRoom):
            world.get(third)
        assert world.registry.used_bytes <= world.room
        world.registry.give_back(one)
        world.registry.give_back(other)
        # No fault of its files, so it is tried again at once.
        assert world.get(third).labels

    def test_the_limit_holds_under_threads(self, world: World) -> None:
        models = [world.model(ballast=MIB) for _ in range(12)]
        most = 0

        def use(turn: int) -> None:
            nonlocal most
            held = world.take(models[turn * 7 % len(models)])
            assert len(held.predictor.classify(["a"]).probabilities) == 1
            most = max(most, world.registry.used_bytes)
            world.registry.give_back(held)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(use, range(80)))
        size = memory_of(world.artifacts.tree(models[0].artifact), REFERENCE).loaded
        assert size < most <= world.room
        assert world.loads.total() > len(models)

    def test_memory_returns_to_the_system(
        self, tmp_path: Path, record_property: Callable[[str, object], None]
    ) -> None:
        """Two hundred loads of models of 8 MiB, of which three fit."""
        done = subprocess.run(
            [sys.executable, "-c", LOADING_MANY, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        room, grown = map(float, done.stdout.splitlines()[-1].split())
        record_property("figure", f"memory grew by {grown:.0f} MiB with {room:.0f} MiB for models")
        assert grown < room


LOADING_MANY = """
import sys
from pathlib import Path
from sqlalchemy import make_url
from app.predict.names import ModelRef
from app.predict.registry import ModelRegistry
from app.predict.returned_memory import keep_heaps_few
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.ids import new_model_id
from tests.app.predict.tiny_model import write_tiny_model

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

keep_heaps_few()
folder = Path(sys.argv[1])
room = 40
settings = Settings(_env_file=None, data_dir=folder, predict_cache_bytes=room * 2**20)
artifacts = ArtifactStore(folder / "artifacts")
registry = ModelRegistry(settings, Database(make_url("sqlite://")), artifacts)
models = []
for number in range(6):
    votes = {f"w{number}": (1.0, 0.0, 0.0)}
    write_tiny_model(folder / str(number), votes=votes, unused_rows=700_000)
    models.append(ModelRef(new_model_id(), artifacts.put_tree(folder / str(number))))

def use(model):
    held = registry.take(model)
    assert held.loaded.result(60).classify(["a"] * 50).tokens == 50
    registry.give_back(held)

use(models[0])
first = resident()
most = 0
for turn in range(200):
    use(models[turn % 6])
    most = max(most, resident())
print(room, most - first)
registry.close()
"""


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
