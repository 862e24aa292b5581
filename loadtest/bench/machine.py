"""What the report says of the machine and of every program, and how missing ones are installed."""

import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

# By the name the rows use: Debian's package, and how the program tells its version.
DEBIAN: Final = {
    "wrk": ("wrk", ["wrk", "-v"]),
    "nginx": ("nginx-light", ["nginx", "-v"]),
    "haproxy": ("haproxy", ["haproxy", "-v"]),
    "go": ("golang-go", ["go", "version"]),
    "caddy": ("caddy", ["caddy", "version"]),
    "redis-server": ("redis-server", ["redis-server", "--version"]),
}
_APT_S: Final = 600
_POLICY: Final = Path("/usr/sbin/policy-rc.d")


def install(say: Callable[[str], None]) -> None:
    """Debian's packages of what is missing, where this is root and there is apt; else say what is missing, loudly."""
    missing = [package for name, (package, _) in DEBIAN.items() if shutil.which(name) is None]
    if not missing:
        return
    apt = shutil.which("apt-get")
    if os.geteuid() != 0 or apt is None:
        say(f"MISSING, and not installed (that takes root and apt): {', '.join(missing)}. What needs them is left out.")
        return
    say(f"installing {', '.join(missing)}")
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Programs are wanted, not services on this machine's ports.
    policy = _POLICY if not _POLICY.exists() else None
    if policy is not None:
        policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
        policy.chmod(0o755)
    try:
        _apt(apt, missing, environ, say)
    finally:
        if policy is not None:
            policy.unlink()


def _apt(apt: str, missing: list[str], environ: dict[str, str], say: Callable[[str], None]) -> None:
    for words in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *missing]):
        done = subprocess.run(  # noqa: S603 - our own
            [apt, *words],
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=_APT_S,
        )
        if done.returncode:
            say(f"apt-get {words[0]} FAILED; what needs it is left out: {done.stderr.strip()[-500:]}")


def programs() -> frozenset[str]:
    """Those that are here."""
    return frozenset(name for name in DEBIAN if shutil.which(name) is not None)


def versions() -> dict[str, str]:
    """Of each that is here."""
    found = {}
    for name, (_, command) in DEBIAN.items():
        if shutil.which(name) is not None:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own
            found[name] = (done.stdout + done.stderr).strip().splitlines()[0]
    found["Python"] = platform.python_version()
    return found | {name: version(name) for name in ("aiohttp", "uvloop")}


def machine() -> str:
    """Processor, cores, memory, kernel."""
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    model = next(
        (line.partition(":")[2].strip() for line in info if line.startswith("model name")), "unknown processor"
    )
    kib = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1])
    return f"{model}, {os.cpu_count()} cores, {kib / 1048576:.0f} GiB, {platform.system()} {platform.release()}"


def revision() -> str:
    """The commit that is measured, marked where files differ from it; empty where there is no repository."""
    git = shutil.which("git")
    if git is None:
        return ""
    words = [git, "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=9"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()  # noqa: S603 - our own
