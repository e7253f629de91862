"""The store of recordings: address, match, store, redact.

A cassette is stock vcrpy's JSON, one file per eval and model; a recording is found by the fingerprint of its
request and the repeat. Any number of processes record at once; what `add` reported survives `kill -9`.
"""

from tunegate.cassettes.adoption import Adopted
from tunegate.cassettes.care import (
    Finding,
    Pruned,
    Shown,
    Summary,
    check_cassettes,
    list_cassettes,
    prune_cassette,
    show_recordings,
)
from tunegate.cassettes.cassette import Cassette
from tunegate.cassettes.library import Library
from tunegate.cassettes.redaction import Redactor

__all__ = [
    "Adopted",
    "Cassette",
    "Finding",
    "Library",
    "Pruned",
    "Redactor",
    "Shown",
    "Summary",
    "check_cassettes",
    "list_cassettes",
    "prune_cassette",
    "show_recordings",
]
