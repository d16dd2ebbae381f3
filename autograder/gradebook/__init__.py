"""nbgrader: its gradebook, the notebooks that it shows, and the classes that ``nbgrader_config.py`` names."""
