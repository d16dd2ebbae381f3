"""Commands of the command line that are about places other than this course."""
