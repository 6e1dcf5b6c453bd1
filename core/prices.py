"""What do a teacher's tokens cost? The operator's price table, and arithmetic that never says less.

A price that nobody has told is unknown, which is not nothing: a budget in money cannot be kept
by it.
"""

import math
import tomllib
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from core.egress.addresses import Reach
from core.egress.urls import USUAL_PORTS, parse_base_url
from core.errors import ServiceError

MOST_USD = 10_000.0
# Money is counted in millionths of a US dollar: whole numbers add up to what was spent.
MICROS = 1_000_000


class PricesPerMillion(Protocol):
    """Whatever says what a million tokens cost, in US dollars."""

    @property
    def input_usd_per_million(self) -> float: ...

    @property
    def output_usd_per_million(self) -> float: ...


@dataclass(frozen=True)
class TokenPrices:
    """US dollars a million tokens, each from 0 to 10,000."""

    input_usd_per_million: float
    output_usd_per_million: float


FREE = TokenPrices(0.0, 0.0)


class PricesRefused(Exception):
    """The price file cannot be used; the message names the place in it."""


class PriceEntry(BaseModel):
    """One `[[price]]` of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    host: str
    model: str = Field(min_length=1, max_length=200)
    input_usd_per_million: float = Field(ge=0, le=MOST_USD, allow_inf_nan=False)
    output_usd_per_million: float = Field(ge=0, le=MOST_USD, allow_inf_nan=False)
    as_of: date  # when the operator read the price; nothing is computed from it

    @field_validator("host")
    @classmethod
    def _as_endpoints_spell_it(cls, value: str) -> str:
        try:
            endpoint = parse_base_url(f"https://{value}")
        except ServiceError:
            endpoint = None
        if endpoint is None or endpoint.path or endpoint.port != USUAL_PORTS["https"]:
            raise ValueError("a host alone is asked for: no scheme, port or path")
        return endpoint.host

    @field_validator("model")
    @classmethod
    def _star_at_the_end(cls, value: str) -> str:
        if "*" in value[:-1]:
            raise ValueError("a * may stand at the end only")
        return value

    @property
    def prices(self) -> TokenPrices:
        return TokenPrices(self.input_usd_per_million, self.output_usd_per_million)

    def covers(self, host: str, model: str) -> bool:
        if host != self.host:
            return False
        if self.model.endswith("*"):
            return model.startswith(self.model[:-1])
        return model == self.model


@dataclass(frozen=True)
class PriceTable:
    """The operator's entries in the order of the file: the first that covers a model counts."""

    entries: tuple[PriceEntry, ...] = ()

    def price_of(self, host: str, model: str, *, reach: Reach) -> TokenPrices | None:
        """What the model's tokens cost there; None when nobody has told.

        A server of the operator's own network costs nothing unless it is listed.

        Args:
            host: as `core.egress.urls.Endpoint` spells it.
            reach: where the operator's allow-list lets that host stand.
        """
        for entry in self.entries:
            if entry.covers(host, model):
                return entry.prices
        return FREE if reach is Reach.PRIVATE else None


def read_prices(path: Path | None) -> PriceTable:
    """The table of an operator's TOML file; an empty one for None.

    Raises:
        PricesRefused: there is no such file, it is no TOML, or an entry says what it cannot.
    """
    if path is None:
        return PriceTable()
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PricesRefused(f"{path}: {error.strerror}") from error
    except ValueError as error:  # no TOML, told with its line; or not UTF-8
        raise PricesRefused(f"{path}: {error}") from error
    strangers = sorted(document.keys() - {"price"})
    if strangers:
        raise PricesRefused(f"{path}: only [[price]] is known, not {', '.join(strangers)}")
    entries = document.get("price", [])
    if not isinstance(entries, list):
        raise PricesRefused(f"{path}: price is a list: write [[price]]")
    return PriceTable(tuple(_read_entry(path, place, each) for place, each in enumerate(entries)))


def cost_micros(prices: PricesPerMillion, *, input_tokens: int, output_tokens: int) -> int:
    """Millionths of a US dollar, rounded up: many small calls never cost more than was counted.

    A dollar a million tokens is a millionth of a dollar a token. A price is the decimal fraction
    that was written, not the binary one nearest to it, of which a whole sum could end above.

    Args:
        input_tokens, output_tokens: at least 0.
    """
    exact = input_tokens * _as_written(prices.input_usd_per_million)
    exact += output_tokens * _as_written(prices.output_usd_per_million)
    return math.ceil(exact)


def _as_written(price: float) -> Fraction:
    return Fraction(repr(price))


def _read_entry(path: Path, place: int, entry: Any) -> PriceEntry:
    try:
        return PriceEntry.model_validate(entry)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        told = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
        raise PricesRefused(f"{path}: [[price]] number {place + 1}: {told}") from error
