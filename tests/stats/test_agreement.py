"""Agreement of repeats, against examples counted by hand."""

from __future__ import annotations

from itertools import permutations

from tunegate.stats import Interval, NotEnoughData, RepeatAgreement, wilson


def agreement_of(*repeats: tuple[str, str]) -> RepeatAgreement:
    """Return the agreement of repeats: "a", "+- " is one of case a: check 0 passed, 1 failed, 2 could not be judged."""
    agreement = RepeatAgreement()
    for case, signs in repeats:
        agreement.add(case, tuple((check, sign == "+") for check, sign in enumerate(signs) if sign != " "))
    return agreement


def test_case_agrees_where_all_repeats_are_the_same() -> None:
    """Of four cases with two repeats or more, two agree; the one that was asked once is in no denominator."""
    agreement = agreement_of(
        ("a", "++"), ("a", "++"), ("a", "++"),
        ("b", "++"), ("b", "+-"),
        ("c", "-+"), ("c", "-+"),
        ("d", "++"), ("d", "++"), ("d", "--"), ("d", "++"),
        ("e", "++"),
    )  # fmt: skip
    assert [agreement.at(case) for case in "abcde"] == [(1, 1), (0, 1), (1, 1), (0, 1), (0, 0)]
    share, plain = agreement.share(), wilson(2, 4)
    assert isinstance(share, Interval)
    assert isinstance(plain, Interval)
    assert (share.estimate, share.low, share.high, share.n) == (0.5, plain.low, plain.high, 4)


def test_order_of_repeats_does_not_matter() -> None:
    """Workers report in any order."""
    repeats = [("a", "+ "), ("a", " +"), ("a", "-+"), ("b", "+ "), ("b", "++")]
    for order in permutations(repeats):
        agreement = agreement_of(*order)
        assert (agreement.at("a"), agreement.at("b")) == ((0, 1), (1, 1))


def test_what_was_not_judged_contradicts_nothing() -> None:
    """A check that one repeat could not judge is no disagreement; what the others say of it is held together."""
    assert agreement_of(("a", "+ "), ("a", "++"), ("a", "+ ")).at("a") == (1, 1)
    assert agreement_of(("a", "++"), ("a", "+ "), ("a", "+-")).at("a") == (0, 1)


def test_repeats_without_a_check_in_common_are_not_judged() -> None:
    """Where no check was judged in two of them, nothing was compared; one that shares a check with both settles it."""
    apart = agreement_of(("a", "+ "), ("a", " -"))
    assert apart.at("a") == (0, 0)
    assert not apart.is_judged
    for order in permutations([("a", "+ "), ("a", " -"), ("a", "+-")]):
        assert agreement_of(*order).at("a") == (1, 1)
    for order in permutations([("a", "+ "), ("a", " -"), ("a", "--")]):
        assert agreement_of(*order).at("a") == (0, 1)


def test_repeats_are_counted_where_they_say_anything() -> None:
    """One in which no check could be judged is none."""
    agreement = agreement_of(("a", "+"), ("a", " "), ("a", "-"), ("b", "+"))
    assert [agreement.repeats_of(case) for case in "abc"] == [2, 1, 0]


def test_nothing_repeated_is_nothing_known() -> None:
    """Without a second repeat there is no agreement, and none is made up."""
    agreement = agreement_of(("a", "+"), ("b", "-"))
    assert not agreement.is_judged
    assert agreement.at("nowhere") == (0, 0)
    assert isinstance(agreement.share(), NotEnoughData)
