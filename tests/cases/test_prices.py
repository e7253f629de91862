"""The price book: which price is a model's, and when it is nobody's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import genai_prices
import pytest
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given
from hypothesis import strategies as st

from tunegate.cases import Endpoint, Matrix, Model, PriceBook
from tunegate.cost import Price, Rates, cost_usd
from tunegate.errors import CaseFileError, UsageError

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"
AZURE = "https://acme.openai.azure.com/openai/v1"
TEXT = """
[[prices]]
model = "small*"
input_usd_per_mtok = 1
output_usd_per_mtok = 2
source = "glob"
[[prices]]
model = "small-2*"
input_usd_per_mtok = 3
output_usd_per_mtok = 4
cached_input_usd_per_mtok = 0.5
cache_write_usd_per_mtok = 3.5
batch_input_usd_per_mtok = 1.5
batch_output_usd_per_mtok = 2.5
training_usd_per_mtok = 9
since = 2026-11-01
source = "longer glob"
[[prices]]
model = "small-2-tuned"
endpoint = "lab"
input_usd_per_mtok = 0
output_usd_per_mtok = 0
source = "exact, at home"
[[prices]]
model = "[s]mall-2-tuned*"
endpoint = "lab"
input_usd_per_mtok = 0
output_usd_per_mtok = 0
source = "longest glob, at home"
[[prices]]
model = "small*"
endpoint = "lab"
input_usd_per_mtok = 0
output_usd_per_mtok = 0
source = "glob, at home"
[[prices]]
model = "gpt-4.1-nano"
training_usd_per_mtok = 1.5
source = "training alone"
"""


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., PriceBook]:
    """Return a function that loads a book from text."""

    def load_text(text: str, **options: Any) -> PriceBook:
        path = tmp_path / "prices.toml"
        path.write_text(text, encoding="utf-8")
        return PriceBook.load(path, **options)

    return load_text


def ask(name: str, base_url: str = OPENAI, *, endpoint: str = "there", **fields: Any) -> Model:
    """Return a row of a matrix."""
    return Model(name, Endpoint(endpoint, base_url), **fields)


def source_of(book: PriceBook, model: Model) -> str | None:
    price = book.price_of(model, at=NOW)
    return price and price.source


def test_row_is_read_whole(load: Callable[..., PriceBook]) -> None:
    """Everything that a row says arrives."""
    assert load(TEXT).price_of(ask("small-2-x"), at=NOW) == Price(
        Rates(3.0, 4.0, cached_input_usd_per_mtok=0.5, cache_write_usd_per_mtok=3.5),
        source="longer glob",
        batch=Rates(1.5, 2.5),
        training_usd_per_mtok=9.0,
        as_of="2026-11-01",
    )


@pytest.mark.parametrize(
    ("model", "source"),
    [
        (ask("small-1"), "glob"),
        (ask("small-1", endpoint="lab"), "glob, at home"),
        (ask("small-2-x", endpoint="lab"), "longer glob"),
        (ask("small-2-tuned"), "longer glob"),
        (ask("small-2-tuned", endpoint="lab"), "exact, at home"),
        (ask("small-2-tuned-more", endpoint="lab"), "longest glob, at home"),
        (ask("small-1", asks_for="small-2"), "glob"),
        (ask("teacher", asks_for="small-2"), "longer glob"),
        (ask("teacher"), None),
    ],
)
def test_closest_row_wins(load: Callable[..., PriceBook], model: Model, source: str | None) -> None:
    """The matrix's name beats the endpoint's, a name a glob, a longer glob a shorter one, one endpoint any."""
    assert (load(TEXT).price_of(model, at=NOW) or Price(None, source="")).source.split(";")[0] == (source or "")


def test_row_goes_before_the_list(load: Callable[..., PriceBook]) -> None:
    """A row overrides a list price; one that tells of training alone does not."""
    text = '[[prices]]\nmodel = "gpt-4*"\ninput_usd_per_mtok = 7\noutput_usd_per_mtok = 8\nsource = "contract"\n'
    contract = load(text).price_of(ask("gpt-4.1-nano"))
    assert contract is not None
    assert contract.live == Rates(7.0, 8.0)
    assert str(source_of(load(TEXT), ask("gpt-4.1-nano"))).startswith("genai-prices ")


def test_half_price_of_a_batch_is_guessed_in_one_case_alone(load: Callable[..., PriceBook]) -> None:
    """A row that is silent about batches gets OpenAI's general rule at OpenAI, not elsewhere nor for a fine-tune."""
    book = load(TEXT)
    there = book.price_of(ask("small-1"))
    assert there is not None
    assert there.batch == Rates(0.5, 1.0)
    assert there.source == "glob; batch: half of it, OpenAI's general rule"
    for model in (ask("small-1", AZURE), ask("small-ft:1"), ask("small-1", examples=10)):
        price = book.price_of(model)
        assert price is not None
        assert price.batch is None


