"""The operator's price table, and what tokens come to."""

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.egress.addresses import Reach
from core.prices import FREE, PricesRefused, PriceTable, TokenPrices, cost_micros, read_prices

EXAMPLE = Path(__file__).parents[2] / "prices.example.toml"
SMALL, LARGE = TokenPrices(0.15, 0.6), TokenPrices(2.5, 10.0)
ENTRY = {
    "host": '"api.openai.com"',
    "model": '"gpt-4o-mini*"',
    "input_usd_per_million": "0.15",
    "output_usd_per_million": "0.6",
    "as_of": "2026-07-01",
}


def entry(**changes: str | None) -> str:
    told = ENTRY | changes
    lines = [f"{name} = {value}" for name, value in told.items() if value is not None]
    return "\n".join(["[[price]]", *lines, ""])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.toml"


def table(file: Path, *entries: str) -> PriceTable:
    file.write_text("".join(entries), encoding="utf-8")
    return read_prices(file)


class TestPriceOf:
    def test_a_star_stands_for_any_end(self, file: Path) -> None:
        prices = table(file, entry())
        for model in ("gpt-4o-mini", "gpt-4o-mini-2024-07-18"):
            assert prices.price_of("api.openai.com", model, reach=Reach.PUBLIC) == SMALL

    def test_without_a_star_the_name_is_meant_alone(self, file: Path) -> None:
        prices = table(file, entry(model='"gpt-4o-mini"'))
        assert prices.price_of("api.openai.com", "gpt-4o-mini", reach=Reach.PUBLIC) == SMALL
        assert prices.price_of("api.openai.com", "gpt-4o-mini-2", reach=Reach.PUBLIC) is None

    def test_the_first_entry_that_covers_it_counts(self, file: Path) -> None:
        dear = {"input_usd_per_million": "2.5", "output_usd_per_million": "10"}
        prices = table(file, entry(), entry(model='"*"', **dear))
        assert prices.price_of("api.openai.com", "gpt-4o-mini", reach=Reach.PUBLIC) == SMALL
        assert prices.price_of("api.openai.com", "o3", reach=Reach.PUBLIC) == LARGE
        turned = table(file, entry(model='"*"', **dear), entry())
        assert turned.price_of("api.openai.com", "gpt-4o-mini", reach=Reach.PUBLIC) == LARGE

    def test_an_unlisted_price_is_unknown_and_not_nothing(self, file: Path) -> None:
        prices = table(file, entry())
        assert prices.price_of("api.openai.com", "o3", reach=Reach.PUBLIC) is None
        assert prices.price_of("openai.com", "gpt-4o-mini", reach=Reach.PUBLIC) is None
        assert PriceTable().price_of("api.openai.com", "o3", reach=Reach.PUBLIC) is None

    def test_the_operators_own_network_costs_nothing_unless_it_is_listed(self, file: Path) -> None:
        prices = table(file, entry(host='"gpu.corp.example"', model='"dear"'))
        assert prices.price_of("127.0.0.1", "any", reach=Reach.PRIVATE) == FREE
        assert prices.price_of("gpu.corp.example", "any", reach=Reach.PRIVATE) == FREE
        assert prices.price_of("gpu.corp.example", "dear", reach=Reach.PRIVATE) == SMALL

    def test_a_host_is_compared_as_endpoints_spell_it(self, file: Path) -> None:
        prices = table(file, entry(host='"API.OpenAI.com"'), entry(host='"[FD00::0:1]"'))
        assert prices.price_of("api.openai.com", "gpt-4o-mini", reach=Reach.PUBLIC) == SMALL
        assert prices.price_of("fd00::1", "gpt-4o-mini", reach=Reach.PRIVATE) == SMALL


class TestReadPrices:
    def test_what_ships_claims_nobodys_prices(self) -> None:
        assert read_prices(EXAMPLE) == PriceTable()
        assert read_prices(None) == PriceTable()

    def test_its_example_is_taken_once_it_is_uncommented(self, file: Path) -> None:
        lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
        uncommented = [re.sub(r"^#(?=\S)", "", line) for line in lines]
        (found,) = table(file, "\n".join(uncommented)).entries
        assert found.covers("api.example.com", "small-1.5")

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ("[[price]]\nhost = api\n", "line 2"),
            (entry() + entry(host=None), "number 2: host"),
            (entry(host='"https://api.openai.com"'), "number 1: host"),
            (entry(host='"api.openai.com/v1"'), "number 1: host"),
            (entry(host='"api.openai.com:8443"'), "number 1: host"),
            (entry(host='"127.1"'), "number 1: host"),
            (entry(model='"gpt-*-mini"'), "number 1: model"),
            (entry(model='""'), "number 1: model"),
            (entry(input_usd_per_million="-0.1"), "number 1: input_usd_per_million"),
            (entry(output_usd_per_million="nan"), "number 1: output_usd_per_million"),
            (entry(output_usd_per_million="inf"), "number 1: output_usd_per_million"),
            (entry(output_usd_per_million='"0.6"'), "number 1: output_usd_per_million"),
            (entry(as_of='"2026-07-01"'), "number 1: as_of"),
            (entry(as_of=None), "number 1: as_of"),
            (entry(currency='"EUR"'), "number 1: currency"),
            ('[price]\nhost = "a"\n', "write [[price]]"),
            ("price = [1]\n", "number 1"),
            ("[[prices]]\n", "not prices"),
        ],
    )
    def test_a_bad_file_is_refused_with_the_place(
        self, file: Path, content: str, told: str
    ) -> None:
        with pytest.raises(PricesRefused, match=re.escape(told)) as refusal:
            table(file, content)
        assert str(file) in str(refusal.value)

    def test_a_file_that_cannot_be_read_is_refused(self, file: Path) -> None:
        with pytest.raises(PricesRefused, match=re.escape(str(file))):
            read_prices(file)
        file.write_bytes(b"\xff\xfe")
        with pytest.raises(PricesRefused, match="utf-8"):
            read_prices(file)


@dataclass(frozen=True)
class Written:
    """Prices from elsewhere, such as a job's spec."""

    input_usd_per_million: float
    output_usd_per_million: float


class TestCostMicros:
    @pytest.mark.parametrize(
        ("input_tokens", "output_tokens", "micros"),
        [
            (0, 0, 0),
            (1, 0, 1),
            (20, 0, 3),
            (21, 0, 4),
            (0, 1, 1),
            (1, 1, 1),
            (1_000_000, 0, 150_000),
        ],
    )
    def test_a_part_of_a_micro_counts_whole(
        self, input_tokens: int, output_tokens: int, micros: int
    ) -> None:
        # 20 x 0.15 is 3.0000000000000004 in binary, and 3 as it was written.
        cost = cost_micros(SMALL, input_tokens=input_tokens, output_tokens=output_tokens)
        assert cost == micros

    def test_what_is_free_stays_free(self) -> None:
        assert cost_micros(FREE, input_tokens=10**9, output_tokens=10**9) == 0

    @given(
        st.integers(0, 10**9),
        st.integers(0, 10**9),
        st.floats(0, 10_000, allow_subnormal=False),
        st.floats(0, 10_000, allow_subnormal=False),
    )
    def test_it_is_never_less_than_the_exact_cost_nor_a_micro_more(
        self, input_tokens: int, output_tokens: int, input_usd: float, output_usd: float
    ) -> None:
        exact = input_tokens * Fraction(str(input_usd)) + output_tokens * Fraction(str(output_usd))
        cost = cost_micros(
            Written(input_usd, output_usd), input_tokens=input_tokens, output_tokens=output_tokens
        )
        assert exact <= cost < exact + 1
