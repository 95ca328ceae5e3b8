"""Theano Ops for what the objectives are composed of, one file per kernel.

They know nothing of the objectives: each computes one formula on element or
row, with its gradient given explicitly where differentiating the formula
would lose digits or turn up NaN.
"""
