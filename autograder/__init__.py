"""Grade notebooks in which backpropagation is written by hand.

The student's code runs in a sandbox and only answers calls; the tests, the expected values and the reference
solutions stay outside. Layers, bottom up: errors and outcomes; notebooks and sandbox; the student proxy; judging
and its pytest plugin; grading; batches and reports; the command line.
"""
