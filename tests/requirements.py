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
    Requirement(
        "E03",
        SESSIONS,
        "Id already in flight in the same session session",
        "edges/test_edges_of_sessions.py::test_an_id_that_is_in_flight_is_refused_and_the_first_call_goes_on",
    ),
    Requirement(
        "E04",
        ALL,
        "Batch array",
        "gateway/test_gateway_edge.py::test_each_message_of_a_batch_is_answered_for_itself",
    ),
    Requirement(
        "E05",
        ALL,
        "Notification, known or not",
        "edges/test_edges_of_requests.py::test_a_notification_gets_202_and_not_a_word",
    ),
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
        "edges/test_edges_of_requests.py::test_a_name_in_base64_is_read_before_anybody_decides",
    ),
    Requirement(
        "E13",
        STATELESS,
        "Mcp-Method, Mcp-Name or the version header twice, or folded with a comma",
        "edges/test_edges_of_requests.py::test_a_routing_header_that_stands_twice_is_refused",
    ),
    Requirement("E14", ALL, "Content-Type", "gateway/test_gateway_edge.py::test_a_bad_header_is_refused"),
    Requirement(
        "E15",
        ALL,
        "Accept: */* or none",
        "edges/test_edges_of_requests.py::test_whatever_a_client_accepts_it_gets_in_that_form",
    ),
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
    Requirement(
        "E18",
        STATELESS,
        "Mcp-Name in base64",
        "edges/test_edges_of_requests.py::test_a_name_in_base64_is_read_before_anybody_decides",
    ),
    Requirement(
        "E19",
        STATELESS,
        "Extra Mcp-Name on tools/list",
        "edges/test_edges_of_requests.py::test_a_name_on_a_method_that_has_none_is_ignored",
    ),
    Requirement(
        "E20",
        STATELESS,
        "Mcp-Param-* that no schema declares",
        "gateway/test_gateway_params.py::test_a_header_that_no_schema_declares_passes_unchanged",
    ),
    Requirement(
        "E21",
        ALL,
        "Header policy, but the version header is legacy or absent",
        "edges/test_edges_of_requests.py::test_headers_of_the_stateless_kind_are_never_believed_without_its_version",
    ),
    Requirement(
        "E22",
        STATELESS,
        "Unknown future version",
        "edges/test_edges_of_requests.py::test_a_version_of_the_future_is_told_what_there_is",
    ),
    Requirement(
        "E23",
        SESSIONS,
        "Session client sends a supported but different version header within a session",
        "edges/test_edges_of_requests.py::test_another_version_header_within_a_session_changes_nothing",
    ),
    Requirement(
        "E24",
        SESSIONS,
        "No version header",
        "edges/test_edges_of_requests.py::test_without_version_and_session_a_client_is_of_2025_03_26",
    ),
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
        "edges/test_edges_of_answers.py::test_nothing_that_a_server_says_of_itself_by_headers_reaches_the_client",
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
        "edges/test_edges_of_sessions.py::test_a_session_has_one_stream_at_a_time_and_a_stopping_gateway_ends_it",
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
    Requirement(
        "E33",
        SESSIONS,
        "Last-Event-ID",
        "gateway/test_gateway_streams.py::test_an_id_of_somebody_else_replays_nothing",
        "",
    ),
    Requirement(
        "E34",
        SESSIONS,
        "A server closes an SSE connection and sent retry (SEP-1699)",
        "gateway/test_gateway_streams.py::test_a_server_that_lets_go_of_a_call_is_polled_and_the_client_notices_nothing",
        "",
    ),
    Requirement("E35", ALL, "Idle streams", "", "all of it"),
    Requirement(
        "E36",
        ALL,
        "The client disconnects",
        "gateway/test_gateway_streams.py::test_a_call_goes_on_without_its_client_and_is_replayed_from_where_it_was_lost",
        "",
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
        "edges/test_edges_of_answers.py::test_a_call_in_flight_is_answered_by_a_gateway_that_stops",
    ),
    Requirement(
        "E40",
        ALL,
        "HTTP+SSE endpoint event",
        "gateway/test_gateway_sse.py::test_the_endpoint_is_a_path_of_the_gateway",
        "",
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
        "edges/test_edges_of_sessions.py::test_a_level_is_told_to_every_server_and_one_refusal_does_not_fail_it",
        "a prefix of logger, servers that come late",
    ),
    Requirement(
        "E47",
        STATELESS,
        "Logs towards stateless clients",
        "crossings/test_stateless_client_at_server_with_sessions.py::test_logs_are_for_the_calls_that_asked_and_as_loud_as_they_asked",
        "redaction",
    ),
    Requirement(
        "E48",
        ALL,
        "Two backends offer the same tool name",
        "aggregation/test_shared_names.py::test_the_same_name_of_two_servers_is_two_tools",
    ),
    Requirement(
        "E49",
        ALL,
        "Name over 64 or 128 characters, or illegal characters, after prefixing",
        "aggregation/test_shared_names.py::test_a_name_that_hosts_refuse_has_an_alias_that_leads_back",
    ),
    Requirement(
        "E50",
        ALL,
        "Names that differ only in case or look alike",
        "aggregation/test_shared_names.py::test_names_that_differ_only_in_case_are_different_names",
        "denying by policy",
    ),
    Requirement(
        "E51",
        ALL,
        "One a server lists the same name twice",
        "aggregation/test_shared_names.py::test_of_a_name_that_one_server_lists_twice_the_first_is_kept",
    ),
    Requirement(
        "E52",
        ALL,
        "Pagination over backends",
        "aggregation/test_shared_lists.py::test_a_client_that_never_asks_for_page_two_sees_everything",
    ),
    Requirement(
        "E53",
        ALL,
        "One backend is down during a list",
        "aggregation/test_shared_lists.py::test_a_server_that_answers_no_list_is_missing_and_nothing_is_remembered_as_whole",
    ),
    Requirement(
        "E54",
        ALL,
        "Filtering by policy after pagination",
        "aggregation/test_shared_lists.py::test_the_filter_of_lists_is_the_filter_of_everything_else",
    ),
    Requirement(
        "E55",
        ALL,
        "list_changed from several backends",
        "catalog/test_lists.py::test_a_change_is_forgotten_at_once_also_by_a_fetch_under_way",
        "clients with sessions are told of another policy",
    ),
    Requirement(
        "E56",
        ALL,
        "Capabilities of an aggregate",
        "aggregation/test_shared_lists.py::test_the_door_promises_what_some_server_and_the_gateway_can_do",
    ),
    Requirement(
        "E57",
        ALL,
        "instructions of several backends",
        "aggregation/test_shared_lists.py::test_instructions_say_whose_they_are_and_have_an_end",
    ),
    Requirement(
        "E58",
        ALL,
        "Resource URIs are rewritten",
        "aggregation/test_shared_names.py::test_uris_carry_their_server_wherever_a_client_may_read_them",
    ),
    Requirement(
        "E59",
        ALL,
        "Resource that no list contains (from a link or template)",
        "aggregation/test_shared_names.py::test_a_resource_that_no_list_holds_is_found_by_its_server",
        "URIs that carry no server",
    ),
    Requirement(
        "E60",
        ALL,
        "completion/complete",
        "edges/test_edges_of_answers.py::test_a_completion_has_a_hundred_values_at_most",
    ),
    Requirement(
        "E61", ALL, "Prompts", "edges/test_edges_of_requests.py::test_arguments_of_prompts_are_strings"
    ),
    Requirement(
        "E62",
        ALL,
        "Caching of results",
        "aggregation/test_shared_lists.py::test_a_list_holds_as_long_as_its_server_says_and_is_shared_by_who_cannot_be_told_apart",
    ),
    Requirement(
        "E63",
        STATELESS,
        "x-mcp-header",
        "gateway/test_gateway_params.py::test_a_tool_that_declares_headers_wrongly_is_left_out_of_lists",
    ),
    Requirement(
        "E64",
        ALL,
        "outputSchema and structuredContent disagree",
        "aggregation/test_shared_lists.py::test_a_schema_arrives_as_it_was_written_and_a_result_that_breaks_it_too",
    ),
    Requirement(
        "E65",
        STATELESS,
        "The retry reaches another replica",
        "crossings/test_questions_of_servers_with_sessions.py::test_a_state_opens_nothing_for_anybody_else_or_anything_else_or_twice",
    ),
    Requirement(
        "E66",
        STATELESS,
        "requestState tampered with, expired, replayed, or from another principal, tool or set of arguments",
        "crossings/test_questions_of_servers_with_sessions.py::test_a_state_opens_nothing_for_anybody_else_or_anything_else_or_twice",
    ),
    Requirement(
        "E67",
        ALL,
        "A server asks for a capability or mode that the client did not declare",
        "crossings/test_questions_of_servers_with_sessions.py::test_what_the_client_did_not_declare_is_not_asked",
    ),
    Requirement(
        "E68",
        STATELESS,
        "input_required on another method, or with neither field",
        "edges/test_edges_of_answers.py::test_an_interim_result_that_may_not_be_is_the_servers_fault",
    ),
    Requirement(
        "E69",
        STATELESS,
        "Unknown resultType",
        "edges/test_edges_of_answers.py::test_an_interim_result_that_may_not_be_is_the_servers_fault",
    ),
    Requirement(
        "E70",
        STATELESS,
        "Endless rounds",
        "crossings/test_questions_of_servers_with_sessions.py::test_a_server_that_never_has_enough_is_stopped",
    ),
    Requirement(
        "E71",
        STATELESS,
        "Huge requestState, listen id or progress token",
        "edges/test_edges_of_requests.py::test_what_is_carried_back_and_forth_has_a_bound_and_a_type",
    ),
    Requirement(
        "E72",
        ALL,
        "subscriptions/listen",
        "edges/test_edges_of_answers.py::test_resources_that_may_not_be_read_are_not_listened_to_and_not_mentioned",
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
    ),
    Requirement(
        "E75",
        ALL,
        "Origin, Host, CORS",
        "edges/test_edges_of_requests.py::test_a_page_that_may_call_is_told_which_headers_it_may_send_and_read",
    ),
    Requirement(
        "E76",
        ALL,
        "401 and 403",
        "edges/test_edges_of_answers.py::test_a_server_that_wants_another_credential_is_the_gateways_trouble",
    ),
    Requirement(
        "E77",
        ALL,
        "Token passthrough, wrong aud, token in the query string",
        "edges/test_edges_of_requests.py::test_a_token_in_the_address_is_none",
    ),
    Requirement(
        "E78",
        ALL,
        "Redirects from a server",
        "upstreams/test_http_server.py::test_a_redirect_is_not_followed",
    ),
    Requirement(
        "E79",
        ALL,
        "Tool definitions drift (rug pull)",
        "edges/test_edges_of_answers.py::test_a_definition_that_changes_is_told_to_whoever_runs_the_gateway",
        "definitions that are pinned across restarts",
    ),
    Requirement(
        "E80", ALL, "Error texts", "gateway/test_gateway_calls.py::test_hidden_and_unknown_read_the_same"
    ),
    Requirement(
        "E81", ALL, "Retries", "edges/test_edges_of_answers.py::test_a_call_that_was_sent_is_not_sent_again"
    ),
    Requirement(
        "E82",
        ALL,
        "Trace context in HTTP header and _meta differ",
        "protocol/test_tracing.py::test_the_meta_goes_before_the_header",
        "a bound for baggage",
    ),
    Requirement(
        "E83",
        ALL,
        "Servers over stdio",
        "upstreams/test_stdio.py::test_junk_on_stdout_is_skipped_and_logged_within_bounds",
    ),
    Requirement(
        "E84",
        ALL,
        "Unknown and extension methods (vendor, tasks/*, ui/*, skills/*)",
        "edges/test_edges_of_requests.py::test_a_method_that_only_an_extension_knows_goes_to_the_one_server_behind_a_door",
        "extension rules for the shared door",
    ),
    Requirement(
        "E85",
        ALL,
        "server/discover and initialize from a cache",
        "edges/test_edges_of_answers.py::test_what_a_door_can_do_is_told_anew_each_time_and_to_each_alone",
    ),
    Requirement(
        "E86",
        STATELESS,
        "ttlMs negative or absurd",
        "aggregation/test_shared_lists.py::test_an_absurd_time_is_cut_to_a_day_and_a_negative_one_is_none",
    ),
    Requirement(
        "E87",
        SESSIONS,
        "Mcp-Session-Id with illegal characters or too long",
        "edges/test_edges_of_requests.py::test_a_session_id_that_no_gateway_made_is_refused_before_any_search",
    ),
    Requirement(
        "E88",
        SESSIONS,
        "initialize with 2026-07-28",
        "edges/test_edges_of_requests.py::test_initialize_is_answered_with_a_revision_that_has_sessions",
    ),
    Requirement(
        "E89",
        SESSIONS,
        'Python 1.x answers unknown methods with -32602 and HTTP errors with id: "server-error"',
        "edges/test_edges_of_answers.py::test_an_error_that_names_no_request_belongs_to_the_one_it_answers",
    ),
    Requirement(
        "E90",
        ALL,
        "A server answers the same call as JSON or as SSE",
        "edges/test_edges_of_answers.py::test_the_same_answer_as_json_or_as_a_stream_is_the_same_answer",
    ),
    Requirement(
        "P3.1",
        SESSIONS,
        "An accepted notification gets 202 and no body (MUST)",
        "edges/test_edges_of_requests.py::test_a_notification_gets_202_and_not_a_word",
    ),
    Requirement(
        "P3.2",
        SESSIONS,
        "A terminated session gets 404 (MUST), and an id is no authentication (MUST)",
        "gateway/test_gateway_calls.py::test_a_session_belongs_to_the_caller_that_opened_it",
    ),
    Requirement(
        "P3.3",
        SESSIONS,
        "initialize is answered with the requested revision or another that is supported (MUST)",
        "edges/test_edges_of_requests.py::test_initialize_is_answered_with_a_revision_that_has_sessions",
    ),
    Requirement(
        "P3.4",
        SESSIONS,
        "Arrays of 2025-03-26 are received (MUST)",
        "gateway/test_gateway_edge.py::test_each_message_of_a_batch_is_answered_for_itself",
    ),
    Requirement(
        "P4.1",
        STATELESS,
        "An id is a string or an integer, never null (MUST)",
        "gateway/test_gateway_edge.py::test_a_bad_body_gets_the_error_it_deserves",
    ),
    Requirement(
        "P4.2",
        STATELESS,
        "server/discover is served (MUST)",
        "aggregation/test_shared_lists.py::test_the_door_promises_what_some_server_and_the_gateway_can_do",
    ),
    Requirement(
        "P5.1",
        STATELESS,
        "A missing key of _meta is -32602 with 400 (MUST)",
        "gateway/test_gateway_edge.py::test_a_bad_body_gets_the_error_it_deserves",
    ),
    Requirement(
        "P5.2",
        STATELESS,
        "A client without clientInfo is served (MUST)",
        "gateway/test_gateway_calls.py::test_an_id_comes_back_with_its_value_and_type",
    ),
    Requirement(
        "P6.1",
        STATELESS,
        "Headers are compared with the body: 400 and -32020 (MUST)",
        "gateway/test_gateway_edge.py::test_a_bad_header_is_refused",
    ),
    Requirement(
        "P6.2",
        STATELESS,
        "Bad base64 in a header is -32020 (MUST)",
        "edges/test_edges_of_requests.py::test_a_name_in_base64_is_read_before_anybody_decides",
    ),
    Requirement(
        "P6.3",
        STATELESS,
        "Mcp-Session-Id is ignored (SHOULD)",
        "edges/test_edges_of_requests.py::test_a_session_id_that_no_gateway_made_is_refused_before_any_search",
    ),
    Requirement(
        "P6.4",
        STATELESS,
        "GET and DELETE get 405 (SHOULD)",
        "gateway/test_gateway_edge.py::test_other_methods_are_told_what_is_allowed",
    ),
    Requirement(
        "P6.5",
        STATELESS,
        "A tool with an invalid x-mcp-header is left out (MUST)",
        "gateway/test_gateway_params.py::test_a_tool_that_declares_headers_wrongly_is_left_out_of_lists",
    ),
    Requirement(
        "P6.6",
        ALL,
        "A bad Origin gets 403 (MUST)",
        "gateway/test_gateway_edge.py::test_a_page_that_may_not_call_is_not_let_to_read_the_refusal",
    ),
    Requirement(
        "P8.1",
        STATELESS,
        "An unknown method is -32601 with 404 (MUST)",
        "edges/test_edges_of_requests.py::test_a_method_that_nobody_knows_does_not_exist",
    ),
    Requirement(
        "P8.2",
        STATELESS,
        "An unsupported revision is -32022 with what is supported (MUST)",
        "edges/test_edges_of_requests.py::test_a_version_of_the_future_is_told_what_there_is",
    ),
    Requirement(
        "P8.3",
        ALL,
        "An unknown tool is -32602 (SHOULD)",
        "gateway/test_gateway_calls.py::test_hidden_and_unknown_read_the_same",
    ),
    Requirement(
        "P9.1",
        STATELESS,
        "ttlMs and cacheScope are on every list (MUST)",
        "aggregation/test_shared_lists.py::test_a_list_holds_as_long_as_its_server_says_and_is_shared_by_who_cannot_be_told_apart",
    ),
    Requirement(
        "P9.2",
        STATELESS,
        "A negative ttlMs counts as 0 (SHOULD)",
        "aggregation/test_shared_lists.py::test_an_absurd_time_is_cut_to_a_day_and_a_negative_one_is_none",
    ),
    Requirement(
        "P9.3",
        ALL,
        "Only an absent or null nextCursor ends a list (MUST)",
        "aggregation/test_shared_lists.py::test_a_client_that_never_asks_for_page_two_sees_everything",
    ),
    Requirement(
        "P9.4",
        ALL,
        "An invalid cursor is -32602 (SHOULD)",
        "aggregation/test_shared_lists.py::test_a_client_that_never_asks_for_page_two_sees_everything",
    ),
    Requirement(
        "P9.5",
        ALL,
        "Lists have a deterministic order (SHOULD)",
        "aggregation/test_shared_names.py::test_the_same_name_of_two_servers_is_two_tools",
    ),
    Requirement(
        "P9.6",
        ALL,
        "A $ref to the network is not fetched (MUST NOT)",
        "aggregation/test_shared_lists.py::test_a_schema_arrives_as_it_was_written_and_a_result_that_breaks_it_too",
    ),
    Requirement(
        "P9.7",
        ALL,
        "A completion has at most 100 values (MUST)",
        "edges/test_edges_of_answers.py::test_a_completion_has_a_hundred_values_at_most",
    ),
    Requirement(
        "P9.8",
        STATELESS,
        "A change notification beats a list that still holds (MUST)",
        "catalog/test_lists.py::test_a_change_is_forgotten_at_once_also_by_a_fetch_under_way",
    ),
    Requirement(
        "P10.1",
        STATELESS,
        "Only three methods may answer input_required (MUST NOT)",
        "edges/test_edges_of_answers.py::test_an_interim_result_that_may_not_be_is_the_servers_fault",
    ),
    Requirement(
        "P11.1",
        STATELESS,
        "A subscription is acknowledged first, with the honoured subset (MUST)",
        "test_listening.py::test_the_first_message_says_what_will_be_heard_of",
    ),
    Requirement(
        "P11.2",
        STATELESS,
        "Every message of it carries the subscription id (MUST), and none that was not asked for (MUST NOT)",
        "test_listening.py::test_news_carry_the_clients_id_and_the_names_of_its_door",
    ),
    Requirement(
        "P11.3",
        STATELESS,
        "A server that ends it sends its result (SHOULD)",
        "test_listening.py::test_a_stopping_gateway_ends_the_stream_with_its_result",
    ),
    Requirement(
        "P12.1",
        STATELESS,
        "Closing the response stream is the cancel (MUST)",
        "crossings/test_stateless_client_at_server_with_sessions.py::test_a_client_that_closes_the_stream_cancels_at_the_server",
    ),
    Requirement(
        "P14.1",
        ALL,
        "ui:// stays ui:// (MUST)",
        "aggregation/test_shared_names.py::test_uris_carry_their_server_wherever_a_client_may_read_them",
    ),
    Requirement(
        "P15.1",
        ALL,
        "A 401 carries a challenge (MUST)",
        "gateway/test_gateway_calls.py::test_nobody_is_let_in_without_an_accepted_credential_and_it_is_recorded",
    ),
    Requirement(
        "P15.2",
        ALL,
        "Tokens are never in the query (MUST NOT)",
        "edges/test_edges_of_requests.py::test_a_token_in_the_address_is_none",
    ),
    Requirement(
        "P15.3",
        ALL,
        "A token is never passed on to where it was not issued for (MUST NOT)",
        "gateway/test_gateway_calls.py::test_the_clients_credential_never_reaches_the_server",
    ),
    Requirement(
        "P16.1",
        STATELESS,
        "An Mcp-Param header that nobody declares is forwarded (MUST)",
        "gateway/test_gateway_params.py::test_a_header_that_no_schema_declares_passes_unchanged",
    ),
    Requirement(
        "P16.2",
        ALL,
        "Names of many servers are told apart, not by serverInfo (SHOULD)",
        "aggregation/test_shared_names.py::test_the_same_name_of_two_servers_is_two_tools",
    ),
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
