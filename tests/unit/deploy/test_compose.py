"""docker-compose.yml, as far as it can be judged without Docker: by its schema and by what it promises."""

import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml

from services.gateway.routes import SERVICES
from shared.settings import Settings

ROOT: Final = Path(__file__).parents[3]
# The schema is part of the specification's own Go module (Apache 2.0).
SPECIFICATION: Final = "github.com/compose-spec/compose-go/v2@v2.16.2"
FILES: Final = ("docker-compose.yml", "deploy/compose.monitoring.yml")
ENGINES: Final = ("kafka", "mongodb", "meilisearch")


def compose(name: str = FILES[0]) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


SERVED: Final[Mapping[str, Any]] = compose()["services"]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    go = shutil.which("go")
    if go is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Go brings the schema of compose files, and is not installed.")
        pytest.skip("Go brings the schema of compose files, and is not installed.")
    command = [go, "mod", "download", "-json", SPECIFICATION]
    done = subprocess.run(command, capture_output=True, text=True, timeout=55, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    folder = Path(json.loads(done.stdout)["Dir"])
    found: dict[str, Any] = json.loads((folder / "schema" / "compose-spec.json").read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("name", FILES)
def test_file_is_one_by_the_specifications_schema(name: str, schema: dict[str, Any]) -> None:
    jsonschema.validate(compose(name), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"services": {"gateway": {"imagine": "x"}}}, schema)


def test_every_service_runs_by_the_command_that_the_tests_of_real_servers_run() -> None:
    for name in SERVICES:
        command = ["mitagger", *SERVED[name]["command"]]
        assert command[:3] == ["mitagger", "serve", name]  # as tests/support/cluster.py
        assert command[3:] == ["--host", "0.0.0.0", "--port", "8600"]  # noqa: S104 - of a container
    assert set(SERVED) == {*SERVICES, *ENGINES, "layout"}
    assert SERVED["layout"]["entrypoint"][2] == "mitagger topics apply && mitagger indexes apply"


def test_every_setting_is_one_of_ours() -> None:
    for name in (*SERVICES, "layout"):
        for variable in SERVED[name]["environment"]:
            setting = variable.removeprefix("MITAGGER_").partition("__")[0].lower()
            assert setting in Settings.model_fields, variable
    addresses = {name for name in SERVED["gateway"]["environment"] if "ADDRESSES" in name}
    assert addresses == {f"MITAGGER_ADDRESSES__{name.upper()}" for name in SERVICES if name != "gateway"}


def test_only_the_gateway_is_published_and_on_loopback() -> None:
    assert {name for name, service in SERVED.items() if "ports" in service} == {"gateway"}
    for name in FILES:
        for service in compose(name)["services"].values():
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
    assert compose()["networks"]["inside"]["internal"] is True
    assert {name for name, service in SERVED.items() if service["networks"] != ["inside"]} == {"gateway"}


def test_secrets_are_files_that_are_declared_made_and_settings() -> None:
    declared = compose()["secrets"]
    used = {secret for service in SERVED.values() for secret in service.get("secrets", [])}
    assert used == set(declared)
    for name, secret in declared.items():
        assert secret["file"] == f"deploy/secrets/{name}"
        assert name.removeprefix("mitagger_") in Settings.model_fields
    assert not re.search(r"(?i)(password|secret|key): *\S*[0-9a-f]{16}", (ROOT / FILES[0]).read_text(encoding="utf-8"))


def test_everything_is_watched_bounded_and_unprivileged() -> None:
    for name, service in SERVED.items():
        limits = service["deploy"]["resources"]["limits"]
        assert set(limits) == {"cpus", "memory"}, name
        assert service["healthcheck"] == {"disable": True} or service["healthcheck"]["test"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        if name not in ENGINES:
            assert service["read_only"] is True, name
            assert service["cap_drop"] == ["ALL"], name


def test_recommenders_can_be_many() -> None:
    assert "container_name" not in SERVED["recommender"]
    assert "ports" not in SERVED["recommender"]


def test_secrets_are_made_once_and_are_random(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(ROOT / "deploy" / "secrets.sh", tmp_path / "deploy")
    subprocess.run(["sh", script], check=True, capture_output=True, timeout=20)
    folder = tmp_path / "deploy" / "secrets"
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert set(made) == set(compose()["secrets"])
    assert len(set(made.values())) == len(made)
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in made.values())
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    subprocess.run(["sh", script], check=True, capture_output=True, timeout=20)
    assert {path.name: path.read_text() for path in folder.iterdir()} == made


def test_image_is_made_of_what_the_build_is_shown_and_runs_as_nobody_special() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8").splitlines()
    shown = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY ") and "--from" not in line]
    for source in (source for sources in copied for source in sources):
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in shown, source
    last = lines[max(place for place, line in enumerate(lines) if line.startswith("FROM ")) :]
    assert "USER mitagger" in last
    assert 'ENTRYPOINT ["mitagger"]' in last