def test_missing_file_is_an_empty_book(load: Callable[..., PriceBook], tmp_path: Path) -> None:
    """Nobody needs a price book; an empty file says the same as none."""
    missing = PriceBook.load(tmp_path / "none.toml")
    assert missing.rows == ()
    assert missing.digest == load("# nothing yet").digest == PriceBook().digest


def test_digest_follows_the_meaning(load: Callable[..., PriceBook]) -> None:
    """A comment leaves the digest as it is; a number or a date does not."""
    digests = {
        load(text).digest
        for text in (TEXT, "# more\n" + TEXT, TEXT.replace("= 9", "= 8"), TEXT.replace("11-01", "11-02"))
    }
    assert len(digests) == 3


ROW = '[[prices]]\nmodel = "a"\nsource = "s"\n'
PAIR = "input_usd_per_mtok = 1\noutput_usd_per_mtok = 2\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("prices = 3", r"prices: wanted a list of tables, each under \[\[prices\]\], found 3"),
        ("prices = [3]", r"prices\.1: wanted a table with model, endpoint, .*, found 3"),
        ("[[price]]", r"price: wanted one of prices, list_prices, found the unknown key 'price' \(perhaps"),
        ("[[prices]]\n" + PAIR, r"prices\.1\.model: wanted a model name .*, found no such key"),
        ('[[prices]]\nmodel = "a"\n' + PAIR, r"prices\.1\.source: wanted one line of text.*, found no such key"),
        (ROW, r"prices\.1: wanted a price, such as input_usd_per_mtok, found none"),
        (
            ROW + "input_usd_per_mtok = 1",
            r"output_usd_per_mtok: wanted it beside input_usd_per_mtok, found no such key",
        ),
        (ROW + "cached_input_usd_per_mtok = 1", r"prices\.1\.input_usd_per_mtok: wanted it beside cached_input_usd"),
        (ROW + PAIR + "batch_output_usd_per_mtok = 1", r"batch_input_usd_per_mtok: wanted it beside batch_output_usd"),
        (ROW + "input_usd_per_mtok = -1", "wanted US dollars per million tokens, 0 or more, found -1"),
        (ROW + "input_usd_per_mtok = nan", "wanted US dollars per million tokens, 0 or more, found nan"),
        (ROW + "input_usd_per_mtok = inf", "wanted US dollars per million tokens, 0 or more, found inf"),
        (ROW + 'input_usd_per_mtok = "1"', "wanted US dollars per million tokens, 0 or more, found '1'"),
        (ROW + "usd_per_mtok = 1", r"usd_per_mtok: wanted one of model, .*, found the unknown key .* \(perhaps"),
        (ROW + PAIR + 'since = "2026-11-01"', "since: wanted a date like 2026-11-01, found '2026-11-01'"),
        (ROW + PAIR + "since = 2026-11-01T10:00:00", "since: wanted a date like 2026-11-01, found datetime"),
        (ROW + PAIR + 'endpoint = "lap"', r"endpoint: wanted an endpoint of the matrix \(lab\), found lap"),
        (
            ROW + PAIR + ROW + PAIR,
            r"prices\.2: wanted one row for a model, endpoint and date \(since\), found a second one for 'a'",
        ),
        ("prices", "wanted TOML, found a mistake"),
    ],
)
def test_mistake_is_told_with_its_place(load: Callable[..., PriceBook], text: str, told: str) -> None:
    """A row that cannot be meant as it stands is refused, as a mistake in a case file."""
    with pytest.raises(CaseFileError, match=told):
        load(text, endpoints=["lab"])


def test_file_in_another_encoding_is_told(tmp_path: Path) -> None:
    """A file that is no UTF-8, and a folder in its place, say so."""
    path = tmp_path / "prices.toml"
    path.write_bytes(b"# \xff")
    with pytest.raises(CaseFileError, match="wanted UTF-8"):
        PriceBook.load(path)
    with pytest.raises(CaseFileError, match="cannot read"):
        PriceBook.load(tmp_path)


