"""What /openapi.json says is what is built."""

from spillway.domain.job_views import NOT_TOLD, view
from spillway.edge.openapi import document
from support.jobs import new_job


def test_job_has_the_fields_that_are_told_of() -> None:
    schema = document()["components"]["schemas"]["Job"]
    assert list(view(new_job(), NOT_TOLD, None)) == list(schema["properties"]) == schema["required"]


def test_every_answer_that_may_come_later_says_so() -> None:
    posts = {path: methods["post"] for path, methods in document()["paths"].items() if "post" in methods}
    assert len(posts) == 11
    for operation in posts.values():
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert {"Prefer", "Webhook-Url", "Idempotency-Key", "X-Spillway-Prefer", "X-Spillway-Deadline"} == names
        assert {"200", "202", "409", "422"} <= set(operation["responses"])


def test_references_lead_somewhere() -> None:
    schemas = document()["components"]["schemas"]
    references = [
        part.partition('"')[0] for part in str(document()).replace("'", '"').split("#/components/schemas/")[1:]
    ]
    assert references
    assert set(references) <= set(schemas)
