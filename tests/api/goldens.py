"""Golden answers: what clients get, with ids, times and positions as they first appear.

To write them again after a change that is meant: UPDATE_GOLDEN=1 make test ARGS="tests/api".
"""

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from tests.service import Answer

FOLDER: Final = Path(__file__).parent / "golden"
_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")
_OPAQUE: Final = {
    "next_cursor": "<cursor>",
    "day": "<day>",
    "age_seconds": "<age>",
    "duration_seconds": "<seconds>",
}


class Golden:
    """Normalises answers of one story, so that the same id has the same name in all of them."""

    def __init__(self, *users: str) -> None:
        self._names: dict[str, str] = {user: f"<user {n + 1}>" for n, user in enumerate(users)}
        self._ids = 0
        self._positions: list[int] = []

    def check(self, name: str, answer: Answer) -> Any:
        """Compare an answer with its golden file, and give its JSON."""
        headers = {
            header: answer.headers[header]
            for header in ("content-type", "idempotency-replayed", "retry-after")
            if header in answer.headers
        }
        body: Any
        if answer.headers["content-type"].startswith("application/x-ndjson"):
            body = [json.loads(line) for line in answer.content.splitlines()]
        else:
            body = answer.json
        shown = {"status": answer.status, "headers": headers, "body": self._normal(body)}
        text = json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
        file = FOLDER / f"{name}.json"
        if os.environ.get("UPDATE_GOLDEN"):
            file.write_text(text)
        assert text == file.read_text(), f"{file.name} tells another story"
        return body

    def _normal(self, value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: self._normal(each, name) for name, each in value.items()}
        if isinstance(value, list):
            return [self._normal(each, key) for each in value]
        if value is not None and key in _OPAQUE:
            return _OPAQUE[key]
        if key.endswith("position") and isinstance(value, int):
            if value not in self._positions:
                self._positions.append(value)
            return f"<position {self._positions.index(value) + 1}>"
        if isinstance(value, str):
            return self._named(value)
        return value

    def _named(self, text: str) -> str:
        for found in _ID.findall(text):
            if found not in self._names:
                self._ids += 1
                self._names[found] = f"<id {self._ids}>"
        for known, name in self._names.items():
            text = text.replace(known, name)
        return _TIME.sub("<time>", text)
