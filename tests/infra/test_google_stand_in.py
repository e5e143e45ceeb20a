"""The stand-in provider says no where the real one would; a check that lets everything pass would be none."""

from pathlib import Path

import pytest

from support.terraform import Terraform

HEAD = """
terraform {
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.50"
    }
  }
}
"""
GOOD = """
resource "google_pubsub_topic" "jobs" {
  name = "jobs"
}

resource "google_pubsub_subscription" "push" {
  name                 = "push"
  topic                = google_pubsub_topic.jobs.id
  ack_deadline_seconds = 600
}
"""


@pytest.fixture(scope="module")
def folder(terraform: Terraform) -> str:
    folder = terraform.folder / "terraform/stand-in"
    folder.mkdir()
    (folder / "main.tf").write_text(HEAD + GOOD)
    return terraform.fresh("stand-in")


def written(terraform: Terraform, folder: str, text: str) -> None:
    Path(terraform.folder / "terraform" / folder / "main.tf").write_text(HEAD + text)


def test_good_file_is_valid(terraform: Terraform, folder: str) -> None:
    written(terraform, folder, GOOD)
    assert "Success!" in terraform.run(folder, "validate", "-no-color")


@pytest.mark.parametrize(
    ("good", "bad", "says"),
    [
        ("ack_deadline_seconds", "ack_deadline", 'An argument named "ack_deadline" is not expected here'),
        ("= 600", '= "soon"', "a number is required"),
        ("= 600", "= 601", "601 is not within 10 to 600"),
        ("jobs.id", "jobs.identity", 'has no argument, nested block, or exported attribute named "identity"'),
        ('name                 = "push"', "", 'The argument "name" is required'),
        ('"push"\n', '"go"\n', "'go' has not the form"),
        ('resource "google_pubsub_topic"', 'resource "google_pubsub_queue"', "does not support resource type"),
    ],
)
def test_fault_is_found(terraform: Terraform, folder: str, good: str, bad: str, says: str) -> None:
    assert good in GOOD
    written(terraform, folder, GOOD.replace(good, bad, 1))
    assert says in " ".join(terraform.run(folder, "validate", "-no-color", code=1).split())


def test_what_excludes_each_other_is_not_given_together(terraform: Terraform, folder: str) -> None:
    job = 'resource "google_cloud_scheduler_job" "job" {\n  name = "job"\n  schedule = "* * * * *"\n}\n'
    written(terraform, folder, job)
    assert "exactly one of http_target" in terraform.run(folder, "validate", "-no-color", code=1)
