"""Demo data: two weeks in the life of Kestrel Outfitters, an outdoor shop that does not exist."""

from apps.ingestion.demo.loader import load_demo

__all__ = ["load_demo"]
