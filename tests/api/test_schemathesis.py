"""The service against its own OpenAPI document: what schemathesis makes of it finds no fault and nothing undocumented."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.service import People, Service, token

STORAGE: Final = Path(__file__).parents[2] / ".hypothesis"
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


def test_schemathesis_finds_nothing(service: Service, people: People, tmp_path: Path) -> None:
    people.admin.bet(people.admin.account(10_000), people.admin.market()).ok(201)
    done = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            *("--config-file", CONFIG, "run", f"{service.url}/schema/openapi.json"),
            *("--header", f"Authorization: Bearer {token('admin', 'root')}"),
            *("--phases", "examples,coverage,fuzzing,stateful", "--seed", "20261122"),
            *(
                "--checks",
                ",".join(CHECKS),
                "--exclude-path-regex",
                "^/(health|ready|metrics|v1/stream)$",
            ),
            *("--suppress-health-check", "all", "--no-color", "--request-timeout", "60"),
            *("--generation-database", "none"),
        ],
        cwd=tmp_path,
        # Its tables of characters take seconds to make: they are kept where these tests keep theirs.
        env=os.environ | {"HYPOTHESIS_STORAGE_DIRECTORY": str(STORAGE)},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr
    for phase in ("Coverage", "Fuzzing", "Stateful"):
        assert f"✅ {phase}" in done.stdout, done.stdout[-6_000:]
    assert people.nobody.get("/ready").ok()["faults"] == {}
