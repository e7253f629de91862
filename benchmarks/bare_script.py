"""The floor of a live run: plain asyncio and AsyncOpenAI behind a semaphore, and nothing else.

    python benchmarks/bare_script.py prompts.jsonl replies.jsonl --base-url http://127.0.0.1:8000/v1

sends each line of the first file as a chat completion and writes the replies to the second, in order. It prints one
line of JSON: wall and CPU (user and system) seconds of the calls, and of importing openai, apart from each other.
The SDK's defaults hold but for its retries, which `--max-retries` sets.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import time
from pathlib import Path


def cpu_s() -> float:
    """Return the CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


async def ask_all(given: argparse.Namespace) -> list[str]:
    """Return the reply to every prompt as a line of JSON."""
    import openai

    gate = asyncio.Semaphore(given.in_flight)
    client = openai.AsyncOpenAI(base_url=given.base_url, api_key="none", max_retries=given.max_retries)

    async def ask(body: dict[str, object]) -> str:
        async with gate:
            reply = await client.chat.completions.create(**body)  # type: ignore[call-overload]
        return str(reply.model_dump_json())

    with given.prompts.open() as lines:
        bodies = [json.loads(line) for line in lines]
    async with client:
        return await asyncio.gather(*(ask(body) for body in bodies))


def main() -> None:
    """Ask, write, and say what it cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("replies", type=Path)
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--max-retries", type=int, default=0)
    given = parser.parse_args()
    start_s, start_cpu_s = time.perf_counter(), cpu_s()
    import openai  # noqa: F401  # timed apart

    imported_s, imported_cpu_s = time.perf_counter(), cpu_s()
    replies = asyncio.run(ask_all(given))
    given.replies.write_text("".join(reply + "\n" for reply in replies))
    spent = {
        "wall_s": time.perf_counter() - imported_s,
        "cpu_s": cpu_s() - imported_cpu_s,
        "import_s": imported_s - start_s,
        "import_cpu_s": imported_cpu_s - start_cpu_s,
    }
    print(json.dumps({name: round(seconds, 4) for name, seconds in spent.items()}))


if __name__ == "__main__":
    main()
