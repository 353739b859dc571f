"""Files that a kill never leaves half written, and one writer at a time: for runs, batches and pipelines alike.

Reading order: :mod:`.safe_places` (no link is followed), :mod:`.writing` (whole files, and why one cannot be
written), :mod:`.folder_lock` (who may write), :mod:`.reading` (no reader waits for a writer),
:mod:`.untrusted` (files from elsewhere).
"""
