"""Is an assignment sound? Its suites are measured: by mutants, by known mistakes, by right answers in other words."""

from autograder.audit.auditing import Audit, audit

__all__ = ["Audit", "audit"]
