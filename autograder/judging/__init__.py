"""What a hidden suite is written with, and how its tests are judged: forms of code, the judge, the pytest plugin."""
