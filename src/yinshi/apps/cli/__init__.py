"""The `yinshi` command: parse, call the public API, show."""
