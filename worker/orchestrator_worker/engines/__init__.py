"""The engines: :mod:`.base` is the contract, :mod:`.registry` finds them, one file holds each.

In reading order:

- ``base``: the contract between the worker and an engine
- ``whisper_languages``: from what a user calls a language to the code Whisper knows it by
- ``nearest``: name the nearest known word to a mistyped one, for error messages
- ``repeated_calls``: call one function many times and read what the process then holds
- ``search_path``: have modules found where another process finds them: its ``sys.path``, in its order
- ``language``: refuse a language that an engine's own weights do not speak
- ``packages``: look at an installed package without importing it: where it lies, which version it is
- ``partial_text``: turn a recogniser's changing guesses into chunks that are mostly right the first time
- ``spoken_numbers``: spell digits and a few signs as English words, the way an American would read them aloud
- ``options``: read a table of options into a struct, with every mistake named at once
- ``registry``: find engines by name: the built-in table first, then third parties' entry points
- ``moonshine``: moonshine speech recognition
- ``alignment_text``: turn any text into words a dictionary has
- ``function``: the engine ``function``: runs an importable callable of the user's in the worker
- ``heard_words``: place a given text on the times of words that a recogniser heard in the same audio
- ``letter_sounds``: how an English word that no dictionary has is probably said, by rule
- ``pocketsphinx_dictionary``: how many phones a word has, asked for once
- ``pocketsphinx_aligner``: when each word of a text is said, by PocketSphinx
- ``pocketsphinx``: PocketSphinx: recognition and forced alignment
- ``faster_whisper``: whisper by the package ``faster-whisper`` (CTranslate2), on a model folder of the user's
"""
