"""What the store of recordings costs: CPU of recording and finding, time and memory of loading.

    python benchmarks/cassettes.py --recordings 16000

Half of the recordings are streams of 30 events (2 KB), half are replies of 700 bytes to a prompt of 1.5 KB. CPU is
this process's; waiting for the disk is left out. Memory is the growth of a fresh process that loads the cassette.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tools"))

from tunegate.cassettes import Library, Redactor  # noqa: E402
from tunegate.exchanges import Exchange, Request, Timing  # noqa: E402

URL = "https://api.example.com/v1/chat/completions"
NAMES = ("format", "m")
WORDS = [
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "a",
    "lazy",
    "dog",
    "while",
    "seven",
    "wizards",
    "mix",
    "potions",
]


def redactor() -> Redactor:
    """Return one that knows two secrets, as in a usual run."""
    return Redactor(["sk-" + "0a1b2c3d4e5f" * 12, "org-" + "a1B2c3D4" * 3])


def streamed(number: int) -> Exchange:
    """Return a reply in 30 events."""
    words = [WORDS[(number + step) % len(WORDS)] + " " for step in range(28)]
    events = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    events += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, {"usage": {"completion_tokens": 28}}]
    body = "".join(f"data: {json.dumps(event, separators=(',', ':'))}\n\n" for event in events) + "data: [DONE]\n\n"
    moments = tuple(round(0.2 + 0.021 * step, 6) for step in range(31))
    return _exchange(number, prompt_size=300, body=body, text="".join(words), timing=Timing(0.85, moments))


def whole(number: int) -> Exchange:
    """Return a reply in one piece to a long prompt."""
    text = json.dumps([{str(number + step): "ABCD"[(number + step) % 4]} for step in range(4)])
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    usage = {"prompt_tokens": 400, "completion_tokens": 30, "details": dict.fromkeys(WORDS, 0)}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    reply = {"id": f"chatcmpl-{number:08}", "model": "m-2026", "choices": [choice], "usage": usage}
    return _exchange(number, prompt_size=1450, body=json.dumps(reply), text=text, timing=Timing(0.85))


def _exchange(number: int, *, prompt_size: int, body: str, text: str, timing: Timing) -> Exchange:
    prompt = f"Question {number}: " + " ".join(WORDS[(number * step) % len(WORDS)] for step in range(prompt_size // 5))
    asked = {"model": "m", "messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": 64}
    headers = {"content-type": ("application/json",), "date": ("Sun, 22 Nov 2026 10:00:00 GMT",), "set-cookie": ("a",)}
    note = {"case": f"case-{number:05}", "text": text, "model": "m-2026", "usage": {"completion_tokens": 28}}
    request = Request(URL, asked)
    return Exchange(request, 200, "OK", headers, body.encode(), timing, "2026-11-22T10:00:00Z", 1, note)


def resident_mb() -> float:
    """Return the memory of this process in megabytes (Linux)."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS"))


def load(root: Path, *, recordings: int) -> None:
    """Load the cassette and find some of its recordings."""
    cassette = Library(root).cassette(*NAMES)
    before_mb, before_s = resident_mb(), time.process_time()
    cassette.find(Request(URL, {}), repeat=1)
    took_s, grown_mb = time.process_time() - before_s, resident_mb() - before_mb
    print(f"load {recordings}: {took_s:.2f} s, {grown_mb:.1f} MB ({grown_mb * 2**20 / recordings:.0f} bytes each)")
    for kind, first in ((streamed, 0), (whole, 1)):
        asked = [kind(number).request for number in range(first, min(recordings, 2000), 2)]
        keys = [request.fingerprint for request in asked]
        before_s = time.process_time()
        found = [cassette.find(request, repeat=1) for request in asked]
        took_ms = (time.process_time() - before_s) / len(keys) * 1000
        print(f"find {kind.__name__}: {took_ms:.3f} ms, {sum(one is not None for one in found)} of {len(keys)} found")


def record(root: Path, *, recordings: int) -> None:
    """Record in batches of ten, as a recorder thread does, and merge."""
    cassette = Library(root, redactor=redactor()).cassette(*NAMES)
    for kind, first in ((streamed, 0), (whole, 1)):
        exchanges = [kind(number) for number in range(first, recordings, 2)]
        keys = {one.request.fingerprint for one in exchanges}
        before_s = time.process_time()
        for start in range(0, len(keys), 10):
            cassette.add_all(exchanges[start : start + 10])
        print(f"add {kind.__name__}: {(time.process_time() - before_s) / len(keys) * 1000:.3f} ms")
    before_s = time.process_time()
    cassette.merge()
    print(f"merge: {time.process_time() - before_s:.2f} s")


def main() -> None:
    """Record here; load in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recordings", type=int, default=10_000, help="default: 10000")
    parser.add_argument("--load", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.load:
        load(given.load, recordings=given.recordings)
        return
    with tempfile.TemporaryDirectory() as folder:
        record(Path(folder), recordings=given.recordings)
        sys.stdout.flush()
        subprocess.run([sys.executable, __file__, "--recordings", str(given.recordings), "--load", folder], check=True)


if __name__ == "__main__":
    main()
