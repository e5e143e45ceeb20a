"""Alerts, rules and dashboards agree with each other, with Prometheus, and with what a front door really exports."""

import asyncio
import json
import re
import time
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitoring.__main__ import made
from monitoring.alerts import HERE, ROOT, RUNBOOK, alerts, runbook
from monitoring.dashboards import Dashboard, dashboards, grafana
from simulator import ReplicateApi, SubnetGateway, background
from spillway.assembly.state import open_store
from spillway.domain.deposit import Funds, Outlook
from spillway.domain.key_terms import checked_scopes
from spillway.domain.keys import Key
from spillway.services.deposit import FOLDER as DEPOSITS
from spillway.services.keys import Keys
from spillway.services.rounds import REDEMPTIONS, Rounds
from spillway.settings import Settings
from support.front_door import running
from support.promtool import asked_for, check_expressions, promtool

TOKEN = "r8_" + "x" * 37
PICTURE = {"prompt": "a cat"}
Exported = dict[str, set[str]]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The names of the samples that a busy front door exports, each with its labels."""
    return asyncio.run(_exported(tmp_path_factory.mktemp("exported")))


async def _exported(folder: Path) -> Exported:
    subnet, replicate = SubnetGateway(slots=8, time_scale=0.001), ReplicateApi(TOKEN, service_s=0.01, cold_start_s=0.01)
    with background(subnet), background(replicate):
        settings = Settings(
            auth="keys",
            state=f"sqlite:///{folder}/state.db",
            artifacts=f"file://{folder}/artifacts",
            subnet_url=subnet.url,
            replicate_url=replicate.url,
            REPLICATE_API_TOKEN=TOKEN,
            fallback_usd_per_day=10.0,
        )
        store = open_store(settings)
        keys = Keys(store, epoch=time.time, by="me")
        key = (await keys.create(Key(id="", scopes=checked_scopes(["inference", "jobs", "read"])))).token
        await Rounds(store, epoch=time.time).ended(REDEMPTIONS)
        seen = Outlook("0xa", int(time.time()), Funds(10**16, 10**17), spent_wei=10**15)
        await store.replace(DEPOSITS, seen.sender, seen.body(), None)
        async with running(settings) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            await client.post("/text-to-image", json=PICTURE)
            client.headers["authorization"] = f"Bearer {key}"
            for prefer in ("subnet-only", "fallback-only"):
                answer = await client.post("/text-to-image", json=PICTURE, headers={"x-spillway-prefer": prefer})
                assert answer.status_code == 200, answer.text
            text = (await client.get("/metrics")).text
        await store.close()
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {sample.name: set(sample.labels) for sample in samples}


def strangers(expressions: list[str], exported: Exported) -> list[str]:
    """Metrics that no front door exports, and labels that they have not."""
    asked = [one for expression in expressions for one in asked_for(expression)]
    return [
        f"{name} has no {', '.join(labels - exported[name])}" if name in exported else f"there is no {name}"
        for name, labels in asked
        if not labels <= exported.get(name, set()) or name not in exported
    ]


def test_what_is_made_from_the_definitions_is_as_they_say() -> None:
    for file, text in made().items():
        assert file.read_text() == text, f"run `make monitoring`: {file.name}"


def test_rules_are_ones_of_prometheus_and_fire_when_they_should() -> None:
    promtool("check", "rules", HERE / "prometheus/rules.yml")
    promtool("test", "rules", HERE / "prometheus/rules_test.yml")
    promtool("check", "config", "--syntax-only", HERE / "prometheus/prometheus.yml")


def test_every_rule_is_seen_to_fire_and_to_keep_quiet() -> None:
    tests = (HERE / "prometheus/rules_test.yml").read_text()
    ruled = {alert.name for alert in alerts() if alert.query}
    quiet = set(re.findall(r"\{ alertname: (\w+), eval_time: 50m \}", tests.partition("- name: a front door")[0]))
    fires = set(re.findall(r"- alertname: (\w+)\n +eval_time: \w+\n +exp_alerts:", tests))
    assert (quiet, fires) == (ruled, ruled)


def test_alerts_ask_for_what_is_exported(exported: Exported) -> None:
    assert strangers([alert.query for alert in alerts() if alert.query], exported) == []


def test_what_cloud_monitoring_is_asked_is_promql(tmp_path: Path) -> None:
    check_expressions([alert.cloud or alert.query or "" for alert in alerts()], tmp_path)


def test_the_runbook_has_something_to_do_for_every_alert_and_no_other() -> None:
    told = runbook(RUNBOOK.read_text())
    assert list(told) == [alert.name for alert in alerts()]
    assert [name for name, text in told.items() if text.count("\n\n") < 1] == []


def test_metrics_are_documented_and_no_others(exported: Exported) -> None:
    written = set(re.findall(r"`(spillway_\w+)`", (ROOT / "docs/monitoring.md").read_text()))
    assert written == {re.sub(r"_(bucket|count|sum)$", "", name) for name in exported if not name.endswith("_created")}


def test_dashboards_ask_for_what_is_exported(exported: Exported) -> None:
    assert strangers(shown("prometheus"), exported) == []


def test_no_metric_is_shown_to_nobody(exported: Exported) -> None:
    asked = {name for text in shown("prometheus") for name, _ in asked_for(text)}
    alerted = {name for alert in alerts() if alert.query for name, _ in asked_for(alert.query)}
    kept_for_people = {"spillway_fallback_budget_left_usd", "spillway_fallback_budget_warning_percent"}
    bare = {name for name in exported if not name.endswith(("_created", "_count", "_sum"))}
    assert bare - asked - alerted == kept_for_people


def test_what_dashboards_ask_is_promql(tmp_path: Path) -> None:
    check_expressions([text.replace("$__rate_interval", "5m") for text in shown("prometheus")], tmp_path)


@pytest.mark.parametrize("one", dashboards(), ids=lambda one: one.name)
def test_panels_lie_beside_each_other(one: Dashboard) -> None:
    places = [panel["gridPos"] for panel in json.loads(grafana(one))["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_logs_are_asked_for_by_labels_that_nodes_send() -> None:
    agent = (HERE / "alloy/orchestrator.alloy").read_text()
    external = re.findall(r"^    (\w+) += sys\.env", agent.partition("external_labels")[2], re.MULTILINE)
    sent = {*re.findall(r'target_label +=\s*"(\w+)"', agent), *external}
    assert sent == {"node_name", "operator", "job", "container", "logstream"}
    for text in shown("loki"):
        assert set(re.findall(r"(\w+)=~?\"", text.partition("}")[0])) <= sent


def shown(kind: str) -> list[str]:
    """What all dashboards ask of a kind of source."""
    panels = [panel for one in dashboards() for panel in one.panels if panel.asks == kind]
    return [text for panel in panels for text in panel.queries.values()]
