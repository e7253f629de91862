"""Run folders: `run.json` says what was run and how it ended, `records.jsonl` holds one record a line."""

from tunegate.runs.folder import RunFolder, check_run_name, new_run_name, read_records, read_run
from tunegate.runs.merging import Merged, merge_runs
from tunegate.runs.provenance import Prompts, code_state, digests_of, versions
from tunegate.runs.shard_runs import ShardRun, ShardSet, gather_shards

__all__ = [
    "Merged",
    "Prompts",
    "RunFolder",
    "ShardRun",
    "ShardSet",
    "check_run_name",
    "code_state",
    "digests_of",
    "gather_shards",
    "merge_runs",
    "new_run_name",
    "read_records",
    "read_run",
    "versions",
]
