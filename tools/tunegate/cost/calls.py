"""What calls cost, before they are made and after.

Unknown is a value here (None): never 0.0. Amounts are US dollars, prices US dollars per million tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_TOKENS = 16
"""Allowed for the role, the marks of a turn and the line ends around each message: 3 to 5 in the formats known."""
REQUEST_TOKENS = 128
"""Allowed once a request for what a chat template adds of its own: the opening of the reply, and a default system
message with a name or a date, of 20 tokens in some templates and about 70 in others."""
BYTES_PER_TOKEN = 3
"""Prose in English has about 4, prompts of short lines, numbers and JSON 2.3 to 3.0 by o200k_base and cl100k_base."""


@dataclass(frozen=True)
class Rates:
    """What a million tokens cost in US dollars."""

    input_usd_per_mtok: float
    output_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None = None
    """Prompt tokens read from the provider's cache; None costs what other input does."""
    cache_write_usd_per_mtok: float | None = None
    """Prompt tokens written to it, which some providers do unasked; None costs what other input does."""

    @property
    def are_free(self) -> bool:
        """Whether no call costs anything, however long."""
        return not (self.dearest_input_usd_per_mtok or self.output_usd_per_mtok)

    @property
    def dearest_input_usd_per_mtok(self) -> float:
        """The most that a prompt token can cost: whether it comes from a cache or goes into one is known afterwards."""
        return max(self.input_usd_per_mtok, self.cached_input_usd_per_mtok or 0, self.cache_write_usd_per_mtok or 0)


@dataclass(frozen=True)
class Price:
    """What a model costs, and who says so."""

    live: Rates | None
    """None where nobody said."""
    source: str
    batch: Rates | None = None
    """For requests handed in as a batch; None where nobody said."""
    training_usd_per_mtok: float | None = None
    as_of: str | None = None
    """Since when the price holds, as the source says it: a date like 2026-11-01."""
    max_prompt_tokens: int | None = None
    """Longer prompts cost another price, not known here; None is any length."""
    checked_on: str | None = None
    """A date on which the source still said so; None where nobody noted one."""

    @property
    def told_on(self) -> str | None:
        """The last date on which it is known to have held; None where no date is known."""
        return self.checked_on or self.as_of


def cost_usd(
    price: Price | None,
    *,
    prompt_tokens: int | None,
    completion_tokens: int | None,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
    batch: bool = False,
) -> float | None:
    """Return what a call cost, from the tokens that the server counted; the cached ones are part of the prompt.

    None where the price or a count is not known, and where the counts cannot be, such as more cached tokens than
    the prompt has: a server's mistake must not stop a run, nor pass for a price.
    """
    rates = _rates(price, batch=batch)
    if price is None or rates is None:
        return None
    if rates.are_free:
        return 0.0
    if prompt_tokens is None or completion_tokens is None or not _fits(price, prompt_tokens=prompt_tokens):
        return None
    fresh_tokens = prompt_tokens - cached_tokens - cache_write_tokens
    if min(fresh_tokens, cached_tokens, cache_write_tokens, completion_tokens) < 0:
        return None
    fresh, cached, written = (
        rates.input_usd_per_mtok if usd is None else usd
        for usd in (rates.input_usd_per_mtok, rates.cached_input_usd_per_mtok, rates.cache_write_usd_per_mtok)
    )
    input_usd = fresh_tokens * fresh + cached_tokens * cached + cache_write_tokens * written
    return (input_usd + completion_tokens * rates.output_usd_per_mtok) / 1e6


def upper_bound_usd(
    price: Price | None, *, prompt_bytes: int, messages: int, max_tokens: int | None, batch: bool = False
) -> float | None:
    """Return an amount that a request cannot exceed; None where there is none.

    `prompt_bytes` is the UTF-8 of all messages and of whatever else is put before the model (schemas, tools): the
    request's whole body as JSON is always enough. `max_tokens` is the limit that the request itself carries, None
    where it carries none.

    A token is at least one byte of text. That is so for tokenizers that work on bytes or fall back to them, as those
    of today's chat models do; one that first expands characters (NFKC) could break it. What the server adds is
    covered by MESSAGE_TOKENS and REQUEST_TOKENS.
    """
    rates = _rates(price, batch=batch)
    if price is None or rates is None:
        return None
    if rates.are_free:
        return 0.0
    prompt_tokens = prompt_bytes + messages * MESSAGE_TOKENS + REQUEST_TOKENS
    if max_tokens is None or not _fits(price, prompt_tokens=prompt_tokens):
        return None
    return (prompt_tokens * rates.dearest_input_usd_per_mtok + max_tokens * rates.output_usd_per_mtok) / 1e6


def estimate_tokens(text_bytes: int, *, messages: int = 1) -> int:
    """Return about how many tokens a prompt has, for a plan; no budget may rest on it.

    Without the model's own tokenizer nothing better is to be had; text in other scripts has other ratios.
    """
    return -(-text_bytes // BYTES_PER_TOKEN) + messages * MESSAGE_TOKENS


def _rates(price: Price | None, *, batch: bool) -> Rates | None:
    if price is None:
        return None
    return price.batch if batch else price.live


def _fits(price: Price, *, prompt_tokens: int) -> bool:
    return price.max_prompt_tokens is None or prompt_tokens <= price.max_prompt_tokens
