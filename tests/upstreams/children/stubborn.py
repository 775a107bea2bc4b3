"""Ignores SIGTERM and the end of its input."""

import signal

from wire import serve

signal.signal(signal.SIGTERM, signal.SIG_IGN)
serve(lambda message: None)
while True:
    signal.pause()
