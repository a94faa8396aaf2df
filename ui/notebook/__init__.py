"""The Notebook page: questions, answers, and what they cite."""
