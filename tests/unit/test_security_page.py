"""The table of all limits in docs/security.md: its numbers and options are the code's own.

Each row names here what it is held to: where its default comes from, and which tests show what
happens beyond it. A new row needs an entry, and a new limit of a server or a client a row.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp.web_protocol import RequestHandler

import kkjupyter as kk
from kkjupyter.api.connect_options import ConnectOptions
from kkjupyter.bus import kkrpc_peer, link
from kkjupyter.calls import buffer, callback_jobs, callbacks
from kkjupyter.connection import channel, negotiation, send_queue
from kkjupyter.notebook.views.markdown import html as markdown_html
from kkjupyter.notebook.views.markdown import view as markdown_view
from kkjupyter.runtime import logs
from kkjupyter.server.exposed import reach
from kkjupyter.server.listeners import stdio as stdio_listener
from kkjupyter.server.serve import ServeOptions
from kkjupyter.traces import record, recorder
from kkjupyter.transports.http.client import HttpClient
from kkjupyter.transports.stdio import client as stdio_client
from kkjupyter.vovk.client import handler_docs
from kkjupyter.vovk.client import session as vovk_session
from kkjupyter.vovk.client.json_schema import patterns, validation
from kkjupyter.vovk.server import response_task
from kkjupyter.wire import message_cost
from kkjupyter.wire.values import error_objects, shared_parts, write_path
from kkjupyter.wire.values.superjson import encoder
from kkjupyter.wire.vovk import forms

ROOT = Path(__file__).parents[2]
SERVER = kk.ServerLimits()
CLIENT = kk.ClientLimits()
_STDIO = stdio_listener._LIMITS
_UNITS = {"": 1, "KiB": 1024, "MiB": 1024 * 1024}
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)(?: (KiB|MiB)\b)?")


def _default_of(function: Any, name: str) -> Any:
    return inspect.signature(function).parameters[name].default


@dataclasses.dataclass
class Row:
    """What one row is held to.

    Attributes:
        defaults: the numbers in its second column, in order, as the code has them.
        tests: what shows what happens beyond it, as ``"folder/file::name"`` below ``tests``.
        options: the names in its third column; those in italics are fields of ServerLimits.
    """

    defaults: list[Any]
    tests: list[str]
    options: list[str] = dataclasses.field(default_factory=list)


def _server(*names: str, tests: list[str]) -> Row:
    return Row([getattr(SERVER, name) for name in names], tests, [*names])


COST = "faults/test_cost.py::test_"
STATED = "faults/test_stated_limits.py::test_"
BOUNDS = "contract/test_bounds.py::test_"
WAITS = "faults/test_http_waits.py::test_"
SCHEMA = "unit/vovk/test_json_schema.py::test_"

ROWS: dict[str, Row] = {
    "bytes of a message: to a server, to a client": Row(
        [SERVER.message_bytes, CLIENT.message_bytes],
        [
            f"{COST}a_message_over_the_limit_ends_its_connection_and_says_why",
            f"{STATED}a_message_to_a_client_over_its_limit_ends_its_connection",
            "contract/test_http.py::test_a_body_over_the_limit",
            "unit/client/test_http_calls.py::test_a_reply_over_the_limit_fails_its_call",
        ],
        ["message_bytes", "kk.ClientLimits"],
    ),
    "bytes that its values take, as estimated: at a server, at a client": Row(
        [SERVER.message_memory_bytes, CLIENT.message_memory_bytes],
        [
            f"{COST}a_message_of_empty_lists_is_refused_unmade",
            f"{COST}an_answer_that_would_take_too_much_memory_fails_its_call",
            f"{COST}a_body_of_empty_lists_is_refused_unmade",
        ],
        ["message_memory_bytes", "ClientLimits"],
    ),
    "both over stdin and stdout": Row(
        [_STDIO.message_bytes, _STDIO.message_memory_bytes],
        [
            f"{STATED}a_message_of_a_program_over_stdio",
            f"{STATED}who_serves_over_stdio_takes_what_a_client_takes",
        ],
    ),
    "levels of nesting, the message's own included": Row(
        [message_cost.MAX_DEPTH],
        [f"{COST}deep_nesting_is_answered", f"{COST}what_a_client_may_send_is_answered"],
    ),
    "levels of a query (Vovk)": Row([message_cost.MAX_DEPTH], [f"{STATED}a_query_nests_so_deep"]),
    "fields of a form (Vovk); bytes of the head of one of its parts": Row(
        [forms.MAX_FIELDS, forms.MAX_HEAD_BYTES],
        [
            f"{STATED}a_form_has_so_many_fields",
            "wire/vovk/test_forms.py::test_what_is_no_form",
        ],
    ),
    "bytes of a line in the head of an HTTP request; lines of that": Row(
        [_default_of(RequestHandler, "max_field_size"), _default_of(RequestHandler, "max_headers")],
        [f"{STATED}the_head_of_a_request"],
    ),
    "parts that references of superjson add": Row(
        [shared_parts.MAX_SHARED_PARTS], [f"{COST}references_make_nothing_much_larger_than_it_was"]
    ),
    "bytes of shared parts, of annotations' paths, written out": Row(
        [write_path.MAX_SHARED_BYTES],
        [
            "wire/test_cost.py::test_shared_parts_are_written_a_stated_number_of_times",
            "wire/test_cost.py::test_the_paths_of_annotations_are_bounded",
        ],
    ),
    "integers of one hash; values of one hash for a set, or as keys": Row(
        [message_cost.MAX_EQUAL_HASHES],
        [
            f"{COST}integers_of_one_hash_are_refused",
            "unit/validation/test_collisions.py::test_a_crowd_of_one_hash_is_refused_soon",
        ],
    ),
    "compressed bodies of requests": Row(
        [],
        [
            f"{COST}packed_bodies_are_refused_by_default",
            f"{COST}packed_bodies_are_unpacked_up_to_the_limit",
        ],
        ["gzip"],
    ),
    "calls and streams under way: of a connection, of all": _server(
        "requests_per_connection",
        "requests",
        tests=[
            f"{BOUNDS}requests_beyond_the_limit_are_refused_and_harm_none",
            f"{BOUNDS}the_limit_of_a_server_is_shared_by_its_clients",
            f"{BOUNDS}requests_over_http_are_bounded",
        ],
    ),
    "streams open: of a connection, of all": _server(
        "streams_per_connection",
        "streams",
        tests=[
            f"{BOUNDS}a_stream_beyond_the_limit_is_refused_and_closed",
            f"{BOUNDS}streams_among_arguments_count",
            f"{BOUNDS}requests_and_streams_of_vovk_are_bounded",
            f"{STATED}the_streams_of_all_clients_together",
        ],
    ),
    "plain functions running: of a connection, of all": _server(
        "function_threads_per_connection",
        "function_threads",
        tests=[
            f"{BOUNDS}plain_functions_that_block_keep_their_own_client_waiting",
            f"{BOUNDS}blocked_functions_of_vovk_cost_their_own_server_only",
        ],
    ),
    "plain generators running: of a connection, of all": _server(
        "generator_threads_per_connection",
        "generator_threads",
        tests=[f"{BOUNDS}plain_generators_that_block_are_counted_for_their_own_client"],
    ),
    "bytes held: for a connection, for all": _server(
        "buffered_bytes_per_connection",
        "buffered_bytes",
        tests=[
            f"{BOUNDS}bytes_of_requests_under_way_are_bounded",
            "faults/test_unfinished.py::test_what_is_unfinished_is_held_up_to_the_limit_of_all",
            "faults/test_unfinished.py::test_answers_over_http_that_nobody_takes",
            "unit/test_limits.py::test_what_is_refused_is_not_counted",
        ],
    ),
    "waiting calls of a function that a handler passed to the client": _server(
        "callbacks_per_call",
        tests=[f"{STATED}waiting_calls_of_a_function_that_a_handler_has_passed"],
    ),
    "bytes of stream items that wait for their client: kkrpc, Vovk": Row(
        [send_queue._FULL_BYTES, response_task._FULL_BYTES],
        [
            "contract/test_defects.py::test_03_a_peer_that_asks_for_everything_and_reads_nothing",
            "contract/test_vovk_streaming.py::test_a_client_that_does_not_read_stops_the_producer",
        ],
    ),
    "unsent messages to a client that does not read": Row(
        [send_queue._OVERFULL_BYTES, send_queue.LIMIT_BYTES],
        [
            f"{BOUNDS}many_large_answers_at_once_wait_for_the_reader",
            f"{BOUNDS}a_handler_that_goes_on_calling_one_who_does_not_read_is_told",
        ],
    ),
    "connections": _server(
        "connections", tests=[f"{BOUNDS}clients_beyond_the_limit_are_turned_away"]
    ),
    "connections from one address (IPv6: a /64; this machine is not counted)": _server(
        "connections_per_address", tests=["faults/test_crowds.py::test_one_address_has_so_many"]
    ),
    "connections that have not shown a token": _server(
        "unauthenticated_connections",
        tests=[f"{BOUNDS}sockets_that_show_no_token_are_few_and_soon_closed"],
    ),
    "seconds to show the token, and for the head of each request": _server(
        "handshake_timeout_s",
        tests=[
            f"{BOUNDS}sockets_that_show_no_token_are_few_and_soon_closed",
            f"{WAITS}a_further_request_has_its_time_from_its_first_byte",
        ],
    ),
    "seconds for the body of a request, and one more for each 1,000 bytes": _server(
        "body_timeout_s",
        tests=[
            f"{WAITS}half_a_body_is_answered_and_ended",
            f"{WAITS}a_body_that_keeps_coming_may_take_longer",
            f"{WAITS}a_trickle_is_no_progress",
        ],
    ),
    "seconds that a connection is kept for the next request": _server(
        "keepalive_timeout_s", tests=[f"{WAITS}a_connection_is_kept_for_so_long"]
    ),
    "seconds in which a client takes nothing of what was sent": _server(
        "write_timeout_s",
        tests=[
            f"{WAITS}a_stream_that_is_not_read_is_given_up",
            f"{WAITS}a_reply_that_is_not_read_is_given_up",
            "faults/test_frozen.py::test_a_websocket_client_that_does_not_read_is_disconnected",
        ],
    ),
    'seconds in which the other side does not answer "are you there?"': _server(
        "silence_timeout_s",
        tests=[
            "faults/test_frozen.py::test_both_ends_of_a_quiet_vovk_stream_notice",
            "faults/test_frozen.py::test_a_websocket_client_that_is_frozen_is_disconnected",
        ],
    ),
    "file descriptors left to the process": _server(
        "spare_descriptors",
        tests=["faults/test_crowds.py::test_silent_connections_leave_descriptors_to_others"],
    ),
    "names in a path": Row([reach.MAX_NAMES], [f"{STATED}a_path_has_so_many_names"]),
    "seconds to the first message of a WebSocket client": _server(
        "first_message_timeout_s",
        tests=[f"{BOUNDS}a_client_that_says_nothing_is_disconnected_and_told_why"],
    ),
    "bytes on their way on a connection between our own ends, or held while the reader pauses": Row(
        [link.WINDOW_BYTES],
        [
            "unit/bus/test_links.py::test_no_more_than_a_window_is_on_its_way_and_the_rest_follows",
            "unit/bus/test_links.py::test_a_reader_that_pauses_takes_nothing",
        ],
    ),
    "bytes that one of kkrpc's own peers sends and nobody reads": Row(
        [kkrpc_peer.HELD_BYTES],
        ["unit/bus/test_kkrpc_peers.py::test_a_peer_that_sends_what_nobody_reads_is_given_up"],
    ),
    "seconds without a sign of life: of our own ends, of kkrpc's own peers": Row(
        [link.SILENCE_S, kkrpc_peer.SILENCE_S],
        [
            "unit/bus/test_links.py::test_silence_ends_it_and_sleep_of_our_own_does_not",
            "unit/bus/test_kkrpc_peers.py::test_a_silent_peer_is_asked_and_then_given_up",
        ],
    ),
    "bytes of a stream that is not read: compact, Vovk": Row(
        [buffer.CREDIT_LIMIT_BYTES, buffer.SOFT_LIMIT_BYTES],
        [
            "unit/calls/test_credit.py::test_it_grows_no_further_than_its_limit_in_bytes",
            "contract/test_vovk_calls.py::test_a_consumer_that_stops_reading_stops_the_server",
        ],
    ),
    "bytes of a stream that is not read: classic": Row(
        [buffer.HARD_LIMIT_BYTES],
        [
            "unit/transports/test_websocket_client.py"
            "::test_a_flood_ends_the_stream_alone_after_what_was_buffered",
            f"{COST}unread_items_are_weighed",
        ],
    ),
    "waiting calls of a function that you passed": Row(
        [
            callback_jobs.CALLBACK_LIMITS["limit_items"],
            callback_jobs.CALLBACK_LIMITS["limit_bytes"],
        ],
        [f"{BOUNDS}one_who_waits_for_something_else_gets_it_up_to_the_hard_limit"],
    ),
    "calls of your functions at the same time": Row(
        [callback_jobs.CALLBACK_THREADS],
        [f"{STATED}so_many_functions_run_at_the_same_time"],
    ),
    "functions of calls that are over, classic": Row(
        [callbacks._KEPT_FUNCTIONS // 2],
        ["faults/test_fairness.py::test_functions_that_are_called_late_do_not_stay_for_ever"],
    ),
    "bytes that a server sends while it is asked which protocol it speaks; "
    "seconds that this may take": Row(
        [negotiation._ASKING_LIMIT_BYTES, negotiation._PROBE_S],
        [
            "faults/test_fairness.py::test_a_server_that_floods_while_it_is_asked_for_its_protocol",
            "contract/test_detection.py::test_a_silent_server_is_given_up_with_the_cure",
        ],
        ["protocol", "codec"],
    ),
    "requests over HTTP at the same time: kkrpc, Vovk": Row(
        [_default_of(HttpClient, "max_requests"), vovk_session._MAX_REQUESTS],
        ["unit/transports/test_http.py::test_requests_beyond_the_limit_wait_for_their_turn"],
    ),
    "seconds for a schema that a server sends": Row(
        [vovk_session._SCHEMA_S], [f"{STATED}a_schema_that_does_not_come"]
    ),
    "bytes of what a program over stdio writes to stderr": Row(
        [stdio_client.STDERR_TAIL_BYTES],
        [
            "unit/transports/test_stdio.py::test_stderr_never_holds_the_program_up_and_its_end_is_kept"
        ],
    ),
    "seconds that a program over stdio stands still": Row(
        [stdio_client.STOPPED_S], ["faults/test_frozen.py::test_a_program_that_is_stopped_is_ended"]
    ),
    "seconds for connecting": Row(
        [_default_of(HttpClient, "connect_timeout_s")],
        [
            "unit/transports/test_websocket_client.py::test_a_server_that_says_nothing",
            "unit/transports/test_http.py::test_no_answer_while_connecting",
        ],
        ["connect_timeout_s"],
    ),
    "seconds for a reply, for the next item": Row(
        [],
        [
            "contract/test_calls.py::test_timeout_s_fails_the_call_and_tells_the_peer",
            "contract/test_calls.py::test_idle_timeout_s_runs_between_items",
            "contract/test_vovk_calls.py::test_no_answer_in_time",
        ],
        ["timeout_s", "idle_timeout_s"],
    ),
    "computing for a schema's check of one call": Row(
        [validation.CHECK_LIMIT_S],
        [
            "faults/test_hostile_schemas.py"
            "::test_what_takes_too_long_is_left_to_the_server_and_the_log_says_so"
        ],
        ["validate"],
    ),
    "faults that a check names": Row(
        [validation._MAX_ISSUES], [f"{SCHEMA}long_messages_and_many_faults_are_cut"]
    ),
    "parts of a schema in a signature or docstring": Row(
        [handler_docs._MAX_PARTS, handler_docs._MAX_DEPTH],
        ["unit/vovk/test_handler_docs.py::test_a_schema_of_a_peer_s_is_described_to_so_many_parts"],
    ),
    "characters of a pattern; steps of it": Row(
        [patterns._MAX_PATTERN_CHARS, patterns._MAX_STEPS_IN_PATTERN],
        [
            f"{STATED}a_pattern_of_so_many_characters_is_left_to_the_server",
            "unit/vovk/test_json_schema_patterns.py::test_what_it_does_not_know",
        ],
    ),
    "brackets and signs in each other in a `%rpc` line": Row(
        [], ["unit/notebook/magic/test_parser.py::test_more_than_python_reads_is_an_error_of_ours"]
    ),
    "causes of an error": Row(
        [error_objects._MAX_CAUSES],
        ["wire/kkrpc/test_classic.py::test_causes_are_followed_to_a_depth"],
    ),
    "lines of the log: of a kind, of a logger": Row(
        [logs.LINES_PER_S, logs.LINES_PER_S_IN_ALL],
        [
            "faults/test_log_lines.py::test_of_calls_that_fail",
            "unit/runtime/test_logs.py::test_peers_are_counted_apart_and_all_together",
        ],
    ),
    "lines of the log about messages that make no sense": Row(
        [channel._REPORT_LIMIT], [f"{STATED}what_makes_no_sense_is_reported_so_often"]
    ),
    "traces of a connection; rows, bytes of payload of one": Row(
        [recorder._CALLS, record._ROWS, record._PAYLOAD_BYTES],
        [
            "contract/test_trace.py::test_the_payloads_of_old_calls_are_let_go",
            "unit/traces/test_record.py::test_of_very_many_rows_the_first_and_the_newest_stay",
            "unit/traces/test_record.py::test_all_payloads_of_a_call_together_are_bounded",
        ],
    ),
    "Markdown that is saved as HTML": Row(
        [markdown_view._MAX_CHARS, markdown_html._MOST_S],
        ["unit/notebook/views/test_markdown.py::test_a_very_long_answer_is_saved_as_its_text"],
    ),
}


@functools.cache
def _table() -> dict[str, tuple[str, str]]:
    """Each row's default and option, by what is limited."""
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    lines = page.partition("\n## Every limit\n")[2].splitlines()
    rows: dict[str, tuple[str, str]] = {}
    for line in lines:
        if line.startswith("|") and not line.startswith(("| what |", "|---", "| **")):
            what, default, option, beyond = (cell.strip() for cell in line.strip("|").split("|"))
            assert beyond, f"the row {what!r} does not say what happens beyond it"
            assert what not in rows, f"there are two rows {what!r}"
            rows[what] = default, option
    return rows


