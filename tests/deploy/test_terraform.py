"""The whole configuration against the provider's real schema: every argument of every resource, applied and undone."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from random import Random
from typing import Any

import pytest

import bundle
from google_stand_in.values import PROJECT_NUMBER
from monitoring.alerts import alerts
from spillway.adapters import otlp_resource
from spillway.adapters.prometheus import Metrics
from spillway.assembly.state import queue_topic
from spillway.assembly.telemetry import open_exporting, open_tracing
from spillway.domain.machine_names import fleet_of, machine_name
from spillway.services.gauges import Gauges
from spillway.settings import PREFIX, Settings
from support.front_door import ROOT
from support.terraform import Terraform, resources

Resources = dict[str, list[dict[str, Any]]]
ENVIRONMENTS = ("dev", "prod")
# Every secret setting, with a value of its form.
SECRETS = {
    "REPLICATE_API_TOKEN": "r8_something",
    "SPILLWAY_DISCORD_WEBHOOK_URL": "https://discord.example/api/webhooks/1/something",
    "SPILLWAY_ENS_RPC_URL": "https://node.example/key",
    "SPILLWAY_INTERNAL_KEY": "0123456789abcdef",
    "SPILLWAY_REPLICATE_WEBHOOK_SECRET": "whsec_c29tZXRoaW5n",
    "SPILLWAY_RPC_URL": "https://node.example/key",
    "SPILLWAY_WEBHOOK_SECRET": "whsec_c29tZXRoaW5n",
    "TENSORDOCK_API_TOKEN": "something",
}
BURST_SECRET = "BURST_ETH_PASSWORD"
MACHINES = "machines@spillway-dev.iam.gserviceaccount.com"
VARIABLES = (
    "-no-color",
    "-var=burst_group=" + json.dumps({"name": "burst", "zone": "us-central1-a", "service_account": MACHINES}),
    "-var=subnet_url=http://subnet.example:9935",
    "-var=secrets=" + json.dumps({name: name.lower().replace("_", "-") for name in (*SECRETS, BURST_SECRET)}),
)


@pytest.fixture(scope="module")
def applied(terraform: Terraform) -> Resources:
    """The resources of dev after an apply, by type."""
    where = terraform.fresh("environments/dev")
    terraform.run(where, "apply", "-auto-approve", *VARIABLES)
    found: Resources = {}
    for resource in resources(terraform.json(where)["values"]["root_module"]):
        found.setdefault(resource["type"], []).append({**resource["values"], "address": resource["address"]})
    return found


def test_files_are_formatted(terraform: Terraform) -> None:
    assert terraform.run(".", "fmt", "-check", "-recursive", "-list=true") == ""


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_environment_is_valid(terraform: Terraform, environment: str) -> None:
    where = terraform.fresh(f"environments/{environment}")
    assert json.loads(terraform.run(where, "validate", "-json"))["diagnostics"] == []


@pytest.mark.parametrize("module", sorted(path.parent.name for path in (ROOT / "terraform/modules").glob("*/tests")))
def test_module_keeps_its_promises(terraform: Terraform, module: str) -> None:
    where = terraform.fresh(f"modules/{module}")
    assert "0 failed" in terraform.run(where, "test", "-no-color")


def test_bad_values_are_refused_by_name(terraform: Terraform) -> None:
    assert "0 failed" in terraform.run(terraform.fresh("."), "test", "-no-color")


def test_production_can_be_planned(terraform: Terraform) -> None:
    where = terraform.fresh("environments/prod")
    terraform.run(where, "plan", "-no-color", "-out=plan")
    planned = list(resources(terraform.json(where, "plan")["planned_values"]["root_module"]))
    (database,) = [one["values"] for one in planned if one["type"] == "google_firestore_database"]
    told = [one["values"]["labels"] for one in planned if one["type"] == "google_monitoring_notification_channel"]
    (budget,) = [one["values"] for one in planned if one["type"] == "google_billing_budget"]
    # Left to the account: it refuses any currency but its own.
    assert not budget["amount"][0]["specified_amount"][0].get("currency_code")
    assert told == [{"email_address": "on-call@example.com"}]
    assert database["delete_protection_state"] == "DELETE_PROTECTION_ENABLED"
    assert "google_project_iam_custom_role" not in {one["type"] for one in planned}


def test_every_function_is_deployed_and_no_other(applied: Resources) -> None:
    deployed = {function["name"] for function in applied["google_cloudfunctions2_function"]}
    assert deployed == set(bundle.names())


def test_each_function_has_an_account_of_its_own(applied: Resources) -> None:
    accounts = Counter(
        function["service_config"][0]["service_account_email"]
        for function in applied["google_cloudfunctions2_function"]
    )
    assert set(accounts.values()) == {1}


@pytest.mark.parametrize("name", bundle.names())
def test_function_starts_with_the_settings_that_it_is_given(
    name: str, terraform: Terraform, applied: Resources
) -> None:
    (function,) = [one for one in applied["google_cloudfunctions2_function"] if one["name"] == name]
    service = function["service_config"][0]
    values = {**SECRETS, BURST_SECRET: "something"}
    secrets = {secret["key"]: values[secret["key"]] for secret in service["secret_environment_variables"]}
    ran = subprocess.run(
        [sys.executable, "-c", "import main"],
        cwd=terraform.unpacked(name),
        env={"PATH": os.defpath, "K_SERVICE": name, **service["environment_variables"], **secrets},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_only_the_front_door_is_public_and_asks_for_keys(applied: Resources) -> None:
    asking = {
        function["name"]
        for function in applied["google_cloudfunctions2_function"]
        if function["service_config"][0]["environment_variables"].get("SPILLWAY_AUTH") == "keys"
    }
    public = {
        grant["name"] for grant in applied["google_cloud_run_v2_service_iam_member"] if grant["member"] == "allUsers"
    }
    assert public == {"gateway"} & asking


def test_the_front_door_alone_sends_metrics_and_may_write_them(
    applied: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        one["name"]: one["service_config"][0]["environment_variables"]
        for one in applied["google_cloudfunctions2_function"]
    }
    assert {name for name, variables in given.items() if any(map(_of_telemetry, variables))} == {"gateway"}
    for name, value in given["gateway"].items():
        if _of_telemetry(name):
            monkeypatch.setenv(name, value)
    assert open_exporting(Metrics(), Gauges([]).now) is not None
    assert open_tracing() is None
    assert otlp_resource.resource().attributes["cloud.region"] == "us-central1"
    accounts = {one["account_id"]: one["member"] for one in applied["google_service_account"]}
    writers = {one["member"] for one in applied["google_project_iam_member"] if "metricsWriter" in one["role"]}
    assert writers == {accounts["spillway-gateway"]}


def _of_telemetry(variable: str) -> bool:
    return variable.startswith("OTEL_")


def test_every_setting_that_is_not_shown_is_a_secret() -> None:
    hidden = {
        str(field.validation_alias or PREFIX + name.upper())
        for name, field in Settings.model_fields.items()
        if "SecretStr" in str(field.annotation) or not field.repr
    }
    assert set(SECRETS) == hidden


def test_every_secret_is_for_some_function(applied: Resources) -> None:
    services = [function["service_config"][0] for function in applied["google_cloudfunctions2_function"]]
    given = {secret["key"] for service in services for secret in service["secret_environment_variables"]}
    assert given == {*SECRETS, BURST_SECRET}


def test_balancer_alone_may_rent_machines_and_touches_its_own_only(applied: Resources) -> None:
    (account,) = [one for one in applied["google_service_account"] if one["account_id"] == "spillway-balancer"]
    names = {one["name"]: one["permissions"] for one in applied["google_project_iam_custom_role"]}
    grants = [one for one in applied["google_project_iam_member"] if one["role"] in names]
    assert {one["member"] for one in grants} == {account["member"]}
    held = {tuple(sorted(names[one["role"]])): [held["expression"] for held in one["condition"]] for one in grants}
    group = ("compute.instanceGroupManagers.get", "compute.instanceGroupManagers.update", "compute.instances.list")
    machine = tuple(f"compute.instances.{verb}" for verb in ("create", "delete", "get", "stop"))
    name = machine_name("spillway-dev", fleet_of("text-to-image", "model"), 0.0, Random(0))
    assert set(held) == {group, machine}
    assert held[group] == []
    (expression,) = held[machine]
    (prefix,) = re.findall(r'startsWith\("projects/spillway-dev/zones/us-central1-a/instances/(.+)"\)', expression)
    assert name.startswith(prefix)
    assert prefix.endswith("-spillway-dev-")


def test_balancer_is_told_of_its_group_and_given_what_its_machines_need(applied: Resources) -> None:
    told = {one["name"]: one["service_config"][0] for one in applied["google_cloudfunctions2_function"]}
    groups = {name: service["environment_variables"].get("SPILLWAY_COMPUTE_GROUP") for name, service in told.items()}
    given = {
        name
        for name, service in told.items()
        if BURST_SECRET in {secret["key"] for secret in service["secret_environment_variables"]}
    }
    (acting,) = [
        one for one in applied["google_service_account_iam_member"] if one["role"] == "roles/iam.serviceAccountUser"
    ]
    assert {name: group for name, group in groups.items() if group} == {"balancer": "spillway-dev/us-central1-a/burst"}
    assert given == {"balancer"}
    assert acting["service_account_id"].endswith(f"/{MACHINES}")


def test_who_gives_orders_is_kept_by_google_and_what_functions_do_is_not(applied: Resources) -> None:
    (kept,) = applied["google_project_iam_audit_config"]
    (log,) = kept["audit_log_config"]
    functions = {
        one["service_config"][0]["service_account_email"] for one in applied["google_cloudfunctions2_function"]
    }
    assert (kept["service"], log["log_type"]) == ("datastore.googleapis.com", "DATA_WRITE")
    assert set(log["exempted_members"]) == {f"serviceAccount:{email}" for email in functions}


def test_what_is_not_delivered_is_laid_aside_and_kept(applied: Resources) -> None:
    subscriptions = applied["google_pubsub_subscription"]
    pushing = [one for one in subscriptions if one["push_config"]]
    kept = {one["topic"] for one in subscriptions if not one["push_config"]}
    assert {one["dead_letter_policy"][0]["dead_letter_topic"] for one in pushing} == kept


def test_ten_minutes_of_refusals_lay_no_message_aside(applied: Resources) -> None:
    for one in applied["google_pubsub_subscription"]:
        for policy, retries in zip(one["dead_letter_policy"], one["retry_policy"], strict=True):
            least_s, most_s = (int(retries[f"{end}_backoff"].rstrip("s")) for end in ("minimum", "maximum"))
            pauses_s = [min(least_s * 2**n, most_s) for n in range(policy["max_delivery_attempts"] - 1)]
            assert sum(pauses_s) >= 600.0, one["name"]


def test_pushes_and_calls_by_the_clock_carry_the_token_that_their_function_takes(applied: Resources) -> None:
    pushes = [one["push_config"][0] for one in applied["google_pubsub_subscription"] if one["push_config"]]
    calls = [one["http_target"][0] for one in applied["google_cloud_scheduler_job"] if one["http_target"]]
    brought = {
        (call.get("push_endpoint") or call["uri"]): (
            call["oidc_token"][0]["service_account_email"],
            call["oidc_token"][0]["audience"],
        )
        for call in [*pushes, *calls]
    }
    services = {one["name"]: one["service_config"][0] for one in applied["google_cloudfunctions2_function"]}
    inside = {name: one for name, one in services.items() if one["ingress_settings"] == "ALLOW_INTERNAL_ONLY"}
    assert brought == {
        f"https://{name}-{PROJECT_NUMBER}.us-central1.run.app": (
            one["environment_variables"]["SPILLWAY_PUSH_ACCOUNT"],
            one["environment_variables"]["SPILLWAY_PUSH_AUDIENCE"],
        )
        for name, one in inside.items()
    }
    assert set(services) - set(inside) == {"gateway"}


def test_listeners_leave_room_for_requests(applied: Resources) -> None:
    (gateway,) = [one for one in applied["google_cloudfunctions2_function"] if one["name"] == "gateway"]
    service = gateway["service_config"][0]
    listeners = int(service["environment_variables"]["SPILLWAY_MAX_LISTENERS"])
    assert listeners < service["max_instance_request_concurrency"] == 1000
    assert service["max_instance_count"] == 1


def test_topics_are_those_that_functions_of_the_deployment_write_to(terraform: Terraform) -> None:
    other = terraform.folder / "terraform/environments/other"
    shutil.copytree(other.with_name("dev"), other, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
    (other / "override.tf").write_text('module "spillway" {\n  settings = { SPILLWAY_DEPLOYMENT = "other" }\n}\n')
    where = terraform.fresh("environments/other")
    terraform.run(where, "plan", "-no-color", "-out=plan")
    planned = list(resources(terraform.json(where, "plan")["planned_values"]["root_module"]))
    (gateway,) = [
        one["values"]["service_config"][0]["environment_variables"]
        for one in planned
        if one["type"] == "google_cloudfunctions2_function" and one["values"]["name"] == "gateway"
    ]
    settings = Settings(queue=gateway["SPILLWAY_QUEUE"], deployment=gateway["SPILLWAY_DEPLOYMENT"])
    assert queue_topic(settings) == ("spillway-dev", "other-jobs")
    topics = {one["values"]["name"] for one in planned if one["type"] == "google_pubsub_topic"}
    assert topics == {f"other-{name}" for name in ("announcements", "announcements-dead", "jobs", "jobs-dead")}


def test_production_without_anybody_to_be_told_is_refused(terraform: Terraform) -> None:
    where = terraform.fresh("environments/prod")
    refused = terraform.run(where, "plan", "-no-color", "-var=alert_emails=[]", code=1)
    assert "alert_emails must name somebody" in refused


def test_grants_are_waited_for_and_the_front_door_is_given_its_processor_between_requests(
    terraform: Terraform, applied: Resources
) -> None:
    assert applied
    assert terraform.said == [
        "sleep 60",
        "gcloud run services update gateway --no-cpu-throttling --region=us-central1 --project=spillway-dev --quiet",
    ]


def test_alerts_are_those_that_are_defined_each_with_what_to_do(applied: Resources) -> None:
    policies = applied["google_monitoring_alert_policy"]
    assert {policy["display_name"]: policy["documentation"][0]["content"] for policy in policies} == {
        alert.name: alert.action for alert in alerts()
    }


def test_alerts_ask_for_services_and_subscriptions_that_there_are(applied: Resources) -> None:
    queries = " ".join(alert.cloud for alert in alerts() if alert.cloud)
    there = {
        "service_name": [one["name"] for one in applied["google_cloudfunctions2_function"]],
        "subscription_id": [one["name"] for one in applied["google_pubsub_subscription"]],
    }
    for label, pattern in re.findall(r'(service_name|subscription_id)=~?"([^"]+)"', queries):
        assert any(re.fullmatch(pattern, name) for name in there[label]), pattern


def test_second_plan_is_empty_and_destroy_leaves_nothing(terraform: Terraform, applied: Resources) -> None:
    where = "environments/dev"
    assert applied
    assert "No changes." in terraform.run(where, "plan", "-detailed-exitcode", *VARIABLES)
    terraform.run(where, "destroy", "-auto-approve", *VARIABLES)
    assert "values" not in terraform.json(where)
