"""`tunegate gate`: the verdict on a run that is over, and the noise of a model against itself."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

REPORTS = Path("reports")
FIXTURES = Path("fixtures")

_EPILOG = """\
exit status: 0 PROMOTE, 1 BLOCK, 10 INCONCLUSIVE (or what the policy says of it), 4 it could not be judged and the
message says why. The verdict with all its evidence is kept in the run's folder, verdict.json.
"""


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser(
        "gate",
        help="judge a run: PROMOTE, BLOCK or INCONCLUSIVE",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("runs", nargs="*", metavar="RUN",
        help="the candidate's run: its folder, or its name under reports/runs; with --aa one or two")  # fmt: skip
    add("--baseline", metavar="WHERE",
        help="a run, or accepted/<model> (default: in the run itself, else what was accepted)")  # fmt: skip
    add("--against", metavar="MODEL",
        help="the baseline's row, where several could be meant (default: the only one)")  # fmt: skip
    add("--model", action="append", default=[], metavar="GLOB",
        help="the candidates; repeatable (default: the run's rows with that role)")  # fmt: skip
    add("--policy", type=Path, metavar="FILE",
        help="the rules (default: fixtures/gates.toml, else every check not worse by 5 points)")  # fmt: skip
    add("--until-decided", action="store_true",
        help="judge case by case, in a random order, until it is decided (default: all cases at once, unless the run "
        "itself was stopped so)")  # fmt: skip
    add("--explain", action="store_true", help="say what the policy asks for, and judge nothing")
    add("--aa", action="store_true",
        help="measure the noise of a model against itself, and keep it beside the baseline")  # fmt: skip
    add("--junitxml", type=Path, metavar="FILE", help="write one test case per rule (default: none)")
    add("--markdown", type=Path, metavar="FILE",
        help="write the verdict as the body of a comment (default: none)")  # fmt: skip
    parser.set_defaults(command=gate)


def gate(arguments: argparse.Namespace) -> int:
    """Judge a run and return the verdict's exit status."""
    from tunegate.errors import UsageError
    from tunegate.gate.policy_file import load_policy

    policy = load_policy(arguments.policy, fixtures=FIXTURES)
    if arguments.explain and arguments.runs:
        raise UsageError(f"--explain says what the policy asks for, of any run: leave out {' '.join(arguments.runs)}")
    if arguments.explain:
        from tunegate.gate.policy_words import explain

        _say(*explain(policy))
        return 0
    most = 2 if arguments.aa else 1
    if not 1 <= len(arguments.runs) <= most:
        wanted = "one run, or two of the same model" if arguments.aa else "one run"
        raise UsageError(f"{wanted} is wanted, {len(arguments.runs)} are named\n  the newest lie in {REPORTS / 'runs'}")
    return _measure_noise(arguments) if arguments.aa else _judge(arguments)


def _judge(arguments: argparse.Namespace) -> int:
    from tunegate.errors import UsageError
    from tunegate.gate.contest import ACCEPTED, find_run, open_contest
    from tunegate.gate.keeping.certificate import certify
    from tunegate.gate.noise.words import warn_of_kept_noise
    from tunegate.gate.policy_file import load_policy
    from tunegate.gate.verdict_file import write_verdict
    from tunegate.report.delivery import tell_machines
    from tunegate.report.verdict_text import render_verdict

    folder = find_run(arguments.runs[0], reports=REPORTS)
    if folder.resolve().parent == (REPORTS / ACCEPTED).resolve():
        raise UsageError(
            f"{folder} holds the verdict by which it was accepted\n  to make it again: tunegate verify {folder}"
        )
    contest = open_contest(
        folder,
        policy=load_policy(arguments.policy, fixtures=FIXTURES),
        reports=REPORTS,
        fixtures=FIXTURES,
        baseline=arguments.baseline,
        against=arguments.against,
        patterns=arguments.model,
        until_decided=arguments.until_decided,
    )
    verdict = certify(contest.judge(), contest)
    path = write_verdict(contest.candidate_folder, verdict)
    _say(*render_verdict(verdict), *warn_of_kept_noise(verdict, baseline_folder=contest.baseline_folder))
    _say(f"kept in {path}")
    _say(
        *tell_machines(verdict, environment=os.environ, junit_file=arguments.junitxml, markdown_file=arguments.markdown)
    )
    return verdict.exit_status


def _measure_noise(arguments: argparse.Namespace) -> int:
    """Measure how much a model differs from itself: two runs of it, its repeats, or two halves of its cases."""
    from tunegate.gate.contest import find_run, name_model
    from tunegate.gate.measures import measure_run
    from tunegate.gate.noise.file import noise_folder, write_noise
    from tunegate.gate.noise.measuring import measure_noise
    from tunegate.gate.noise.words import render_noise
    from tunegate.gate.policy_file import load_policy

    policy = load_policy(arguments.policy, fixtures=FIXTURES)
    folders = [find_run(run, reports=REPORTS) for run in arguments.runs]
    runs = [measure_run(folder) for folder in folders]
    model = name_model(runs, arguments.model)
    one, *other = (run.contender(model) for run in runs)
    noise = measure_noise(one, *other, level=policy.level, seed=policy.seed)
    path = write_noise(noise_folder(model, run=folders[0], reports=REPORTS), noise)
    _say(*render_noise(noise, level=policy.level), f"noise: {path}")
    return 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
