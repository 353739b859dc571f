"""From recorded iterations to verdicts, summaries and the gate.

In reading order:

- ``readings``: which readings of a method are judged
- ``judgement``: the judgements of an experiment, each made once
- ``levers``, ``untried``: what the baseline, a trim and the variants show, and what was not tried
- ``net_changes``: what each model of an iteration leaves behind
- ``model_summary``, ``summary``: figures of one model, of one method
- ``leak_gate``, ``junit``: the gate for CI, and its JUnit file
"""
