"""What commands show on a terminal.

In reading order: ``drawing`` (rich's console, which shows what a text would make a terminal do), ``screen`` (lines with
colours), ``progress`` (how far, how long), ``display`` (what every run shows),
``verbose_log``, ``plain_display``, ``rich_display``, ``display_choice`` (which of them), ``dry_run``, and the views of
single commands: ``batch_display``, ``doctor_display``, ``live_text``, ``located_view``, ``top_view``.
"""
