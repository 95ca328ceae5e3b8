"""``python -m lasagne_objectives``, see :mod:`lasagne_objectives.runner`."""

from lasagne_objectives.runner import main

main()