def test_shipped_models_are_free_at_home_alone() -> None:
    """Every model of the lab costs 0 there, says why, and is unknown at any other endpoint of that name."""
    matrix = Matrix.load(ROOT / "fixtures" / "models.toml")
    book = PriceBook.load(ROOT / "fixtures" / "prices.toml", endpoints=[each.name for each in matrix.endpoints])
    for model in matrix.models:
        price = book.price_of(model)
        assert price is not None
        assert price.live is not None
        assert price.live.are_free
        assert "electricity is not counted" in price.source
        assert book.price_of(ask(model.name)) is None


BATCHED = [
    ask("gpt-4.1-nano"),
    ask("gpt-4o-2024-05-13"),
    ask("gpt-6-sol"),
    ask("ft:gpt-4o-mini-2024-07-18:acme::9x"),
    ask("claude-sonnet-4-5", "https://api.anthropic.com/v1"),
    ask("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ask("mistral-small-latest", "https://api.mistral.ai/v1"),
]
LISTED = [
    *BATCHED,
    ask("gpt-4o", AZURE),
    ask("ft:gpt-4o-2024-08-06:acme::9x"),
    ask("openai/gpt-4o", "https://openrouter.ai/api/v1"),
    ask("kimi-k2-0711-preview", "https://api.moonshot.ai/v1"),
]


@pytest.mark.parametrize(
    ("model", "batch"),
    [*((model, False) for model in LISTED), *((model, True) for model in BATCHED)],
    ids=lambda value: value.name if isinstance(value, Model) else str(value),
)
@given(prompt=st.integers(0, 200_000), share=st.floats(0, 1), reply=st.integers(0, 10**6))
def test_cost_is_what_the_list_computes(model: Model, batch: bool, prompt: int, share: float, reply: int) -> None:
    """For every usage, a known price gives the cost that genai-prices computes itself."""
    price = PriceBook().price_of(model, at=NOW)
    assert price is not None
    assert price.live is not None
    cached = int(prompt * share)
    written = (prompt - cached) // 2 if price.live.cache_write_usd_per_mtok else 0
    theirs = genai_prices.calc_price(
        genai_prices.Usage(
            input_tokens=prompt, output_tokens=reply, cache_read_tokens=cached, cache_write_tokens=written
        ),
        model.name,
        provider_api_url=model.endpoint.base_url,
        genai_request_timestamp=NOW,
        price_context={"processing": "batch"} if batch else None,
    ).total_price
    ours = cost_usd(
        price,
        prompt_tokens=prompt,
        completion_tokens=reply,
        cached_tokens=cached,
        cache_write_tokens=written,
        batch=batch,
    )
    assert ours == pytest.approx(float(theirs), rel=1e-12)


@pytest.mark.parametrize(
    ("provider", "base_url"),
    [("openai", OPENAI), ("groq", "https://api.groq.com/openai/v1"), ("together", "https://api.together.xyz/v1")],
)
def test_known_prices_of_a_provider_are_the_lists(provider: str, base_url: str) -> None:
    """Each listed model is either unknown or costs what the list says, and most are known."""
    (listed,) = (each for each in get_snapshot().providers if each.id == provider)
    known = 0
    for entry in listed.models:
        ours = cost_usd(PriceBook().price_of(ask(entry.id, base_url), at=NOW), prompt_tokens=700, completion_tokens=50)
        if ours is not None:
            known += 1
            usage = genai_prices.Usage(input_tokens=700, output_tokens=50)
            theirs = genai_prices.calc_price(usage, entry.id, provider_api_url=base_url, genai_request_timestamp=NOW)
            assert ours == pytest.approx(float(theirs.total_price), rel=1e-12)
    assert known > len(listed.models) / 2


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (ask("gpt-4", "http://127.0.0.1:8091/v1"), "a model at home may have any name"),
        (ask("gpt-4", "http://localhost/x.openai.azure.com"), "a path is no host"),
        (ask("gpt-4", "http://[::1]:8091/v1"), "nor is an address"),
        (ask("gpt-4o", "https://llm.acme.org/v1"), "nobody knows the provider"),
        (ask("gpt-4o", "https://api.openai.com.acme.org/v1"), "the host only begins like OpenAI's"),
        (ask("gpt-99"), "nobody knows the model"),
        (ask("ft:gpt-4.1-nano:acme::n100"), "no price of this fine-tune is listed"),
        (ask("ft:gpt-4-0613:acme::9x"), "what is listed is the base model's price"),
        (ask("ft:o4-mini-2025-04-16:acme::9x", AZURE), "what is listed is the base model's price"),
        (ask("ft:gpt-4o-mini-2024-07-18:acme::9x", AZURE), "the fine-tune's price is another provider's"),
        (ask("gpt-4o", AZURE, examples=100), "the matrix says that it was trained"),
        (ask("sonar", "https://api.perplexity.ai"), "each request costs something"),
        (ask("gpt-4o-search-preview"), "each search costs something"),
        (ask("deepseek-flash", "https://api.deepseek.com"), "it depends on the hour"),
        (ask("text-embedding-3-small"), "it has no price of replies"),
        (ask("gpt-4o", body={"web_search_options": {}}), "each search costs something"),
        (ask("openai/gpt-4o", "https://openrouter.ai/api/v1", body={"models": ["a"]}), "another may answer"),
        (ask("gpt-4o", body={"service_tier": "scale"}), "no price of this tier is listed"),
    ],
)
def test_price_of_something_else_is_not_taken(model: Model, reason: str) -> None:
    """What the list cannot mean is unknown."""
    assert PriceBook().price_of(model, at=NOW) is None, reason


