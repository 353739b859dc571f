"""Everything that a stranger's recording is read with, in a process of its own that the kernel confines.

::

    host ── request + descriptors ──▶ decoder process ── forks ──▶ child: confines itself, reads one recording
      ▲                                 (no recording                 │ input: a descriptor, read only
      │                                  ever touches it)             │ output: a descriptor, PCM and nothing else
      └───────── small answers, each checked here ◀───────────────────┘

The decoder process has imported what is needed once, so that a fork of it is ready in milliseconds. What one recording
does to a child ends with that child. In reading order:

- ``messages``: the request for one recording, its bounds, and the answers
- ``helper``: the host's end of the decoder process: started when needed, ended with the host
- ``client``: one recording decoded: ask, wait, check the answer, say how a child died
- ``__main__``: entry of the decoder process
- ``server``: wait for requests, fork a child for each, see to its end
- ``confinement``: what a child is confined to
- ``child``: what is done with one recording
"""
