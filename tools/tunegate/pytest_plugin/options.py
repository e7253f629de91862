"""The command line of a run. Every default stands in its help."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from tunegate.pytest_plugin.option_values import (
    dollars,
    limit,
    natural,
    numbers,
    positive,
    shard,
    split_numbers,
    temperature,
)
from tunegate.session import RecordMode, Shard


@dataclass(frozen=True)
class Options:
    """What the command line and the ini file asked for."""

    models: tuple[str, ...]
    record: RecordMode
    repeat: int
    temperature: float
    shots: int
    max_tokens: tuple[int, ...]
    in_flight: tuple[int, ...]
    stream: bool
    questions: str | None
    limit: int | Literal["all"] | None
    seed: int
    subjects: tuple[str, ...]
    base_url: str | None
    key_env: str
    run: str | None
    fail_on_miss: bool
    max_connections: int
    max_cost_usd: float | None
    dry_run: bool
    shard: Shard | None
    via: Literal["live", "batch"]
    until_decided: bool
    gate: bool
    baseline: str | None
    against: str | None
    policy: Path | None
    fixtures: Path
    cassettes: Path
    runs: Path


def add_options(parser: pytest.Parser) -> None:
    """Declare tunegate's options and the three folders as ini settings."""
    group = parser.getgroup("tunegate", "tunegate: whom to ask, what, how often, and whether the network is used")
    add = group.addoption
    add(
        "--model",
        action="append",
        default=[],
        metavar="NAME",
        help="model or glob over fixtures/models.toml; repeatable; a name that is not listed is asked at --base-url "
        "(default: every candidate and baseline listed)",
    )
    add(
        "--record",
        choices=("none", "missing", "all"),
        default="none",
        help="ask the endpoint for what has no recording (missing) or for everything (all); default: none, "
        "nothing reaches the network",
    )
    add(
        "--repeat",
        type=positive,
        default=1,
        metavar="N",
        help="ask every case N times, each repeat with a recording of its own (default: 1)",
    )
    add("--temperature", type=temperature, default=0.0, metavar="T", help="sampling temperature (default: 0)")
    add(
        "--shots",
        type=natural,
        default=0,
        metavar="K",
        help="put K solved batches before the question, where the matrix does not say how many (default: 0)",
    )
    add(
        "--max-tokens",
        type=numbers,
        default=None,
        metavar="N[,N...]",
        help="cut replies at N tokens; several limits for an eval that sweeps them (default: what the eval says)",
    )
    add(
        "--in-flight",
        type=numbers,
        default=None,
        metavar="N[,N...]",
        help="requests under way at once where time is measured; several make a sweep (default: 1)",
    )
    add(
        "--stream",
        action="store_true",
        default=True,
        help="stream replies, so that first tokens are timed (default)",
    )
    add("--no-stream", action="store_false", dest="stream", help="ask for whole replies instead")
    add(
        "--questions",
        default=None,
        metavar="WHERE",
        help="folder or file in MMLU's layout, parquet or JSONL, or `mmlu` (default: the bank in fixtures/questions)",
    )
    add(
        "--limit",
        type=limit,
        default=None,
        metavar="N",
        help="take a seeded sample of N cases, or `all`; large samples contain small ones (default: the eval's)",
    )
    add("--seed", type=int, default=0, metavar="S", help="seed of the sample that --limit takes (default: 0)")
    add(
        "--subject",
        action="append",
        default=[],
        metavar="GLOB",
        help="take only these subjects; repeatable (default: all)",
    )
    add(
        "--base-url",
        default=None,
        metavar="URL",
        help="where models are asked that fixtures/models.toml does not list (default: OPENAI_BASE_URL)",
    )
    add(
        "--key-env",
        default="OPENAI_API_KEY",
        metavar="VARIABLE",
        help="environment variable that holds the key for --base-url (default: OPENAI_API_KEY)",
    )
    add(
        "--run",
        default=None,
        metavar="NAME",
        help="name of the run's folder (default: time and process number)",
    )
    add(
        "--fail-on-miss",
        action="store_true",
        default=False,
        help="let a wrong answer fail its item (default: it is `missed`, a measurement)",
    )
    add(
        "--max-connections",
        type=positive,
        default=64,
        metavar="N",
        help="requests in flight at each endpoint, all workers together; its own limit in fixtures/models.toml may be "
        "lower (default: 64)",
    )
    add(
        "--max-cost",
        type=dollars,
        default=None,
        metavar="USD",
        help="stop asking before the run has cost more than this, all workers together (default: no cap)",
    )
    add(
        "--dry-run",
        action="store_true",
        default=False,
        help="tell what --record=missing (or all) would ask and what that may cost, and stop",
    )
    add(
        "--shard",
        type=shard,
        default=None,
        metavar="K/N",
        help="run the K-th of N stable parts of the cases; `tunegate merge` joins the parts (default: all cases)",
    )
    add(
        "--via",
        choices=("live", "batch"),
        default="live",
        help="how to record: request by request, or through the Batch API, at half the price and within a day "
        "(default: live)",
    )
    add(
        "--until-decided",
        action="store_true",
        default=False,
        help="ask the cases in a random order and stop as soon as the verdict is decided (default: ask all)",
    )
    add(
        "--gate",
        action="store_true",
        default=False,
        help="end with the verdict: exit status 0 PROMOTE, 1 BLOCK, 10 INCONCLUSIVE (default: 0 if all was answered)",
    )
    add(
        "--baseline",
        default=None,
        metavar="WHERE",
        help="what --gate compares with: a run, or accepted/<model> (default: the baseline that is asked in this run, "
        "else what was accepted)",
    )
    add(
        "--against",
        default=None,
        metavar="MODEL",
        help="the baseline's row, where several could be meant (default: the only one)",
    )
    add(
        "--policy",
        default=None,
        metavar="FILE",
        help="the rules of --gate (default: fixtures/gates.toml, else every check not worse by 5 points)",
    )
    parser.addini("tunegate_fixtures", "folder of the case files (default: fixtures)", default="fixtures")
    parser.addini("tunegate_cassettes", "folder of the recordings (default: cassettes)", default="cassettes")
    parser.addini("tunegate_runs", "folder of the runs (default: reports/runs)", default="reports/runs")


