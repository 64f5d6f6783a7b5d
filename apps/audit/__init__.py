"""Append-only log of who changed what. Holds ids and text only, never other rooms' models."""
