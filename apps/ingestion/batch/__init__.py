"""Langfuse's own JSON protocol: batches of events, single scores, and the oldest clients' single writes.

Events become the same records as spans do; which event said what is stamped (`Observation.said`), so that
the order in which they arrive does not matter. Pure: bytes in, records and per-event results out.
"""
