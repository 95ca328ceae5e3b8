"""Is imported by its neighbour."""
HALF = 7 / 2
print 'neighbour'
