"""`tunegate questions`: what is in a bank, and fetching a public one."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from typing import Any


def add_command(commands: Any) -> None:
    """Declare the command; `commands` is what argparse's add_subparsers returned."""
    parser = commands.add_parser("questions", help="count a bank's questions, fetch a public bank")
    verbs = parser.add_subparsers(title="verbs", required=True, metavar="VERB", parser_class=type(parser))
    fetch = verbs.add_parser("fetch", help="download a bank into huggingface_hub's cache")
    fetch.add_argument("bank", choices=["mmlu"])
    fetch.set_defaults(command=count_batches, download=True)
    count = verbs.add_parser("count", help="count the batches of a bank by subject")
    count.add_argument("bank", nargs="?", default="fixtures/questions", help="default: fixtures/questions")
    count.set_defaults(command=count_batches, download=False)


def count_batches(arguments: argparse.Namespace) -> int:
    """Print how many batches of four each subject of a bank has to be asked."""
    from tunegate.cases import read_bank

    bank = read_bank(arguments.bank, download=arguments.download)
    counts = Counter(batch.subject for batch in bank.batches())
    width = max(map(len, counts))
    for subject, count in sorted(counts.items()):
        sys.stdout.write(f"{subject:{width}}  {count:>6}\n")
    sys.stdout.write(f"{'':{width}}  {counts.total():>6} batches of four, digest {bank.digest[:12]}\n")
    return 0
