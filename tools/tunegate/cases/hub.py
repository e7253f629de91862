"""MMLU on the Hugging Face hub: found in its cache, fetched only when told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunegate.cases.parquet_rows import require_extra
from tunegate.errors import CaseFileError

DATASET = "cais/mmlu"
CONFIG = "all"
FETCH = "tunegate questions fetch mmlu"


def locate_mmlu(*, download: bool = False) -> Path:
    """Return the folder of MMLU's Parquet files in the hub's cache; only `download` reaches the network.

    A copy that is there is taken as it is, so that questions do not change between recording and replay. The
    cache, HF_ENDPOINT and the token are those of huggingface_hub.

    Raises:
        CaseFileError: it is not in the cache (with the command that fetches it), or the hub did not give it.
    """
    hub = require_extra("huggingface_hub", purpose=f"finding {DATASET}")
    folder, problem = _find(hub, local_files_only=True)
    if folder is None and download:
        folder, problem = _find(hub, local_files_only=False)
        if folder is None:
            raise CaseFileError(f"the hub did not give {DATASET} ({CONFIG}/*.parquet)\n  {problem}")
    if folder is None:
        raise CaseFileError(
            f"no complete copy of {DATASET} ({CONFIG}/*.parquet) on this machine\n"
            f"  looked in {hub.constants.HF_HUB_CACHE}\n"
            f"  to fetch it: {FETCH}"
        )
    return folder


def _find(hub: Any, *, local_files_only: bool) -> tuple[Path | None, str]:
    network = require_extra("httpx2", purpose=f"finding {DATASET}")
    try:
        snapshot = hub.snapshot_download(
            DATASET,
            repo_type="dataset",
            allow_patterns=f"{CONFIG}/*.parquet",
            local_files_only=local_files_only,
        )
    except (OSError, ValueError, network.HTTPError) as problem:
        lines = str(problem).strip().splitlines()
        return None, lines[0] if lines else type(problem).__name__
    folder = Path(snapshot) / CONFIG
    # A download that broke off before the first file leaves the folder of the snapshot, or less.
    return (folder, "") if any(folder.glob("test-*.parquet")) else (None, "it holds no such files")
