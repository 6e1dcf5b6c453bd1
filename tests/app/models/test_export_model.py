"""GET /models/{name}/export: a whole archive, the same each time, or visibly none."""

import io
import tarfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from app.models.archive import Member, archive_size, write_archive
from core.artifacts import ArtifactDamaged, ArtifactStore, sha256_of
from core.config import Settings
from core.db.session import Database
from core.ids import ModelId
from tests.app.models.parts import register

ONNX = ["README.md", "llkd.json", "tokenizer.json", "model.onnx"]
SAFETENSORS = ["README.md", "llkd.json", "tokenizer.json", "config.json", "model.safetensors"]
CONTENT = {
    "README.md": b"# tickets\n",
    "llkd.json": b"{}",
    "tokenizer.json": b"",
    "config.json": b"x" * 512,
    "model.onnx": bytes(range(256)) * 10_000,
    "model.safetensors": b"w" * 513,
}
on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    return ArtifactStore(settings.data_dir / "artifacts")


@pytest.fixture
def tree(store: ArtifactStore, tmp_path: Path) -> str:
    folder = tmp_path / "model"
    folder.mkdir()
    for name, content in CONTENT.items():
        (folder / name).write_bytes(content)
    return store.put_tree(folder)


@pytest.fixture
def model_id(database: Database, tree: str) -> ModelId:
    return register(database, artifact=tree)


@on_sqlite
class TestExport:
    @pytest.mark.parametrize(("kind", "files"), [("onnx", ONNX), ("safetensors", SAFETENSORS)])
    def test_the_archive_holds_the_formats_files_in_one_folder(
        self, client: TestClient, model_id: ModelId, kind: str, files: list[str]
    ) -> None:
        answer = client.get(f"/models/{model_id}/export", params={"format": kind})
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "application/x-tar"
        assert answer.headers["content-disposition"] == (
            f'attachment; filename="tickets-1-{kind}.tar"'
        )
        assert int(answer.headers["content-length"]) == len(answer.content)
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            assert archive.getnames() == [f"tickets-1/{name}" for name in files]
            for name in files:
                opened = archive.extractfile(f"tickets-1/{name}")
                assert opened is not None
                assert opened.read() == CONTENT[name]

    def test_a_model_gives_the_same_bytes_each_time_and_is_not_sent_twice(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        first = client.get("/models/tickets/export")
        again = client.get(f"/models/{model_id}/export?format=onnx")
        assert first.content == again.content
        assert first.headers["etag"] == again.headers["etag"]
        held = {"If-None-Match": first.headers["etag"]}
        unchanged = client.get("/models/tickets@latest/export", headers=held)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        other = client.get("/models/tickets/export?format=safetensors", headers=held)
        assert other.status_code == 200

    def test_models_of_equal_files_have_archives_of_their_own(
        self, client: TestClient, database: Database, model_id: ModelId, tree: str
    ) -> None:
        held = {"If-None-Match": client.get("/models/tickets/export").headers["etag"]}
        register(database, artifact=tree)
        newer = client.get("/models/tickets/export", headers=held)
        assert newer.status_code == 200
        assert "tickets-2-onnx.tar" in newer.headers["content-disposition"]

    def test_a_client_that_takes_archives_alone_gets_one(
        self, client: TestClient, model_id: ModelId
    ) -> None:
        answer = client.get("/models/tickets/export", headers={"Accept": "application/x-tar"})
        assert answer.status_code == 200

    def test_another_format_is_refused(self, client: TestClient, model_id: ModelId) -> None:
        answer = client.get("/models/tickets/export?format=pickle")
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")
        assert answer.json()["errors"][0]["pointer"] == "query:format"

    def test_without_a_file_nothing_is_begun(
        self, client: TestClient, model_id: ModelId, store: ArtifactStore, tree: str
    ) -> None:
        store.tree(tree)["model.onnx"].unlink()
        answer = client.get("/models/tickets/export")
        assert (answer.status_code, answer.json()["code"]) == (503, "model-unavailable")

    def test_a_damaged_file_ends_the_answer_before_its_length(
        self, client: TestClient, model_id: ModelId, store: ArtifactStore, tree: str
    ) -> None:
        path = store.tree(tree)["model.onnx"]
        path.write_bytes(b"?" + path.read_bytes()[1:])
        with capture_logs() as logs, client.stream("GET", "/models/tickets/export") as got:
            received = got.read()
        assert 0 < len(received) < int(got.headers["Content-Length"])
        (line,) = [each for each in logs if each["log_level"] == "error"]
        assert line["event"] == "model_export_cut"
        assert "model.onnx" in line["reason"]
        assert "exc_info" not in line


class TestArchive:
    def test_its_size_is_known_beforehand(self, tmp_path: Path) -> None:
        members = []
        for place, size in enumerate((0, 1, 511, 512, 513, 3 * 1024 * 1024 + 7)):
            written = tmp_path / f"{place}"
            written.write_bytes(bytes([place]) * size)
            path = written.rename(tmp_path / sha256_of(written))
            members.append(Member(f"folder/{place}", path, size))
        pieces = list(write_archive(members))
        assert sum(map(len, pieces)) == archive_size(members)
        assert max(map(len, pieces)) <= 1024 * 1024
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            for member, entry in zip(members, archive.getmembers(), strict=True):
                assert (entry.name, entry.size, entry.mtime) == (member.name, member.size_bytes, 0)
                opened = archive.extractfile(entry)
                assert opened is not None
                assert opened.read() == member.path.read_bytes()

    def test_of_a_damaged_file_the_end_is_not_given(self, tmp_path: Path) -> None:
        path = tmp_path / ("0" * 64)
        path.write_bytes(b"not what the name says")
        given: list[bytes] = []
        with pytest.raises(ArtifactDamaged):
            given.extend(write_archive([Member("a", path, 22)]))
        assert b"not what" not in b"".join(given)
