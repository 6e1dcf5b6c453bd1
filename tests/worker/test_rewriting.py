"""Label files are rewritten in order, each entry with its place."""

from collections.abc import Sequence
from pathlib import Path

from core.artifacts import ArtifactStore
from core.dataset_files import ROW_GROUP
from core.label_files import LabelEntry, Role, iter_labels, write_labels
from worker.protocol import Json
from worker.rewriting import rewrite_labels


def numbered(first: int, entries: Sequence[Json]) -> list[LabelEntry]:
    return [
        LabelEntry(**entry | {"label": f"{entry['label']}{first + place}"})
        for place, entry in enumerate(entries)
    ]


def stored(artifacts: ArtifactStore, name: str, count: int) -> str:
    path = artifacts.scratch_path(".parquet")
    write_labels(path, [[LabelEntry(Role.TRAIN, "answered", label=name)] * count])
    return artifacts.put(path)


class TestRewriteLabels:
    def test_both_files_are_new_and_whole(self, tmp_path: Path) -> None:
        artifacts = ArtifactStore(tmp_path)
        output = {
            "labels": stored(artifacts, "a", ROW_GROUP + 3),
            "evaluation_labels": stored(artifacts, "b", 2),
        }
        named = rewrite_labels(artifacts, output, numbered)
        for key, name, count in (("labels", "a", ROW_GROUP + 3), ("evaluation_labels", "b", 2)):
            found = [
                entry["label"]
                for chunk in iter_labels(artifacts.path(named[key]))
                for entry in chunk
            ]
            assert found == [f"{name}{place}" for place in range(count)]
        assert [entry["label"] for entry in next(iter_labels(artifacts.path(output["labels"])))][
            :2
        ] == ["a", "a"]

    def test_a_file_that_is_not_there_stays_away(self, tmp_path: Path) -> None:
        artifacts = ArtifactStore(tmp_path)
        output = {"labels": stored(artifacts, "a", 1), "evaluation_labels": None}
        assert rewrite_labels(artifacts, output, numbered)["evaluation_labels"] is None
