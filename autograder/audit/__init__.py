"""Is an assignment sound? Its suites are measured: by mutants, by known mistakes, by right answers in other words."""

from autograder.audit.auditing import Audit, audit
from autograder.audit.showing import show_audit

__all__ = ["Audit", "audit", "show_audit"]
