"""Runs Python 2: the files of a script that Python 3 cannot parse.

``tree``
    Finds these files. Loaded by the runner before anything else, so it
    imports nothing of the package before it has found one.
``translate``
    From Python 2 to code of Python 3, in memory.
``names``, ``modules``
    What they find there: the builtins and the modules of Python 2.
"""
