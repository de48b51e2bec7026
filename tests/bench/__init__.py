"""`make bench`: this gateway beside a bare client of the same simulated school, in the same run.

    python -m tests.bench [--quick]

The bare client is what a member would write without the gateway: httpx over aiohttp, one `saveSession`, one
`completions`, the lines of the stream read as they come. Rounds of both sides take turns, so that a busy machine
disturbs both alike: the ratios say more than the figures. All processes are real, with a database of their own.
"""
