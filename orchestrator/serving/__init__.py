"""``orchestrator serve``: a pool behind HTTP, in the shape that clients of OpenAI's speech endpoints know.

A thin door: what is hard (isolation, recycling, memory, retries) is the pool's. Here a request is received, checked,
bounded, and taken through the pipeline that ``transcribe`` uses::

    socket ─▶ server (uvicorn, signals) ─▶ edge (request id, keys, log, errors) ─▶ endpoints
                                                                                     │
              uploads (spooled, bounded: 413) ◀── service (429) ◀────────────────────┤
                                                                                     ▼
              answers, events ◀── running (a thread a request) ─▶ Pipeline ─▶ Pool ─▶ workers

It needs the extra ``serve`` (starlette, uvicorn, python-multipart), and nothing outside this folder imports it but the
command. In reading order:

- ``settings``: what the table ``[serve]`` of experiments.toml says, checked
- ``api_errors``: which error leads to which status and body
- ``access``: keys, and which hosts and origins may ask
- ``logs``: one line for each request, as text or JSON
- ``edge``: what happens to every request, whatever it asks for
- ``connections``: clients that send slowly, or never, that take nothing, or that are gone
- ``uploads``: a multipart body, streamed to a private file
- ``fields``: what a request for a transcript or an alignment says
- ``running``: the work on one recording, from the event loop
- ``answers``: a document in the response formats
- ``attending``: work for a client that may go away
- ``events``: text while it comes, as server-sent events
- ``configuration``: a file's models and settings, and the pool that they mean
- ``service``: how many requests there may be, the pool they use, and how it is replaced without losing one
- ``speech``: the endpoints that take recordings
- ``looking``: the endpoints that only look: models, health, metrics, the pool, the page
- ``page``: the page at ``/`` with its Content-Security-Policy
- ``app``: all endpoints together
- ``notify``: systemd's readiness and watchdog
- ``server``: the process: socket, signals, graceful stop
"""
