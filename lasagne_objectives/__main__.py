"""``python -m lasagne_objectives``, see :mod:`lasagne_objectives.revival.runner`."""

from lasagne_objectives.revival.runner import main

main()
