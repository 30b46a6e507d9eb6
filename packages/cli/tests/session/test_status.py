"""What a session says about its start: whole again, however it was cut."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from mirrord_cli.session.framed import Reader
from mirrord_cli.session.status import Failed, Message, Progress, Ready, Unmet, encode

variables = st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=300)), max_size=6).map(tuple)
messages = st.one_of(
    st.builds(Progress, st.text(max_size=20)),
    st.builds(Failed, st.sampled_from(["you", "cluster"]), st.text(max_size=20), st.text(max_size=20)),
    st.builds(Unmet, st.just("cluster"), st.text(max_size=20), st.text(max_size=20)),
    st.builds(
        Ready,
        environment=variables,
        target_name=st.binary(),
        target_pid=st.integers(0, 1 << 32),
        socket_name=st.binary(),
    ),
)


@given(st.lists(messages, max_size=4), st.lists(st.integers(0, 2000), max_size=6))
def test_however_it_is_cut(said: list[Message], cuts: list[int]) -> None:
    data = b"".join(map(encode, said))
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader, heard = Reader[Message](Message), list[Message]()

    for start, end in itertools.pairwise(edges):
        heard += reader.feed(data[start:end])

    assert heard == said


def test_an_environment_may_have_megabytes() -> None:
    ready = Ready(environment=((b"A", b"\xff" * 4_000_000),), target_name=b"\xfe", target_pid=7, socket_name=b"m")

    assert Reader[Message](Message).feed(encode(ready)) == [ready]


def test_a_path_that_is_no_text_is_spelled_out() -> None:
    failed = Failed("you", "No \udcff.", "")

    assert Reader[Message](Message).feed(encode(failed)) == [Failed("you", "No \\udcff.", "")]
