"""``python -m lasagne_objectives``: see ``revival/runner.py``."""

from lasagne_objectives.revival.runner import main

main()
