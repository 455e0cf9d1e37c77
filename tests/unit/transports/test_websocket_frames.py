"""The splitter gives what the library's parser would give, however the bytes are cut; what is
written is what the library writes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import Protocol, Side

from kkjupyter.transports.websocket.frames import FrameSplitter, text_frames

LIMIT_BYTES = 70_000

plain = st.builds(
    lambda text, opcode: Frame(opcode, text.encode(), fin=True),
    st.one_of(
        st.text(max_size=50),
        # the borders between the three forms of a length
        st.sampled_from([125, 126, 127, 65_535, 65_536]).map(lambda size: "x" * size),
    ),
    st.sampled_from([Opcode.TEXT, Opcode.BINARY]),
)
other = st.sampled_from(
    [
        Frame(Opcode.PING, b"are you there"),
        Frame(Opcode.PONG, b""),
        Frame(Opcode.TEXT, b"first ", fin=False),
        Frame(Opcode.CONT, b"and last", fin=True),
    ]
)


def on_the_wire(frame: Frame) -> bytes:
    return frame.serialize(mask=False)


def feed(splitter: FrameSplitter, data: bytes, messages: list[bytes]) -> None:
    is_left = splitter.feed(data, messages)
    while is_left:
        is_left = splitter.go_on(messages)


def is_plain(frame: Frame) -> bool:
    return frame.fin and frame.opcode in (Opcode.TEXT, Opcode.BINARY)


@given(frames=st.lists(st.one_of(plain, plain, other), max_size=12), data=st.data())
def test_however_the_bytes_are_cut(frames: list[Frame], data: st.DataObject) -> None:
    stream = b"".join(map(on_the_wire, frames))
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    passed_on: list[bytes] = []
    messages: list[bytes] = []
    splitter = FrameSplitter(passed_on.append, LIMIT_BYTES)
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        feed(splitter, stream[start:end], messages)
    assert messages == [frame.data for frame in frames if is_plain(frame)]
    assert passed_on == [on_the_wire(frame) for frame in frames if not is_plain(frame)]


def test_byte_by_byte_gives_the_same() -> None:
    stream = on_the_wire(Frame(Opcode.TEXT, b"a" * 300)) + on_the_wire(Frame(Opcode.PING, b"p"))
    passed_on: list[bytes] = []
    messages: list[bytes] = []
    splitter = FrameSplitter(passed_on.append, LIMIT_BYTES)
    for index in range(len(stream)):
        feed(splitter, stream[index : index + 1], messages)
    assert messages == [b"a" * 300]
    assert passed_on == [on_the_wire(Frame(Opcode.PING, b"p"))]


def test_a_message_over_the_limit_and_all_after_it_goes_to_the_library() -> None:
    passed_on: list[bytes] = []
    messages: list[bytes] = []
    splitter = FrameSplitter(passed_on.append, limit_bytes=10)
    too_big = on_the_wire(Frame(Opcode.TEXT, b"x" * 11))
    feed(splitter, on_the_wire(Frame(Opcode.TEXT, b"x" * 10)) + too_big[:5], messages)
    feed(splitter, too_big[5:], messages)
    feed(splitter, on_the_wire(Frame(Opcode.TEXT, b"later")), messages)
    assert messages == [b"x" * 10]
    assert b"".join(passed_on) == too_big + on_the_wire(Frame(Opcode.TEXT, b"later"))


def test_a_masked_frame_goes_to_the_library() -> None:
    passed_on: list[bytes] = []
    messages: list[bytes] = []
    masked = Frame(Opcode.TEXT, b"never from a server").serialize(mask=True)
    FrameSplitter(passed_on.append, LIMIT_BYTES).feed(masked, messages)
    assert messages == []
    assert passed_on == [masked]


def test_nothing_is_read_after_the_connection_has_ended() -> None:
    passed_on: list[bytes] = []
    messages: list[bytes] = []

    def close(data: bytes) -> bool:
        passed_on.append(data)
        return True

    splitter = FrameSplitter(close, LIMIT_BYTES)
    text, end = on_the_wire(Frame(Opcode.TEXT, b"text")), on_the_wire(Frame(Opcode.CLOSE, b""))
    feed(splitter, text + end + text, messages)
    feed(splitter, text, messages)
    assert messages == [b"text"]
    assert passed_on == [end, text, text]


# ---- writing

texts = st.lists(st.binary(max_size=50), max_size=6)
borders = st.sampled_from([0, 125, 126, 127, 65_535, 65_536]).map(lambda size: [b"x" * size])


@given(messages=st.one_of(texts, borders))
def test_a_server_writes_what_the_library_writes(messages: list[bytes]) -> None:
    library = b"".join(Frame(Opcode.TEXT, message).serialize(mask=False) for message in messages)
    assert text_frames(messages, masked=False) == library


@given(messages=st.one_of(texts, borders))
def test_what_a_client_writes_the_library_reads(messages: list[bytes]) -> None:
    server = Protocol(Side.SERVER)
    server.receive_data(text_frames(messages, masked=True))
    frames = server.events_received()
    assert frames == [Frame(Opcode.TEXT, message) for message in messages]


def test_each_frame_has_a_mask_of_its_own() -> None:
    stream = text_frames([b"\0" * 16] * 64, masked=True)
    frames = {stream[start : start + 22] for start in range(0, len(stream), 22)}
    assert len(frames) == 64  # two of 64 are the same once in two million runs
