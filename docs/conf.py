"""Settings of the documentation, which Sphinx reads."""

import os
import sys

# The package itself, not a stand-in for it: autodoc reads its docstrings, and
# importing it makes Theano importable.
import lasagne_objectives

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # mathml.py

project = 'lasagne_objectives'
author = 'the lasagne_objectives developers'
copyright = '2026, ' + author
version = release = lasagne_objectives.__version__

extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.doctest',  # for testsetup, which tests/pages.py runs
    'mathml',
    'numpydoc',
]

# numerics.rst includes the other, which is no page by itself
exclude_patterns = ['_build', 'user/*_table.rst']
add_module_names = False
autosummary_generate = False  # api.rst has every function on one page
numpydoc_show_class_members = False
html_math_renderer = 'mathml'
html_theme = 'furo'
html_title = project
html_static_path = ['static']
html_css_files = ['custom.css']
html_copy_source = html_show_sourcelink = False
