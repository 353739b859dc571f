"""Where a leak is: from live blocks by call stack to the sites that grow with every block of iterations.

In reading order:

- ``frames``: a frame of a call stack; which frames say something, and which are the runtime's
- ``site_growth``: the live blocks of one site at each boundary, and whether they are a leak, a filling or neither
- ``located``: the answer, as it is kept and shown
- ``sites``: from stacks to sites
- ``explained``: how much of the measured leak the sites explain
- ``words``: what was located in lines of text
"""
