"""Batches on several cores: results in order, errors heard, and no bit depends on the cores."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from llkd.base_models import ModelSource, locate
from llkd.side_by_side import side_by_side
from llkd.teachers.local_embedder import LocalEmbedder
from tests.llkd.conftest import TINY, MakeStudent
from tests.llkd.tiny_bert import make_pool

CPU = torch.device("cpu")


@pytest.fixture
def restored_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("restored_threads")
class TestSideBySide:
    @pytest.mark.parametrize("threads", [1, 3])
    def test_results_come_in_the_batches_order(self, threads: int) -> None:
        torch.set_num_threads(threads)
        assert list(side_by_side(lambda x: x * x, range(20), device=CPU)) == [
            x * x for x in range(20)
        ]

    def test_each_batch_has_one_thread_and_the_caller_keeps_its_own(self) -> None:
        torch.set_num_threads(3)
        seen = list(side_by_side(lambda _: torch.get_num_threads(), range(6), device=CPU))
        assert seen == [1] * 6
        assert torch.get_num_threads() == 3

    def test_an_error_in_a_batch_is_the_callers(self) -> None:
        torch.set_num_threads(2)
        with pytest.raises(ZeroDivisionError):
            list(side_by_side(lambda x: 1 / x, [1, 0, 1], device=CPU))

    def test_no_bit_depends_on_how_many_threads_there_are(
        self, source: ModelSource, make_student: MakeStudent
    ) -> None:
        texts = make_pool(50).texts
        embedder = LocalEmbedder.from_folder(locate(TINY, revision=None, source=source))
        student = make_student()
        answers = []
        for threads in (1, 3):
            torch.set_num_threads(threads)
            answers.append((embedder.embed(texts), student.predict(texts).probabilities))
        (vectors, scores), (same_vectors, same_scores) = answers
        assert np.array_equal(vectors, same_vectors)
        assert np.array_equal(scores, same_scores)
