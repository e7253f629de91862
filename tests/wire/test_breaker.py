"""What is down or refuses us is left alone."""

from __future__ import annotations

import math
from functools import partial
from random import Random
from typing import Any

from tunegate.wire.admission import Admission
from tunegate.wire.limits import AccountLimits
from tunegate.wire.retries import Retries
from tunegate.wire.tickets import GO, Decision, No, Outcome, Ticket


class Desk:
    """An admission at two accounts without limits, and what it decided, by number."""

    def __init__(self) -> None:
        self.now = 0.0
        limits = {"a": AccountLimits(), "b": AccountLimits()}
        self.admission = Admission(
            limits, max_in_flight=50, retries=Retries(base_s=1.0), clock=lambda: self.now, rng=Random(1)
        )
        self.decided: dict[int, Decision] = {}

    def ask(self, number: int, attempt: int = 1, *, account: str = "a", model: str = "m") -> Decision | None:
        self.decided.pop(number, None)
        ticket = Ticket("main", number, account, model, 1, attempt=attempt)
        self.admission.ask(ticket, partial(self.decided.__setitem__, number))
        return self.decided.get(number)

    def end(self, number: int, kind: Any, status: int | None = None, *, message: str = "", final: bool = False) -> None:
        self.admission.settle("main", number, Outcome(kind, status, 0.0, message=message, final=final))

    def fail(self, *numbers: int, final: bool = False) -> None:
        for number in numbers:
            self.end(number, "failed", message=f"refused {number}", final=final)


def half_open(*others: int) -> Desk:
    """Return a desk whose account `a` counts as down, with `others` in flight from before."""
    desk = Desk()
    for number in (1, 2, 3, 4, 5, *others):
        assert desk.ask(number) == GO
    desk.fail(1, 2, 3, 4, 5)
    return desk


def test_refused_key_closes_the_account() -> None:
    """An endpoint that refuses the key, or has no credit left for it, is not asked again, and that is said once."""
    for status in (401, 403, 429):
        desk = Desk()
        desk.ask(1)
        desk.ask(2)
        desk.end(1, "refused", status, message="invalid key")
        reason = "not asked any more, since every request would end like an earlier one: invalid key"
        assert desk.ask(3) == No(reason, "circuit")
        assert desk.ask(4, account="b") == GO
        desk.end(2, "answered", 200)
        desk.end(4, "refused", 400)
        assert desk.ask(5) == No(reason, "circuit"), "for good"
        assert desk.admission.notices() == ["a is not asked any more: invalid key"]


def test_unknown_model_is_not_asked_again() -> None:
    """An endpoint that does not know a model is asked for its others."""
    desk = Desk()
    desk.ask(1)
    desk.end(1, "refused", 404, message="no such model")
    assert isinstance(desk.ask(2), No)
    assert desk.ask(3, model="n") == GO
    assert desk.ask(4, account="b") == GO


