"""A Sphinx extension that writes formulas as MathML, when pages are built.

Browsers show MathML by themselves: pages need neither a network nor
JavaScript, and building them neither LaTeX nor Node.
"""

import re

from docutils.nodes import SkipNode
from latex2mathml.converter import convert

# The bars of an absolute value are no operators: no space beside them.
BAR = '<mo stretchy="false">&#x0007C;</mo>'
TIGHT_BAR = BAR.replace('<mo', '<mo lspace="0" rspace="0"')
# A function is set apart from a factor before it and an argument without
# parentheses behind it.
SPACE = '<mspace width="0.17em"/>'
LOG = '<mi>log</mi>'


def mathml(node, display):
    formula = convert(node.astext(), display=display).replace(BAR, TIGHT_BAR)
    formula = re.sub(LOG + '(?!<mo)', LOG + SPACE, formula)
    return formula.replace(LOG, SPACE + LOG)


def visit_inline(writer, node):
    writer.body.append(mathml(node, 'inline'))
    raise SkipNode  # else the source would follow


def visit_display(writer, node):
    # In a box of its own that scrolls where the screen is too narrow.
    writer.body.append(writer.starttag(node, 'div', CLASS='math'))
    writer.body.append(mathml(node, 'block'))
    writer.body.append('</div>')
    raise SkipNode


def setup(app):
    app.add_html_math_renderer(
        'mathml', (visit_inline, None), (visit_display, None)
    )
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
