"""Files with secrets: whole or not at all, and never readable by others, not for a moment."""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson


def replace_privately(path: Path, content: Mapping[str, Any]) -> None:
    """Write JSON with mode 0600 in place of what is there. Raises OSError, and then what was there is there still."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
