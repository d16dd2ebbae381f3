"""Pages that people read: a dashboard of the class, and a page for each student.

Each is one HTML file that needs nothing else: no script, no request, styles and figures inside. It is light or dark as
the reader's system is, fits a phone, and prints. Whatever came from a student stands on it as text.
"""

from autograder.pages.dashboard import dashboard
from autograder.pages.student import student_page

__all__ = ["dashboard", "student_page"]