def read_options(config: pytest.Config) -> Options:
    """Collect the options of this process; under xdist every worker gets the controller's."""
    get = config.getoption
    folder = {name: config.rootpath / str(config.getini(f"tunegate_{name}")) for name in _FOLDERS}
    return Options(
        models=tuple(get("model")),
        record=get("record"),
        repeat=get("repeat"),
        temperature=get("temperature"),
        shots=get("shots"),
        max_tokens=split_numbers(get("max_tokens")),
        in_flight=split_numbers(get("in_flight")),
        stream=get("stream"),
        questions=get("questions"),
        limit=get("limit"),
        seed=get("seed"),
        subjects=tuple(get("subject")),
        base_url=get("base_url"),
        key_env=get("key_env"),
        run=get("run"),
        fail_on_miss=get("fail_on_miss"),
        max_connections=get("max_connections"),
        max_cost_usd=get("max_cost"),
        dry_run=get("dry_run"),
        shard=get("shard") and Shard.parse(get("shard")),
        via=get("via"),
        until_decided=get("until_decided"),
        gate=get("gate"),
        baseline=get("baseline"),
        against=get("against"),
        policy=get("policy") and config.invocation_params.dir / get("policy"),
        fixtures=folder["fixtures"],
        cassettes=folder["cassettes"],
        runs=folder["runs"],
    )


def stay_in_one_process(config: pytest.Config) -> None:
    """Start no workers where one process does all there is to do, whatever `-n` says."""
    if config.getoption("dry_run") or config.getoption("via") == "batch":
        config.option.numprocesses = 0


_FOLDERS = ("fixtures", "cassettes", "runs")