def _numbers(text: str) -> list[float]:
    """``"16; 256, 512 KiB"`` as ``[16, 256, 524288]``."""
    return [float(digits.replace(",", "")) * _UNITS[unit] for digits, unit in _NUMBER.findall(text)]


def test_the_table_has_the_rows_that_are_held_to_something() -> None:
    assert list(_table()) == list(ROWS)


@pytest.mark.parametrize("what", ROWS)
def test_a_row(what: str) -> None:
    row = ROWS[what]
    default, option = _table()[what]
    assert _numbers(default) == row.defaults
    # Without what only shows how the option is given.
    names = re.findall(r"[A-Za-z_.]+", re.sub(r"\(.*?\)", "", " ".join(_quoted(option))))
    assert [name for name in names if name not in ("limits", "True", "False")] == row.options
    italic = _quoted(" ".join(re.findall(r"\*([^*]+)\*", option)))
    assert set(italic) <= {field.name for field in dataclasses.fields(kk.ServerLimits)}
    elsewhere = {
        *ConnectOptions.__annotations__,
        *ServeOptions.__annotations__,
        "kk.ClientLimits",
        "ClientLimits",
    }
    assert set(row.options) - set(italic) <= elsewhere
    assert row.tests
    for test in row.tests:
        file, _, name = test.partition("::")
        assert name in _functions(file), f"{test} is not there"


def _quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


@functools.cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / "tests" / file).read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in tree.body if isinstance(node, kinds))


def test_each_limit_that_can_be_set_has_a_row() -> None:
    named = {name for row in ROWS.values() for name in row.options}
    assert {field.name for field in dataclasses.fields(kk.ServerLimits)} <= named
    assert {field.name for field in dataclasses.fields(kk.ClientLimits)} <= named


def test_what_the_table_says_twice_is_one_number() -> None:
    assert write_path.MAX_SHARED_BYTES == encoder.MAX_ANNOTATION_BYTES
    assert _default_of(RequestHandler, "max_line_size") == _default_of(
        RequestHandler, "max_field_size"
    )
