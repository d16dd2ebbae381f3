"""From ``source/`` to what students are given, and the search for what they must not be given."""
