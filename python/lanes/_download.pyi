"""The download workload of the engine, with libcurl: loaded when it is first needed, as every fork copies it."""

workload: object
"""The workload itself, for `lanes._core`."""

def libcurl_version() -> str:
    """The version of the libcurl in use, such as "7.88.1"."""
