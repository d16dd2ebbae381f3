"""Grade notebooks in which backpropagation is written by hand.

The student's code runs in a sandbox and only answers calls; the tests, the expected values and the reference
solutions stay outside. Layers, bottom up: errors and outcomes; notebooks and sandbox; the student proxy; judging
and its pytest plugin; grading; batches and reports; the command line.
"""

import os
import sys

# Submissions are graded side by side, one for each processor, where matrix products with threads of their own only get
# in each other's way: on two busy processors they were seen to take 8 to 18 times as long. Said before numpy is loaded.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# nbformat imports jsonschema, and that makes a parser of addresses with letters of all scripts, if it finds one. No
# notebook has any, and 2.4 of the 2.7 seconds that nbformat takes to be imported are spent on it.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
