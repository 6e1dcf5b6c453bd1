"""A transport's failure is known by its kind, and told from a defect."""

import pytest

from core.calling.failures import failure_of
from tests.core.calling.scripted_server import TransportFailed


class TestATransportsFailure:
    @pytest.mark.parametrize("kind", ["connect", "reset", "timeout", "dns", "protocol"])
    def test_that_may_pass_is_retryable(self, kind: str) -> None:
        read = failure_of(TransportFailed(kind))
        assert read is not None
        assert read.kind == kind
        assert read.is_retryable

    @pytest.mark.parametrize("kind", ["forbidden", "tls", "redirect", "too_large"])
    def test_that_stays_is_not(self, kind: str) -> None:
        read = failure_of(TransportFailed(kind))
        assert read is not None
        assert read.kind == kind
        assert not read.is_retryable

    @pytest.mark.parametrize("kind", ["timeout", "reset", "protocol", "too_large"])
    def test_after_the_request_went_out_may_be_billed(self, kind: str) -> None:
        read = failure_of(TransportFailed(kind))
        assert read is not None
        assert read.maybe_billed

    @pytest.mark.parametrize("kind", ["dns", "connect", "tls", "forbidden", "redirect"])
    def test_before_it_is_not(self, kind: str) -> None:
        read = failure_of(TransportFailed(kind))
        assert read is not None
        assert not read.maybe_billed

    @pytest.mark.parametrize(
        "defect", [ValueError("x"), TransportFailed("quota"), TransportFailed("odd")]
    )
    def test_is_told_from_a_defect(self, defect: Exception) -> None:
        assert failure_of(defect) is None
