"""Checks of any table, such as a user's file or the raw table of a domain."""
