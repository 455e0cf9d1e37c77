"""Asking a peer, once for a connection, whether it binds keyword arguments by name.

JavaScript has no keyword arguments: they travel as one object behind the other arguments. A server
of ours binds them by name where it is told that they are such, and says so when it is asked. Any
other peer answers that it has no such method, and is sent what it has always been sent. Only a call
with keyword arguments asks.
"""

from __future__ import annotations

import contextvars
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from kkjupyter.calls.call import Call
from kkjupyter.calls.state import CallState
from kkjupyter.calls.titles import Title
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.errors import CallTimeout, ConnectionLost, KKError
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.wire.kkrpc.reserved import DESCRIBE_NAME
from kkjupyter.wire.values.javascript import undefined

if TYPE_CHECKING:
    from kkjupyter.client.caller import ProtocolCaller

__all__ = [
    "ASK_S",
    "answer_of",
    "binds_names",
    "make_question",
    "says_binds_names",
    "warn_of_silence",
]

ASK_S: Final = 5.0
"""So long a peer may take to answer, in seconds."""

logger = SafeLogger("kkjupyter")


def make_question(caller: ProtocolCaller, *args: Any) -> OutgoingCall:
    """A call that asks the peer of ``caller`` what it understands, to be sent. It is not recorded.

    Args:
        caller: whose peer is asked.
        args: what to tell; nothing asks what it understands.
    """
    protocol = caller.wire
    state = CallState(
        DESCRIBE_NAME,
        Title("call", DESCRIBE_NAME, args, {}, undefined),
        protocol.new_id(),
        caller,
        timeout_s=ASK_S,
        idle_timeout_s=None,
    )
    context = contextvars.Context()
    call = OutgoingCall(state, "call", (DESCRIBE_NAME,), list(args), undefined, None, {}, context)
    call.encode(protocol)
    return call


async def binds_names(state: CallState, url: str) -> bool:
    """What the peer at ``url`` says to the question. I/O loop only.

    Raises:
        ConnectionLost: there is no connection any more.
        CallCancelled: it was closed from here.
    """
    try:
        return says_binds_names(await answer_of(state))
    except ConnectionLost:
        raise
    except CallTimeout:
        warn_of_silence(url)
        return False
    except KKError:
        if state.phase == "cancelled":
            raise
        return False  # that there is no such method, in whatever words


async def answer_of(state: CallState) -> Any:
    """The value of a question; None if it is a stream. I/O loop only; raises as a call."""
    call = Call(state)
    answer = await call
    if answer is call:
        call.cancel()
        return None
    return answer


def says_binds_names(answer: Any) -> bool:
    """Whether ``answer`` is that of a server which binds keyword arguments by name."""
    return isinstance(answer, Mapping) and answer.get("keywords") is True


def warn_of_silence(url: str) -> None:
    """Say what is done with keyword arguments when the peer does not answer."""
    logger.warning(
        "%s did not answer within %g s whether it takes keyword arguments by name; "
        "they are sent as one object behind the other arguments",
        url,
        ASK_S,
    )
