"""Run folders: `run.json` says what was run and how it ended, `records.jsonl` holds one record a line."""

from tunegate.runs.folder import RunFolder, check_run_name, new_run_name, read_records, read_run
from tunegate.runs.provenance import code_state, digests_of, versions

__all__ = [
    "RunFolder",
    "check_run_name",
    "code_state",
    "digests_of",
    "new_run_name",
    "read_records",
    "read_run",
    "versions",
]
