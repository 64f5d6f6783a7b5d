"""Which files are taken, and how each is shown and served.

A browser may run HTML, SVG, XML and scripts: such files are only ever downloads without a type. The rest of
the list is what every browser shows in <img>, <audio> and <video>, where nothing runs.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["image", "audio", "video", "file"]

# Types a client may announce (public API reference, MediaContentType), with the ending of a downloaded file.
EXTENSIONS = {
    "image/png": "png", "image/jpeg": "jpg", "image/jpg": "jpg", "image/webp": "webp", "image/gif": "gif",
    "image/svg+xml": "svg", "image/tiff": "tiff", "image/bmp": "bmp", "image/avif": "avif",
    "image/heic": "heic",
    "audio/mpeg": "mp3", "audio/mp3": "mp3", "audio/wav": "wav", "audio/ogg": "ogg", "audio/oga": "oga",
    "audio/aac": "aac", "audio/mp4": "m4a", "audio/flac": "flac", "audio/opus": "opus", "audio/webm": "weba",
    "video/mp4": "mp4", "video/webm": "webm", "video/ogg": "ogv", "video/mpeg": "mpeg",
    "video/quicktime": "mov", "video/x-msvideo": "avi", "video/x-matroska": "mkv",
    "text/plain": "txt", "text/html": "html", "text/css": "css", "text/csv": "csv", "text/markdown": "md",
    "text/x-python": "py", "application/javascript": "js", "text/x-typescript": "ts",
    "application/x-yaml": "yaml", "application/pdf": "pdf", "application/msword": "doc",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/zip": "zip", "application/json": "json", "application/xml": "xml",
    "application/octet-stream": "bin",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/rtf": "rtf", "application/x-ndjson": "ndjson", "application/vnd.apache.parquet": "parquet",
    "application/gzip": "gz", "application/x-tar": "tar", "application/x-7z-compressed": "7z",
}  # fmt: skip

# Announced type to the one a browser gets; what is not here is a download.
_SHOWN = {
    "image/png": "image/png", "image/jpeg": "image/jpeg", "image/jpg": "image/jpeg",
    "image/webp": "image/webp", "image/gif": "image/gif", "image/bmp": "image/bmp",
    "image/avif": "image/avif",
    "audio/mpeg": "audio/mpeg", "audio/mp3": "audio/mpeg", "audio/wav": "audio/wav",
    "audio/ogg": "audio/ogg", "audio/oga": "audio/ogg", "audio/opus": "audio/ogg", "audio/aac": "audio/aac",
    "audio/mp4": "audio/mp4", "audio/flac": "audio/flac", "audio/webm": "audio/webm",
    "video/mp4": "video/mp4", "video/webm": "video/webm", "video/ogg": "video/ogg",
    "video/quicktime": "video/quicktime",
}  # fmt: skip


def kind(content_type: str) -> Kind:
    """How a page shows a file."""
    shown = _SHOWN.get(content_type)
    if shown is None:
        return "file"
    return "image" if shown.startswith("image") else "audio" if shown.startswith("audio") else "video"


def served_as(content_type: str) -> str:
    """The Content-Type a file is sent with: never one that a browser would run or guess about."""
    return _SHOWN.get(content_type, "application/octet-stream")


def disposition(content_type: str, name: str, *, attachment: bool = False) -> str:
    """Content-Disposition of a file called `name` (letters and digits of ours): only what cannot run may be
    shown in place."""
    inline = content_type in _SHOWN and not attachment
    return f'{"inline" if inline else "attachment"}; filename="{name}"'


def file_name(media_id: str, content_type: str) -> str:
    """What a downloaded file is called: the protocol carries no names."""
    return f"{media_id}.{EXTENSIONS.get(content_type, 'bin')}"
