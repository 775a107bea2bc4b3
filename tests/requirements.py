"""What we claim to keep to, each with the test that shows it. `python -m tests.requirements` prints the table.

E01 to E90 are the edge cases that gateways get wrong; P numbers are rules of the specification by the section of
our protocol reference. A test says what it shows by citing the number in its docstring. `test_requirements.py`
holds the two together: what is shown names its test, that test cites it, and no test cites what is not here.
"""

import sys

from msgspec import Struct

ALL = "all"
SESSIONS = "2024-11-05 to 2025-11-25"
STATELESS = "2026-07-28"


class Requirement(Struct, frozen=True):
    """One rule."""

    number: str
    revisions: str
    text: str
    shown_by: str = ""
    """File below `tests/` and function; others may cite the number too. Empty: no test shows it yet."""
    lacking: str = ""
    """What of it no test shows yet."""


REQUIREMENTS = (
    Requirement(
        "E01",
        ALL,
        "Two clients use the same JSON-RPC id",
        "gateway/test_gateway_calls.py::test_an_id_comes_back_with_its_value_and_type",
    ),
    Requirement(
        "E02",
        ALL,
        "Id types: large integers (2^70), empty string, fraction, null",
        "gateway/test_gateway_calls.py::test_an_id_comes_back_with_its_value_and_type",
    ),
    Requirement("E03", SESSIONS, "Id already in flight in the same session session", "", "all of it"),
    Requirement(
        "E04",
        ALL,
        "Batch array",
        "gateway/test_gateway_edge.py::test_a_bad_body_gets_the_error_it_deserves",
        "a batch of 2025-03-26 that is served",
    ),
    Requirement("E05", ALL, "Notification, known or not", "", "all of it"),
    Requirement(
        "E06",
        SESSIONS,
        "Posted JSON-RPC response",
        "crossings/test_questions_of_stateless_servers.py::test_an_answer_of_another_session_answers_nothing",
        "servers over HTTP",
    ),
    Requirement(
        "E07",
        ALL,
        'The same JSON key twice ("method" twice)',
        "gateway/test_gateway_edge.py::test_a_bad_body_gets_the_error_it_deserves",
    ),
    Requirement(
        "E08",
        ALL,
        "Nesting of 5,000 levels",
        "gateway/test_gateway_edge.py::test_a_bad_body_gets_the_error_it_deserves",
    ),
    Requirement(
        "E09",
        ALL,
        "BOM, invalid UTF-8, lone surrogates, NaN or Infinity, integers beyond 4,300 digits",
        "gateway/test_gateway_edge.py::test_a_bad_body_gets_the_error_it_deserves",
    ),
    Requirement(
        "E10",
        ALL,
        "Large integers and decimals in arguments or results",
        "protocol/test_jsonrpc.py::test_what_is_read_is_what_was_written",
    ),
    Requirement(
        "E11",
        ALL,
        "Unknown fields at top level, in params or results; unknown content types",
        "gateway/test_gateway_calls.py::test_a_list_shows_what_may_be_called_and_keeps_every_other_byte",
    ),
    Requirement(
        "E12",
        ALL,
        "CR, LF, NUL or non-ASCII on its way from a body into a header (Mcp-Name, Mcp-Param-*, session id, trace)",
        "protocol/test_param_headers.py::test_headers_are_what_the_sdk_would_send",
        "session ids and trace context",
    ),
    Requirement(
        "E13",
        STATELESS,
        "Mcp-Method, Mcp-Name or the version header twice, or folded with a comma",
        "gateway/test_gateway_edge.py::test_a_bad_header_is_refused",
        "headers that stand twice or are folded",
    ),
    Requirement("E14", ALL, "Content-Type", "gateway/test_gateway_edge.py::test_a_bad_header_is_refused"),
    Requirement("E15", ALL, "Accept: */* or none", "", "all of it"),
    Requirement(
        "E16",
        ALL,
        "SSE in odd form: line ends, comments, empty data, chunks that end inside a character",
        "protocol/test_jsonrpc.py::test_any_chunking_of_a_stream_gives_the_same_events",
    ),
    Requirement(
        "E17",
        STATELESS,
        "Header differs from body",
        "gateway/test_gateway_edge.py::test_a_bad_header_is_refused",
    ),
    Requirement("E18", STATELESS, "Mcp-Name in base64", "", "all of it"),
    Requirement("E19", STATELESS, "Extra Mcp-Name on tools/list", "", "all of it"),
    Requirement(
        "E20",
        STATELESS,
        "Mcp-Param-* that no schema declares",
        "gateway/test_gateway_params.py::test_a_header_that_no_schema_declares_passes_unchanged",
        "",
    ),
    Requirement("E21", ALL, "Header policy, but the version header is legacy or absent", "", "all of it"),
    Requirement("E22", STATELESS, "Unknown future version", "", "all of it"),
    Requirement(
        "E23",
        SESSIONS,
        "Session client sends a supported but different version header within a session",
        "",
        "all of it",
    ),
    Requirement("E24", SESSIONS, "No version header", "", "all of it"),
    Requirement(
        "E25",
        ALL,
        "A server answers -32022, -32020 or -32021",
        "crossings/test_session_client_at_stateless_server.py::test_arguments_that_belong_into_headers_are_put_there_before_and_after_the_tools_were_listed",
        "-32022 and -32021 to a call",
    ),
    Requirement(
        "E26",
        ALL,
        "Headers that end at the gateway, in both directions: credentials, cookies, sessions, hop-by-hop",
        "gateway/test_gateway_calls.py::test_the_clients_credential_never_reaches_the_server",
        "what servers set on their answers",
    ),
    Requirement(
        "E27",
        SESSIONS,
        "Gateway session and a server session",
        "gateway/test_gateway_calls.py::test_a_session_belongs_to_the_caller_that_opened_it",
    ),
    Requirement(
        "E28",
        SESSIONS,
        'A server session expired: 404, or 400 "no valid session"',
        "upstreams/test_http_server.py::test_a_lost_session_is_opened_again_once_and_only_what_is_safe_is_sent_again",
        "",
    ),
    Requirement(
        "E29",
        SESSIONS,
        "Session header on an error response of a server",
        "upstreams/test_http_server.py::test_a_session_header_on_a_failed_handshake_is_ignored",
    ),
    Requirement(
        "E30",
        SESSIONS,
        "Second GET stream of a session",
        "upstreams/test_stdio.py::test_a_second_listener_of_a_session_takes_the_place_of_the_first",
        "the client's side",
    ),
    Requirement(
        "E31",
        ALL,
        "Server request on a POST stream or the GET stream of a server",
        "crossings/test_questions_of_servers_with_sessions.py::test_questions_that_name_no_call_reach_the_client_whose_call_it_is",
        "clients with sessions at servers over HTTP",
    ),
    Requirement(
        "E32",
        SESSIONS,
        "One a server session for several principals with session servers",
        "crossings/test_stateless_client_at_server_with_sessions.py::test_sessions_at_the_server_belong_to_one_principal_and_one_set_of_capabilities",
    ),
    Requirement("E33", SESSIONS, "Last-Event-ID", "", "all of it"),
    Requirement(
        "E34", SESSIONS, "A server closes an SSE connection and sent retry (SEP-1699)", "", "all of it"
    ),
    Requirement("E35", ALL, "Idle streams", "", "all of it"),
    Requirement(
        "E36",
        ALL,
        "The client disconnects",
        "crossings/test_stateless_client_at_server_with_sessions.py::test_a_client_that_closes_the_stream_cancels_at_the_server",
        "clients with sessions, whose calls go on",
    ),
    Requirement(
        "E37", ALL, "DELETE", "gateway/test_gateway_edge.py::test_other_methods_are_told_what_is_allowed"
    ),
    Requirement(
        "E38",
        ALL,
        "The client reads slowly or not at all",
        "upstreams/test_stdio.py::test_a_caller_who_does_not_read_loses_progress_and_never_the_answer",
        "servers over HTTP",
    ),
    Requirement(
        "E39",
        ALL,
        "Graceful drain",
        "test_listening.py::test_a_stopping_gateway_ends_the_stream_with_its_result",
        "calls in flight, GET streams",
    ),
    Requirement(
        "E40",
        ALL,
        "HTTP+SSE endpoint event",
        "upstreams/test_http_sse.py::test_an_endpoint_at_another_origin_is_refused_and_gets_no_credential",
        "towards clients",
    ),
    Requirement(
        "E41",
        ALL,
        "Progress tokens are unique per client only",
        "upstreams/test_stdio.py::test_progress_makes_the_answer_a_stream_and_must_increase",
    ),
    Requirement(
        "E42",
        ALL,
        "notifications/cancelled",
        "crossings/test_session_client_at_stateless_server.py::test_a_cancelled_call_is_closed_at_the_server",
    ),
    Requirement(
        "E43",
        ALL,
        "Response after a cancel",
        "upstreams/test_stdio.py::test_closing_the_stream_cancels_the_call_and_swallows_its_late_answer",
    ),
    Requirement(
        "E44",
        ALL,
        "Timeout at the gateway",
        "upstreams/test_stdio.py::test_a_silent_server_is_told_and_the_caller_gets_a_timeout",
        "servers over HTTP",
    ),
    Requirement("E45", ALL, "ping", "gateway/test_gateway_calls.py::test_ping_is_answered_here"),
    Requirement(
        "E46",
        SESSIONS,
        "logging/setLevel with several backends",
        "crossings/test_session_client_at_stateless_server.py::test_the_log_level_of_a_session_goes_with_each_request",
        "several servers of which one refuses",
    ),
    Requirement(
        "E47",
        STATELESS,
        "Logs towards stateless clients",
        "crossings/test_stateless_client_at_server_with_sessions.py::test_logs_are_for_the_calls_that_asked_and_as_loud_as_they_asked",
        "redaction",
    ),
    Requirement("E48", ALL, "Two backends offer the same tool name", "", "all of it"),
    Requirement(
        "E49", ALL, "Name over 64 or 128 characters, or illegal characters, after prefixing", "", "all of it"
    ),
    Requirement("E50", ALL, "Names that differ only in case or look alike", "", "all of it"),
    Requirement("E51", ALL, "One a server lists the same name twice", "", "all of it"),
    Requirement("E52", ALL, "Pagination over backends", "", "all of it"),
    Requirement(
        "E53",
        ALL,
        "One backend is down during a list",
        "gateway/test_gateway_calls.py::test_a_dead_server_costs_its_own_tools_and_is_named",
    ),
    Requirement("E54", ALL, "Filtering by policy after pagination", "", "all of it"),
    Requirement(
        "E55",
        ALL,
        "list_changed from several backends",
        "test_listening.py::test_a_storm_of_the_same_news_is_told_once",
        "remembered lists, clients with sessions",
    ),
    Requirement("E56", ALL, "Capabilities of an aggregate", "", "all of it"),
    Requirement("E57", ALL, "instructions of several backends", "", "all of it"),
    Requirement(
        "E58",
        ALL,
        "Resource URIs are rewritten",
        "test_listening.py::test_news_carry_the_clients_id_and_the_names_of_its_door",
        "everywhere but in news",
    ),
    Requirement("E59", ALL, "Resource that no list contains (from a link or template)", "", "all of it"),
    Requirement("E60", ALL, "completion/complete", "", "all of it"),
    Requirement("E61", ALL, "Prompts", "", "all of it"),
    Requirement(
        "E62",
        ALL,
        "Caching of results",
        "gateway/test_gateway_calls.py::test_a_list_shows_what_may_be_called_and_keeps_every_other_byte",
        "lists that are remembered",
    ),
    Requirement(
        "E63",
        STATELESS,
        "x-mcp-header",
        "gateway/test_gateway_params.py::test_a_tool_that_declares_headers_wrongly_is_left_out_of_lists",
    ),
    Requirement("E64", ALL, "outputSchema and structuredContent disagree", "", "all of it"),
    Requirement(
        "E65",
        STATELESS,
        "The retry reaches another replica",
        "crossings/test_questions_of_servers_with_sessions.py::test_a_state_opens_nothing_for_anybody_else_or_anything_else_or_twice",
        "",
    ),
    Requirement(
        "E66",
        STATELESS,
        "requestState tampered with, expired, replayed, or from another principal, tool or set of arguments",
        "crossings/test_questions_of_servers_with_sessions.py::test_a_state_opens_nothing_for_anybody_else_or_anything_else_or_twice",
        "",
    ),
    Requirement(
        "E67",
        ALL,
        "A server asks for a capability or mode that the client did not declare",
        "crossings/test_questions_of_servers_with_sessions.py::test_what_the_client_did_not_declare_is_not_asked",
        "",
    ),
    Requirement(
        "E68",
        STATELESS,
        "input_required on another method, or with neither field",
        "crossings/test_questions_of_stateless_servers.py::test_questions_that_may_not_be_asked_are_a_fault_of_the_server",
        "",
    ),
    Requirement(
        "E69",
        STATELESS,
        "Unknown resultType",
        "crossings/test_calls_answered_later.py::test_who_did_not_declare_the_extension_is_given_no_task_and_told_of_none",
        "",
    ),
    Requirement(
        "E70",
        STATELESS,
        "Endless rounds",
        "crossings/test_questions_of_servers_with_sessions.py::test_a_server_that_never_has_enough_is_stopped",
        "",
    ),
    Requirement(
        "E71",
        STATELESS,
        "Huge requestState, listen id or progress token",
        "test_listening.py::test_an_endless_id_is_refused",
        "requestState, progress tokens",
    ),
    Requirement(
        "E72",
        ALL,
        "subscriptions/listen",
        "test_listening.py::test_the_first_message_says_what_will_be_heard_of",
        "",
    ),
    Requirement(
        "E73",
        ALL,
        "Tasks",
        "crossings/test_calls_answered_later.py::test_the_id_of_another_caller_is_worth_as_much_as_an_invented_or_expired_one",
        "tasks of one kind for clients of the other",
    ),
    Requirement(
        "E74",
        ALL,
        "URL-mode elicitation",
        "crossings/test_questions_of_servers_with_sessions.py::test_a_page_is_asked_for_with_its_whole_address_and_nothing_of_the_other_kind",
        "",
    ),
    Requirement(
        "E75",
        ALL,
        "Origin, Host, CORS",
        "gateway/test_gateway_edge.py::test_a_bad_header_is_refused",
        "preflights",
    ),
    Requirement(
        "E76",
        ALL,
        "401 and 403",
        "upstreams/test_http_server.py::test_a_refused_credential_or_a_failing_server_shows_nothing_and_is_not_kept",
        "",
    ),
    Requirement(
        "E77",
        ALL,
        "Token passthrough, wrong aud, token in the query string",
        "gateway/test_gateway_calls.py::test_the_clients_credential_never_reaches_the_server",
        "",
    ),
    Requirement(
        "E78",
        ALL,
        "Redirects from a server",
        "upstreams/test_http_server.py::test_a_redirect_is_not_followed",
        "",
    ),
    Requirement("E79", ALL, "Tool definitions drift (rug pull)", "", "all of it"),
    Requirement(
        "E80", ALL, "Error texts", "gateway/test_gateway_calls.py::test_hidden_and_unknown_read_the_same"
    ),
    Requirement("E81", ALL, "Retries", "", "all of it"),
    Requirement("E82", ALL, "Trace context in HTTP header and _meta differ", "", "all of it"),
    Requirement(
        "E83",
        ALL,
        "Servers over stdio",
        "upstreams/test_stdio.py::test_junk_on_stdout_is_skipped_and_logged_within_bounds",
    ),
    Requirement(
        "E84", ALL, "Unknown and extension methods (vendor, tasks/*, ui/*, skills/*)", "", "all of it"
    ),
    Requirement("E85", ALL, "server/discover and initialize from a cache", "", "all of it"),
    Requirement("E86", STATELESS, "ttlMs negative or absurd", "", "all of it"),
    Requirement("E87", SESSIONS, "Mcp-Session-Id with illegal characters or too long", "", "all of it"),
    Requirement("E88", SESSIONS, "initialize with 2026-07-28", "", "all of it"),
    Requirement(
        "E89",
        SESSIONS,
        'Python 1.x answers unknown methods with -32602 and HTTP errors with id: "server-error"',
        "protocol/test_to_sessions.py::test_a_missing_resource_is_told_as_2026_tells_it",
        "unknown methods",
    ),
    Requirement("E90", ALL, "A server answers the same call as JSON or as SSE", "", "all of it"),
)


def main() -> None:
    """Print every requirement, and how many are shown."""
    for one in REQUIREMENTS:
        shown = one.shown_by or "-"
        lacking = f"  (not yet: {one.lacking})" if one.lacking else ""
        sys.stdout.write(f"{one.number}  {one.revisions}  {one.text}\n      {shown}{lacking}\n")
    whole = sum(bool(one.shown_by) and not one.lacking for one in REQUIREMENTS)
    partly = sum(bool(one.shown_by) and bool(one.lacking) for one in REQUIREMENTS)
    sys.stdout.write(f"{len(REQUIREMENTS)} requirements: {whole} shown, {partly} in part\n")


if __name__ == "__main__":
    main()
