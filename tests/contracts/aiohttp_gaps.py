"""Where the second implementation of the HTTP contract deviates, case by case with its reason."""

OUTLIVED = "aiohttp: a closed session does not end what waits in it; it would wait for ever"
REUSE = "aiohttp: does not tell whether the connection was a kept one, nor whether a byte of an answer came"
SPLIT = "aiohttp: fails the good answer before them"
KEPT = "aiohttp: keeps the connection until it is used again or too old"
WAYS = "aiohttp: takes this answer"
WAYS_TEST = "test_an_answer_that_could_be_read_in_two_ways_is_refused"
SPLIT_TEST = "test_bytes_behind_an_answer_cost_the_connection"

GAPS = {
    "test_a_new_connection_that_dies_is_not_replaced": REUSE,
    "test_a_request_that_was_answered_in_part_is_not_repeated": REUSE,
    "test_a_reset_is_no_end_of_a_body_without_length": "aiohttp: takes a reset for the end of the body",
    "test_the_repetition_does_not_trust_another_kept_connection": REUSE,
    "test_whoever_waits_for_a_connection_waits_no_longer_than_asked": "aiohttp: one time-out for line and answer",
    f"{WAYS_TEST}[two codings]": WAYS,
    f"{WAYS_TEST}[HTTP/0.9]": WAYS,
    f"{WAYS_TEST}[HTTP/1.0 chunked]": WAYS,
    f"{WAYS_TEST}[HTTP/2.0]": WAYS,
    f"{WAYS_TEST}[space before colon]": "aiohttp: puts it down as a lost connection",
    f"{WAYS_TEST}[switched]": WAYS,
    f"{WAYS_TEST}[switched to something]": WAYS,
    f"{SPLIT_TEST}[together-x]": SPLIT,
    f"{SPLIT_TEST}[together-ok]": SPLIT,
}
"""Cases that the aiohttp adapter fails, and must fail as long as they stand here."""

ENDLESS = {
    "test_a_client_that_is_still_connecting_can_be_closed": OUTLIVED,
    "test_an_answer_in_progress_ends_with_the_client": OUTLIVED,
    "test_headers_without_bound_are_refused[extension]": "aiohttp: no bound on a chunk extension",
    "test_headers_without_bound_are_refused[interim]": "aiohttp: no bound on interim answers",
    "test_nothing_is_left_open_at_the_end": OUTLIVED,
    f"{WAYS_TEST}[unknown coding]": "aiohttp: reads on to the end of the connection",
    f"{SPLIT_TEST}[apart-answer]": KEPT,
    f"{SPLIT_TEST}[apart-start of an answer]": KEPT,
    f"{SPLIT_TEST}[together-start of an answer]": KEPT,
}
"""Gaps that are not run: they would only use up their five seconds."""
