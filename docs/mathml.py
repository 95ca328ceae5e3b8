"""A Sphinx extension that writes formulas as MathML, when pages are built.

Browsers show MathML by themselves: pages need neither a network nor
JavaScript, and building them neither LaTeX nor Node.
"""

from latex2mathml.converter import convert


def visit_inline(writer, node):
    writer.body.append(convert(node.astext()))


def visit_display(writer, node):
    # In a box of its own that scrolls where the screen is too narrow.
    writer.body.append(writer.starttag(node, 'div', CLASS='math'))
    writer.body.append(convert(node.astext(), display='block'))
    writer.body.append('</div>')


def depart(writer, node):
    pass


def setup(app):
    app.add_html_math_renderer('mathml', (visit_inline, depart),
                               (visit_display, depart))
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
