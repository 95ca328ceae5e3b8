"""Reads sizes of layers."""


def parse(text):
    try:
        return [int(size) / 1 for size in text.split(',')]
    except ValueError, error:
        raise ValueError, 'no sizes: %s' % error
