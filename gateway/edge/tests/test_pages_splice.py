"""Compressing a page from pieces gives the page."""

import gzip

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.edge.splice import Splicer

TEXT = st.text(max_size=40)


@settings(deadline=None)  # a loaded machine is not a fault
@given(st.lists(TEXT, max_size=4), st.lists(TEXT, max_size=8))
def test_any_body_comes_back_as_it_was(pieces, parts):
    body = "".join(parts).encode()
    assert gzip.decompress(Splicer(pieces).gzip(body)) == body


@settings(deadline=None)  # a loaded machine is not a fault
@given(TEXT, TEXT, TEXT)
def test_a_body_with_its_pieces_comes_back_as_it_was(before, between, after):
    fixed = ["style " * 100, "script " * 100]
    body = f"{before}{fixed[0]}{between}{fixed[1]}{after}".encode()
    assert gzip.decompress(Splicer(fixed).gzip(body)) == body
