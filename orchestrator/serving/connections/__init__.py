"""Connections that last only while they serve: ``bounded`` has the rules, ``wire`` the transport below."""
