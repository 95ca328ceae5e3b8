"""Draw the pictures of the tutorial, by running the code on its page.

Run it to draw docs/figures/tutorial/*.svg.
"""

import lasagne_objectives  # noqa: F401 (before theano)

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, 'tutorial')
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, 'tests'))

import pages  # noqa: E402 (from the tests)
import style  # noqa: E402

if __name__ == '__main__':
    style.apply()
    os.makedirs(FOLDER, exist_ok=True)
    os.chdir(FOLDER)
    pages.run(os.path.join('docs', 'user', 'tutorial.rst'))