def test_batch_that_is_not_listed_is_unknown() -> None:
    """The list leaves ft:gpt-4o's batch price out as unconfirmed, and half of the live price would be too low."""
    price = PriceBook().price_of(ask("ft:gpt-4o-2024-08-06:acme::9x"), at=NOW)
    assert price is not None
    assert price.live == Rates(3.75, 15.0)
    assert price.batch is None


@pytest.mark.parametrize(
    ("body", "live"),
    [
        ({}, (2.0, 10.0)),
        ({"service_tier": "auto"}, (2.0, 10.0)),
        ({"service_tier": "flex"}, (1.0, 5.0)),
        ({"service_tier": "priority"}, (4.0, 20.0)),
    ],
)
def test_service_tier_has_its_own_price(body: Mapping[str, object], live: tuple[float, float]) -> None:
    """A tier that the matrix asks for is charged as such, and says nothing of batches."""
    price = PriceBook().price_of(ask("gpt-6-sol", body=body), at=NOW)
    assert price is not None
    assert price.live is not None
    assert (price.live.input_usd_per_mtok, price.live.output_usd_per_mtok) == live
    assert (price.batch is None) == (body.get("service_tier") in ("flex", "priority"))


def test_price_holds_until_the_first_step() -> None:
    """Where long prompts cost more, the price is known up to there and unknown beyond."""
    price = PriceBook().price_of(ask("gpt-6-sol"), at=NOW)
    assert price is not None
    assert price.max_prompt_tokens == 272_000
    assert cost_usd(price, prompt_tokens=272_000, completion_tokens=1) is not None
    assert cost_usd(price, prompt_tokens=272_001, completion_tokens=1) is None


def test_price_is_that_of_its_day() -> None:
    """A price that began is taken from its day on, says since when it holds, and the one before until then."""
    model = ask("o3")
    before = PriceBook().price_of(model, at=datetime(2025, 5, 1, tzinfo=UTC))
    after = PriceBook().price_of(model, at=NOW)
    assert before is not None
    assert after is not None
    assert (before.live, before.as_of) == (Rates(10.0, 40.0, cached_input_usd_per_mtok=0.5), None)
    assert after.live is not None
    assert (after.live.input_usd_per_mtok, after.as_of) == (2.0, "2025-06-10")


