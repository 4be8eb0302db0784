"""The service against its own OpenAPI document: what schemathesis makes of it finds no fault and nothing undocumented."""

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.service import People, Service, token

CONFIG: Final = Path(__file__).with_name("schemathesis.toml")
CHECKS: Final = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "unsupported_method",
    "ignored_auth",
)


@pytest.mark.parametrize(
    ("phases", "examples", "methods"),
    [("coverage", 1, ["POST"]), ("examples,fuzzing", 3, ["GET", "POST"]), ("stateful", 2, [])],
    ids=["coverage", "fuzzing", "stateful"],
)
def test_schemathesis_finds_nothing(
    service: Service,
    people: People,
    tmp_path: Path,
    phases: str,
    examples: int,
    methods: list[str],
) -> None:
    people.admin.bet(people.admin.account(10_000), people.admin.market()).ok(201)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("--config-file", CONFIG, "run", f"{service.url}/schema/openapi.json"),
            *("--header", f"Authorization: Bearer {token('admin', 'root')}"),
            *("--phases", phases, "--max-examples", str(examples), "--seed", "20261122"),
            *(
                "--checks",
                ",".join(CHECKS),
                "--exclude-path-regex",
                "^/(health|ready|metrics|v1/stream)$",
            ),
            *(word for method in methods for word in ("--include-method", method)),
            *("--suppress-health-check", "all", "--no-color", "--request-timeout", "20"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr
    assert people.nobody.get("/ready").ok()["faults"] == {}
