"""The engines: :mod:`.base` is the contract, :mod:`.registry` finds them, one file holds each."""
