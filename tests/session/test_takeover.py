"""A process that takes over the items of a dead one pays for nothing that the dead one has paid for."""

from __future__ import annotations

from tunegate.cassettes import Library
from tunegate.testing import ScriptedEndpoint

from .bench import one_model, opened, plan


def test_what_a_dead_process_recorded_a_moment_ago_is_found(library: Library) -> None:
    """Several cells that come at once are looked up in what was recorded up to now, however fresh the last look is."""
    with ScriptedEndpoint(lambda body: "four") as endpoint:
        mine, *left = plan(one_model(endpoint.base_url), "1 + 1?", "2 + 2?", "3 + 3?")
        with opened(Library(library.root, clock=lambda: 0.0), mine.model) as here:
            here.session.ask(mine)
            with opened(library, mine.model) as dead:
                for planned in left:
                    dead.session.ask(planned)
            here.session.expect(left)
            assert [here.session.ask(planned).source for planned in left] == ["cassette", "cassette"]
        assert len(endpoint.seen) == 3
