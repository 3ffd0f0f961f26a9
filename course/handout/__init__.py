"""Other forms of the course: nbgrader, Colab, a web site, lab sessions."""
