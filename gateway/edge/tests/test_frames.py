"""Where WebSocket frames begin and end, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.edge.proxy.frames import GOING_AWAY, Frames, close_frame


def frame(payload: bytes, *, masked: bool = False, opcode: int = 0x82) -> bytes:
    size = len(payload)
    if size < 126:
        head = bytes((opcode, size))
    elif size < 2**16:
        head = bytes((opcode, 126)) + size.to_bytes(2)
    else:
        head = bytes((opcode, 127)) + size.to_bytes(8)
    if masked:
        head = bytes((head[0], head[1] | 0x80)) + head[2:] + b"mask"
    return head + payload


frames = st.builds(frame, st.binary(max_size=300) | st.just(b"x" * 70_000), masked=st.booleans())


@given(st.lists(frames, min_size=1, max_size=5), st.data())
def test_the_end_of_a_frame_is_found_however_the_bytes_are_cut(sent, data):
    stream = b"".join(sent)
    ends = {sum(map(len, sent[: count + 1])) for count in range(len(sent))}
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream)), max_size=8)) | {len(stream)})
    follower, at = Frames(), 0
    for cut in cuts:
        assert follower.advance(stream[at:cut]) == cut - at
        at = cut
        assert follower.between is (at in ends)


@given(frames, frames, st.data())
def test_it_stops_at_the_end_of_the_frame_in_progress(first, second, data):
    cut = data.draw(st.integers(1, len(first) - 1))
    follower = Frames()
    follower.advance(first[:cut])
    assert follower.advance((first + second)[cut:], to_boundary=True) == len(first) - cut
    assert follower.between
    assert follower.advance(second, to_boundary=True) == 0


@pytest.mark.parametrize("masked", [False, True])
def test_a_close_frame_is_one_whole_frame_with_its_code(masked):
    made = close_frame(GOING_AWAY, masked=masked)
    follower = Frames()
    assert (follower.advance(made), follower.between) == (len(made), True)
    assert made[0] == 0x88
    assert bool(made[1] & 0x80) is masked
    payload = made[2:] if not masked else bytes(a ^ b for a, b in zip(made[6:], made[2:6], strict=False))
    assert int.from_bytes(payload) == GOING_AWAY