def test_order_survives_those_who_are_sent_away() -> None:
    """When the requests of an unknown model leave the queue, the others keep their places."""
    desk = Desk()
    for number in range(50):
        desk.ask(number)
    for number in range(50, 70):
        assert desk.ask(number, 1 + number // 60, model="mn"[number % 2]) is None
    desk.end(0, "refused", 404, message="no such model")
    assert [number for number, decision in desk.decided.items() if decision == GO and number >= 50] == [61]
    for number in range(1, 10):
        desk.end(number, "answered", 200)
    went = [number for number, decision in desk.decided.items() if decision == GO and number >= 50]
    assert went == [61, 63, 65, 67, 69, 51, 53, 55, 57, 59]


def test_bad_request_closes_nothing() -> None:
    """A request that the endpoint refuses for what it is says nothing about others."""
    desk = Desk()
    for number in range(20):
        assert desk.ask(number) == GO
        desk.end(number, "refused", 400)


def test_failures_in_a_row_count() -> None:
    """Any word from the endpoint between failures says that it is there."""
    for kind, status in (("answered", 200), ("rejected", 429), ("refused", 400)):
        desk = Desk()
        for number in range(1, 50, 2):
            assert desk.ask(number) == GO
            desk.fail(number)
            if number % 4 == 3:
                assert desk.ask(number + 1) == GO
                desk.end(number + 1, kind, status)
        assert desk.admission.notices() == []


def test_down_endpoint_is_tried_by_one_request_at_a_time() -> None:
    """After five failures in a row one attempt at a time goes, the one that is furthest first."""
    desk = half_open()
    assert desk.admission.notices() == ["a is down: 5 attempts in a row without a reply (the last: refused 5)"]
    assert desk.ask(6) == GO
    for number, attempt in ((7, 1), (8, 3), (9, 2)):
        assert desk.ask(number, attempt) is None
    assert desk.ask(10, account="b") == GO
    desk.end(6, "cancelled")
    assert desk.decided.keys() & {7, 8, 9} == {8}


def test_any_word_lets_the_next_try_go_at_once() -> None:
    """A failed try makes the others wait for its request; a try that was refused for what it is does not."""
    desk = half_open()
    desk.ask(6, 3)
    desk.fail(6)
    assert desk.ask(7) is None
    assert desk.ask(8, 4) == GO
    desk.end(8, "refused", 400)
    assert desk.decided[7] == GO


def test_answer_closes_the_circuit() -> None:
    """Once the try is answered, everybody who waited goes."""
    desk = half_open()
    for number in range(6, 20):
        desk.ask(number)
    desk.end(6, "answered", 200)
    assert all(desk.decided[number] == GO for number in range(6, 20))
    assert desk.admission.notices()[1:] == ["a answers again"]


def test_answer_to_an_earlier_request_closes_the_circuit() -> None:
    """What was in flight before counts too; a try that fails for good after that closes nothing any more."""
    desk = half_open(10)
    desk.ask(6)
    desk.end(10, "answered", 200)
    desk.fail(6, final=True)
    assert desk.ask(7) == GO


def test_try_that_used_up_its_attempts_opens_for_good() -> None:
    """When a request has spent its attempts on a dead endpoint, everybody is told the last failure, once."""
    desk = half_open()
    desk.ask(6)
    desk.ask(7)
    desk.fail(6, final=True)
    reason = "not asked any more, since every request would end like an earlier one: refused 6"
    assert desk.decided[7] == desk.ask(8, 6) == No(reason, "circuit")
    assert desk.admission.notices()[1:] == ["a is not asked any more: refused 6"]


def test_last_attempt_from_before_opens_nothing() -> None:
    """Requests that were in flight when it went down had no chance to be a try: their end is not the endpoint's."""
    desk = half_open(10, 11)
    desk.fail(10, 11, final=True)
    assert desk.ask(6) == GO


def test_tries_keep_to_the_backoff_of_one_request() -> None:
    """With a hundred requests waiting, a dead endpoint is tried as often as one request has attempts."""
    retries, rng = Retries(base_s=1.0), Random(1)
    desk = half_open()
    attempts = dict.fromkeys(range(6, 106), 1)
    coming: list[tuple[float, int]] = []
    tried: list[float] = []
    for number in attempts:
        desk.ask(number)
    while not any(isinstance(decision, No) for decision in desk.decided.values()):
        flying = [number for number, decision in desk.decided.items() if decision == GO and number in attempts]
        for number in flying:
            del desk.decided[number]
            tried.append(desk.now)
            desk.fail(number, final=attempts[number] == retries.attempts)
            coming.append((desk.now + retries.delay_s(attempts[number], rng), number))
            attempts[number] += 1
        wait_s = desk.admission.pump()
        due = min([at for at, _ in coming] + [math.inf if wait_s is None else desk.now + wait_s])
        desk.now = max(desk.now, due)
        for at, number in [one for one in coming if one[0] <= desk.now]:
            coming.remove((at, number))
            desk.ask(number, attempts[number])
        desk.admission.pump()
    assert retries.attempts <= len(tried) <= retries.attempts + 2
    assert len(set(tried)) == len(tried)


def test_owner_that_dies_with_the_try_blocks_nobody() -> None:
    """If nobody says how a try ended, the next one goes."""
    desk = half_open()
    desk.ask(6)
    desk.admission.ask(Ticket("gw1", 1, "a", "m", 1), partial(desk.decided.__setitem__, 7))
    assert 7 not in desk.decided
    desk.admission.withdraw("main")
    assert desk.decided[7] == GO
