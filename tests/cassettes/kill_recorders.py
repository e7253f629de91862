"""Kill recorders at random moments, many times over, and see that nothing reported as recorded is lost.

    python tests/cassettes/kill_recorders.py --kills 50

Two processes record the same requests into one library, merging as they go, while a third does nothing but
merge. One of the three after the other is killed with SIGKILL and started again. After every kill:

- each reply that was reported (a line written after `add` returned) is found, by a reader that starts fresh;
- the cassette is complete JSON;
- no process asked for anything that another had reported before it looked.

In the end plain vcrpy must load the result.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import os
import random
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tunegate.cassettes import Cassette, Library
from tunegate.exchanges import Exchange, Request, Timing

URL = "https://api.example.com/v1/chat/completions"
NAMES = ("format", "ft:m:acme::9x")


def exchange_of(number: int) -> Exchange:
    """Return the exchange of one number; its body is long enough to be torn."""
    body = {"model": "m", "messages": [{"role": "user", "content": f"question {number} " + "long " * 300}]}
    reply = json.dumps({"answer": number, "filling": "é…" * 4000}, ensure_ascii=False).encode()
    headers = {"content-type": ("application/json",)}
    note = {"case": f"case-{number:05}", "text": str(number)}
    return Exchange(Request(URL, body), 200, "OK", headers, reply, Timing(0.1), "2026-11-22T10:00:00Z", 1, note)


def tell(word: str, *, number: int, moment: int) -> None:
    """Report in one write, so that a kill cannot cut the line."""
    os.write(sys.stdout.fileno(), f"{word} {number} {moment}\n".encode())


def record(root: Path, *, count: int, start: int) -> None:
    """Ask what nobody has asked, telling when we looked and when it was recorded."""
    # Every miss is a second later than the one before, so that each looks at what the others recorded.
    cassette = Library(root, clock=itertools.count().__next__).cassette(*NAMES)
    for step in range(count):
        number = (start + step) % count
        exchange = exchange_of(number)
        moment = time.monotonic_ns()
        if cassette.find(exchange.request, repeat=1, refresh=True) is not None:
            continue
        tell("asked", number=number, moment=moment)
        cassette.add(exchange)
        tell("kept", number=number, moment=time.monotonic_ns())
        if step % 10 == 9:
            cassette.merge()


def merge(root: Path) -> None:
    """Merge without end, until killed."""
    library = Library(root)
    while True:
        library.merge()
        tell("merged", number=0, moment=time.monotonic_ns())


@dataclass
class Recorder:
    """One child process and how to start it again."""

    arguments: list[str]
    process: subprocess.Popen[bytes] = field(init=False)
    unfinished: bytes = b""

    def start(self) -> None:
        """Start, or start again after a kill."""
        self.unfinished = b""
        self.process = subprocess.Popen([sys.executable, __file__, *self.arguments], stdout=subprocess.PIPE, bufsize=0)

    def read(self) -> list[str]:
        """Return the lines that came; the pipe is known to hold some, or to be closed."""
        assert self.process.stdout is not None
        *lines, self.unfinished = (self.unfinished + os.read(self.process.stdout.fileno(), 65536)).split(b"\n")
        return [line.decode() for line in lines]

    def kill(self) -> list[str]:
        """Kill the process and return what it had still told; nothing where it was killed already."""
        rest: list[str] = []
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return rest
        self.process.send_signal(signal.SIGKILL)
        while True:
            before = len(self.unfinished)
            lines = self.read()
            if not lines and len(self.unfinished) == before:
                break
            rest.extend(lines)
        self.process.wait()
        self.process.stdout.close()
        return rest


@dataclass
class Ledger:
    """What the recorders have told; lines of different processes may come out of order."""

    kept: dict[int, int] = field(default_factory=dict)
    """When (ns) the first recording of a number was reported."""
    asked: list[tuple[int, int]] = field(default_factory=list)
    """What was asked, and when (ns) its recorder had looked for it."""

    def note(self, line: str) -> None:
        """Take one line in."""
        word, number_text, moment_text = line.split()
        number, moment = int(number_text), int(moment_text)
        if word == "kept":
            self.kept[number] = min(moment, self.kept.get(number, moment))
        elif word == "asked":
            self.asked.append((number, moment))

    def asked_again(self) -> list[int]:
        """Return what was asked although another had reported it before."""
        return [number for number, moment in self.asked if self.kept.get(number, moment) < moment]


def check(root: Path, *, ledger: Ledger) -> Cassette:
    """Read everything as a fresh process would."""
    cassette = Library(root).cassette(*NAMES)
    if cassette.path.exists():
        json.loads(cassette.path.read_bytes())
    for number in ledger.kept:
        exchange = exchange_of(number)
        found = cassette.find(exchange.request, repeat=1)
        assert found is not None, f"lost: {number} was reported as recorded"
        assert found.body == exchange.body, f"damaged: {number}"
    again = ledger.asked_again()
    assert not again, f"asked again: {again}"
    return cassette


def torment(root: Path, *, kills: int, seed: int, count: int) -> Ledger:
    """Record and kill; raise AssertionError for anything lost, damaged or asked again."""
    chance = random.Random(seed)
    common = ["--root", str(root), "--count", str(count)]
    recorders = [
        Recorder(["record", *common, "--start", "0"]),
        Recorder(["record", *common, "--start", str(count // 50)]),
        Recorder(["merge", *common]),
    ]
    ledger = Ledger()
    for recorder in recorders:
        recorder.start()
    try:
        for _ in range(kills):
            victim = recorders[chance.choices((0, 1, 2), (2, 2, 1))[0]]
            _follow(recorders, ledger=ledger, victim=victim, lines=chance.randint(1, 25))
            # Somewhere inside the next recording or merge, not always right behind a report.
            time.sleep(chance.random() * 0.02)
            for line in victim.kill():
                ledger.note(line)
            check(root, ledger=ledger)
            victim.start()
    finally:
        for recorder in recorders:
            for line in recorder.kill():
                ledger.note(line)
    cassette = check(root, ledger=ledger)
    cassette.merge()
    check(root, ledger=ledger)
    assert not cassette.journals(), "a journal without a writer was not merged"
    _load_with_vcrpy(cassette, ledger=ledger)
    return ledger


def _follow(recorders: list[Recorder], *, ledger: Ledger, victim: Recorder, lines: int) -> None:
    """Read what all tell until the victim has told some lines, or has nothing more to do."""
    with selectors.DefaultSelector() as selector:
        for recorder in recorders:
            selector.register(recorder.process.stdout or sys.stdin, selectors.EVENT_READ, recorder)
        told = 0
        while told < lines:
            for key, _ in selector.select():
                recorder = key.data
                fresh = recorder.read()
                if not fresh and recorder.process.poll() is not None:
                    selector.unregister(key.fileobj)
                    if recorder is victim:
                        return
                told += len(fresh) if recorder is victim else 0
                for line in fresh:
                    ledger.note(line)


def _load_with_vcrpy(cassette: Cassette, *, ledger: Ledger) -> None:
    vcr = importlib.import_module("vcr")
    with vcr.use_cassette(str(cassette.path), serializer="json", record_mode="none") as tape:
        assert len(tape) >= len(ledger.kept)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("role", nargs="?", choices=["torment", "record", "merge"], default="torment")
    parser.add_argument("--kills", type=int, default=50, help="how many processes to kill (default: 50)")
    parser.add_argument("--count", type=int, default=3000, help="how many requests there are (default: 3000)")
    parser.add_argument("--seed", type=int, default=None, help="of the kills (default: another each time)")
    parser.add_argument("--start", type=int, default=0, help="of a recorder: the first request (default: 0)")
    parser.add_argument("--root", type=Path, help="folder for the cassettes (default: a temporary one)")
    options = parser.parse_args()
    if options.role == "record":
        record(options.root, count=options.count, start=options.start)
    elif options.role == "merge":
        merge(options.root)
    else:
        seed = options.seed if options.seed is not None else random.randrange(2**32)
        print(f"seed {seed}", flush=True)  # noqa: T201
        with tempfile.TemporaryDirectory() as folder:
            root = options.root or Path(folder)
            ledger = torment(root, kills=options.kills, seed=seed, count=options.count)
        print(  # noqa: T201
            f"{options.kills} kills: {len(ledger.kept)} replies reported, none lost, none asked again; "
            f"{len(ledger.asked)} requests in all"
        )


if __name__ == "__main__":
    main()
