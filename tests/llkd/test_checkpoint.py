"""A checkpoint is all there or refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from llkd.checkpoint import (
    DYNAMICS,
    MANIFEST,
    STATE,
    CheckpointPointer,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from llkd.distiller import TrainingReport, distill
from llkd.errors import CheckpointDamaged
from llkd.selection.factory import build_selector
from llkd.specs import LlkdSelection
from llkd.students.network_student import NetworkStudent
from llkd.training_plan import TrainingPlan
from llkd.training_state import TrainingState
from tests.llkd.conftest import MakeStudent
from tests.llkd.tiny_bert import make_pool

TRAINING = "training.safetensors"


@pytest.fixture
def student(make_student: MakeStudent) -> NetworkStudent:
    return make_student()


@pytest.fixture
def pointer(student: NetworkStudent, tmp_path: Path) -> CheckpointPointer:
    return write_checkpoint(tmp_path, attempt=1, student=student, state=TrainingState.start(10))


class TestWriteCheckpoint:
    def test_it_is_read_back_through_its_pointer(
        self, make_student: MakeStudent, student: NetworkStudent, pointer: CheckpointPointer
    ) -> None:
        published = CheckpointPointer.from_json(json.loads(json.dumps(pointer.to_json())))
        other = make_student(seed=9)
        state = read_checkpoint(published, student=other)
        assert other.weights_sha256() == student.weights_sha256()
        assert state.to_json() == TrainingState.start(10).to_json()

    def test_what_was_learned_by_each_look_is_read_back_also_where_it_was_not_kept(self) -> None:
        state = TrainingState.start(10)
        state.looks, state.efforts = [(4, 0.5), (8, 0.75)], [(32, 9), (64, 10)]
        content = json.loads(json.dumps(state.to_json()))
        assert TrainingState.from_json(content, state.dynamics).to_json() == state.to_json()
        # As an earlier release wrote it.
        del content["efforts"]
        assert TrainingState.from_json(content, state.dynamics).efforts == []

    def test_the_pointer_names_the_step(self, student: NetworkStudent, tmp_path: Path) -> None:
        state = TrainingState.start(10)
        state.counters.steps = 12
        assert write_checkpoint(tmp_path, attempt=3, student=student, state=state).step == 12

    def test_nothing_half_written_stays(self, pointer: CheckpointPointer, tmp_path: Path) -> None:
        assert [path.name for path in tmp_path.iterdir()] == [Path(pointer.uri).name]
        assert sorted(path.name for path in Path(pointer.uri).iterdir()) == sorted(
            [MANIFEST, STATE, DYNAMICS, TRAINING]
        )

    def test_what_a_killed_writer_left_is_written_over(
        self, student: NetworkStudent, tmp_path: Path
    ) -> None:
        left = tmp_path / "step-0.tmp-1"
        left.mkdir()
        (left / "junk").write_text("half")
        pointer = write_checkpoint(
            tmp_path, attempt=1, student=student, state=TrainingState.start(10)
        )
        assert "junk" not in {path.name for path in Path(pointer.uri).iterdir()}

    def test_a_second_one_of_the_same_step_leaves_the_first_alone(
        self, student: NetworkStudent, pointer: CheckpointPointer, tmp_path: Path
    ) -> None:
        again = write_checkpoint(
            tmp_path, attempt=1, student=student, state=TrainingState.start(10)
        )
        assert again.uri != pointer.uri
        read_checkpoint(pointer, student=student)

    def test_a_writer_that_fails_publishes_nothing(
        self, student: NetworkStudent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full_disk(folder: Path) -> None:
            (folder / TRAINING).write_bytes(b"half")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(student, "save_training", full_disk)
        with pytest.raises(OSError, match="No space"):
            write_checkpoint(tmp_path, attempt=1, student=student, state=TrainingState.start(10))
        assert [path.name for path in tmp_path.iterdir()] == ["step-0.tmp-1"]

    def test_the_manifest_is_flushed_after_the_files_and_before_the_rename(
        self, student: NetworkStudent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        rename = Path.rename

        def noted_rename(path: Path, to: Path) -> Path:
            done.append("rename")
            return rename(path, to)

        monkeypatch.setattr("llkd.checkpoint._fsync", lambda path: done.append(path.name))
        monkeypatch.setattr(Path, "rename", noted_rename)
        write_checkpoint(tmp_path, attempt=1, student=student, state=TrainingState.start(10))
        assert sorted(done[:3]) == sorted([STATE, DYNAMICS, TRAINING])
        assert done[3:] == [MANIFEST, "step-0.tmp-1", "rename", tmp_path.name]


class TestReadCheckpoint:
    @pytest.mark.parametrize("name", [MANIFEST, STATE, DYNAMICS, TRAINING])
    def test_a_flipped_byte_is_noticed(
        self, make_student: MakeStudent, pointer: CheckpointPointer, name: str
    ) -> None:
        path = Path(pointer.uri) / name
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        other = make_student(seed=9)
        before = other.weights_sha256()
        with pytest.raises(CheckpointDamaged):
            read_checkpoint(pointer, student=other)
        assert other.weights_sha256() == before

    @pytest.mark.parametrize("name", [MANIFEST, STATE, DYNAMICS, TRAINING])
    def test_a_missing_file_is_noticed(
        self, student: NetworkStudent, pointer: CheckpointPointer, name: str
    ) -> None:
        (Path(pointer.uri) / name).unlink()
        with pytest.raises(CheckpointDamaged):
            read_checkpoint(pointer, student=student)

    @pytest.mark.parametrize("name", [MANIFEST, STATE, DYNAMICS, TRAINING])
    def test_a_file_cut_short_is_noticed(
        self, student: NetworkStudent, pointer: CheckpointPointer, name: str
    ) -> None:
        path = Path(pointer.uri) / name
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(CheckpointDamaged):
            read_checkpoint(pointer, student=student)

    def test_another_checkpoint_in_its_place_is_noticed(
        self, student: NetworkStudent, pointer: CheckpointPointer, tmp_path: Path
    ) -> None:
        state = TrainingState.start(10)
        state.epoch = 1
        other = write_checkpoint(tmp_path, attempt=1, student=student, state=state)
        swapped = CheckpointPointer(other.uri, pointer.sha256, pointer.step)
        with pytest.raises(CheckpointDamaged):
            read_checkpoint(swapped, student=student)


class TestRemoveCheckpoint:
    def test_it_goes_and_going_twice_is_fine(
        self, student: NetworkStudent, pointer: CheckpointPointer
    ) -> None:
        remove_checkpoint(pointer)
        remove_checkpoint(pointer)
        with pytest.raises(CheckpointDamaged):
            read_checkpoint(pointer, student=student)


class TestInterruptedTraining:
    def test_killed_after_every_checkpoint_it_ends_with_the_same_weights(
        self, make_student: MakeStudent, tmp_path: Path
    ) -> None:
        pool = make_pool(48)
        held_out = make_pool(12, seed=4)
        plan = TrainingPlan(
            epochs=3, batch_size=8, learning_rate=1e-3, seed=5, first_check=1, check_every=2
        )

        def reports(
            student: NetworkStudent, state: TrainingState | None
        ) -> Iterator[TrainingReport]:
            selector = build_selector(LlkdSelection(), pool=pool, seed=5)
            return distill(student, pool, selector, plan=plan, held_out=held_out, state=state)

        undisturbed = make_student()
        expected = len(list(reports(undisturbed, None)))
        pointer: CheckpointPointer | None = None
        attempts = 0
        while True:
            student = make_student()
            state = read_checkpoint(pointer, student=student) if pointer else None
            report = next(reports(student, state), None)
            if report is None:
                break
            attempts += 1
            pointer = write_checkpoint(
                tmp_path, attempt=attempts, student=student, state=report.state
            )
        assert attempts == expected > 10
        assert student.weights_sha256() == undisturbed.weights_sha256()
