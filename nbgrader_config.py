"""nbgrader's configuration of this course; read by nbgrader and by `autograder`."""

c = get_config()

c.CourseDirectory.course_id = "backprop"
c.CourseDirectory.source_directory = "source"
c.CourseDirectory.release_directory = "assignments"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.feedback_directory = "feedback"

# What a student finds where a solution stood.
c.ClearSolutions.code_stub = {"python": "# Your code here.\nraise NotImplementedError"}
c.ClearSolutions.text_stub = "*Your answer here.*"

# Grading happens in the sealed box, not in a kernel: see docs/nbgrader.md.
c.Autograde.exporter_class = "autograder.gradebook.sealed.SealedExporter"
c.Autograde.pre_convert_hook = "autograder.gradebook.sealed.find_renamed"
c.Autograde.autograde_preprocessors = [
    "autograder.gradebook.sealed.SealedGrade",  # where nbgrader has Execute
    "nbgrader.preprocessors.IgnorePattern",
    "nbconvert.preprocessors.ClearMetadataPreprocessor",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "autograder.gradebook.sealed.SaveExtraCredit",
    "nbgrader.preprocessors.AssignLatePenalties",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# What a student writes is shown as text, in formgrader and in feedback.
c.HTMLExporter.filters = {"markdown2html": "autograder.gradebook.sealed.markdown2html"}
