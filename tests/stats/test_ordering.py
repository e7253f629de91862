"""The random order that every machine agrees on."""

from __future__ import annotations

import hashlib
from itertools import pairwise
from statistics import mean

from hypothesis import given
from hypothesis import strategies as st

from tunegate.stats import order_key


def test_key_is_the_start_of_a_hash() -> None:
    """Seed, eval and case, separated by NUL: the keys written down here hold on every machine."""
    digest = hashlib.sha256(b"7\0format\0x-01").hexdigest()
    assert order_key("format", "x-01", seed=7) == int(digest[:16], 16)
    assert order_key("format", "x-01", seed=0) == 8747831062445087639
    assert order_key("format", "é", seed=0) == 10083334295118784915


@given(st.text(), st.text(), st.integers())
def test_every_name_has_a_key(eval_name: str, case: str, seed: int) -> None:
    """Whatever the names and the seed, lone surrogates too, the key is a number below 2**64, and always the same."""
    key = order_key(eval_name, case, seed=seed)
    assert 0 <= key < 2**64
    assert key == order_key(eval_name, case, seed=seed)


def test_order_is_random() -> None:
    """Neither numbers nor seeds show in the order: of 4,000 pairs of neighbours half stand in their own order."""
    for seed in (0, 1):
        keys = [order_key("format", f"sums-{number:04d}", seed=seed) for number in range(4001)]
        in_order = mean(first < second for first, second in pairwise(keys))
        assert abs(in_order - 0.5) < 0.03
    other = [order_key("format", f"sums-{number:04d}", seed=0) for number in range(4001)]
    same_way = mean((a < b) == (c < d) for a, b, c, d in zip(keys, keys[1:], other, other[1:], strict=False))
    assert abs(same_way - 0.5) < 0.03
