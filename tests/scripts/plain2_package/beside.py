"""Imports its neighbour as Python 2 did."""
import neighbour

print 'beside', neighbour.HALF
