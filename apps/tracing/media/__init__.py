"""Images, sounds and other files that belong to traces: taken from clients, kept, shown.

Content in traces names them by reference (`references`); the bytes go through `storage`, on the disk or in
an S3 bucket, past the telemetry store. What a file claims to be is never believed when it is served.
"""
