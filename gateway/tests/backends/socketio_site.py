"""A Socket.IO server under gunicorn's threads, with its default of which origins may speak to it: its own."""

from typing import Any

import socketio

server = socketio.Server(async_mode="threading")
application = socketio.WSGIApp(server)


@server.event
def echo(_sid: str, data: Any) -> Any:
    """What is returned is the acknowledgement."""
    return data


@server.event
def shout(_sid: str, data: Any) -> None:
    server.emit("shouted", data)
