"""One visitor's question, gathered with everyone else's into one store call.

Questions of one kind and room that are asked in the same turn of the event loop travel together; those asked while
they are under way make up the next call. So the busier the gateway, the larger its batches, and it never waits for
a batch to fill.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, Protocol, TypeVar

from gateway.room.model import PassGrant
from gateway.store.base import Claim, ClaimAnswer, PassRef, QueueStore, Served, StoreUnavailable

Q = TypeVar("Q")
A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)

# A transaction of this many takes some milliseconds: longer ones would make other processes wait for their turn.
MAX_BATCH: Final = 256


class Asker(Protocol[A_contra]):
    """Who is told the answer, once: a future, or what behaves as one for less."""

    def done(self) -> bool:
        """Whether nobody waits any more. One that is not sent by then has not been asked."""
        ...

    def set_result(self, answer: A_contra, /) -> None: ...

    def set_exception(self, error: Exception, /) -> None: ...

    def cancel(self) -> object: ...


class Gatherer(Generic[Q, A]):
    """Gathers questions for `send`, which answers them in order. One batch is under way at a time."""

    def __init__(self, send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]], max_batch: int) -> None:
        self._send = send
        self._max_batch = max_batch
        self._waiting: list[tuple[Q, Asker[A]]] = []
        self._task: asyncio.Task[None] | None = None

    def ask(self, question: Q) -> asyncio.Future[A]:
        """The answer to come. Who cancels it before it is sent has not asked; after that, it is done unheard."""
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self.ask_for(question, answer)
        return answer

    def ask_for(self, question: Q, asker: Asker[A]) -> None:
        """Have the asker told the answer."""
        self._waiting.append((question, asker))
        if self._task is None:
            # A task begins in the loop's next turn, when all of this turn have asked.
            self._task = asyncio.get_running_loop().create_task(self._send_all())

    async def done(self) -> None:
        """Wait until nothing is under way."""
        while self._task is not None:
            await asyncio.wait([self._task])

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
                batch = [(question, asker) for question, asker in batch if not asker.done()]
                if batch:
                    await self._send_batch(batch)
        finally:
            self._task = None
            # Only if this task itself was cancelled: nobody may be left hanging.
            for _, asker in self._waiting:
                asker.cancel()
            self._waiting = []

    async def _send_batch(self, batch: Sequence[tuple[Q, Asker[A]]]) -> None:
        try:
            answers = await self._send([question for question, _ in batch])
        except Exception as error:  # noqa: BLE001 - whatever it is, it is for those who asked
            for _, asker in batch:
                if not asker.done():
                    asker.set_exception(error)
        except BaseException:
            for _, asker in batch:
                asker.cancel()
            raise
        else:
            # The next batch goes off first: the store works while these are told.
            asyncio.get_running_loop().call_soon(_tell, batch, answers)


def _tell(batch: Sequence[tuple[Q, Asker[A]]], answers: Sequence[A]) -> None:
    for (_, asker), answer in zip(batch, answers, strict=True):
        if not asker.done():
            asker.set_result(answer)


class BatchingStore:
    """Single questions to `store`, as futures: they can be asked without an await. `store` takes all other calls.

    A failure goes to everyone in the batch; a caller that is cancelled takes nobody along.
    """

    def __init__(self, store: QueueStore, *, max_batch: int = MAX_BATCH) -> None:
        self.store = store
        self._max_batch = max_batch
        self._gatherers: dict[tuple[str | int | None, ...], Gatherer[Any, Any]] = {}
        self._closed = False

    def join_one(self, room: str, knock: int | None, expires_ms: int, epoch: int | None = None) -> asyncio.Future[int]:
        """As `QueueStore.join`. One that is cancelled leaves at most a gap in the numbers, or a knock to ask again."""
        return self._joins(room, epoch).ask((knock, expires_ms))

    def join_for(self, room: str, knock: int, expires_ms: int, epoch: int, asker: Asker[int]) -> None:
        """As `join_one`, told to `asker`."""
        self._joins(room, epoch).ask_for((knock, expires_ms), asker)

    def claim_one(self, room: str, claim: Claim) -> asyncio.Future[ClaimAnswer]:
        """As `QueueStore.claim`. One that is cancelled may have been granted: claimed again, the same pass is told."""
        return self._gatherer(("claim", room), partial(self.store.claim, room)).ask(claim)

    def renew_one(self, room: str, ref: PassRef) -> asyncio.Future[PassGrant | None]:
        """As `QueueStore.renew`."""
        return self._gatherer(("renew", room), partial(self.store.renew, room)).ask(ref)

    def serve_one(self, room: str, served: Served) -> asyncio.Future[PassGrant | None]:
        """As `QueueStore.serve`."""
        return self._gatherer(("serve", room), partial(self.store.serve, room)).ask(served)

    def complete_one(self, room: str, ref: PassRef, *, reason: str) -> asyncio.Future[bool]:
        """As `QueueStore.complete`."""

        async def send(refs: Sequence[PassRef]) -> Sequence[bool]:
            return await self.store.complete(room, refs, reason=reason)

        return self._gatherer(("complete", room, reason), send).ask(ref)

    def leave_one(self, room: str, epoch: int, place: int) -> asyncio.Future[bool]:
        """As `QueueStore.leave`."""
        return self._gatherer(("leave", room), partial(self.store.leave, room)).ask((epoch, place))

    async def close(self) -> None:
        """Answer what is under way, take no more, and close the store."""
        self._closed = True
        for gatherer in list(self._gatherers.values()):
            await gatherer.done()
        await self.store.close()

    def _joins(self, room: str, epoch: int | None) -> Gatherer[tuple[int | None, int], int]:
        known = self._gatherers.get(("join", room, epoch))
        if known is not None and not self._closed:
            return known

        async def send(asked: Sequence[tuple[int | None, int]]) -> Sequence[int]:
            # Remembering some knocks for longer than asked does no harm.
            latest_ms = max(expires_ms for _, expires_ms in asked)
            return await self.store.join(room, [knock for knock, _ in asked], expires_ms=latest_ms, epoch=epoch)

        return self._gatherer(("join", room, epoch), send)

    def _gatherer(
        self, key: tuple[str | int | None, ...], send: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]
    ) -> Gatherer[Q, A]:
        if self._closed:
            raise StoreUnavailable("the store was closed")
        gatherer = self._gatherers.get(key)
        if gatherer is None:
            gatherer = self._gatherers[key] = Gatherer(send, self._max_batch)
        return gatherer
