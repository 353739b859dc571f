"""experiments.toml → typed frozen objects: :mod:`.types` says what there is, :mod:`.load` reads a file."""
