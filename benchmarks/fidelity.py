"""How true and how well-behaved: recorded latencies, faults and rate limits, against the server's own stamps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import quantiles

from measuring import Row, Unmeasured, compare, state
from mock_limits import Faults
from mock_process import RunningMock, Stamped, run_mock
from project import Limits, Project
from speed import EVENTS, LATENCY_MS, Sizes, open_project

from tunegate.records import Record

FAULTS = Faults(rejected=0.05, failed=0.05, dropped=0.02, cut=0.01, hung=0.01, retry_after_s=1, hang_s=30.0)
TIMEOUT_S = 2
REQUESTS_PER_MINUTE = 600
TOKENS_PER_MINUTE = 60_000
MIXED = (0, 1)
"""Exit statuses of a run in which some items may have no reply."""


def measure_latency(sizes: Sizes) -> list[Row]:
    """Recorded latency against the server's stamps, for whole and for streamed replies."""
    errors: dict[str, list[list[float]]] = defaultdict(list)
    with (
        run_mock(latency_ms=LATENCY_MS, chunks=EVENTS, chunk_ms=5) as mock,
        open_project(mock, cases=sizes.cases) as project,
    ):
        for _ in range(sizes.rounds):
            for kind, words in (("whole reply", ["--no-stream"]), ("streamed reply", [])):
                mock.reset()
                project.record("-n0", *words)
                pairs = match_stamps(project.records(), mock.log())
                errors[kind].append([_error_ms(pair, first=False) for pair in pairs])
                if not words:
                    errors["first token"].append([_error_ms(pair, first=True) for pair in pairs])
        peak = mock.stats().peak_in_flight
    rows = []
    for kind, rounds in errors.items():
        for percent, most in ((50, 2), (99, 15)):
            values = [_percentile(errors_ms, percent) for errors_ms in rounds]
            rows.append(
                state(
                    "latency",
                    f"recorded latency beside the server's own, {kind}, error p{percent}; {peak} in flight",
                    values=values,
                    target=f"< {most} ms",
                    is_met=sorted(values)[len(values) // 2] < most,
                    unit="ms",
                )
            )
    return rows


def match_stamps(records: Sequence[Record], log: Sequence[Stamped]) -> list[tuple[Record, Stamped]]:
    """Pair each record with the server's line for the attempt that answered it."""
    answered = {stamped.fingerprint: stamped for stamped in log if stamped.is_whole}
    missing = [record.cell.case for record in records if record.request not in answered]
    if missing:
        raise Unmeasured(f"{len(missing)} records are of requests that the server did not answer: {missing[:3]}")
    return [(record, answered[str(record.request)]) for record in records]


def _error_ms(pair: tuple[Record, Stamped], *, first: bool) -> float:
    record, stamped = pair
    until_ns, recorded_s = (stamped.first_ns, record.first_token_s) if first else (stamped.last_ns, record.latency_s)
    assert until_ns is not None
    assert recorded_s is not None
    return abs(recorded_s * 1000 - (until_ns - stamped.arrival_ns) / 1e6)


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def measure_faults(sizes: Sizes) -> list[Row]:
    """A run in which 14 of 100 attempts go wrong, against the same run in which none does."""
    shares = {name: value for name, value in vars(FAULTS).items() if not name.endswith("_s")}
    waits = {"retry_after_s": FAULTS.retry_after_s, "hang_s": FAULTS.hang_s}
    limits = Limits(timeout_s=TIMEOUT_S)
    floor, ours, answered, repeated = [], [], [], []
    with (
        run_mock(latency_ms=LATENCY_MS, chunks=EVENTS) as sound,
        run_mock(latency_ms=LATENCY_MS, chunks=EVENTS, **shares, **waits) as faulty,
        open_project(sound, cases=sizes.cases, limits=limits) as project,
    ):
        for _ in range(sizes.rounds):
            project.point_at(sound.base_url, limits=limits)
            floor.append(project.record("-nauto").wall_s)
            project.point_at(faulty.base_url, limits=limits)
            faulty.reset()
            ours.append(project.record("-nauto", allowed=MIXED).wall_s)
            answered.append(100 * sum(record.state == "answered" for record in project.records()) / sizes.cases)
            repeated.append(count_needless(faulty.log()))
    what = f"live run of {sizes.cases} cases with 14 % faults, -n auto"
    return [
        state("faults", f"{what}, answered", values=answered, target="100 %", is_met=min(answered) == 100, unit="%"),
        state(
            "faults",
            f"{what}, asked again though answered",
            values=repeated,
            target="0",
            is_met=max(repeated) == 0,
        ),
        compare("faults", f"{what}, wall beside none", ours=ours, floor=floor, at_most=2.0),
    ]


def count_needless(log: Sequence[Stamped]) -> int:
    """Count the attempts that came after the same request had been answered with 200 and whole."""
    done: set[str] = set()
    needless = 0
    for stamped in log:
        needless += stamped.fingerprint in done
        if stamped.is_whole:
            done.add(stamped.fingerprint)
    return needless


def measure_pace(sizes: Sizes) -> list[Row]:
    """A run against a rate limit that models.toml names as well: what is rejected, and what is left unused."""
    with run_mock() as mock, open_project(mock, cases=1) as project:
        tokens = _tokens_of(mock, project)
    cases = min(int(sizes.paced_s * TOKENS_PER_MINUTE / 60 / tokens), int(sizes.paced_s * REQUESTS_PER_MINUTE / 60))
    allowed = {"requests_per_minute": REQUESTS_PER_MINUTE, "tokens_per_minute": TOKENS_PER_MINUTE}
    with (
        run_mock(latency_ms=LATENCY_MS, jitter_ms=50, chunks=EVENTS, **allowed) as mock,
        open_project(mock, cases=cases, limits=Limits(**allowed)) as project,
    ):
        spent = project.record("-n2", allowed=MIXED)
        rejected, used = pace_of(mock.log())
        answered = sum(record.state == "answered" for record in project.records())
    what = f"{cases} cases at {REQUESTS_PER_MINUTE} requests and {TOKENS_PER_MINUTE} tokens a minute, -n2"
    remark = f"{answered} answered in {spent.wall_s:.0f} s"
    return [
        state("pace", f"{what}, rejected", values=[rejected], target="≤ 1 %", is_met=rejected <= 1, unit="%"),
        state(
            "pace",
            f"{what}, of the scarcer allowance used",
            values=[used],
            target="≥ 90 %",
            is_met=used >= 90,
            unit="%",
            remark=remark,
        ),
    ]


def _tokens_of(mock: RunningMock, project: Project) -> int:
    project.record("-n0")
    return mock.log()[0].tokens


def pace_of(log: Sequence[Stamped]) -> tuple[float, float]:
    """Return the percent of attempts that were rejected, and of the scarcer allowance that was used in between."""
    rejected = 100 * sum(stamped.status == 429 for stamped in log) / len(log)
    taken = [stamped for stamped in log if stamped.status != 429]
    minutes = (max(s.arrival_ns for s in log) - min(s.arrival_ns for s in log)) / 60e9
    used = max(len(taken) / REQUESTS_PER_MINUTE, sum(s.tokens for s in taken) / TOKENS_PER_MINUTE)
    return rejected, 100 * used / minutes if minutes else 0.0
