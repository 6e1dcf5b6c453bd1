import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from core.artifacts import ArtifactDamaged, ArtifactStore

DAY = timedelta(days=1)


@pytest.fixture
def store(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(tmp_path / "artifacts")


def files_of(store: ArtifactStore) -> set[str]:
    """The names of what a reader could find."""
    stored = (path for path in store.root.rglob("*") if path.is_file())
    return {path.name for path in stored if path.parent.name != "incoming"} - {".lock"}


def scratch_files_of(store: ArtifactStore) -> list[Path]:
    return list((store.root / "incoming").iterdir())


def make_folder(parent: Path, **contents: bytes) -> Path:
    parent.mkdir(parents=True)
    for name, content in contents.items():
        (parent / name).write_bytes(content)
    return parent


class TestPut:
    def test_a_file_is_found_by_its_sha256(self, store: ArtifactStore) -> None:
        source = store.scratch_path(".csv")
        source.write_bytes(b"text\nhello\n")
        digest = store.put(source)
        assert digest == sha256(b"text\nhello\n").hexdigest()
        with store.open(digest) as opened:
            assert opened.read() == b"text\nhello\n"
        store.verify(digest)

    def test_nothing_is_left_in_the_scratch_folder(self, store: ArtifactStore) -> None:
        store.put_bytes(b"one")
        store.put_bytes(b"one")
        assert scratch_files_of(store) == []

    def test_the_same_bytes_are_kept_once(self, store: ArtifactStore) -> None:
        assert store.put_bytes(b"one") == store.put_bytes(b"one")
        assert len(files_of(store)) == 1

    def test_the_bytes_are_on_the_disk_before_the_name(
        self, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[str] = []
        fsync, replace = os.fsync, Path.replace

        def noted_fsync(descriptor: int) -> None:
            target = Path(f"/proc/self/fd/{descriptor}").resolve()
            done.append("fsync folder" if target.is_dir() else "fsync file")
            fsync(descriptor)

        def noted_replace(source: Path, target: Path) -> Path:
            done.append("rename")
            return replace(source, target)

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(Path, "replace", noted_replace)
        store.put_bytes(b"one")
        # The folder of the first two digits is new, and its own name is flushed as well.
        assert done == ["fsync file", "fsync folder", "rename", "fsync folder"]

    def test_a_crash_before_the_rename_leaves_nothing_visible(
        self, store: ArtifactStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def die(source: Path, target: Path) -> Path:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", die)
            with pytest.raises(KeyboardInterrupt):
                store.put_bytes(b"one")
        assert files_of(store) == set()
        assert store.put_bytes(b"one") in files_of(store)

    def test_a_crash_within_a_tree_leaves_no_tree(
        self, store: ArtifactStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = make_folder(tmp_path / "model", weights=b"w", tokenizer=b"t")

        def die(content: bytes) -> str:
            raise KeyboardInterrupt

        whole = ArtifactStore(tmp_path / "another").put_tree(folder)
        with monkeypatch.context() as patch:
            patch.setattr(store, "put_bytes", die)
            with pytest.raises(KeyboardInterrupt):
                store.put_tree(folder)
        with pytest.raises(ArtifactDamaged, match="is missing"):
            store.tree(whole)


class TestTree:
    def test_equal_folders_have_equal_digests(self, store: ArtifactStore, tmp_path: Path) -> None:
        first = make_folder(tmp_path / "a" / "x", weights=b"w", config=b"c")
        second = make_folder(tmp_path / "b" / "y", config=b"c", weights=b"w")
        os.utime(second / "config", (1, 1))
        assert store.put_tree(first) == store.put_tree(second)

    @pytest.mark.parametrize(
        "changed", [{"weights": b"v", "config": b"c"}, {"weights": b"w", "other": b"c"}]
    )
    def test_another_byte_or_name_is_another_digest(
        self, store: ArtifactStore, tmp_path: Path, changed: dict[str, bytes]
    ) -> None:
        first = make_folder(tmp_path / "a", weights=b"w", config=b"c")
        second = make_folder(tmp_path / "b", **changed)
        assert store.put_tree(first) != store.put_tree(second)

    def test_its_files_come_back_by_name(self, store: ArtifactStore, tmp_path: Path) -> None:
        folder = make_folder(tmp_path / "model", weights=b"w", config=b"c")
        files = store.tree(store.put_tree(folder))
        assert {name: path.read_bytes() for name, path in files.items()} == {
            "weights": b"w",
            "config": b"c",
        }
        assert sorted(path.name for path in folder.iterdir()) == ["config", "weights"]

    def test_a_folder_inside_is_refused_not_forgotten(
        self, store: ArtifactStore, tmp_path: Path
    ) -> None:
        folder = make_folder(tmp_path / "model", weights=b"w")
        (folder / "onnx").mkdir()
        with pytest.raises(ValueError, match="onnx"):
            store.put_tree(folder)

    def test_may_be_made_of_files_that_are_there(
        self, store: ArtifactStore, tmp_path: Path
    ) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        (folder / "a").write_bytes(b"one")
        assert store.put_manifest({"a": store.put_bytes(b"one")}) == store.put_tree(folder)


class TestDamageIsFound:
    def test_a_flipped_byte(self, store: ArtifactStore) -> None:
        digest = store.put_bytes(b"one")
        store.path(digest).write_bytes(b"onf")
        with pytest.raises(ArtifactDamaged, match=digest[:12]):
            store.verify(digest)

    def test_a_cut_off_file(self, store: ArtifactStore) -> None:
        digest = store.put_bytes(b"one")
        os.truncate(store.path(digest), 2)
        with pytest.raises(ArtifactDamaged):
            store.verify(digest)

    def test_a_missing_file(self, store: ArtifactStore) -> None:
        with pytest.raises(ArtifactDamaged, match="is missing"):
            store.verify("0" * 64)

    def test_a_tree_without_one_of_its_files(self, store: ArtifactStore, tmp_path: Path) -> None:
        digest = store.put_tree(make_folder(tmp_path / "model", weights=b"w", config=b"c"))
        store.tree(digest)["config"].unlink()
        with pytest.raises(ArtifactDamaged, match="config"):
            store.tree(digest)

    def test_a_tree_with_another_byte_in_one_of_its_files(self, store: ArtifactStore) -> None:
        tree = store.put_manifest({"a": store.put_bytes(b"one")})
        [path] = store.verified_tree(tree).values()
        path.write_bytes(b"two")
        assert set(store.tree(tree)) == {"a"}
        with pytest.raises(ArtifactDamaged):
            store.verified_tree(tree)

    def test_a_changed_manifest(self, store: ArtifactStore, tmp_path: Path) -> None:
        digest = store.put_tree(make_folder(tmp_path / "model", weights=b"w"))
        other = store.put_bytes(b"another")
        store.path(digest).write_text(json.dumps({"weights": other}))
        with pytest.raises(ArtifactDamaged, match="has the content of"):
            store.tree(digest)


def make_old(store: ArtifactStore, digest: str) -> str:
    os.utime(store.path(digest), (1, 1))
    return digest


class TestRemove:
    def test_what_is_old_is_listed_and_goes(self, store: ArtifactStore) -> None:
        old, _ = make_old(store, store.put_bytes(b"old")), store.put_bytes(b"new")
        assert store.older_than(DAY) == [old]
        assert store.remove(old, older_than=DAY)
        assert not store.path(old).exists()
        assert not store.remove(old, older_than=DAY)

    def test_what_was_stored_again_stays(self, store: ArtifactStore) -> None:
        old = make_old(store, store.put_bytes(b"one"))
        store.put_bytes(b"one")
        assert store.older_than(DAY) == []
        assert not store.remove(old, older_than=DAY)
        store.verify(old)

    def test_a_tree_names_its_members(self, store: ArtifactStore, tmp_path: Path) -> None:
        tree = store.put_tree(make_folder(tmp_path / "model", weights=b"1", config=b"2"))
        assert store.members(tree) == {
            "config": sha256(b"2").hexdigest(),
            "weights": sha256(b"1").hexdigest(),
        }

    def test_storing_and_removing_at_once_never_loses_what_was_stored(
        self, store: ArtifactStore
    ) -> None:
        def store_again(_: int) -> str:
            return store.put_bytes(b"contended")

        digest = store.put_bytes(b"contended")
        with ThreadPoolExecutor(4) as pool:
            for turn in range(100):
                make_old(store, digest)
                removal = pool.submit(store.remove, digest, older_than=DAY)
                list(pool.map(store_again, range(2)))
                removal.result()
                assert store.path(digest).exists(), turn
