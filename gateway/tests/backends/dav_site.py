"""A WebDAV server: WsgiDAV over a folder, with locks and Digest authentication."""

from pathlib import Path
from typing import Any

from wsgidav.fs_dav_provider import FilesystemProvider
from wsgidav.wsgidav_app import WsgiDAVApp

from gateway.tests.backends.names import PASSWORD, USER


def application() -> Any:
    """For gunicorn."""
    share = Path.cwd() / "share"
    share.mkdir()
    return WsgiDAVApp(
        {
            "provider_mapping": {"/": FilesystemProvider(str(share))},
            "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
            "verbose": 1,
        }
    )
