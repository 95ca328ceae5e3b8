"""Settings of the documentation, which Sphinx reads."""

# The package itself, not a stand-in for it: autodoc reads its docstrings, and
# importing it makes Theano importable.
import lasagne_objectives

project = 'lasagne_objectives'
author = 'the lasagne_objectives developers'
copyright = '2026, ' + author
version = release = lasagne_objectives.__version__

extensions = [
    'sphinx.ext.autodoc',
    'sphinx.ext.autosummary',
    'sphinx.ext.mathjax',
    'numpydoc',
]

exclude_patterns = ['_build']
add_module_names = False
autosummary_generate = False  # api.rst has every function on one page
numpydoc_show_class_members = False
html_theme = 'alabaster'
