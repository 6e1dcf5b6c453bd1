"""The serving benchmarks ask about the texts they say, and judge what they met as they say."""

from dataclasses import replace
from pathlib import Path
from statistics import mean

import numpy as np
import pytest

from benchmarks.contenders import peer
from benchmarks.load_generator import LoadResult, Shot
from benchmarks.many_models import ManyModels, comes_from
from benchmarks.many_models import judge as judge_models
from benchmarks.model_shelf import Stocked
from benchmarks.peer_model import own_copy
from benchmarks.serving_overload import judge, summed_up
from benchmarks.serving_texts import generated
from benchmarks.small_model import write_small_onnx
from llkd.silent_runtime import onnxruntime

MIB = 2**20


class TestTexts:
    def test_their_lengths_are_those_of_short_texts(self) -> None:
        texts = generated(train=50, asked=600, seed=1)
        words = sorted(len(text.split()) for text in texts.asked)
        # 42 and 89 tokens, at 1.23 a word and two around a text.
        assert mean(words) == pytest.approx((42 - 2) / 1.23, rel=0.15)
        assert words[int(0.95 * len(words))] == pytest.approx((89 - 2) / 1.23, rel=0.2)

    def test_there_are_five_labels_and_a_seed_repeats_all(self) -> None:
        texts = generated(train=50, asked=10, seed=1)
        assert len(texts.labels) == 5
        assert {gold.label for gold in texts.train} == set(texts.labels)
        assert texts == generated(train=50, asked=10, seed=1)


class TestPeers:
    def test_int8_behind_a_name_takes_the_quantized_weights(self, tmp_path: Path) -> None:
        forms = {"": tmp_path / "plain", "_int8": tmp_path / "small"}
        for form in forms.values():
            form.mkdir()
            (form / "model.onnx").write_text(form.name)
        for name, weights in (("bentoml", "plain"), ("bentoml_int8", "small")):
            folder = own_copy(name, forms, tmp_path / "peers")
            assert (folder / "model.onnx").read_text() == weights
            found = peer(name, "python", folder)
            assert (found.name, found.environment["PEER_MODEL"]) == (name, str(folder))

    def test_the_scores_of_every_form_of_answer_are_found(self) -> None:
        row = [{"label": "a", "score": 0.75}, {"label": "b", "score": 0.25}]
        for name, answer in (("bentoml", [row]), ("infinity_onnx", {"data": [row]})):
            assert peer(name, "/bin/python", Path("/m")).scores(answer) == [{"a": 0.75, "b": 0.25}]


class TestOverload:
    def load(self, *, answered: int, refused_s: float, lost: int = 0) -> LoadResult:
        # The last answer comes when nothing is offered any more.
        shots = [Shot(0.2, 200, 0.5)] * answered + [Shot(0.2, 200, 1.1)]
        shots += [Shot(refused_s, 429, 0.5)] * 200 + [Shot(1.0, 0, 1.0)] * lost
        return LoadResult(shots, wall_s=1.1, cpu_s=0.1)

    def met(self, load: LoadResult, memory: list[int]) -> list[bool | None]:
        found = summed_up(
            load,
            seconds=1.0,
            peak=100.0,
            offered=300.0,
            memory=memory,
            memory_peak=max(memory),
            apart=False,
        )
        return [verdict.met for verdict in judge(found)]

    def test_a_server_that_goes_on_and_refuses_at_once_passes(self) -> None:
        load = self.load(answered=90, refused_s=0.01)
        assert self.met(load, [100 * MIB, 105 * MIB]) == [True] * 4

    def test_each_fault_is_seen(self) -> None:
        load = self.load(answered=89, refused_s=0.2, lost=1)
        assert self.met(load, [100 * MIB, 130 * MIB]) == [False] * 4

    def test_where_nothing_is_refused_nothing_is_said_of_refusals(self) -> None:
        load = LoadResult([Shot(0.2, 200, 0.5)] * 95, wall_s=1.0, cpu_s=0.1)
        assert self.met(load, [100, 100]) == [True, None, True, True]


class TestManyModels:
    def found(self) -> ManyModels:
        return ManyModels(
            models=3,
            large=1,
            statuses={200: 150},
            wrong=0,
            loads={"loaded": 90},
            wall_s=3.0,
            p50_ms=1.0,
            p99_ms=9.0,
            cap=100 * MIB,
            memory=[50 * MIB, 90 * MIB],
            memory_peak=110 * MIB,
        )

    def test_a_tenth_above_the_cap_is_within_it(self) -> None:
        assert [each.met for each in judge_models(self.found())] == [True] * 3

    def test_each_fault_is_seen(self) -> None:
        faulty = replace(self.found(), memory_peak=111 * MIB, statuses={200: 149, 503: 1}, wrong=1)
        assert [each.met for each in judge_models(faulty)] == [False] * 3

    def test_an_answer_of_another_model_is_told(self) -> None:
        body = b'{"model": "model_1", "data": [{"label": "billing-1"}]}'
        assert comes_from(Stocked("model_1", ("billing-1", "tech-1")), body)
        assert not comes_from(Stocked("model_2", ("billing-1", "tech-1")), body)
        assert not comes_from(Stocked("model_1", ("billing-2", "tech-2")), body)

    def test_the_small_model_answers_on_any_shape(self, tmp_path: Path) -> None:
        write_small_onnx(tmp_path / "model.onnx", vocabulary=20, classes=5, seed=0)
        session = onnxruntime.InferenceSession(
            str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"]
        )
        ids = np.array([[3, 4, 0], [3, 4, 5]], dtype=np.int64)
        mask = np.array([[1, 1, 0], [1, 1, 1]], dtype=np.int64)
        (logits,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        (alone,) = session.run(None, {"input_ids": ids[:1, :2], "attention_mask": mask[:1, :2]})
        assert logits.shape == (2, 5)
        assert np.abs(logits[0] - alone[0]).max() < 1e-6
        assert np.abs(logits[0] - logits[1]).max() > 1e-3
