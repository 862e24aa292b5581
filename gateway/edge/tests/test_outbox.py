"""What a turn of the event loop has to say goes out at its end, whole and in order."""

import asyncio

from gateway.edge.outbox import MOST, Outbox


class Wire:
    """As much of a transport as is asked of it."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.lost = False

    def is_closing(self) -> bool:
        return self.lost

    def write(self, data: bytes) -> None:
        assert not self.lost
        self.sent.append(data)


async def test_it_is_sent_at_the_end_of_the_turn_each_wires_in_its_order():
    outbox, one, other = Outbox(asyncio.get_running_loop()), Wire(), Wire()
    outbox.put(one, b"a")
    outbox.put(other, b"b")
    outbox.put(one, b"c")
    assert one.sent == other.sent == []
    await asyncio.sleep(0)
    assert (one.sent, other.sent) == ([b"a", b"c"], [b"b"])
    outbox.put(one, b"d")
    await asyncio.sleep(0)
    assert one.sent == [b"a", b"c", b"d"]


async def test_nobody_waits_for_more_than_so_many_others():
    outbox, wire = Outbox(asyncio.get_running_loop()), Wire()
    for number in range(MOST + 1):
        outbox.put(wire, b"%d" % number)
    assert len(wire.sent) == MOST
    await asyncio.sleep(0)
    assert wire.sent == [b"%d" % number for number in range(MOST + 1)]


async def test_a_wire_that_is_lost_meanwhile_keeps_nothing_from_the_others():
    outbox, lost, other = Outbox(asyncio.get_running_loop()), Wire(), Wire()
    outbox.put(lost, b"a")
    outbox.put(other, b"b")
    lost.lost = True
    await asyncio.sleep(0)
    assert (lost.sent, other.sent) == ([], [b"b"])


async def test_who_closes_a_wire_sends_first_what_is_held():
    outbox, wire = Outbox(asyncio.get_running_loop()), Wire()
    outbox.put(wire, b"a")
    outbox.send()
    wire.lost = True
    assert wire.sent == [b"a"]
    await asyncio.sleep(0)
    assert wire.sent == [b"a"]
