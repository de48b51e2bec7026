r"""A stand-in for the school: sign-on, portal pages and API, for the demo and the tests.

    python -m simulator --port 0 --interval 1.0 --user San.Zhang24:demo-password

prints `simulator ready on http://127.0.0.1:PORT/` once it listens, and ends at once on SIGTERM. All state is in memory.
It imports nothing of the gateway, plays both generations of the school's protocol, and refuses what the school refuses.

Hosts
-----
One port with two names, so that cross-origin things are real:

    http://127.0.0.1:PORT/            portal: `/`, `/v3/chat`; API of 2026 under `/jmapi/api`
    http://localhost:PORT/            sign-on: `/login` (2025), `/esc-sso/login/page` (2026); API of 2025 under `/api`

The API of 2025 needs the headers `Jm-Token` and `Sdp-App-Session`; that of 2026 needs `Jm-Token` and the portal's
cookie. Only the API of the generation in `wire` answers; the other is 404.

Control
-------
JSON over HTTP under `/_sim/` on both hosts, from this machine only. What cannot be read is answered 400.

    GET  settings                     the settings
    POST settings                     {NAME: VALUE, ...}: change some of them
    POST users                        {"username", "password", "check"?}: add a user
    POST users/NAME                   {"password"?, "check"? (null: everybody's), "unlock"?: true}
    POST users/NAME/revoke            {"tokens"?: true, "sign_on"?: true}
    POST users/NAME/token             -> {"jm_token", "sdp_app_session", "cookies", "api_url"}, without a browser
    POST users/NAME/sessions          {"count"?, "name"?} -> {"ids"}: sessions made by hand
    POST faults, DELETE faults        order a fault; take all of them back
    POST release                      let the streams that hold go on
    POST reset                        back to the state at the start
    GET  state                        {"users": {NAME: ...}, "settings", "faults", "held" (streams and browsers)}
    GET  wait                         ?user=&call=&status=&count=: so many calls were made
                                      ?user=&ended=&count=: so many completions ended so
                                      ?held=: so many are held; 408 after `timeout` (10) seconds

A user's state: `sessions`, `peak_sessions`, `calls` (the last 10,000: `at` in Unix seconds, `call`, `status`,
`session_id`), `smallest_gap_seconds` (arrival to arrival of any two calls in a row, else null), `too_fast`, `uploads`,
`completions` (the last 200, with the session's fields and `ended`: `complete`, `cut`, `abort`, `error`, `disconnect`,
`client_left` or, while it runs, null), `tokens` (living ones), `password_tries` (passwords that were judged), `locked`
(after 5 wrong ones in a row), `check`, `sms_sent`, `second_factor_code`, `image_code`, `slider_target` (pixels).

Settings
--------
    sign_on                 "2026" or "2025": the generation of the sign-on
    wire                    "2026" or "2025": the generation of the API
    language                "en" or "zh": the sign-on's messages
    element_delay_ms        150: how late elements appear on the pages
    token_storage           "json", "packed" or "none": the chat page's local storage
    page_calls_api          true: the chat page calls the API by itself
    check                   "none", "second_factor", "slider", "image_code" (both 2026 only), "blank" (an automated
                            browser sees an empty page; for everybody only)
    sign_on_session_seconds 28800: how long a browser gets in without a password
    sign_on_waits           false: browsers that come to the sign-on get no answer until it is false again
    token_lifetime_seconds  7200
    single_token            false: a new token revokes the older ones of the user
    idle_seconds            null: a token dies when it made no call for so long
    token_dead_shape        "http", "code", "http500", "html" or "event"
    token_dead_status       401 or 403
    interval, tolerance     1.0, 0.05: least seconds between the arrivals of a user's calls, and what is forgiven
    too_fast_shape          "code", "http" or "event" (completions only; a code elsewhere)
    too_fast_misleading     false: speak of the context's length, too
    max_sessions            50
    delete_grace_seconds    1.5: a session is busy until so long after its last stream
    string_codes            false: `code` comes as a text
    upload_key              "url" or "file_url"
    frames                  "lf", "crlf", "multiline" (several data lines a frame) or "comments"
    filter_shape            "done" or "summary": how a stream without text ends
    pieces_per_write        16: pieces sent together while there is no delay between them

Faults
------
{"name", "shape"?, "call"? ("*"), "times"? (1; null: always), "user"?, "status"?, "code"?, "after"?}

    too_fast                code (default), http, event
    token_dead              http (default), code: `status` 401 or 403; http500, html, event
    cap                     code (default), event
    outage                  http: `status` 500, 502 or 503 (default)
    server_error            http 500
    malformed               an answer that is not JSON
    hang                    no answer until the client leaves
    disconnect              the connection closes without an answer
    disconnect_after_work   the same, after the call's work was done
    plain_json              completions: plain JSON instead of a stream
    mid_stream_error        completions: error event `code` (10008) after `after` (1) pieces
    sign_on_too_fast        the sign-on answers 429 by code (2026) or message (2025)

Directives
----------
The last `[[sim key=value key="quoted \n \u003c value" flag]]` of a prompt steers the answer:

    text="..."              the answer, else a line that says what was received
    echo                    the whole received prompt as the answer, with the turns that the school added
    pieces=N                split into N pieces; without `text` or `echo`: "piece1 piece2 ..."
    reasoning="..."         the reasoning, else a fixed one where the model thinks and `thinking` asks for it
    first_delay_ms=N        before the first piece
    delay_ms=N              after each piece
    hold                    after the first piece, wait for `POST release` or the client's leaving
    empty                   no piece at all
    no_summary, no_done     leave these frames out
    cut_after=N             after N pieces the stream ends cleanly, with neither summary nor `[DONE]`
    abort_after=N           after N pieces the connection closes in the middle of the body
    error_after=N           after N pieces comes an error event with `error_code=N` (10008)
    plain                   plain JSON instead of a stream

In a prompt, `forbidden-word` meets the filter, `file:///` the firewall's sentence, `<<odd-markup>>` its `Request Err!`.
"""