def test_prices_need_no_network() -> None:
    """The price list starts no thread, opens no socket, and is not even imported for a model at home."""
    script = f"""
import sys, threading
sys.addaudithook(lambda event, args: event.startswith("socket.") and sys.exit(f"reached out: {{event}} {{args}}"))
sys.path.insert(0, {str(ROOT / "tools")!r})
from tunegate.cases import Matrix, PriceBook
book = PriceBook.load({str(ROOT / "fixtures" / "prices.toml")!r})
home = Matrix.load({str(ROOT / "fixtures" / "models.toml")!r}).models[0]
assert book.price_of(home).live.are_free
assert "genai_prices" not in sys.modules
assert book.price_of(Matrix.unlisted("gpt-4.1-nano", base_url={OPENAI!r})).live
assert threading.active_count() == 1
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True)


def test_row_may_say_when_somebody_last_looked(load: Callable[..., PriceBook]) -> None:
    """`checked` is later news than `since`, and either is a date."""
    looked = load(ROW + PAIR + "since = 2025-01-01\nchecked = 2026-11-01").rows[0].price
    assert (looked.as_of, looked.checked_on, looked.told_on) == ("2025-01-01", "2026-11-01", "2026-11-01")
    assert load(ROW + PAIR + "since = 2025-01-01").rows[0].price.told_on == "2025-01-01"
    with pytest.raises(CaseFileError, match="checked: wanted a date like 2026-11-01"):
        load(ROW + PAIR + 'checked = "today"')


def row(name: str, usd: float, *facts: str) -> str:
    """Return a row of a price book; each fact is a line of it."""
    lines = (f'model = "{name}"', f"input_usd_per_mtok = {usd}", f"output_usd_per_mtok = {usd}", 'source = "s"', *facts)
    return "\n".join(("[[prices]]", *lines, ""))


def input_usd(book: PriceBook, model: Model, day: str) -> float | None:
    price = book.price_of(model, at=datetime.fromisoformat(f"{day}T12:00:00+00:00"))
    return price.live.input_usd_per_mtok if price and price.live else None


def test_latest_row_that_holds_already_is_the_price(load: Callable[..., PriceBook]) -> None:
    """Rows for one model may tell of each time; one without a date holds from ever on, whatever their order."""
    book = load(row("a", 3, "since = 2026-06-01") + row("a", 1) + row("a", 2, "since = 2026-01-01"))
    days = ("2025-12-31", "2026-01-01", "2026-05-31", "2026-06-01", "2026-11-28")
    assert [input_usd(book, ask("a"), day) for day in days] == [1, 2, 2, 3, 3]


def test_list_holds_until_the_first_row(load: Callable[..., PriceBook]) -> None:
    """A row since a later day does not speak for the days before it: there the list does."""
    book = load(row("o3", 7, "since = 2026-11-01"))
    assert [input_usd(book, ask("o3"), day) for day in ("2025-05-01", "2025-12-01", "2026-11-01")] == [10, 2, 7]


def test_wider_row_holds_until_the_closer_one(load: Callable[..., PriceBook]) -> None:
    """A glob that holds already goes before the model's own row that does not yet."""
    book = load(row("small-1", 2, "since = 2026-11-01") + row("small*", 1))
    assert [input_usd(book, ask("small-1"), day) for day in ("2026-10-31", "2026-11-01")] == [1, 2]


@pytest.mark.parametrize("head", ["", "list_prices = false\n"])
def test_first_row_is_taken_where_nothing_is_known_of_before(load: Callable[..., PriceBook], head: str) -> None:
    """Without a list price it is the row that is nearest, and its date says that it did not hold yet."""
    rows = row("o3", 2, "since = 2026-11-01") + row("o3", 1, "since = 2026-01-01")
    book = load(head + rows)
    home = ask("o3", "http://127.0.0.1:1/v1")
    price = book.price_of(home, at=datetime(2025, 12, 1, tzinfo=UTC))
    assert price is not None
    assert price.live == Rates(1.0, 1.0)
    assert price.as_of == "2026-01-01"


def test_training_is_priced_by_the_row_of_its_day(load: Callable[..., PriceBook]) -> None:
    """Of several dates the latest that has come; before the first, the base's row that holds, else the first."""
    mine = [row("mine", 1, f"training_usd_per_mtok = {usd}", f"since = 2026-{usd:02}-01") for usd in (2, 6)]
    tuned = ask("mine", base="base")

    def training_usd(book: PriceBook, month: int) -> float | None:
        price = book.training_price_of(tuned, at=datetime(2026, month, 15, tzinfo=UTC))
        return price and price.training_usd_per_mtok

    assert [training_usd(load("".join(mine)), month) for month in (1, 2, 5, 6)] == [2, 2, 2, 6]
    base = row("base", 1, "training_usd_per_mtok = 9")
    assert [training_usd(load("".join(mine) + base), month) for month in (1, 2)] == [9, 2]


def test_list_was_looked_after_about_its_newest_date() -> None:
    """A list price is as young as the newest date that the list names, of those up to the day that is asked for."""
    newest = PriceBook().price_of(ask("gpt-4.1-nano"), at=NOW)
    before = PriceBook().price_of(ask("gpt-4.1-nano"), at=datetime(2025, 7, 1, tzinfo=UTC))
    assert newest is not None
    assert before is not None
    assert newest.checked_on is not None
    assert before.checked_on is not None
    assert "2026-01-01" < newest.checked_on <= "2026-11-22"
    assert before.checked_on <= "2025-07-01"


