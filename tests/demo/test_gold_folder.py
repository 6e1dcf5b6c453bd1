"""A labelled folder becomes an unlabeled pool, a few examples and a test set, apart."""

import json
from pathlib import Path

import pytest

from benchmarks.gold_folder import NotAFolderOfOurs, read_task, write_uploads


def make_folder(folder: Path, *, per_class: int = 20) -> Path:
    labels = ["a", "b"]
    (folder / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    for part, count in (("train", per_class), ("test", 5)):
        lines = [
            json.dumps(
                {"text": f"{part} {label} {number}\u2028", "label": label}, ensure_ascii=False
            )
            for label in labels
            for number in range(count)
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


class TestReadTask:
    def test_k_examples_of_each_class_leave_the_pool(self, tmp_path: Path) -> None:
        task = read_task(make_folder(tmp_path), per_class=4, seed=1)
        assert {label: len(texts) for label, texts in task.examples.items()} == {"a": 4, "b": 4}
        assert len(task.pool) == 32
        drawn = {text for texts in task.examples.values() for text in texts}
        assert not drawn & set(task.pool)

    def test_the_same_seed_draws_the_same_and_another_seed_does_not(self, tmp_path: Path) -> None:
        folder = make_folder(tmp_path)
        first, again, other = (read_task(folder, per_class=4, seed=seed) for seed in (1, 1, 2))
        assert first == again
        assert first.examples != other.examples

    def test_a_text_of_test_is_never_in_the_pool(self, tmp_path: Path) -> None:
        folder = make_folder(tmp_path)
        with (folder / "train.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps({"text": "test  a 0", "label": "a"}) + "\n")
        task = read_task(folder, per_class=1, seed=1)
        assert not any(text.startswith("test") for text in task.pool)

    def test_a_limit_cuts_the_pool_and_leaves_the_test(self, tmp_path: Path) -> None:
        task = read_task(make_folder(tmp_path), per_class=4, seed=1, limit=7)
        assert (len(task.pool), len(task.test)) == (7, 10)

    def test_an_undeclared_label_is_named_with_its_line(self, tmp_path: Path) -> None:
        folder = make_folder(tmp_path)
        (folder / "test.jsonl").write_text('{"text": "x", "label": "c"}\n', encoding="utf-8")
        with pytest.raises(NotAFolderOfOurs, match=r"test\.jsonl, line 1: label 'c'"):
            read_task(folder, per_class=1, seed=1)

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(NotAFolderOfOurs, match=r"labels\.json: No such file"):
            read_task(tmp_path, per_class=1, seed=1)


class TestWriteUploads:
    def test_the_pool_goes_up_without_labels(self, tmp_path: Path) -> None:
        task = read_task(make_folder(tmp_path), per_class=4, seed=1)
        pool, test = write_uploads(task, tmp_path)
        lines = pool.read_text(encoding="utf-8").split("\n")[:-1]
        assert [json.loads(line) for line in lines] == [{"text": text} for text in task.pool]
        assert '"label"' in test.read_text(encoding="utf-8")
