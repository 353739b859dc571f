"""Everything that a stranger's recording is read with, in a process of its own that the kernel confines.

::

    host ── request + descriptors ──▶ decoder process ── forks ──▶ child: confines itself, reads one recording
      ▲                                 (no recording                 │ input: a descriptor, read only
      │                                  ever touches it)             │ output: a descriptor, PCM and nothing else
      └───────── small answers, each checked here ◀───────────────────┘

The decoder process has imported what is needed once, and keeps one child ready that waits, confined, for the next
recording. A child serves one: what a recording does to it ends with it. In reading order:

- ``messages``: the request for one recording, its bounds, and the answers
- ``helper``: the host's end of the decoder process: started when needed, ended with the host
- ``job``: one child, seen from the host: what it is asked, what it says, how it ended
- ``client``: one recording decoded: its bounds, who is asked for it, what is made of the answer
- ``__main__``: entry of the decoder process
- ``server``: wait for requests, hand each to a child of its own, see to its end
- ``confinement``: what a child is confined to
- ``child``: what is done with one recording
"""
