"""An end is told from measured rates, never goes back and is never said before it is there."""

from core.lifecycle import LIVES, Purpose, Stage
from worker.eta import Eta


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def training(seconds: float, *, share: float) -> Eta:
    """Labelling took 100 s; training has come this far in these seconds."""
    clock = Clock()
    eta = Eta(clock)
    eta.enter(Stage.LABEL)
    eta.ended(Stage.LABEL, seconds=100)
    eta.enter(Stage.TRAIN)
    clock.now = seconds
    eta.advance(share)
    return eta


class TestTheEnd:
    def test_is_unknown_while_labelling(self) -> None:
        clock = Clock()
        eta = Eta(clock)
        eta.enter(Stage.LABEL)
        clock.now = 60
        eta.advance(0.5)
        assert eta.eta_seconds() is None
        assert eta.percent() == 10.0

    def test_is_unknown_before_a_rate_can_be_told(self) -> None:
        assert training(0.5, share=0.2).eta_seconds() is None
        assert training(60, share=0.01).eta_seconds() is None

    def test_follows_the_measured_rate(self) -> None:
        # 300 s for a half: 300 s are left, and as much again of the last two stages as
        # (100 + 600) s of the first two lead to expect.
        eta = training(300, share=0.5).eta_seconds()
        assert eta == 300 + round(0.2 / 0.8 * 700)

    def test_after_a_resume_counts_only_what_was_done_since(self) -> None:
        clock = Clock()
        eta = Eta(clock)
        eta.ended(Stage.LABEL, seconds=0)
        eta.enter(Stage.TRAIN)
        eta.resume_at(0.8)
        clock.now = 10
        eta.advance(0.9)
        # A tenth in 10 s: another tenth is left.
        assert eta.eta_seconds() == 10 + round(0.2 / 0.8 * 100)


class TestThePercentage:
    def test_weighs_stages_by_their_time(self) -> None:
        # 100 of 100 + 600 + 175 seconds, and half of 600.
        assert training(300, share=0.5).percent() == round(100 * 400 / 875, 1)

    def test_never_goes_back(self) -> None:
        eta = training(10, share=0.5)
        before = eta.percent()
        eta.advance(0.1)
        assert eta.percent() == before

    def test_stays_below_a_hundred_when_all_is_done(self) -> None:
        eta = Eta()
        for stage in LIVES[Purpose.DISTILL]:
            eta.enter(stage)
            eta.ended(stage, seconds=1)
        assert eta.percent() == 99.9
