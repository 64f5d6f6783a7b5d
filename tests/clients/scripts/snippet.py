"""Runs the program in a file as it is, but in a trace whose id is known beforehand.

Arguments: the file, the trace id in hexadecimal.
"""

import sys
from pathlib import Path

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

file, trace_id = sys.argv[1:]
RandomIdGenerator.generate_trace_id = lambda self: int(trace_id, 16)
exec(compile(Path(file).read_text(encoding="utf-8"), file, "exec"), {"__name__": "__main__"})
