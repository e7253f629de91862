"""An endpoint with the chat completions API that costs next to nothing and keeps its own stamps of every request.

    python benchmarks/mock_server.py --port 0 --latency-ms 200 --chunks 8

prints one line of JSON with its address, and serves until it is ended. It speaks HTTP/1.1 over a bare
`asyncio.Protocol`, with keep-alive; asyncio switches Nagle's algorithm off on its sockets.

    POST .../chat/completions   the reply, after the latency, which counts from the arrival of the whole request
    GET  /stats                 counts by status and by outcome, peak of requests in flight, connections, CPU seconds
    GET  /log                   a line of JSON for each request, times in monotonic nanoseconds
    POST /reset                 forget all of that, the attempts and the charges to the rate limit

`first_ns` and `last_ns` are taken just before the write of the first and the last bytes. An unstreamed reply also
says in `x-mock-duration-us` how long it took from arrival to that write; a streamed one cannot, its head goes first.
An attempt is the same body sent again; what goes wrong is drawn for each attempt from the seed, whatever the order
of arrival. A request costs its messages' characters over four, rounded up, and `max_tokens`, charged at arrival.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os

from mock_limits import Faults
from mock_protocol import Conversation
from mock_state import MockServer, Settings


async def start_server(settings: Settings, *, port: int = 0) -> tuple[asyncio.Server, str]:
    """Listen on 127.0.0.1 in this event loop, and return the server with its address (without `/v1`)."""
    shared = MockServer(settings)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Conversation(shared), "127.0.0.1", port, backlog=1024)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _serve_forever(settings: Settings, *, port: int) -> None:
    server, url = await start_server(settings, port=port)
    print(json.dumps({"url": url, "base_url": f"{url}/v1", "pid": os.getpid()}), flush=True)
    await server.serve_forever()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one (default)")
    add("--latency-ms", type=float, default=0.0, help="from the arrival of a request to its reply (default: 0)")
    add("--jitter-ms", type=float, default=0.0, help="up to so much earlier or later, seeded (default: 0)")
    add("--chunks", type=int, default=1, help="writes of a streamed reply (default: 1)")
    add("--chunk-ms", type=float, default=0.0, help="between two of them (default: 0)")
    add(
        "--fill",
        action="store_true",
        help="as many tokens as allowed, a write each (default: the format eval's answer)",
    )
    add("--wrong", type=float, default=0.0, help="share of requests answered wrong (default: 0)")
    add("--seed", type=int, default=0, help="of everything that is drawn (default: 0)")
    for name, what in (
        ("rejected", "429 with Retry-After"),
        ("failed", "500"),
        ("dropped", "connection closed before any byte"),
        ("cut", "half a reply"),
        ("hung", "a reply --hang-s late"),
    ):
        add(f"--{name}", type=float, default=0.0, metavar="SHARE", help=f"share of attempts: {what} (default: 0)")
    add("--retry-after-s", type=int, default=1, help="of a 429 that was drawn (default: 1)")
    add("--hang-s", type=float, default=30.0, help="(default: 30)")
    add("--requests-per-minute", type=int, help="rate limit (default: none)")
    add("--tokens-per-minute", type=int, help="rate limit (default: none)")
    add("--burst-s", type=float, default=1.0, help="seconds of the allowance that may come at once (default: 1)")
    return parser


def main() -> None:
    """Serve until the process is ended."""
    given = vars(_parser().parse_args())
    port = given.pop("port")
    # The log grows without cycles: the collector would only add pauses, and they would look like the client's.
    gc.disable()
    faults = Faults(**{name: given.pop(name) for name in Faults.__dataclass_fields__})
    try:
        asyncio.run(_serve_forever(Settings(faults=faults, **given), port=port))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
