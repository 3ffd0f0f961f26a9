"""Print the mutant coverage of every exercise: `python -m tests.mutants`."""

import sys

from .run import reports, table

if __name__ == "__main__":
    shown = reports()
    print(table(shown))
    sys.exit(1 if any(row.problems for row in shown) else 0)
