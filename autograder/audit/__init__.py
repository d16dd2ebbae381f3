"""Is an assignment sound? Its suites are measured: by mutants, by known mistakes, by right answers in other words."""

from autograder.audit.auditing import Audit, audit, settled
from autograder.audit.checking import Task, check, plan
from autograder.audit.showing import show_audit

__all__ = ["Audit", "Task", "audit", "check", "plan", "settled", "show_audit"]
