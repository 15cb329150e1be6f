"""The files for containers and systemd are sound, name settings that there are, and give processes
the time that they may take to stop."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scoreboard.assembly.persistence import STATEMENT_TIMEOUT
from scoreboard.assembly.service import OWN_DESCRIPTORS, SHUTDOWN_TIMEOUT
from scoreboard.settings import PREFIX, Settings
from tests.support.programs import program

DEPLOY = Path(__file__).parents[3] / "deploy"
COMPOSE = DEPLOY / "compose"
KUBERNETES = DEPLOY / "kubernetes"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
DEFAULTS = Settings()
OLDEST = "1.29"  # of Kubernetes


def files() -> list[Path]:
    """All files of deploy/."""
    return [path for path in DEPLOY.rglob("*") if path.is_file() and "secrets" not in path.parts]


def test_every_setting_that_a_file_names_is_there() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in files())
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text))
    known = {PREFIX + name.upper() for name in Settings.__struct_fields__}

    assert len(named) > 10
    assert {name.removesuffix("_FILE") for name in named} - known == set()


# Compose.


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The project, with what its services share merged into them."""
    loaded: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text())
    return loaded


def test_the_compose_client_takes_the_project_with_the_secrets_of_the_script(
    tmp_path: Path,
) -> None:
    client = program("docker-compose", package="docker-compose")
    project = Path(shutil.copytree(DEPLOY, tmp_path / "deploy")) / "compose"
    shutil.rmtree(project / "secrets", ignore_errors=True)
    for _ in range(2):  # the second time nothing is changed
        subprocess.run([project / "make_secrets.sh"], check=True, capture_output=True)
    done = subprocess.run(
        [client, "--file", "compose.yaml", "config"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for secret in yaml.safe_load(done.stdout)["secrets"].values():
        assert Path(secret["file"]).read_text().strip()
    assert (project / "secrets").stat().st_mode & 0o777 == 0o700


def test_services_of_compose_read_only_secrets_that_they_are_given(
    compose: dict[str, Any],
) -> None:
    owner = {"migration_url"}
    for name, service in compose["services"].items():
        given = {s if isinstance(s, str) else s["source"] for s in service.get("secrets", ())}
        read = [v for v in service.get("environment", {}).values() if "/run/secrets/" in v]
        assert {Path(value).name for value in read} <= given
        assert given <= set(compose["secrets"])
        assert not (given & owner) or name == "migrate"


def test_compose_and_kubernetes_wait_for_as_long_as_a_stop_takes(compose: dict[str, Any]) -> None:
    stop = DEFAULTS.shutdown_grace + SHUTDOWN_TIMEOUT
    assert seconds(compose["services"]["serve"]["stop_grace_period"]) > stop

    pod = workloads()["scoreboard-serve"]
    [serve] = pod["containers"]
    pause = float(serve["lifecycle"]["preStop"]["exec"]["command"][1])
    set_to = {variable["name"]: variable["value"] for variable in serve["env"]}
    stop = pause + float(set_to["SCOREBOARD_SHUTDOWN_GRACE"]) + SHUTDOWN_TIMEOUT
    assert pod["terminationGracePeriodSeconds"] > stop

    persist = workloads()["scoreboard-persist"]
    assert persist["terminationGracePeriodSeconds"] > STATEMENT_TIMEOUT


def test_processes_may_open_as_many_descriptors_as_they_need(compose: dict[str, Any]) -> None:
    needed = DEFAULTS.max_connections + DEFAULTS.max_http_connections + OWN_DESCRIPTORS
    assert compose["services"]["serve"]["ulimits"]["nofile"] >= needed
    [unit] = [unit.read_text() for unit in UNITS if "serve" in unit.name]
    found = re.search(r"^LimitNOFILE=(\d+)$", unit, re.MULTILINE)
    assert found
    assert int(found[1]) >= needed


def seconds(text: str) -> float:
    """The seconds in ``30s``."""
    assert text.endswith("s")
    return float(text[:-1])


# Kubernetes.


def documents() -> Iterator[dict[str, Any]]:
    """What the kustomization consists of."""
    listed = yaml.safe_load((KUBERNETES / "kustomization.yaml").read_text())["resources"]
    assert {path.name for path in KUBERNETES.iterdir()} == {*listed, "kustomization.yaml"}
    for name in listed:
        yield from yaml.safe_load_all((KUBERNETES / name).read_text())


def workloads() -> dict[str, dict[str, Any]]:
    """The pods by the name of their deployment or job."""
    return {
        document["metadata"]["name"]: document["spec"]["template"]["spec"]
        for document in documents()
        if document["kind"] in {"Deployment", "Job"}
    }


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_kubernetes_takes_the_manifests(version: str) -> None:
    for document in documents():
        kubernetes_validate.validate(document, version, strict=True)


def test_every_pod_has_no_more_rights_than_it_needs() -> None:
    assert set(workloads()) == {"scoreboard-serve", "scoreboard-persist", "scoreboard-migrate"}
    for name, pod in workloads().items():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        [container] = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
        [secrets] = pod["volumes"]
        owner = secrets["secret"]["secretName"] == "scoreboard-owner"
        assert owner == (name == "scoreboard-migrate")


def test_selectors_ports_and_targets_of_the_manifests_meet() -> None:
    labels = [
        document["spec"]["template"]["metadata"]["labels"]
        for document in documents()
        if document["kind"] in {"Deployment", "Job"}
    ]
    for document in documents():
        spec = document.get("spec", {})
        kind = document["kind"]
        if kind in {"Deployment", "PodDisruptionBudget"}:
            wanted = spec["selector"]["matchLabels"]
        elif kind == "Service":
            wanted = spec["selector"]
        elif kind == "NetworkPolicy":
            wanted = spec["podSelector"].get("matchLabels", {})
        else:
            continue
        assert any(wanted.items() <= of_pod.items() for of_pod in labels), document
    for pod in workloads().values():
        [container] = pod["containers"]
        ports = {port["name"] for port in container.get("ports", ())}
        for probe in ("livenessProbe", "readinessProbe"):
            if probe in container:
                assert container[probe]["httpGet"]["port"] in ports
    [scaled] = [d["spec"] for d in documents() if d["kind"] == "HorizontalPodAutoscaler"]
    assert scaled["scaleTargetRef"]["name"] in workloads()


# systemd.


def test_systemd_finds_the_units_sound_and_tight(tmp_path: Path) -> None:
    tool = program("systemd-analyze", package="systemd")
    names = []
    for unit in UNITS:
        name = unit.name.replace("@", "@8080")
        # The program is not where a deployment has it.
        text = unit.read_text().replace("/opt/scoreboard/bin/scoreboard", "/bin/true")
        (tmp_path / name).write_text(text)
        names.append(f"./{name}")
    for arguments in (
        ("verify", "--man=no"),
        ("security", "--offline=yes", "--threshold=20", "--no-pager"),
    ):
        done = subprocess.run(
            [tool, *arguments, *names], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stderr == ""
