"""Scripts, called on the server that has the room: one bounded try each, and failures in words.

A try is never repeated behind the caller's back: a call whose answer was lost may have been carried out. Only where the
server says that it did nothing (it does not know the script; the slot has moved) is it sent once more.
"""

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final

from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    MovedError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as LostConnection
from redis.exceptions import TimeoutError as LateAnswer

from gateway.store.base import StoreError, StoreMisconfigured, StoreUnavailable
from gateway.store.breaker import Breaker
from gateway.store.redis_nodes import Access, open_nodes
from gateway.store.redis_url import Kind, RedisUrl
from gateway.store.scripts import script

Argument = str | int | bytes

# How long replicas may take to confirm, as a part of what a call may take.
CONFIRM_PART: Final = 0.5

_MISCONFIGURED: Final = (AuthenticationError, AuthorizationError, NoPermissionError)
_WRONG_KIND: Final = (
    ("cluster support disabled", "is no cluster; write redis:// or redis+sentinel://"),
    ("unknown command 'SENTINEL'", "is no sentinel; write redis:// for a server itself"),
)
# What a script is told whose user may not do all that it does: by Redis, and by Valkey.
_LACKING_IN_SCRIPT: Final = ("The user executing the script can't", "ACL failure in script")
# Errors that redis-py has classes for come without their code.
_REASONS_BY_CLASS: Final = (
    (OutOfMemoryError, "the server is out of memory (maxmemory)"),
    (BusyLoadingError, "the server is loading its data"),
    (ReadOnlyError, "is a read-only replica"),
    (MasterDownError, "the server has lost its primary"),
    (ClusterDownError, "the cluster is down or has slots without a server"),
    (TryAgainError, "the room's slot is being moved to another server"),
    (AskError, "the room's slot is being moved to another server"),
)
_REASONS_BY_CODE: Final = (
    ("WRONGTYPE", "a key of another type is in the way"),
    ("MISCONF", "the server cannot save to its disk and refuses writes"),
    ("NOREPLICAS", "too few replicas are connected (min-replicas-to-write)"),
    ("BUSY", "the server is busy with a script"),
)


class Link:
    """To the servers of one store. `reach` names them in messages, without a password."""

    def __init__(self, url: RedisUrl, access: Access) -> None:
        self.reach = url.label
        self.is_cluster = url.kind is Kind.CLUSTER
        self._nodes = open_nodes(url, access)
        self._timeout_s = access.timeout_s
        self._min_replicas = url.min_replicas
        # Each room has its own: in a cluster, one server that is gone takes only its rooms along.
        self._breakers: defaultdict[str, Breaker] = defaultdict(lambda: Breaker(time.monotonic, random.random))

    async def call(
        self, name: str, keys: Sequence[str], arguments: Sequence[Argument], *, durable: bool = False
    ) -> list[Any]:
        """What the script `name` returns. keys: the first names the room's place.

        durable: not before `min_replicas` replicas have it too. Raises `StoreUnavailable`, `StoreMisconfigured`.
        """
        breaker = self._breakers[keys[0]]
        token = breaker.begin()
        if token is None:
            raise StoreUnavailable(f"{self.reach}: does not answer")
        answered: bool | None = False
        try:
            async with asyncio.timeout(self._timeout_s):
                reply = await self._send(name, keys, arguments, durable=durable)
            answered = True
        except (RedisError, OSError, TimeoutError) as error:
            answered = isinstance(error, ResponseError) and not isinstance(error, LostConnection)
            if not answered or isinstance(error, ReadOnlyError):
                await self._nodes.failed()
            raise failure(self.reach, error) from error
        except StoreError:
            answered = True
            raise
        except asyncio.CancelledError:
            answered = None
            raise
        finally:
            breaker.end(token, answered=answered)
        return reply

    async def servers(self) -> Sequence[Redis]:
        return await self._nodes.all()

    async def server_of(self, key: str) -> Redis:
        return await self._nodes.of(key)

    async def close(self) -> None:
        await self._nodes.close()

    async def _send(self, name: str, keys: Sequence[str], arguments: Sequence[Argument], *, durable: bool) -> list[Any]:
        found = script(name)
        command: tuple[Argument, ...] = ("EVALSHA", found.sha, len(keys), *keys, *arguments)
        for _ in range(3):
            client = await self._nodes.of(keys[0])
            try:
                return await self._once(client, command, durable=durable)
            except RuntimeError as error:
                # What uvloop says of a connection that the other side has just closed; redis-py passes it on as it is.
                raise LostConnection("the connection was closed") from error
            except NoScriptError:
                # A new server, or SCRIPT FLUSH: sent whole, the server keeps it.
                command = ("EVAL", found.source, *command[2:])
            except MovedError:
                await self._nodes.failed()
        raise StoreUnavailable(f"{self.reach}: the servers disagree on who has this room")

    async def _once(self, client: Redis, command: Sequence[Argument], *, durable: bool) -> list[Any]:
        if not (durable and self._min_replicas):
            reply: list[Any] = await client.execute_command(*command)  # type: ignore[no-untyped-call]
            return reply
        # On one connection: WAIT is for what was written on it.
        pipeline = client.pipeline(transaction=False)
        pipeline.execute_command(*command)
        pipeline.execute_command("WAIT", self._min_replicas, int(self._timeout_s * CONFIRM_PART * 1000))
        reply, confirmed = await pipeline.execute(raise_on_error=False)
        for answer in (reply, confirmed):
            if isinstance(answer, Exception):
                raise answer
        if confirmed < self._min_replicas:
            raise StoreUnavailable(
                f"{self.reach}: {confirmed} of {self._min_replicas} replicas (min_replicas) have confirmed in time"
            )
        return reply


def failure(reach: str, error: BaseException) -> StoreError:
    """A redis-py error in words that name the server and what is the matter with it, and hold no secret."""
    # Without the place in the script.
    words = str(error).rpartition(" script:")[0] or str(error)
    for mark, reason in _WRONG_KIND:
        if mark in words:
            return StoreMisconfigured(f"{reach}: {reason}")
    if isinstance(error, NoPermissionError) or any(mark in words for mark in _LACKING_IN_SCRIPT):
        return StoreMisconfigured(f"{reach}: the user lacks a permission ({words})")
    if isinstance(error, _MISCONFIGURED) or "CERTIFICATE_VERIFY_FAILED" in words or "WRONGPASS" in words:
        kind = "its certificate is not to be trusted" if "CERTIFICATE" in words else "it refuses our user or password"
        return StoreMisconfigured(f"{reach}: {kind}")
    if isinstance(error, TimeoutError | LateAnswer):
        return StoreUnavailable(f"{reach}: no answer in time")
    if reason := _reason(error, words):
        return StoreUnavailable(f"{reach}: {reason}")
    return StoreUnavailable(f"{reach}: cannot be reached ({words or type(error).__name__})")


def _reason(error: BaseException, words: str) -> str:
    """What a server said about itself or its data; "" if it said nothing."""
    for found, reason in _REASONS_BY_CLASS:
        if isinstance(error, found):
            return reason
    if not isinstance(error, ResponseError):
        return ""
    for code, reason in _REASONS_BY_CODE:
        if words.startswith(code):
            return reason
    return f"refuses a command ({words})"
