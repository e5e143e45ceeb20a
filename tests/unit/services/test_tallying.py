"""Records of requests become counters, at the right route and place."""

from spillway.domain.routes import Fallback, Provider, Route, Routes
from spillway.domain.tally import RETIRE_S, Counts, merged
from spillway.ports import Attempt, Served
from spillway.services.tallying import Tallying

ROUTES = Routes(
    {"replicate": Provider(kind="replicate"), "other": Provider(kind="openai", base_url="http://x")},
    [
        Route(
            pipeline="text-to-image",
            fallbacks=(
                Fallback(provider="replicate", model="a/official", deployment="acme/mine"),
                Fallback(provider="other", model="dall-e-3"),
                Fallback(provider="replicate", model="a/second"),
            ),
        ),
        Route(pipeline="text-to-image", model="sdxl"),
    ],
)


class Clock:
    """Epoch seconds, moved by hand."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def served(*attempts: tuple[str, str], outcome: str = "served", model: str = "any", usd: float = 0.0) -> Served:
    """A request with tries of two seconds each; hosted ones are named by their place."""
    tried = [Attempt(place.split()[0], word, 2.0, place="" if place == "subnet" else place) for place, word in attempts]
    return Served("text-to-image", model, outcome=outcome, seconds=2.0 * len(tried), attempts=tried, usd=usd)


def counted(*records: Served) -> dict[str, Counts]:
    """The routes after these."""
    tallying = Tallying(ROUTES, epoch=Clock())
    for record in records:
        tallying.record(record)
    return merged({tallying.key: tallying.snapshot()}).routes


def test_a_try_ends_served_refused_or_at_fault() -> None:
    routes = counted(
        served(("subnet", "served")),
        served(("subnet", "no-capacity"), ("replicate", "served"), usd=0.003),
        served(("subnet", "unreachable"), ("replicate", "no-capacity"), ("other", "served")),
        served(("subnet", "too-slow"), ("replicate", "failed"), outcome="unanswered"),
    )
    assert routes == {
        "text-to-image *": Counts(
            requests=4, subnet_tries=4, subnet_served=1, refused=2, faults=1, hosted_starts=3, hosted_served=2,
            failed=1, usd=0.003, waited_s=16.0, subnet_s=2.0,
        )
    }  # fmt: skip


def test_what_callers_do_says_nothing_about_the_subnet() -> None:
    routes = counted(
        served(("subnet", "rejected"), outcome="rejected"), served(("subnet", "canceled"), outcome="canceled")
    )
    assert routes["text-to-image *"] == Counts(requests=2, waited_s=4.0)


def test_a_model_with_a_route_of_its_own_is_counted_there() -> None:
    assert set(counted(served(model="sdxl"), served(model="else"))) == {"text-to-image sdxl", "text-to-image *"}


def test_hosted_jobs_are_counted_at_their_place_when_they_began() -> None:
    tallying = Tallying(ROUTES, epoch=Clock())
    tallying.record(
        served(*((place, "served") for place in ("replicate acme/mine", "other dall-e-3", "replicate a/second")))
    )
    body = tallying.snapshot()["hosted"]
    assert isinstance(body, dict)
    assert {name: usage["starts"] for name, usage in body.items()} == {
        "replicate acme/mine": 1, "other dall-e-3": 1, "replicate a/second": 1
    }  # fmt: skip
    assert body["replicate acme/mine"]["recent"] == [[990.0, 1]]
    assert body["replicate a/second"] == {"starts": 1, "served": 1, "seconds": 2.0, "recent": [[995.0, 1]]}


def test_parts_of_a_split_request_are_counted_where_each_was_made() -> None:
    tallying = Tallying(ROUTES, epoch=Clock())
    tallying.record(served(*[("replicate a/second", "served")] * 2, ("replicate acme/mine", "served")))
    body = tallying.snapshot()["hosted"]
    assert isinstance(body, dict)
    assert {name: usage["starts"] for name, usage in body.items()} == {
        "replicate a/second": 2, "replicate acme/mine": 1
    }  # fmt: skip


def test_an_instance_that_was_silent_for_long_is_a_new_one_and_is_counted_once() -> None:
    clock = Clock()
    tallying = Tallying(ROUTES, epoch=clock)
    tallying.record(served(("subnet", "served")))
    published = {tallying.key: tallying.snapshot()}
    tallying.record(served(("subnet", "served")))
    clock.now += RETIRE_S
    body = tallying.snapshot()
    published[tallying.key] = body
    assert len(published) == 2
    assert merged(published).routes["text-to-image *"].subnet_served == 2
    tallying.record(served(("subnet", "served")))
    published[tallying.key] = tallying.snapshot()
    assert merged(published).routes["text-to-image *"].subnet_served == 3


def test_what_an_instance_that_was_silent_for_long_publishes_has_a_name_of_its_own() -> None:
    clock = Clock()
    tallying = Tallying(ROUTES, epoch=clock)
    published = {}
    for _ in range(2):
        tallying.record(served(("subnet", "served")))
        published |= {key: body for _, key, body in tallying.documents()}
        clock.now += RETIRE_S
    assert len(published) == 2
    assert merged(published).routes["text-to-image *"].subnet_served == 2


def test_publishing_in_between_changes_nothing() -> None:
    clock = Clock()
    often, once = Tallying(ROUTES, epoch=clock), Tallying(ROUTES, epoch=clock)
    for place in ("subnet", "replicate a/second", "replicate a/second", "subnet", "replicate a/second"):
        record = served((place, "served"))
        often.record(record)
        once.record(record)
        often.snapshot()
        clock.now += 2.0
    body = once.snapshot()
    assert often.snapshot() == body
    assert body["hosted"]["replicate a/second"]["recent"] == [[1000.0, 2], [1005.0, 1]]


def test_every_process_has_a_name_of_its_own() -> None:
    assert len({Tallying(ROUTES, epoch=Clock()).key for _ in range(100)}) == 100
