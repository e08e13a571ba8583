"""What tests check and wait for."""
import time


class Failed(Exception):
    pass


def check(condition, text):
    if not condition:
        raise Failed(text)


def wait(condition, seconds, what, pause=0.03):
    """Polls until condition() is true and returns its value; what: text, or a function that tells what is there."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"after {seconds} s: {what() if callable(what) else what}")
        time.sleep(pause)