def test_closed_book_is_not_filled_from_lists(load: Callable[..., PriceBook]) -> None:
    """With `list_prices = false` what the book does not say is unknown, and no batch price is guessed."""
    closed = load("list_prices = false\n" + TEXT)
    assert closed.price_of(ask("gpt-4o"), at=NOW) is None
    assert load("list_prices = true\n" + TEXT).price_of(ask("gpt-4o"), at=NOW) is not None
    price = closed.price_of(ask("small-1"), at=NOW)
    assert price is not None
    assert (price.live, price.batch) == (Rates(1.0, 2.0), None)
    with pytest.raises(CaseFileError, match="list_prices: wanted true or false"):
        load("list_prices = 1\n" + TEXT)


def test_book_is_found_by_its_name(tmp_path: Path) -> None:
    """A name means prices-<name>.toml, none prices.toml, a file itself; another name lists what there is."""
    (tmp_path / "prices.toml").write_text(ROW + PAIR)
    (tmp_path / "prices-old.toml").write_text(ROW.replace('"a"', '"b"') + PAIR)
    names = [
        PriceBook.load_named(name, fixtures=tmp_path).rows[0].pattern
        for name in (None, "old", str(tmp_path / "prices-old.toml"))
    ]
    assert names == ["a", "b", "b"]
    with pytest.raises(UsageError, match=r"no price book called 'odl'.*\n  there are: old"):
        PriceBook.load_named("odl", fixtures=tmp_path)
    with pytest.raises(UsageError, match=r"none beside prices\.toml"):
        PriceBook.load_named("odl", fixtures=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "live", "training"),
    [
        ("ft:gpt-3.5-turbo-0613:acme::9x", (0.012, 0.016), 0.008),
        ("gpt-3.5-turbo", (0.0015, 0.002), None),
        ("gpt-4", (0.03, 0.06), None),
    ],
)
def test_prices_of_2023_are_those_that_were_announced(
    name: str, live: tuple[float, float], training: float | None
) -> None:
    """Per thousand tokens, as OpenAI's pages of autumn 2023 had them; a model of later is unknown in that book."""
    book = PriceBook.load_named("2023-10", fixtures=ROOT / "fixtures")
    price = book.price_of(ask(name))
    assert price is not None
    assert price.live is not None
    assert (price.live.input_usd_per_mtok, price.live.output_usd_per_mtok) == pytest.approx(
        [1000 * usd for usd in live]
    )
    assert price.training_usd_per_mtok == (None if training is None else pytest.approx(1000 * training))
    assert book.price_of(ask("gpt-4o")) is None


def test_closest_row_about_training_says_its_price(load: Callable[..., PriceBook]) -> None:
    """Rows about calls alone are passed over, a row about training alone is none for calls, and no list knows any."""
    book = load(TEXT)
    found = book.training_price_of(ask("small-2-tuned", endpoint="lab"))
    assert found is not None
    assert found.training_usd_per_mtok == 9.0
    alone = book.training_price_of(ask("gpt-4.1-nano"))
    assert alone is not None
    assert (alone.training_usd_per_mtok, alone.live) == (1.5, None)
    assert book.training_price_of(ask("small-1")) is None
    assert book.training_price_of(ask("gpt-4o")) is None


def test_training_is_priced_by_the_base_where_the_fine_tune_has_no_row(load: Callable[..., PriceBook]) -> None:
    """Its own row goes first, by either of its names; calls are never priced by the base."""
    book = load(TEXT)
    tuned = ask("mine", asks_for="ft:mine:1", base="small-2-x")
    found = book.training_price_of(tuned)
    assert found is not None
    assert found.training_usd_per_mtok == 9.0
    assert book.price_of(tuned, at=NOW) is None
    own = book.training_price_of(ask("mine", asks_for="gpt-4.1-nano", base="small-2-x"))
    assert own is not None
    assert own.training_usd_per_mtok == 1.5
    assert book.training_price_of(ask("mine")) is None


def test_fine_tunes_of_the_lab_are_free_at_home() -> None:
    """Calls and training of `ft:smollm2-135m:...` cost 0 at the lab, as those of their base do."""
    book = PriceBook.load(ROOT / "fixtures" / "prices.toml")
    tuned = ask("ft:smollm2-135m:lab:n10-s1:1a2b", endpoint="lab", base="smollm2-135m", examples=10)
    price, training = book.price_of(tuned), book.training_price_of(tuned)
    assert price is not None
    assert price.live is not None
    assert price.live.are_free
    assert training is not None
    assert training.training_usd_per_mtok == 0
