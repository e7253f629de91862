"""The list prices of providers, from the package genai-prices, offline.

A price is only taken where it is this very model's, at this provider, for what is asked of it. Everything else is
unknown (None), and a row of prices.toml can say it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tunegate.cases.models import Model
from tunegate.cost import Price, Rates

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, PriceCalculation

_BATCH = {"processing": "batch"}
_STANDARD_TIERS = (None, "auto", "default")
_CHARGED = ("audio", "cache_control", "modalities", "models", "plugins", "provider", "route", "web_search_options")
"""Keys of a body that ask for what is charged apart, or for another model or server, which has another price."""
_UNASKED = re.compile(r"audio|image|video|document|searches|cache_write_.+_mtok")
"""Names of prices of what a text chat does not use."""
_TEXT = {
    "input_mtok": "input_usd_per_mtok",
    "output_mtok": "output_usd_per_mtok",
    "cache_read_mtok": "cached_input_usd_per_mtok",
    "cache_write_mtok": "cache_write_usd_per_mtok",
}
_REQUIRED = {"input_mtok", "output_mtok"}
_TUNED = re.compile(r"(?<![a-z0-9])ft(?![a-z0-9])")
"""As in ft:gpt-4o-mini-2024-07-18:acme::9x and gpt-4o-mini-2024-07-18.ft-9x."""


def list_price(model: Model, *, at: datetime) -> Price | None:
    """Return what the provider's price list says of a model at a time; None is unknown."""
    host = host_of(model)
    if not _is_public(host) or any(key in model.body for key in _CHARGED):
        return None
    # Imported late: it takes 0.16 s, and a run of this machine's own models never needs it. The import starts no
    # thread and reads nothing from the network: only the package's UpdatePrices does, and nothing here starts it.
    import genai_prices

    address = f"https://{host}{urlsplit(model.endpoint.base_url).path}"

    def look_up(context: Mapping[str, str] | None = None) -> PriceCalculation:
        return genai_prices.calc_price(
            genai_prices.Usage(input_tokens=0, output_tokens=0),
            model.model,
            provider_api_url=address,
            genai_request_timestamp=at,
            price_context=context,
        )

    try:
        standard = look_up()
    except LookupError:
        return None
    if not _covers(standard.provider.api_pattern, address, host=host) or not _is_meant(standard, model):
        return None
    is_steady, since = _standing(standard.model, at=at)
    tier = model.body.get("service_tier")
    live, batch = standard.model_price, None
    if tier in _STANDARD_TIERS:
        # Asked for only where there is one: without it the package answers with the standard price.
        batch = look_up(_BATCH).model_price if _has_variant(standard, _BATCH, at=at) else None
    else:
        context = {"service_tier": str(tier)}
        is_steady = is_steady and _has_variant(standard, context, at=at)
        live = look_up(context).model_price
    rates = _rates(live)
    if rates is None or not is_steady:
        return None
    return Price(
        live=rates,
        batch=_rates(batch) if batch else None,
        source=f"genai-prices {genai_prices.__version__}: {standard.provider.id}, {standard.model.id}",
        as_of=since,
        checked_on=_newest_date(at.date()),
        max_prompt_tokens=min((*_steps(live), *_steps(batch)), default=None),
    )


def host_of(model: Model) -> str:
    """Return the host where a model is asked, in small letters."""
    return urlsplit(model.endpoint.base_url).hostname or ""


def is_tuned(model: Model) -> bool:
    """Say whether a model is a fine-tune, by its name or by the matrix."""
    return bool(_TUNED.search(model.model.lower())) or bool(model.examples)


def _is_public(host: str) -> bool:
    """Say whether a host could be a provider's: a model at home may bear the name of one that is sold elsewhere."""
    is_address = host[-1:].isdigit()
    return "." in host and not is_address


def _covers(pattern: str, address: str, *, host: str) -> bool:
    """Say whether a provider's pattern is about the whole host: api.openai.com.acme.org only begins like another."""
    match = re.match(pattern, address)
    return match is not None and (match.end() >= len(f"https://{host}") or match[0].endswith("."))


def _is_meant(found: PriceCalculation, model: Model) -> bool:
    if "search" in found.model.id:
        # They search unasked, and searches are charged apart.
        return False
    # A base model's price is not its fine-tune's, nor is a fine-tune's of one provider that of another.
    return not is_tuned(model) or (bool(_TUNED.search(found.model.id)) and _is_own(found))


def _is_own(found: PriceCalculation) -> bool:
    """Say whether the price is of the provider asked, and not taken from another that sells the same model."""
    return any(found.model is model for model in found.provider.models)


def _standing(model: ModelInfo, *, at: datetime) -> tuple[bool, str | None]:
    """Return whether the price stays the same through a day, and since when it holds, where that is known."""
    from genai_prices.types import ModelPrice, StartDateConstraint, TimeOfDateConstraint

    if isinstance(model.prices, ModelPrice):
        return True, None
    # The package lets the last one win that is active.
    for price in reversed(model.prices):
        if isinstance(price.constraint, TimeOfDateConstraint):
            return False, None
        if not isinstance(price.constraint, StartDateConstraint):
            break
        if price.constraint.active(at):
            return True, price.constraint.start_date.isoformat()
    return True, None


@lru_cache(maxsize=8)
def _newest_date(until: date) -> str | None:
    """Return the newest date up to a day that the whole list names: about then somebody last looked after it."""
    from genai_prices.data_snapshot import get_snapshot
    from genai_prices.types import StartDateConstraint

    constraints = (
        priced.constraint
        for provider in get_snapshot().providers
        for model in provider.models
        for priced in (*(model.prices if isinstance(model.prices, list) else ()), *(model.price_variants or ()))
    )
    dates = (each.start_date for each in constraints if isinstance(each, StartDateConstraint))
    newest = max((start for start in dates if start <= until), default=None)
    return newest.isoformat() if newest else None


def _has_variant(found: PriceCalculation, when: Mapping[str, str], *, at: datetime) -> bool:
    from genai_prices.types import TimeOfDateConstraint

    return _is_own(found) and any(
        variant.when == when
        and not isinstance(variant.constraint, TimeOfDateConstraint)
        and (variant.constraint is None or variant.constraint.active(at))
        for variant in found.model.price_variants or ()
    )


def _rates(prices: ModelPrice) -> Rates | None:
    """Return the prices of text, None where there are none or where more than text is charged."""
    from genai_prices.types import TieredPrices

    named = {name: value for name, value in vars(prices).items() if value is not None and not _UNASKED.search(name)}
    if not _REQUIRED <= named.keys() <= _TEXT.keys():
        return None
    return Rates(
        **{
            _TEXT[name]: float(value.base if isinstance(value, TieredPrices) else value)
            for name, value in named.items()
        }
    )


def _steps(prices: ModelPrice | None) -> list[int]:
    """Return after how many prompt tokens something costs more, or less."""
    from genai_prices.types import TieredPrices

    values = vars(prices).values() if prices else ()
    return [tier.start for value in values if isinstance(value, TieredPrices) for tier in value.tiers]
