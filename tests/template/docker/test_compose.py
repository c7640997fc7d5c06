import atexit
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from laid import TASKS, lay_template

ROOT = Path(tempfile.mkdtemp(prefix="project-"))
atexit.register(shutil.rmtree, ROOT, ignore_errors=True)
lay_template(TASKS[0], ROOT)
TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
STACK: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
each = pytest.mark.parametrize("name", SERVICES)


def test_the_stack_is_whole() -> None:
    assert set(SERVICES) == {"api", "mlflow", "database", "store"}


@each
def test_a_container_may_do_next_to_nothing(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert any(place.split(":")[0] == "/tmp" for place in service["tmpfs"])


@each
def test_only_this_machine_reaches_a_port(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))


@pytest.mark.parametrize("name", ["database", "store"])
def test_the_stores_are_reached_from_inside_only(name: str) -> None:
    assert "ports" not in SERVICES[name]
    assert SERVICES[name]["networks"] == ["inside"]
    assert STACK["networks"]["inside"]["internal"] is True


@each
def test_its_health_is_known(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        assert "HEALTHCHECK" in (ROOT / service["build"]["dockerfile"]).read_text(encoding="utf-8")
    else:
        assert service["healthcheck"]["test"][0] == "CMD"


@each
def test_it_waits_until_what_it_needs_is_healthy(name: str) -> None:
    for other, wait in SERVICES[name].get("depends_on", {}).items():
        assert other in SERVICES
        assert wait == {"condition": "service_healthy"}


@each
def test_an_image_is_pinned_and_a_build_is_there(name: str) -> None:
    service = SERVICES[name]
    if "build" in service:
        assert (ROOT / service["build"]["dockerfile"]).is_file()
    else:
        assert re.search(r":v?\d", service["image"])


@each
def test_every_secret_comes_from_the_environment_and_has_no_default(name: str) -> None:
    for key, value in SERVICES[name]["environment"].items():
        if re.search(r"PASSWORD|SECRET|_KEY|TOKEN", key) or re.search("://.*@", value):
            assert re.search(r"\$\{\w+:\?[^}]+\}", value), f"{key} starts without a secret"
    assert re.search(r"\$\{\w+(:?-|\})|\$\w", TEXT) is None, "a default, or an empty value"


def test_every_variable_is_explained_where_people_look() -> None:
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    used = set(re.findall(r"\$\{(\w+)", TEXT))
    assert [name for name in sorted(used) if not re.search(rf"^#?{name}=", example, re.MULTILINE)] == []


def test_every_volume_is_declared_and_used() -> None:
    used = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    assert {name for name in used if not name.startswith(".")} == set(STACK["volumes"])


@pytest.mark.parametrize(
    ("service", "variable", "role"),
    [("api", "SERVE_DATABASE_URL", "predictions"), ("mlflow", "MLFLOW_BACKEND_STORE_URI", "mlflow")],
)
def test_each_server_opens_its_own_database_only(service: str, variable: str, role: str) -> None:
    url = SERVICES[service]["environment"][variable]
    password = f"{role.upper()}_DB_PASSWORD"
    assert url.startswith(f"postgresql+psycopg://{role}:$" + "{" + password + ":?")
    assert url.endswith(f"@database:5432/{role}")
    assert f'make {role} "${password}"' in (ROOT / "docker" / "databases.sh").read_text(encoding="utf-8")
